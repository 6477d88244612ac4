package xla

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seed-0f004ec9/spgd/internal/pjrttest"
)

// TestRefused opens what is no plugin that works.
func TestRefused(t *testing.T) {
	if err := Supported(); err != nil {
		if _, _, err := Open(Options{}); !errors.Is(err, ErrUnsupported) {
			t.Errorf("a build that cannot open devices: %v", err)
		}
		t.Skip(err)
	}
	for _, c := range []struct {
		name string
		mode pjrttest.Mode
		want error
		says string
	}{
		{"no plugin", pjrttest.NoSymbol, ErrPlugin, "has no function GetPjrtApi"},
		{"no table", pjrttest.NoTable, ErrPlugin, "returns nothing"},
		{"another version", pjrttest.OtherMajor, ErrPlugin, "version 7.83 of the PJRT interface"},
		{"too old", pjrttest.ShortTable, ErrPlugin, "version 0.83 of the PJRT interface"},
		{"no GPU", pjrttest.NoDevice, ErrNoDevice, "CUDA_ERROR_NO_DEVICE: no CUDA-capable device is detected"},
		{"no memory", pjrttest.NoMemory, ErrMemory, "Out of memory while trying to allocate 123 bytes"},
		{"no devices", pjrttest.NoDevices, ErrNoDevice, "offers none"},
		{"options", pjrttest.BadOption, ErrPlugin, "cannot start a device"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, _, err := Open(Options{Plugin: Plugin{Path: pjrttest.Plugin(t, c.mode)}, Card: -1})
			if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%v", err)
			}
		})
	}
	t.Run("no library", func(t *testing.T) {
		path := tree(t, t.TempDir(), "cuda.so")[0]
		if _, _, err := Open(Options{Plugin: Plugin{Path: path}, Card: -1}); !errors.Is(err, ErrPlugin) || !strings.Contains(err.Error(), "cannot be loaded") {
			t.Errorf("%v", err)
		}
	})
	t.Run("a number for another plugin", func(t *testing.T) {
		if _, _, err := Open(Options{Plugin: Plugin{Path: "/tpu.so"}, Card: 1}); !errors.Is(err, ErrNoDevice) {
			t.Errorf("%v", err)
		}
	})
	t.Run("a comma", func(t *testing.T) {
		if _, _, err := Open(Options{Plugin: Plugin{Path: "/a,b.so"}, Card: -1}); !errors.Is(err, ErrPlugin) || !strings.Contains(err.Error(), "comma") {
			t.Errorf("%v", err)
		}
	})
	t.Run("precision", func(t *testing.T) {
		if _, _, err := Open(Options{Precision: "f16", Card: -1}); !errors.Is(err, ErrPrecision) {
			t.Errorf("%v", err)
		}
		// The process has begun with f32 above.
		if _, _, err := Open(Options{Precision: PrecisionBF16, Card: -1}); !errors.Is(err, ErrPrecision) || !strings.Contains(err.Error(), "f32") {
			t.Errorf("%v", err)
		}
	})
}

// TestOpen opens the plugin that works, with a library beside it that has to be loaded first.
func TestOpen(t *testing.T) {
	path := pjrttest.Plugin(t, pjrttest.Works)
	b, info, err := Open(Options{Plugin: Plugin{Path: path}, Card: 3})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Finalize()
	if info.Plugin != path || info.APIVersion != "0.83" || info.Devices != 1 || !strings.Contains(info.Name, "fake device") {
		t.Errorf("%+v", info)
	}
	options := strings.Split(strings.TrimSuffix(pjrttest.Options(), ";"), ";")
	slices.Sort(options)
	if want := []string{"preallocate=false", "visible_devices=3"}; !slices.Equal(options, want) {
		t.Errorf("the client's options are %q, want %q", options, want)
	}
}

// TestPreload checks that a plugin finds a library that only its folder of NVIDIA's packages has.
func TestPreload(t *testing.T) {
	pjrttest.Plugin(t, pjrttest.Works) // or there is no compiler
	root := t.TempDir()
	lib := filepath.Join(root, "nvidia/cudnn/lib")
	plugin := filepath.Join(root, "jax_plugins/xla_cuda13/xla_cuda_plugin.so")
	for _, dir := range []string{lib, filepath.Dir(plugin)} {
		if err := os.MkdirAll(dir, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	compile := func(source string, args ...string) {
		t.Helper()
		cmd := exec.Command("cc", append(args, "-shared", "-fPIC", "-x", "c", "-")...)
		cmd.Stdin = strings.NewReader(source)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	compile("int spgd_preloaded(void) { return 1; }", "-o", filepath.Join(lib, "libcudnn.so.9"), "-Wl,-soname,libcudnn.so.9")
	// The plugin needs libcudnn.so.9, and does not say where that is.
	compile("extern int spgd_preloaded(void); void *GetPjrtApi(void) { spgd_preloaded(); return 0; }", "-o", plugin, "-Wl,--no-as-needed", "-L"+lib, "-l:libcudnn.so.9")
	_, err := Check(Plugin{Path: plugin})
	if !errors.Is(err, ErrPlugin) || !strings.Contains(err.Error(), "returns nothing") {
		t.Errorf("the plugin was not loaded: %v", err)
	}
	if err := os.Rename(filepath.Join(root, "nvidia"), filepath.Join(root, "away")); err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(root, "jax_plugins/xla_cuda13/xla_cuda_plugin2.so")
	compile("extern int spgd_preloaded(void); void *GetPjrtApi(void) { spgd_preloaded(); return 0; }", "-o", other, "-Wl,--no-as-needed", "-L"+filepath.Join(root, "away/cudnn/lib"), "-l:libcudnn.so.9", "-Wl,-soname,other")
	helper := exec.Command(os.Args[0], "-test.run=^TestCheckHelper$", "-test.v")
	helper.Env = append(os.Environ(), "SPGD_TEST_CHECK="+other)
	out, err := helper.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "libcudnn.so.9") {
		t.Errorf("without the library, in a new process: %v\n%s", err, out)
	}
}

// TestCheckHelper checks a plugin in a process of its own.
func TestCheckHelper(t *testing.T) {
	path := os.Getenv("SPGD_TEST_CHECK")
	if path == "" {
		t.Skip("TestPreload runs it")
	}
	if _, err := Check(Plugin{Path: path}); err != nil {
		t.Fatal(err)
	}
}
