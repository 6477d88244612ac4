package xla_test

import (
	"math"
	"testing"

	"github.com/gomlx/gomlx/pkg/core/dtypes"
	"github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/shapes"
	"github.com/gomlx/gomlx/pkg/core/tensors"

	"github.com/seed-0f004ec9/spgd/engine"
	"github.com/seed-0f004ec9/spgd/engine/cpu"
	"github.com/seed-0f004ec9/spgd/engine/xla"
	"github.com/seed-0f004ec9/spgd/internal/rng"
)

// bf16 rounds to bfloat16, to nearest with ties to even.
func bf16(x float32) float64 {
	u := math.Float32bits(x)
	return float64(math.Float32frombits((u + 0x7fff + u>>16&1) &^ 0xffff))
}

func random(step uint32, dims ...int) *tensors.Tensor {
	a := make([]float32, shapes.Make(dtypes.Float32, dims...).Size())
	rng.New(1, 0, step, rng.Diagnostic).FillNormal(a)
	return tensors.FromFlatDataAndDimensions(a, dims...)
}

func values(t *testing.T, x *tensors.Tensor) []float32 {
	t.Helper()
	v, err := tensors.CopyFlatData[float32](x)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func openNarrow(t *testing.T) *engine.Engine {
	t.Helper()
	b, err := cpu.New(cpu.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	e := engine.WithBackend(xla.Narrow(b))
	t.Cleanup(e.Close)
	return e
}

// TestNarrow compares a convolution and its VJP with sums in float64 of rounded operands. Convolutions of
// images and products are not rounded at all.
func TestNarrow(t *testing.T) {
	const n, in, out = 5, 8, 16
	x, w, v := random(0, 1, n, n, in), random(1, 3, 3, in, out), random(2, 1, n, n, out)
	e := openNarrow(t)
	p, err := e.Compile("narrow", []shapes.Shape{x.Shape(), w.Shape(), v.Shape()}, func(a []*graph.Node) []*graph.Node {
		y := graph.Convolve(a[0], a[1]).PadSame().Done()
		return []*graph.Node{y, graph.Gradient(graph.ReduceAllSum(graph.Mul(y, a[2])), a[0])[0]}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	results, err := p.Run(x, w, v)
	if err != nil {
		t.Fatal(err)
	}
	xs, ws, vs := values(t, x), values(t, w), values(t, v)
	want, gradient := make([]float64, n*n*out), make([]float64, n*n*in)
	for i := range n {
		for j := range n {
			for di := range 3 {
				for dj := range 3 {
					a, b := i+di-1, j+dj-1
					if a < 0 || b < 0 || a >= n || b >= n {
						continue
					}
					for c := range in {
						for o := range out {
							k := bf16(ws[((di*3+dj)*in+c)*out+o])
							want[(i*n+j)*out+o] += bf16(xs[(a*n+b)*in+c]) * k
							gradient[(a*n+b)*in+c] += bf16(vs[(i*n+j)*out+o]) * k
						}
					}
				}
			}
		}
	}
	for i, w := range [][]float64{want, gradient} {
		scale := 0.0
		for _, y := range w {
			scale = max(scale, math.Abs(y))
		}
		rounded := 0
		for k, y := range values(t, results[i]) {
			// Rounded once, to 8 bits.
			if d := math.Abs(float64(y) - w[k]); d > math.Abs(w[k])/256+1e-5*scale {
				t.Fatalf("output %d, element %d: %g, want %g", i, k, y, w[k])
			}
			if float64(y) == bf16(y) {
				rounded++
			}
		}
		if rounded != len(w) {
			t.Errorf("output %d: %d of %d elements are bfloat16 numbers", i, rounded, len(w))
		}
	}
}

// TestNarrowLeaves checks that images, thin planes and products are computed as without Narrow, to the bit.
func TestNarrowLeaves(t *testing.T) {
	narrow := openNarrow(t)
	wide, err := engine.New(engine.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer wide.Close()
	for _, c := range []struct {
		name  string
		x, w  *tensors.Tensor
		build func(x, w *graph.Node) *graph.Node
	}{
		{"from an image", random(0, 1, 8, 8, 3), random(1, 3, 3, 3, 32), func(x, w *graph.Node) *graph.Node { return graph.Convolve(x, w).PadSame().Done() }},
		{"to an image", random(0, 1, 8, 8, 32), random(1, 3, 3, 32, 3), func(x, w *graph.Node) *graph.Node { return graph.Convolve(x, w).PadSame().Done() }},
		{"of planes", random(0, 3, 8, 8, 1), random(1, 5, 5, 1, 1), func(x, w *graph.Node) *graph.Node { return graph.Convolve(x, w).PadSame().Done() }},
		{"product", random(0, 16, 32), random(1, 32, 16), graph.Dot},
	} {
		var got [2][]float32
		for i, e := range []*engine.Engine{narrow, wide} {
			x, w := c.x.Shape(), c.w.Shape()
			p, err := e.Compile(c.name, []shapes.Shape{x, w}, func(a []*graph.Node) []*graph.Node { return []*graph.Node{c.build(a[0], a[1])} })
			if err != nil {
				t.Fatal(err)
			}
			a, err := c.x.LocalClone()
			if err != nil {
				t.Fatal(err)
			}
			b, err := c.w.LocalClone()
			if err != nil {
				t.Fatal(err)
			}
			out, err := p.Run(a, b)
			if err != nil {
				t.Fatal(err)
			}
			got[i] = values(t, out[0])
			p.Close()
		}
		for i := range got[0] {
			if got[0][i] != got[1][i] {
				t.Errorf("%s: element %d is %g, want %g", c.name, i, got[0][i], got[1][i])
				break
			}
		}
	}
}
