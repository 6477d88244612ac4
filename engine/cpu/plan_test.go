package cpu

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/gomlx/gomlx/backends"
	"github.com/gomlx/gomlx/pkg/core/dtypes"
	. "github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/shapes"
	"github.com/gomlx/gomlx/pkg/core/tensors"
)

// newInterpreted returns a backend that runs graphs without plans.
func newInterpreted(t *testing.T) *Backend {
	t.Helper()
	b := newTestBackend(t, 2)
	b.compile = func(bd *Builder, outputs []*node) (runner, error) { return interpreter{bd, outputs}, nil }
	return b
}

func newTestBackend(t *testing.T, threads int) *Backend {
	t.Helper()
	b, err := New(Options{Threads: threads})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Finalize)
	return b
}

// runOn builds a graph on a backend and returns the elements of its outputs.
func runOn(t *testing.T, b backends.Backend, in [][]float32, dims [][]int, build func(in []*Node) []*Node) [][]float32 {
	t.Helper()
	g := NewGraph(b, t.Name())
	var params []*Node
	var args []any
	for i, d := range dims {
		params = append(params, Parameter(g, fmt.Sprint("p", i), shapes.Make(dtypes.Float32, d...)))
		args = append(args, tensors.FromFlatDataAndDimensions(in[i], d...))
	}
	g.Compile(build(params)...)
	var out [][]float32
	for _, o := range g.Run(args...) {
		out = append(out, tensors.MustCopyFlatData[float32](o))
	}
	return out
}

func randomArrays(r *rand.Rand, dims [][]int) [][]float32 {
	var in [][]float32
	for _, d := range dims {
		a := make([]float32, product(d))
		for i := range a {
			a[i] = float32(r.NormFloat64())
		}
		in = append(in, a)
	}
	return in
}

// relative is |a-b| / |b| of two arrays.
func relative(a, b []float32) float64 {
	var d, n float64
	for i := range b {
		d += (float64(a[i]) - float64(b[i])) * (float64(a[i]) - float64(b[i]))
		n += float64(b[i]) * float64(b[i])
	}
	if n == 0 {
		return math.Sqrt(d)
	}
	return math.Sqrt(d / n)
}

type planCase struct {
	name  string
	dims  [][]int
	build func(in []*Node) []*Node
}

