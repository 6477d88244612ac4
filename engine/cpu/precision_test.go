package cpu

import (
	"errors"
	"testing"

	"github.com/gomlx/gomlx/backends"

	"github.com/seed-0f004ec9/spgd/engine/cpu/internal/kernel"
)

// TestPrecision: bf16 is either what the backend computes with, or refused with an error of its own.
func TestPrecision(t *testing.T) {
	for name, bf16 := range map[string]bool{"": false, PrecisionF32: false, PrecisionBF16: true} {
		b, err := New(Options{Precision: name, Threads: 1})
		if bf16 && !kernel.HasBF16() {
			if !errors.Is(err, ErrNoBF16) || errors.Is(err, ErrPrecision) {
				t.Errorf("precision %q on a processor without: %v, want ErrNoBF16", name, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("precision %q: %v", name, err)
			continue
		}
		if narrows := b.narrowing.elements > 0; narrows != bf16 {
			t.Errorf("precision %q: values are narrowed: %v", name, narrows)
		}
		b.Finalize()
	}
	if _, err := New(Options{Precision: "f16"}); !errors.Is(err, ErrPrecision) || errors.Is(err, ErrNoBF16) {
		t.Errorf("precision f16: %v, want ErrPrecision", err)
	}
	if _, err := backends.NewWithConfig("spgd:threads=1,precision=half"); !errors.Is(err, ErrPrecision) {
		t.Errorf("precision=half: %v, want ErrPrecision", err)
	}
}
