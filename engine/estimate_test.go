package engine_test

import (
	"testing"

	"github.com/gomlx/gomlx/pkg/core/dtypes"
	"github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/shapes"

	"github.com/seed-0f004ec9/spgd/engine"
	"github.com/seed-0f004ec9/spgd/prior"
)

// TestEstimate counts what is alive in small graphs. Every array has 4 kB.
func TestEstimate(t *testing.T) {
	e, err := engine.New(engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	const kB = 32 * 32 * 4
	square := shapes.Make(dtypes.Float32, 32, 32)
	for name, c := range map[string]struct {
		build func(x *graph.Node) *graph.Node
		want  int // arrays
	}{
		"element by element":        {func(x *graph.Node) *graph.Node { return graph.Exp(graph.Neg(graph.Exp(x))) }, 1},
		"products, one after other": {func(x *graph.Node) *graph.Node { return graph.Dot(graph.Dot(graph.Dot(x, x), x), x) }, 2},
		"an operand is stored":      {func(x *graph.Node) *graph.Node { return graph.Dot(graph.Transpose(graph.Exp(x), 0, 1), x) }, 2},
		"a view is not":             {func(x *graph.Node) *graph.Node { return graph.Dot(graph.Transpose(x, 0, 1), x) }, 1},
		"kept for the end": {func(x *graph.Node) *graph.Node {
			a := graph.Dot(x, x)
			b := graph.Dot(a, x)
			return graph.Add(graph.Dot(graph.Dot(b, x), x), graph.Mul(a, b))
		}, 4},
		"read through others": {func(x *graph.Node) *graph.Node {
			a := graph.Dot(x, x)
			return graph.Dot(graph.Exp(graph.Neg(a)), x)
		}, 2},
	} {
		got, err := e.Estimate(name, []shapes.Shape{square}, func(in []*graph.Node) []*graph.Node { return []*graph.Node{c.build(in[0])} })
		if err != nil || got != c.want*kB {
			t.Errorf("%s: %d arrays and %d bytes, want %d, %v", name, got/kB, got%kB, c.want, err)
		}
	}
	if _, known := e.Room(); known {
		t.Error("the CPU has an accelerator's memory")
	}
}

// TestEstimateOfNetwork holds the estimate of a network's VJP to what this program's own plan of it takes, which
// computes more values again, and to its growth with the batch.
func TestEstimateOfNetwork(t *testing.T) {
	e, err := engine.New(engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	m, err := prior.Load("natural-small", prior.LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	estimate := func(batch int) (bytes, planned int) {
		image := shapes.Make(dtypes.Float32, batch, 64, 64, 3)
		in := []shapes.Shape{image, shapes.Make(dtypes.Float32, batch)}
		for _, w := range m.Weights() {
			in = append(in, w.Shape())
		}
		build := func(in []*graph.Node) []*graph.Node {
			y := m.Denoise(in[2:], in[0], in[1])
			return graph.Gradient(graph.ReduceAllSum(graph.Mul(y, y)), in[0])
		}
		bytes, err := e.Estimate("network", in, build)
		if err != nil {
			t.Fatal(err)
		}
		if batch == 1 {
			p, err := e.Compile("network", in, build)
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			memory, _ := p.Memory(nil)
			planned = memory.Temporary
		}
		return bytes, planned
	}
	one, planned := estimate(1)
	four, _ := estimate(4)
	t.Logf("%d bytes, planned %d; batch of 4: %d", one, planned, four)
	if one < planned || one > 4*planned {
		t.Errorf("%d bytes for a program that takes %d", one, planned)
	}
	if four < 39*one/10 || four > 4*one {
		t.Errorf("%d bytes for a batch of 4 and %d for one", four, one)
	}
}
