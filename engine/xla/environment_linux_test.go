//go:build cgo && linux && (amd64 || arm64)

package xla

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/gomlx/go-xla/pkg/pjrt"

	"github.com/seed-0f004ec9/spgd/engine/xla/internal/environment"
	"github.com/seed-0f004ec9/spgd/internal/pjrttest"
)

// TestEnvironment checks, in a new process, that go-xla is initialised after the variable was taken over: it
// knows nothing of a plugin in a folder that the variable names.
func TestEnvironment(t *testing.T) {
	dir := os.Getenv("SPGD_TEST_ENVIRONMENT")
	if dir == "" {
		dir = t.TempDir()
		if err := os.Symlink(pjrttest.Plugin(t, pjrttest.Works), filepath.Join(dir, "pjrt_c_api_fake_plugin.so")); err != nil {
			t.Fatal(err)
		}
		child := exec.Command(os.Args[0], "-test.run=^TestEnvironment$")
		child.Env = append(os.Environ(), "SPGD_TEST_ENVIRONMENT="+dir, envLibraryPath+"="+dir)
		if out, err := child.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	if environment.LibraryPath != dir || System().Getenv(envLibraryPath) != dir {
		t.Errorf("the user's value is %q", environment.LibraryPath)
	}
	if plugins := pjrt.AvailablePlugins(); len(plugins) != 0 {
		t.Errorf("go-xla has looked for plugins: %v", plugins)
	}
}
