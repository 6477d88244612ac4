package prior

import (
	"errors"
	"math"
	"path/filepath"
	"testing"

	"github.com/gomlx/gomlx/pkg/core/dtypes"
	"github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/shapes"
	"github.com/gomlx/gomlx/pkg/core/tensors"

	"github.com/seed-0f004ec9/spgd/engine"
	"github.com/seed-0f004ec9/spgd/engine/cpu"
	"github.com/seed-0f004ec9/spgd/prior/checkpoint"
)

func newEngine(t testing.TB) *engine.Engine {
	t.Helper()
	return newEngineOf(t, engine.Options{})
}

// newEngineOf returns an engine. Where the processor lacks its precision, the test is skipped.
func newEngineOf(t testing.TB, o engine.Options) *engine.Engine {
	t.Helper()
	e, err := engine.New(o)
	if errors.Is(err, cpu.ErrNoBF16) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e
}

// compile compiles a graph for inputs of the shapes of in, and returns a function that runs it.
func compile(t testing.TB, e *engine.Engine, in []*tensors.Tensor, build func(in []*graph.Node) []*graph.Node) func(in ...*tensors.Tensor) [][]float32 {
	t.Helper()
	inputs := make([]shapes.Shape, len(in))
	for i, x := range in {
		inputs[i] = x.Shape()
	}
	p, err := e.Compile(t.Name(), inputs, build)
	if err != nil {
		t.Fatal(err)
	}
	return func(in ...*tensors.Tensor) [][]float32 {
		t.Helper()
		out, err := p.Run(in...)
		if err != nil {
			t.Fatal(err)
		}
		data := make([][]float32, len(out))
		for i, x := range out {
			data[i] = values(x)
		}
		return data
	}
}

// run compiles a graph, runs it once, and returns its outputs' values.
func run(t testing.TB, e *engine.Engine, in []*tensors.Tensor, build func(in []*graph.Node) []*graph.Node) [][]float32 {
	t.Helper()
	return compile(t, e, in, build)(in...)
}

// vjp returns the vector-Jacobian product of out with respect to x.
func vjp(out, cotangent, x *graph.Node) *graph.Node {
	return graph.Gradient(graph.ReduceAllSum(graph.Mul(out, cotangent)), x)[0]
}

// denoiser compiles D(x; sigma) and its VJP with respect to x, for x of the given shape.
func denoiser(t testing.TB, e *engine.Engine, d Denoiser, dims []int) func(x, sigma, cotangent *tensors.Tensor) (x0hat, gradient []float32) {
	t.Helper()
	like := func(dims ...int) *tensors.Tensor { return tensors.FromShape(shapes.Make(dtypes.Float32, dims...)) }
	in := append([]*tensors.Tensor{like(dims...), like(dims[0]), like(dims...)}, d.Weights()...)
	run := compile(t, e, in, func(in []*graph.Node) []*graph.Node {
		y := d.Denoise(in[3:], in[0], in[1])
		return []*graph.Node{y, vjp(y, in[2], in[0])}
	})
	return func(x, sigma, cotangent *tensors.Tensor) (x0hat, gradient []float32) {
		t.Helper()
		out := run(append([]*tensors.Tensor{x, sigma, cotangent}, d.Weights()...)...)
		return out[0], out[1]
	}
}

// denoise runs D(x; sigma) and its VJP with respect to x.
func denoise(t testing.TB, e *engine.Engine, d Denoiser, x, sigma, cotangent *tensors.Tensor) (x0hat, gradient []float32) {
	t.Helper()
	return denoiser(t, e, d, x.Shape().Dimensions)(x, sigma, cotangent)
}

func golden(t testing.TB, name string, o ...checkpoint.Option) *checkpoint.File {
	t.Helper()
	f, err := checkpoint.Open(filepath.Join("testdata", name), o...)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// channelsLast turns a golden image tensor [N,C,H,W] into [N,H,W,C].
func channelsLast(x checkpoint.Tensor) *tensors.Tensor {
	n, c, h, w := x.Shape[0], x.Shape[1], x.Shape[2], x.Shape[3]
	out := make([]float32, len(x.Data))
	for i := range n {
		for j := range c {
			for k := range h * w {
				out[(i*h*w+k)*c+j] = x.Data[(i*c+j)*h*w+k]
			}
		}
	}
	return tensors.FromFlatDataAndDimensions(out, n, h, w, c)
}

func values(x *tensors.Tensor) []float32 { return tensors.MustCopyFlatData[float32](x) }

func norm(x []float32) float64 {
	sum := 0.0
	for _, v := range x {
		sum += float64(v) * float64(v)
	}
	return math.Sqrt(sum)
}

// distance is ||a-b||. NaN and different lengths are infinitely far apart.
func distance(a, b []float32) float64 {
	if len(a) != len(b) {
		return math.Inf(1)
	}
	sum := 0.0
	for i := range a {
		d := float64(a[i]) - float64(b[i])
		sum += d * d
	}
	if math.IsNaN(sum) {
		return math.Inf(1)
	}
	return math.Sqrt(sum)
}
