package bench

import (
	"os"
	"runtime"
	"runtime/debug"
	"testing"
)

// TestPeak: memory that was given back before the reset does not count, what is taken after it does.
func TestPeak(t *testing.T) {
	if os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) != nil {
		t.Skip("the system does not let processes reset their peak")
	}
	const size = 200 << 20
	take := func() {
		b := make([]byte, size)
		for i := 0; i < size; i += 4096 {
			b[i] = 1
		}
		runtime.KeepAlive(b)
	}
	take()
	before := peakBytes()
	debug.FreeOSMemory()
	resetPeak()
	after := peakBytes()
	take()
	again := peakBytes()
	if before < size || after > before-size/2 || again < after+size/2 {
		t.Errorf("peaks of %d, %d after the reset and %d MiB", before>>20, after>>20, again>>20)
	}
}