// planCases are graphs with the shapes of a network: what a plan fuses, and what it must not.
var planCases = []planCase{
	{"bias, residual and activation after a convolution", [][]int{{2, 9, 7, 5}, {3, 3, 5, 6}, {1, 1, 1, 6}, {2, 9, 7, 6}},
		func(in []*Node) []*Node {
			h := Add(Add(Convolve(in[0], in[1]).PadSame().Done(), in[2]), in[3])
			return withGradient(Mul(h, Logistic(h)), in[0], in[3])
		}},
	{"normalisation before a convolution", [][]int{{2, 8, 6, 8}, {3, 3, 8, 40}, {2, 1, 1, 8}, {1, 1, 1, 8}},
		func(in []*Node) []*Node {
			x := in[0]
			mean := ReduceAndKeep(x, ReduceMean, 1, 2)
			d := Sub(x, mean)
			a := Div(in[2], Sqrt(AddScalar(ReduceAndKeep(Mul(d, d), ReduceMean, 1, 2), 1e-3)))
			h := Add(Mul(d, a), in[3])
			return withGradient(Convolve(Mul(h, Logistic(h)), in[1]).PadSame().Done(), x)
		}},
	{"sums of a convolution's rows", [][]int{{2, 21, 19, 5}, {3, 3, 5, 17}, {3, 3, 17, 6}},
		func(in []*Node) []*Node { return withGradient(normalised(in[0], in[1], in[2]), in[0]) }},
	{"sums of rows of many channels", [][]int{{2, 3, 2, 8}, {1, 1, 8, 2200}, {1, 1, 2200, 3}},
		func(in []*Node) []*Node { return withGradient(normalised(in[0], in[1], in[2]), in[0]) }},
	{"sums of a convolution's rows in another order", [][]int{{2, 21, 19, 5}, {3, 3, 5, 17}},
		func(in []*Node) []*Node {
			h := Convolve(in[0], in[1]).PadSame().Done()
			return []*Node{ReduceSum(Mul(h, Reverse(h, 1)), 1, 2), ReduceSum(Reverse(h, 2), 1, 2), ReduceSum(h, 1, 2)}
		}},
	{"average and repeat", [][]int{{2, 8, 6, 3}, {3, 3, 3, 4}},
		func(in []*Node) []*Node {
			h := MulScalar(ReduceSum(Reshape(Neg(in[0]), 2, 4, 2, 3, 2, 3), 2, 4), 0.25)
			h = Convolve(h, in[1]).PadSame().Done()
			h = Reshape(BroadcastToDims(Reshape(h, 2, 4, 1, 3, 1, 4), 2, 4, 2, 3, 2, 4), 2, 8, 6, 4)
			return withGradient(Mul(h, h), in[0])
		}},
	{"concatenation of expressions and its gradient", [][]int{{2, 4, 5, 3}, {2, 4, 5, 7}, {1, 1, 10, 4}},
		func(in []*Node) []*Node {
			h := Concatenate([]*Node{Exp(in[0]), Mul(in[1], in[1])}, -1)
			return withGradient(Convolve(h, in[2]).Done(), in[0], in[1])
		}},
	{"strided convolution", [][]int{{1, 8, 9, 4}, {3, 3, 4, 5}},
		func(in []*Node) []*Node {
			pad := [][2]int{{1, 1}, {1, 1}}
			return withGradient(Convolve(in[0], in[1]).PaddingPerDim(pad).Strides(2).Done(), in[0])
		}},
	{"attention", [][]int{{2, 6, 2, 4}, {2, 6, 2, 4}, {2, 6, 2, 4}},
		func(in []*Node) []*Node {
			s := DotGeneral(in[0], []int{3}, []int{0, 2}, in[1], []int{3}, []int{0, 2})
			e := Exp(Sub(s, StopGradient(ReduceAndKeep(s, ReduceMax, -1))))
			p := Div(e, ReduceAndKeep(e, ReduceSum, -1))
			return withGradient(DotGeneral(p, []int{3}, []int{0, 1}, in[2], []int{1}, []int{0, 2}), in[0], in[1], in[2])
		}},
	{"matrix and vector products", [][]int{{5, 7}, {7, 33}, {33}},
		func(in []*Node) []*Node {
			h := Dot(Tanh(Dot(in[0], in[1])), in[2])
			return withGradient(Add(MulScalar(h, 2), ReduceSum(Sin(in[0]), 1)), in[0], in[2])
		}},
	{"views of views", [][]int{{3, 4, 6}},
		func(in []*Node) []*Node {
			x := TransposeAllAxes(in[0], 2, 0, 1)                                       // [6,3,4]
			x = Slice(x, AxisRange(1, 5), AxisRange(), AxisRange(2))                    // [4,3,2]
			x = Reshape(Reverse(x, 0, 2), 12, 2)                                        // not expressible by strides
			y := Transpose(x, 0, 1)                                                     // [2,12]
			z := Slice(in[0], AxisRange(), AxisRange().Spacer().Stride(2), AxisRange()) // [3,2,6]
			return []*Node{Add(y, y), Mul(x, x), ReduceSum(x, 0), Neg(z), Identity(in[0]), in[0], z}
		}},
	{"reductions over every kind of axes", [][]int{{3, 5, 4, 6}, {70000}, {2, 40, 50, 33}},
		func(in []*Node) []*Node {
			x, big, map4 := in[0], in[1], in[2]
			return []*Node{
				ReduceSum(x, 0), ReduceSum(x, 1, 3), ReduceSum(x, 0, 2), ReduceMax(x, 1), ReduceMax(x, 0, 3),
				ReduceAllSum(x), ReduceSum(Mul(big, big), 0), ReduceSum(map4, 1, 2), ReduceMax(map4, 1, 2),
				ReduceSum(map4, 0), ReduceSum(map4, 3), ReduceMax(big, 0),
			}
		}},
	{"reductions of many long groups", [][]int{{17, 2, 32, 2, 320}},
		func(in []*Node) []*Node {
			x := in[0]
			return []*Node{ReduceSum(Mul(x, x), 1, 3), ReduceMax(x, 1, 3), ReduceSum(x, 1, 2, 3, 4)}
		}},
	{"other data types between", [][]int{{4, 6}, {4, 6}},
		func(in []*Node) []*Node {
			c := GreaterThan(in[0], in[1])
			w := Where(c, Mul(in[0], in[0]), Neg(in[1]))
			i := ConvertDType(ConvertDType(MulScalar(w, 10), dtypes.Int32), dtypes.Float32)
			f := Abs(Complex(w, i))
			return []*Node{w, Add(i, w), Mul(f, f), ConvertDType(c, dtypes.Float32)}
		}},
	{"scalars", [][]int{{}, {3}},
		func(in []*Node) []*Node {
			s := Exp(in[0])
			return []*Node{s, Sub(s, in[1]), Div(in[1], AddScalar(Mul(s, s), 1)), Max(Neg(s), s)}
		}},
}

