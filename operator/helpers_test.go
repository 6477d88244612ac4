package operator

import (
	"math"
	"sync"
	"testing"

	"github.com/gomlx/gomlx/pkg/core/dtypes"
	"github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/shapes"
	"github.com/gomlx/gomlx/pkg/core/tensors"

	"github.com/seed-0f004ec9/spgd/engine"
	"github.com/seed-0f004ec9/spgd/internal/rng"
)

var sharedEngine = sync.OnceValues(func() (*engine.Engine, error) {
	return engine.New(engine.Options{Threads: 2})
})

// applied is an operator compiled for a batch: y = A(x) and the VJP for a cotangent of y.
type applied struct {
	t       testing.TB
	op      Operator
	n       int
	program *engine.Program
}

func compile(t testing.TB, op Operator, n int) *applied {
	t.Helper()
	e, err := sharedEngine()
	if err != nil {
		t.Fatal(err)
	}
	h, w := op.ImageSize()
	mh, mw, mc := op.MeasurementSize()
	in := append([]shapes.Shape{
		shapes.Make(dtypes.Float32, n, h, w, imageChannels),
		shapes.Make(dtypes.Float32, n, mh, mw, mc),
	}, DataShapes(op)...)
	p, err := e.Compile(op.Name(), in, func(in []*graph.Node) []*graph.Node {
		x, cotangent := in[0], in[1]
		y := op.Apply(in[2:], x)
		if got := y.Shape(); !got.Equal(cotangent.Shape()) {
			t.Errorf("%s: measurement %s, want %s", op.Name(), got, cotangent.Shape())
		}
		vjp := graph.Gradient(graph.ReduceAllSum(graph.Mul(y, cotangent)), x)[0]
		return []*graph.Node{graph.Identity(y), vjp}
	})
	if err != nil {
		t.Fatalf("%s: %v", op.Name(), err)
	}
	t.Cleanup(p.Close)
	return &applied{t, op, n, p}
}

// inputs are the program's.
func (a *applied) inputs(x, cotangent []float32) []*tensors.Tensor {
	h, w := a.op.ImageSize()
	mh, mw, mc := a.op.MeasurementSize()
	return append([]*tensors.Tensor{
		tensors.FromFlatDataAndDimensions(x, a.n, h, w, imageChannels),
		tensors.FromFlatDataAndDimensions(cotangent, a.n, mh, mw, mc),
	}, a.op.Data()...)
}

func (a *applied) run(x, cotangent []float32) (y, vjp []float32) {
	a.t.Helper()
	out, err := a.program.Run(a.inputs(x, cotangent)...)
	if err != nil {
		a.t.Fatalf("%s: %v", a.op.Name(), err)
	}
	return flat(a.t, out[0]), flat(a.t, out[1])
}

func flat(t testing.TB, x *tensors.Tensor) []float32 {
	t.Helper()
	var out []float32
	if err := x.ConstFlatData(func(f any) { out = append(out, f.([]float32)...) }); err != nil {
		t.Fatal(err)
	}
	return out
}

// random returns n numbers uniform in [-1,1), other ones for every index.
func random(n int, index uint32) []float32 {
	s := rng.New(1, index, 0, rng.Diagnostic)
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(s.Between(-1, 1))
	}
	return v
}

// relative is ||a-b|| / ||b||.
func relative[A, B float32 | float64](a []A, b []B) float64 {
	if len(a) != len(b) {
		return math.Inf(1)
	}
	var num, den float64
	for i := range b {
		d := float64(a[i]) - float64(b[i])
		num += d * d
		den += float64(b[i]) * float64(b[i])
	}
	return math.Sqrt(num / den)
}

func inner(a, b []float32) float64 {
	sum := 0.0
	for i := range a {
		sum += float64(a[i]) * float64(b[i])
	}
	return sum
}

func must[T any](v T, err error) func(t testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}
