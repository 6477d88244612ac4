package engine_test

import (
	"testing"

	"github.com/gomlx/gomlx/pkg/core/dtypes"
	"github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/shapes"
	"github.com/gomlx/gomlx/pkg/core/tensors"

	"github.com/seed-0f004ec9/spgd/engine"
	"github.com/seed-0f004ec9/spgd/internal/pjrttest"
)

// TestKept: an accelerator's engine keeps the last four programs, and the CPU's none.
func TestKept(t *testing.T) {
	device, err := engine.ParseDevice("xla:" + pjrttest.Plugin(t, pjrttest.Works))
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range []engine.Device{{}, device} {
		e, err := engine.New(engine.Options{Device: d})
		if err != nil {
			t.Fatal(err)
		}
		builds := 0
		// use adds the number of tens in a key to 1.
		use := func(key int) {
			t.Helper()
			p, done, err := e.Kept(key, func(a, b any) bool { return a.(int)/10 == b.(int)/10 }, "add", []shapes.Shape{shapes.Make(dtypes.Float32)}, func(in []*graph.Node) []*graph.Node {
				builds++
				return []*graph.Node{graph.AddScalar(in[0], float64(key/10))}
			})
			if err != nil {
				t.Fatal(err)
			}
			defer done()
			out, err := p.Run(tensors.FromScalar(float32(1)))
			if err != nil {
				t.Fatal(err)
			}
			if got := tensors.ToScalar[float32](out[0]); got != float32(1+key/10) {
				t.Errorf("program %d gives %g", key, got)
			}
		}
		for _, key := range []int{10, 11, 20, 30, 40, 12, 50, 13, 41, 21} {
			use(key)
		}
		if want := map[bool]int{true: 10, false: 6}[e.Accelerator() == nil]; builds != want { // 20 is let go of for 50
			t.Errorf("%s: %d programs were built, want %d", d, builds, want)
		}
		e.Close()
	}
}
