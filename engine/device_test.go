package engine

import (
	"errors"
	"testing"

	"github.com/seed-0f004ec9/spgd/engine/xla"
)

func TestParseDevice(t *testing.T) {
	for _, s := range []string{"auto", "cpu", "cuda", "cuda:0", "cuda:11", "xla:/a/b.so", "xla:C:b"} {
		d, err := ParseDevice(s)
		if err != nil || d.String() != s || d.CPU() != (s == "cpu") {
			t.Errorf("%s is %s, %v", s, d, err)
		}
	}
	for _, s := range []string{"", "gpu", "cuda:", "cuda:-1", "cuda:01", "cuda:x", "cuda:9999", "xla", "xla:", "cpu:1", "CPU"} {
		if d, err := ParseDevice(s); !errors.Is(err, ErrDevice) {
			t.Errorf("%q is %s, %v", s, d, err)
		}
	}
	if (Device{}) != func() Device { d, _ := ParseDevice("cpu"); return d }() {
		t.Error("the zero value is not the CPU")
	}
}

// TestNoAccelerator asks for a plugin that is not there, and checks that auto then computes on the CPU and
// says why.
func TestNoAccelerator(t *testing.T) {
	t.Setenv(xla.EnvPlugin, t.TempDir()+"/gone.so")
	want := xla.ErrNoPlugin
	if xla.Supported() != nil {
		want = xla.ErrUnsupported
	}
	for _, s := range []string{"cuda", "cuda:1", "xla:" + t.TempDir() + "/gone.so"} {
		d, err := ParseDevice(s)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := New(Options{Device: d}); !errors.Is(err, want) {
			t.Errorf("%s: %v", s, err)
		}
	}
	d, err := ParseDevice("auto")
	if err != nil {
		t.Fatal(err)
	}
	e, err := New(Options{Device: d, Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if !errors.Is(e.Fallback(), want) || e.Accelerator() != nil || e.Precision() != "f32" || !e.KnowsMemory() {
		t.Errorf("auto: %v, %v, %s", e.Fallback(), e.Accelerator(), e.Precision())
	}
}
