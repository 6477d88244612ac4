package engine

import (
	"testing"

	"github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/shapes"
	"github.com/gomlx/gomlx/pkg/core/tensors"
)

// A tensor serves several engines, at once and after the first has closed.
func TestTensorOnSeveralEngines(t *testing.T) {
	x := tensors.FromFlatDataAndDimensions([]float32{1, 2, 3}, 3)
	double := func(e *Engine) []float32 {
		t.Helper()
		p, err := e.Compile("double", []shapes.Shape{x.Shape()}, func(in []*graph.Node) []*graph.Node {
			return []*graph.Node{graph.MulScalar(in[0], 2)}
		})
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		var got []float32
		for range 2 {
			out, err := p.Run(x)
			if err != nil {
				t.Fatal(err)
			}
			got = nil
			out[0].MustConstFlatData(func(f any) { got = append(got, f.([]float32)...) })
		}
		return got
	}
	open := func() *Engine {
		t.Helper()
		e, err := New(Options{Threads: 1})
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	first, second := open(), open()
	engines := map[string]*Engine{"first": first, "second": second}
	for name, e := range engines {
		if got := double(e); len(got) != 3 || got[0] != 2 || got[2] != 6 {
			t.Errorf("%s engine: %v, want [2 4 6]", name, got)
		}
	}
	first.Close()
	second.Close()
	third := open()
	defer third.Close()
	if got := double(third); len(got) != 3 || got[0] != 2 || got[2] != 6 {
		t.Errorf("after the others have closed: %v, want [2 4 6]", got)
	}
}