// normalised is a convolution, normalisation over positions, an activation and a convolution.
func normalised(x, k, l *Node) *Node {
	x = Convolve(x, k).PadSame().Done()
	mean := ReduceAndKeep(x, ReduceMean, 1, 2)
	d := Sub(x, mean)
	a := Reciprocal(Sqrt(AddScalar(ReduceAndKeep(Mul(d, d), ReduceMean, 1, 2), 1e-2)))
	h := Add(Mul(x, a), Neg(Mul(mean, a)))
	return Convolve(Mul(h, Logistic(h)), l).PadSame().Done()
}

// withGradient returns y and the gradients of its product with fixed weights.
func withGradient(y *Node, x ...*Node) []*Node {
	c := Sin(IotaFull(y.Graph(), y.Shape()))
	return append([]*Node{y}, Gradient(ReduceAllSum(Mul(y, c)), x...)...)
}

func TestPlanAgainstInterpreter(t *testing.T) {
	for _, c := range planCases {
		t.Run(c.name, func(t *testing.T) {
			in := randomArrays(rand.New(rand.NewPCG(1, 2)), c.dims)
			want := runOn(t, newInterpreted(t), in, c.dims, c.build)
			got := runOn(t, newTestBackend(t, 2), in, c.dims, c.build)
			for i := range want {
				if r := relative(got[i], want[i]); !(r < 2e-6) {
					t.Errorf("output %d: relative error %.2g", i, r)
				}
			}
		})
	}
}

func TestPlanThreadsAndBatch(t *testing.T) { testThreadsAndBatch(t, newTestBackend) }

// testThreadsAndBatch: neither threads nor other images in a batch change a bit.
func testThreadsAndBatch(t *testing.T, newBackend func(t *testing.T, threads int) *Backend) {
	for _, c := range planCases {
		in := randomArrays(rand.New(rand.NewPCG(3, 4)), c.dims)
		one := runOn(t, newBackend(t, 1), in, c.dims, c.build)
		three := runOn(t, newBackend(t, 3), in, c.dims, c.build)
		for i := range one {
			for j := range one[i] {
				if math.Float32bits(one[i][j]) != math.Float32bits(three[i][j]) {
					t.Fatalf("%s: output %d differs between 1 and 3 threads", c.name, i)
				}
			}
		}
	}
	// The first image of a batch alone gives the same bits.
	build := func(in []*Node) []*Node {
		x := in[0]
		h := Convolve(Mul(x, Logistic(x)), in[1]).PadSame().Done()
		d := Sub(h, ReduceAndKeep(h, ReduceMean, 1, 2))
		h = Div(d, Sqrt(AddScalar(ReduceAndKeep(Mul(d, d), ReduceMean, 1, 2, 3), 1e-3)))
		g := Gradient(ReduceAllSum(Mul(h, Mul(h, h))), x)[0]
		return []*Node{h, g, ReduceSum(g, 1, 2, 3)}
	}
	dims := [][]int{{3, 40, 37, 12}, {3, 3, 12, 20}}
	in := randomArrays(rand.New(rand.NewPCG(5, 6)), dims)
	b := newBackend(t, 2)
	batch := runOn(t, b, in, dims, build)
	dims[0] = []int{1, 40, 37, 12}
	single := runOn(t, b, [][]float32{in[0][:40*37*12], in[1]}, dims, build)
	for i := range single {
		for j := range single[i] {
			if math.Float32bits(single[i][j]) != math.Float32bits(batch[i][j]) {
				t.Fatalf("output %d of one image differs in a batch: %g, %g", i, single[i][j], batch[i][j])
			}
		}
	}
}

// TestPlanRandomGraphs compares random graphs of element-wise operations, movements and
// reductions with the interpreter.
func TestPlanRandomGraphs(t *testing.T) {
	for seed := range uint64(60) {
		build := func(in []*Node) []*Node { return randomGraph(rand.New(rand.NewPCG(seed, 7)), in) }
		dims := [][]int{{2, 3, 4, 6}, {1, 1, 1, 6}, {2, 1, 1, 6}, {2, 3, 4, 6}, {}}
		in := randomArrays(rand.New(rand.NewPCG(seed, 8)), dims)
		want := runOn(t, newInterpreted(t), in, dims, build)
		got := runOn(t, newTestBackend(t, 2), in, dims, build)
		for i := range want {
			if r := relative(got[i], want[i]); !(r < 1e-5) {
				t.Fatalf("seed %d, output %d: relative error %.2g", seed, i, r)
			}
		}
	}
}

