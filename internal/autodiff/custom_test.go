package autodiff

import (
	"slices"
	"testing"

	"github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/shapes"
	"github.com/gomlx/gomlx/pkg/core/tensors"

	"github.com/seed-0f004ec9/spgd/engine"
)

// TestCustom takes gradients through z = x y^T, [2,3] and [4,3] to [2,4], with a VJP that is exact
// for x but doubled, so that it is seen to be used, and left to GoMLX for y. The function is used
// twice in one graph, inside others, and differentiated twice.
func TestCustom(t *testing.T) {
	product := func(x, y *graph.Node) *graph.Node {
		return graph.DotGeneral(x, []int{1}, nil, y, []int{1}, nil)
	}
	calls := 0
	custom := func(x, y *graph.Node) *graph.Node {
		return Custom([]*graph.Node{x, y},
			func(in []*graph.Node) *graph.Node { return product(in[0], in[1]) },
			func(in []*graph.Node, out, v *graph.Node) []*graph.Node {
				calls++
				if !out.Shape().Equal(v.Shape()) {
					t.Errorf("the cotangent has shape %s, the output %s", v.Shape(), out.Shape())
				}
				dx := graph.DotGeneral(v, []int{1}, nil, in[1], []int{0}, nil)
				return []*graph.Node{graph.MulScalar(dx, 2), nil}
			})
	}
	x := tensors.FromValue([][]float32{{1, -2, 3}, {0.5, 4, -1}})
	y := tensors.FromValue([][]float32{{2, 1, 0}, {-1, 3, 1}, {0, 1, 1}, {5, -2, 2}})
	loss := func(f func(x, y *graph.Node) *graph.Node, x, y *graph.Node) *graph.Node {
		z := f(graph.MulScalar(x, 3), y)
		return graph.ReduceAllSum(graph.Mul(graph.Mul(z, z), f(x, graph.Neg(y))))
	}
	e, err := engine.New(engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	p, err := e.Compile("custom", []shapes.Shape{x.Shape(), y.Shape()}, func(in []*graph.Node) []*graph.Node {
		l, want := loss(custom, in[0], in[1]), loss(product, in[0], in[1])
		first := graph.Gradient(l, in[0], in[1])
		again := graph.Gradient(l, in[0])
		return append(append(append([]*graph.Node{l, want}, first...), again...), graph.Gradient(want, in[0], in[1])...)
	})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	out, err := p.Run(x, y)
	if err != nil {
		t.Fatal(err)
	}
	get := func(i int) []float32 { return tensors.MustCopyFlatData[float32](out[i]) }
	double := get(5)
	for i := range double {
		double[i] *= 2
	}
	for _, c := range []struct {
		what      string
		got, want []float32
	}{
		{"the value", get(0), get(1)},
		{"the gradient of x", get(2), double},
		{"the gradient of y", get(3), get(6)},
		{"the second gradient of x", get(4), double},
	} {
		if !slices.EqualFunc(c.got, c.want, func(a, b float32) bool { return a-b < 1e-3 && b-a < 1e-3 }) {
			t.Errorf("%s is %v, want %v", c.what, c.got, c.want)
		}
	}
	if calls != 4 {
		t.Errorf("the VJP was built %d times, want once for each use and gradient: 4", calls)
	}
}
