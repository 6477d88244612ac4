//go:build cgo && linux && (amd64 || arm64)

package xla

import (
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seed-0f004ec9/spgd/internal/pjrttest"
)

// management is a management library with two GPUs, of which the second does not tell its memory.
const management = `
#include <string.h>
int nvmlInit_v2(void) { return STATUS; }
int nvmlShutdown(void) { return 0; }
int nvmlSystemGetDriverVersion(char *to, unsigned n) { strncpy(to, "575.57.08", n); return 0; }
int nvmlDeviceGetCount_v2(unsigned *n) { *n = 2; return 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned i, void **d) { *d = (void *)(i + 1L); return 0; }
int nvmlDeviceGetName(void *d, char *to, unsigned n) { strncpy(to, d == (void *)1L ? "NVIDIA H100 80GB HBM3" : "NVIDIA L4", n); return 0; }
#ifndef OLD
int nvmlDeviceGetMemoryInfo(void *d, unsigned long long *m) {
	if (d != (void *)1L) return 3;
	m[0] = 85520809984; m[1] = 85000000000; m[2] = 520809984;
	return 0;
}
#endif
`

// TestCardsOfDriver asks management libraries for their GPUs.
func TestCardsOfDriver(t *testing.T) {
	pjrttest.Plugin(t, pjrttest.Works) // or there is no compiler
	build := func(name string, args ...string) string {
		t.Helper()
		path := filepath.Join(t.TempDir(), name)
		cmd := exec.Command("cc", append(args, "-shared", "-fPIC", "-x", "c", "-", "-o", path)...)
		cmd.Stdin = strings.NewReader(management)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return path
	}
	got, err := cardsOf(build("two.so", "-DSTATUS=0"))
	want := []Card{{"NVIDIA H100 80GB HBM3", "575.57.08", 85520809984, 520809984}, {Name: "NVIDIA L4", Driver: "575.57.08"}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	for name, path := range map[string]string{
		"a driver that does not answer": build("silent.so", "-DSTATUS=9"),
		"a function less":               build("old.so", "-DSTATUS=0", "-DOLD"),
		"no library":                    filepath.Join(t.TempDir(), "gone.so"),
	} {
		if got, err := cardsOf(path); err == nil {
			t.Errorf("%s: %v", name, got)
		}
	}
}
