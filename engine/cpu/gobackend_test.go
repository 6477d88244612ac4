package cpu

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/gomlx/gomlx/backends"
	"github.com/gomlx/gomlx/backends/simplego"
	"github.com/gomlx/gomlx/pkg/core/dtypes"
	"github.com/gomlx/gomlx/pkg/core/shapes"
)

// randomMixture builds a random graph of the operations that GoMLX's own Go backend has, with
// values of one data type that stay small. The same random numbers build the same graph.
func randomMixture(r *rand.Rand, bd backends.Builder, x []backends.Op, dtype dtypes.DType) []backends.Op {
	nodes := append([]backends.Op(nil), x...)
	shapeOf := func(o backends.Op) shapes.Shape {
		s, err := bd.OpShape(o)
		if err != nil {
			panic(err)
		}
		return s
	}
	one := op(bd.ConvertDType(op(bd.Constant([]int64{3})), dtype))
	for range 25 {
		a := nodes[r.IntN(len(nodes))]
		s := shapeOf(a)
		rank := s.Rank()
		var like []backends.Op // those of the same shape
		for _, n := range nodes {
			if shapeOf(n).Equal(s) {
				like = append(like, n)
			}
		}
		b := like[r.IntN(len(like))]
		var n backends.Op
		switch k := r.IntN(18); {
		case k == 0:
			n = op(bd.Add(a, b))
		case k == 1:
			n = op(bd.Sub(a, one))
		case k == 2:
			n = op(bd.Max(a, b))
		case k == 3:
			n = op(bd.Min(one, a))
		case k == 4:
			n = op(bd.Where(op(bd.LessThan(a, b)), a, one))
		case k == 5:
			n = op(bd.Transpose(a, r.Perm(rank)...))
		case k == 6 && rank > 0:
			n = op(bd.ReduceSum(a, r.IntN(rank)))
		case k == 7 && rank > 0:
			n = op(bd.ReduceMax(a, r.Perm(rank)[:1+r.IntN(rank)]...))
		case k == 8 && rank > 0:
			axis := r.IntN(rank)
			n = op(bd.Concatenate(axis, a, b))
		case k == 9 && rank > 0:
			starts, limits, strides := make([]int, rank), make([]int, rank), make([]int, rank)
			for i, d := range s.Dimensions {
				starts[i] = r.IntN(d)
				limits[i] = starts[i] + 1 + r.IntN(d-starts[i])
				strides[i] = 1 + r.IntN(2)
			}
			n = op(bd.Slice(a, starts, limits, strides))
		case k == 10 && rank < 4:
			dims := append([]int{2}, s.Dimensions...)
			axes := make([]int, rank)
			for i := range axes {
				axes[i] = i + 1
			}
			n = op(bd.BroadcastInDim(a, shapes.Make(dtype, dims...), axes))
		case k == 11:
			n = op(bd.Reshape(a, s.Size()))
		case k == 12 && rank == 2:
			n = op(bd.DotGeneral(a, []int{1}, nil, b, []int{1}, nil))
		case k == 13 && rank > 1:
			n = op(bd.DotGeneral(a, []int{0}, []int{1}, b, []int{0}, []int{1}))
		case k == 14 && dtype.IsFloat():
			n = op(bd.Tanh(a))
		case k == 15 && dtype.IsFloat():
			n = op(bd.Logistic(a))
		case k == 16 && dtype.IsFloat():
			n = op(bd.Div(a, op(bd.Add(one, op(bd.Abs(a))))))
		case k == 17 && rank == 3:
			c := s.Dimensions[2]
			kernel := op(bd.BroadcastInDim(op(bd.Iota(shapes.Make(dtype, c), 0)), shapes.Make(dtype, 1, c, 2), []int{1}))
			n = op(bd.ConvGeneral(a, kernel, backends.ConvolveAxesConfig{InputBatch: 0, InputChannels: 2, InputSpatial: []int{1},
				KernelInputChannels: 1, KernelOutputChannels: 2, KernelSpatial: []int{0},
				OutputBatch: 0, OutputChannels: 2, OutputSpatial: []int{1}}, []int{1}, [][2]int{{1, 0}}, nil, nil, 1, 1))
		default:
			continue
		}
		// Keep numbers and tensors small.
		if shapeOf(n).Size() > 2000 {
			continue
		}
		if dtype.IsFloat() {
			n = op(bd.Max(op(bd.Min(n, one)), op(bd.Neg(one))))
		}
		nodes = append(nodes, n)
	}
	var out []backends.Op
	for _, n := range nodes[len(x):] {
		if r.IntN(3) == 0 {
			out = append(out, n)
		}
	}
	return append(out, op(bd.Identity(nodes[len(nodes)-1])))
}

// TestAgainstGoBackend compares with GoMLX's own Go backend.
func TestAgainstGoBackend(t *testing.T) {
	ref, err := simplego.New("")
	if err != nil {
		t.Fatal(err)
	}
	for _, dtype := range []dtypes.DType{dtypes.Float32, dtypes.Float64, dtypes.Int32, dtypes.Int64, dtypes.Uint8} {
		for seed := range uint64(30) {
			r := rand.New(rand.NewPCG(seed, uint64(dtype)))
			dims := randomDims(r, r.IntN(4), 4)
			args := []arg{fill(r, dtype, dims...), fill(r, dtype, dims...)}
			want := runOnAny(t, ref, seed, dtype, args)
			got := runOnAny(t, newTestBackend(t, 2), seed, dtype, args)
			if len(got) != len(want) {
				t.Fatalf("%d outputs, want %d", len(got), len(want))
			}
			for i := range want {
				near(t, numbers(got[i]), numbers(want[i]), 200*precision(dtype))
			}
			if t.Failed() {
				t.Fatalf("%s, seed %d", dtype, seed)
			}
		}
	}
}

// runOnAny runs randomMixture on any backend and returns the elements of its outputs.
func runOnAny(t *testing.T, b backends.Backend, seed uint64, dtype dtypes.DType, args []arg) (out []any) {
	t.Helper()
	bd := b.Builder("random")
	var x []backends.Op
	var in []backends.Buffer
	for i, a := range args {
		x = append(x, op(bd.Parameter(fmt.Sprint(i), a.shape(), nil)))
		buf, err := b.BufferFromFlatData(0, a.flat, a.shape())
		if err != nil {
			t.Fatal(err)
		}
		in = append(in, buf)
	}
	e, err := bd.Compile(randomMixture(rand.New(rand.NewPCG(seed, 77)), bd, x, dtype), nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := e.Execute(in, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	for i, o := range res {
		flat := makeFlat(dtype, e.Outputs()[i].Size())
		if err := b.BufferToFlatData(o, flat); err != nil {
			t.Fatal(err)
		}
		out = append(out, flat)
	}
	return out
}