// randomGraph makes a graph whose values stay moderate.
func randomGraph(r *rand.Rand, in []*Node) []*Node {
	full := []int{2, 3, 4, 6}
	pool := append([]*Node(nil), in...)
	pick := func() *Node { return pool[r.IntN(len(pool))] }
	for range 30 {
		x := pick()
		var y *Node
		rank := x.Rank()
		switch r.IntN(12) {
		case 0:
			y = Logistic(x)
		case 1:
			y = Neg(x)
		case 2, 3, 4:
			z := pick()
			if x.Rank() != 0 && z.Rank() != 0 && !x.Shape().Equal(z.Shape()) && (x.Rank() != 4 || z.Rank() != 4 || !broadcastable(x, z)) {
				continue
			}
			y = []func(a, b *Node) *Node{Add, Sub, Max, Min}[r.IntN(4)](x, z)
			y = MulScalar(y, 0.5)
		case 5:
			if rank != 4 {
				continue
			}
			y = ReduceAndKeep(x, ReduceMean, [][]int{{1, 2}, {3}, {0}, {1}, {0, 3}}[r.IntN(5)]...)
		case 6:
			if rank != 4 {
				continue
			}
			y = TransposeAllAxes(TransposeAllAxes(x, 3, 1, 0, 2), 2, 1, 3, 0)
		case 7:
			if rank != 4 {
				continue
			}
			y = Reverse(x, r.IntN(4))
		case 8:
			if rank != 4 || x.Shape().Size() != 144 {
				continue
			}
			a := Slice(x, AxisRange(), AxisRange(), AxisRange(), AxisRange(0, 2))
			b := Slice(x, AxisRange(), AxisRange(), AxisRange(), AxisRange(2, 6))
			y = Concatenate([]*Node{b, a}, 3)
		case 9:
			if rank != 4 {
				continue
			}
			y = Reshape(Reshape(BroadcastToDims(x, full...), 6, 24), full...)
		case 10:
			y = Mul(x, Logistic(x))
		case 11:
			y = Mul(Logistic(pick()), x)
			if !y.Shape().Equal(x.Shape()) {
				continue
			}
		}
		pool = append(pool, y)
	}
	return pool[len(in):]
}

func broadcastable(a, b *Node) bool {
	for i, d := range a.Shape().Dimensions {
		if e := b.Shape().Dimensions[i]; d != e && d != 1 && e != 1 {
			return false
		}
	}
	return true
}

// TestPlanChainedReductions holds chains of small reductions over the same values, each of which
// needs the one before, to the interpreter: two conjugate-gradient iterations in one graph.
func TestPlanChainedReductions(t *testing.T) {
	for _, steps := range []int{1, 2, 3, 5} {
		build := func(in []*Node) []*Node {
			dot := func(a, b *Node) *Node { return ReduceAndKeep(Mul(a, b), ReduceSum, 1, 2, 3) }
			var out []*Node
			for _, scale := range []float64{1.1, 1.3, 1.7} {
				x, r, p := ZerosLike(in[0]), in[0], in[0]
				rr := dot(r, r)
				for range steps {
					mp := Mul(p, AddScalar(MulScalar(in[1], 0.3), scale))
					alpha := Div(rr, dot(p, mp))
					x, r = Add(x, Mul(alpha, p)), Sub(r, Mul(alpha, mp))
					next := dot(r, r)
					p = Add(r, Mul(Div(next, rr), p))
					rr = next
				}
				out = append(out, x, rr)
			}
			return out
		}
		for _, n := range []int{1, 2} {
			dims := [][]int{{n, 7, 9, 3}, {1, 7, 9, 3}}
			in := randomArrays(rand.New(rand.NewPCG(1, uint64(n))), dims)
			for i, v := range in[1] {
				in[1][i] = v / (1 + v*v)
			}
			want := runOn(t, newInterpreted(t), in, dims, build)
			got := runOn(t, newTestBackend(t, 2), in, dims, build)
			for i := range want {
				if r := relative(got[i], want[i]); !(r < 1e-3) {
					t.Errorf("%d steps, %d images, output %d: relative error %.2g", steps, n, i, r)
				}
			}
		}
	}
}
