package cpu

import (
	"math"
	"math/rand/v2"
	"testing"

	. "github.com/gomlx/gomlx/pkg/core/graph"
)

// newNarrowBackend returns a backend that keeps every value as bfloat16 that a plan can, however
// small. It needs no instructions of the processor.
func newNarrowBackend(t *testing.T, threads int) *Backend {
	b := newTestBackend(t, threads)
	b.narrowing = narrowing{elements: 1, channels: 1}
	return b
}

// bf16Rounding is by how much rounding to bfloat16 moves a value at most, relative to it.
const bf16Rounding = 1.0 / 512

// A value of these graphs goes through at most a handful of roundings, and normalisation makes
// the ratio of error to value not much worse.
func TestNarrowAgainstInterpreter(t *testing.T) {
	narrowed := false
	for _, c := range planCases {
		t.Run(c.name, func(t *testing.T) {
			in := randomArrays(rand.New(rand.NewPCG(1, 2)), c.dims)
			want := runOn(t, newInterpreted(t), in, c.dims, c.build)
			got := runOn(t, newNarrowBackend(t, 2), in, c.dims, c.build)
			for i := range want {
				r := relative(got[i], want[i])
				narrowed = narrowed || r > bf16Rounding/8
				if !(r < 4*bf16Rounding) {
					t.Errorf("output %d: relative error %.2g", i, r)
				}
			}
		})
	}
	if !narrowed {
		t.Error("nothing is rounded")
	}
}

func TestNarrowThreadsAndBatch(t *testing.T) { testThreadsAndBatch(t, newNarrowBackend) }

func TestNarrowRandomGraphs(t *testing.T) {
	for seed := range uint64(60) {
		// Of the values only the last are outputs, so that the others can be rounded.
		build := func(in []*Node) []*Node {
			all := randomGraph(rand.New(rand.NewPCG(seed, 7)), in)
			return all[len(all)-4:]
		}
		dims := [][]int{{2, 3, 4, 6}, {1, 1, 1, 6}, {2, 1, 1, 6}, {2, 3, 4, 6}, {}}
		in := randomArrays(rand.New(rand.NewPCG(seed, 8)), dims)
		want := runOn(t, newInterpreted(t), in, dims, build)
		got := runOn(t, newNarrowBackend(t, 2), in, dims, build)
		for i := range want {
			if r := relative(got[i], want[i]); !(r < 4*bf16Rounding) {
				t.Errorf("seed %d, output %d: relative error %.2g", seed, i, r)
			}
		}
	}
}

// TestNarrowExact: rounding changes nothing where all values are small whole numbers, so that
// every element must come from and go to the right place.
func TestNarrowExact(t *testing.T) {
	dims := [][]int{{2, 8, 6, 3}, {2, 8, 6, 5}, {3, 3, 8, 40}, {1, 1, 40, 3}}
	build := func(in []*Node) []*Node {
		x := Concatenate([]*Node{Neg(in[0]), Mul(in[1], in[1])}, -1)
		h := Convolve(x, in[2]).PadSame().Done()
		s := Slice(Reverse(h, 2), AxisRange(), AxisRange().Stride(2), AxisRange(), AxisRange(3, 37))
		u := Reshape(BroadcastToDims(Reshape(h, 2, 8, 1, 6, 1, 40), 2, 8, 2, 6, 2, 40), 2, 16, 12, 40)
		d := ReduceSum(Reshape(Abs(h), 2, 4, 2, 3, 2, 40), 2, 4)
		corner := Slice(h, AxisRange(0, 1), AxisRange(0, 1), AxisRange(0, 1), AxisRange(0, 1))
		y := Convolve(Max(Min(h, Sub(h, corner)), Neg(OnesLike(h))), in[3]).Done()
		return []*Node{
			Add(TransposeAllAxes(s, 0, 3, 1, 2), ReduceAndKeep(TransposeAllAxes(s, 0, 3, 1, 2), ReduceMax, 1)),
			Add(u, ReduceAndKeep(u, ReduceMax, 1, 2)), Convolve(d, in[3]).Done(), y,
			ReduceSum(Mul(h, Reverse(h, 1)), 1, 2), Mul(Add(h, corner), h), ReduceMax(h, 0, 1, 2),
		}
	}
	r := rand.New(rand.NewPCG(9, 10))
	in := randomArrays(r, dims)
	for _, a := range in {
		for i := range a {
			a[i] = float32(r.IntN(3) - 1)
		}
	}
	want := runOn(t, newInterpreted(t), in, dims, build)
	// Winograd's method itself is not exact.
	for convolution, tolerance := range map[string]float64{"direct": 0, "winograd": 1e-4} {
		t.Setenv(EnvConvolution, convolution)
		got := runOn(t, newNarrowBackend(t, 2), in, dims, build)
		for i := range want {
			for j, w := range want[i] {
				if d := math.Abs(float64(got[i][j] - w)); !(d <= tolerance*(1+math.Abs(float64(w)))) {
					t.Fatalf("%s: output %d, element %d: %g, want %g", convolution, i, j, got[i][j], w)
				}
			}
		}
	}
}
