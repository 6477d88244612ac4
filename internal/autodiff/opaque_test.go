package autodiff

import (
	"slices"
	"testing"

	"github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/shapes"
	"github.com/gomlx/gomlx/pkg/core/tensors"

	"github.com/seed-0f004ec9/spgd/engine"
)

func TestReverse(t *testing.T) {
	x := tensors.FromValue([][]float32{{1, 2, 3}, {4, 5, 6}})
	w := tensors.FromValue([][]float32{{1, 10, 100}, {-1, -10, -100}})
	e, err := engine.New(engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	for _, c := range []struct {
		axes       []int
		value, vjp []float32
	}{
		{[]int{1}, []float32{3, 2, 1, 6, 5, 4}, []float32{100, 10, 1, -100, -10, -1}},
		{[]int{0}, []float32{4, 5, 6, 1, 2, 3}, []float32{-1, -10, -100, 1, 10, 100}},
		{[]int{0, 1}, []float32{6, 5, 4, 3, 2, 1}, []float32{-100, -10, -1, 100, 10, 1}},
	} {
		p, err := e.Compile("reverse", []shapes.Shape{x.Shape(), w.Shape()}, func(in []*graph.Node) []*graph.Node {
			y := Reverse(in[0], c.axes...)
			return []*graph.Node{y, graph.Gradient(graph.ReduceAllSum(graph.Mul(y, in[1])), in[0])[0]}
		})
		if err != nil {
			t.Fatal(err)
		}
		out, err := p.Run(x, w)
		if err != nil {
			t.Fatal(err)
		}
		if got := tensors.MustCopyFlatData[float32](out[0]); !slices.Equal(got, c.value) {
			t.Errorf("along %v: %v, want %v", c.axes, got, c.value)
		}
		if got := tensors.MustCopyFlatData[float32](out[1]); !slices.Equal(got, c.vjp) {
			t.Errorf("VJP along %v: %v, want %v", c.axes, got, c.vjp)
		}
		p.Close()
	}
}
