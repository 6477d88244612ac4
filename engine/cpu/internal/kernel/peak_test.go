package kernel

import (
	"testing"
	"time"
)

func TestPeak(t *testing.T) {
	for _, name := range ISAs() {
		got, err := PeakGFLOPS(name, 20*time.Millisecond)
		if err != nil || !(got > 0) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
		t.Logf("%s: %.1f GFLOP/s", name, got)
	}
	if _, err := PeakGFLOPS("mmx", 0); err == nil {
		t.Error("an unknown instruction set was accepted")
	}
}
