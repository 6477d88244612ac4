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

// management is a management library with three GPUs, of which the second does not tell its memory and the third is
// divided.
const management = `
#include <string.h>
int nvmlInit_v2(void) { return STATUS; }
int nvmlShutdown(void) { return 0; }
int nvmlSystemGetDriverVersion(char *to, unsigned n) { strncpy(to, "575.57.08", n); return 0; }
int nvmlDeviceGetCount_v2(unsigned *n) { *n = 3; return 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned i, void **d) { *d = (void *)(i + 1L); return 0; }
int nvmlDeviceGetName(void *d, char *to, unsigned n) { strncpy(to, d == (void *)1L ? "NVIDIA H100 80GB HBM3" : "NVIDIA L4", n); return 0; }
#ifndef PLAIN
int nvmlDeviceGetUUID(void *d, char *to, unsigned n) { strncpy(to, d == (void *)1L ? "GPU-1" : "GPU-2", n); return 0; }
int nvmlDeviceGetMigMode(void *d, unsigned *now, unsigned *later) { *now = d == (void *)3L; *later = 0; return d == (void *)2L ? 3 : 0; }
#endif
#ifndef OLD
int nvmlDeviceGetMemoryInfo(void *d, unsigned long long *m) {
	if (d == (void *)2L) return 3;
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
	first := Card{Name: "NVIDIA H100 80GB HBM3", UUID: "GPU-1", Driver: "575.57.08", Memory: 85520809984, Used: 520809984}
	want := []Card{first, {Name: "NVIDIA L4", UUID: "GPU-2", Driver: "575.57.08"}, {Name: "NVIDIA L4", UUID: "GPU-2", Driver: "575.57.08"}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	// An old driver has no UUIDs and divides nothing.
	first.UUID = ""
	if got, err = cardsOf(build("plain.so", "-DSTATUS=0", "-DPLAIN")); err != nil || len(got) != 3 || got[0] != first || got[2].Memory != first.Memory {
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
