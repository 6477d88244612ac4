package cpu

import (
	"math/rand/v2"
	"testing"

	. "github.com/gomlx/gomlx/pkg/core/graph"
)

func init() { planCases = append(planCases, joinCases...) }

// joinCases are graphs with concatenations: those that are left to their readers and those that
// must be stored.
var joinCases = []planCase{
	{"normalisation of a concatenation", [][]int{{2, 9, 7, 5}, {2, 9, 7, 3}, {3, 3, 5, 6}, {3, 3, 9, 4}, {1, 1, 9, 4}}, decoderBlock},
	{"normalisation of a large concatenation", [][]int{{1, 33, 40, 2}, {1, 33, 40, 19}, {3, 3, 2, 40}, {3, 3, 59, 3}, {1, 1, 59, 3}}, decoderBlock},
	{"concatenation of views", [][]int{{2, 5, 6, 3}, {2, 6, 5, 3}, {2, 1, 3, 4}, {1, 1, 1, 1}, {1, 1, 15, 4}},
		func(in []*Node) []*Node {
			up := Reshape(BroadcastToDims(Reshape(in[2], 2, 1, 1, 3, 1, 4), 2, 1, 5, 3, 2, 4), 2, 5, 6, 4)
			h := Concatenate([]*Node{
				StopGradient(Reverse(in[0], 1)), TransposeAllAxes(in[1], 0, 2, 1, 3), up, BroadcastToDims(in[3], 2, 5, 6, 2), in[0],
			}, -1)
			y := Convolve(Mul(h, Logistic(h)), in[4]).Done()
			return append(withGradient(y, in[0], in[1]), ReduceSum(h, 1, 2), ReduceMax(h, 0, 1), Neg(h))
		}},
	{"concatenation of concatenations along other axes", [][]int{{2, 3, 4, 5}, {1, 3, 4, 5}},
		func(in []*Node) []*Node {
			x := Exp(in[0])
			a := Concatenate([]*Node{x, Neg(in[1])}, 0)                             // [3,3,4,5]
			b := Concatenate([]*Node{a, Sin(a), a}, 1)                              // [3,9,4,5]
			c := Concatenate([]*Node{b, MulScalar(b, 2)}, 2)                        // [3,9,8,5]
			d := Concatenate([]*Node{c}, 3)                                         // the same
			e := Concatenate([]*Node{d, Slice(d, AxisRange(), AxisRange(0, 9))}, 3) // [3,9,8,10]
			f := Mul(e, Slice(e, AxisRange(0, 1), AxisRange(0, 1)))                 // broadcast
			return append(withGradient(Mul(f, e), in[0], in[1]), a, Neg(b), ReduceSum(c, 2), ReduceSum(d, 1, 3), ReduceMax(e, 0, 1), ReduceAllSum(f))
		}},
	{"operand of a concatenation that is overwritten", [][]int{{2, 30, 40}},
		func(in []*Node) []*Node {
			h := Exp(Sin(in[0]))
			h = Add(h, ReduceAndKeep(h, ReduceSum, 0, 1, 2)) // read by two: stored
			z := Concatenate([]*Node{Slice(h, AxisRange(1, 2)), Slice(h, AxisRange(0, 1))}, 0)
			w := Concatenate([]*Node{Slice(h, AxisRange(0, 1)), Slice(h, AxisRange(0, 1))}, 0)
			return []*Node{Add(Mul(Add(z, h), h), w)}
		}},
	{"reductions of what is computed of a concatenation", [][]int{{2, 13, 11, 4}, {2, 13, 11, 7}, {11}, {2, 1, 1, 11}, {2, 13, 11, 11}},
		func(in []*Node) []*Node {
			h := Concatenate(in[:2], 3)
			full := BroadcastToDims(Reshape(in[2], 1, 1, 1, 11), 2, 13, 11, 11)
			d := Mul(Sub(h, full), Add(in[3], h))
			return []*Node{
				ReduceSum(d, 1, 2), ReduceSum(Mul(d, d), 0, 1), ReduceMax(d, 2), ReduceSum(d, 3), ReduceAllSum(d),
				ReduceSum(Mul(d, in[4]), 1, 2), ReduceSum(Mul(in[3], full), 1, 2), ReduceSum(Concatenate([]*Node{h, h}, 1), 1, 2),
				ReduceSum(in[0], 1, 2), ReduceMax(AddScalar(h, 1), 1, 2),
			}
		}},
	{"concatenation with many readers", [][]int{{2, 4, 3, 5}, {2, 4, 3, 2}, {1, 1, 7, 3}},
		func(in []*Node) []*Node {
			h := Concatenate(in[:2], 3)
			var out []*Node
			for i := range 2 * maxJoinReaders {
				x := Logistic(MulScalar(h, float64(i+1)))
				out = append(out, Convolve(x, in[2]).Done())
			}
			return append(out, h)
		}},
}

// decoderBlock joins the result of a convolution with another value, and has a normalised and a
// direct reader of both, as a block of a UNet's decoder.
func decoderBlock(in []*Node) []*Node {
	x, skip := in[0], in[1]
	h := Convolve(x, in[2]).PadSame().Done()
	h = Concatenate([]*Node{Mul(h, Logistic(h)), Mul(skip, skip)}, -1)
	mean := ReduceAndKeep(h, ReduceMean, 1, 2)
	d := Sub(h, mean)
	a := Reciprocal(Sqrt(AddScalar(ReduceAndKeep(Mul(d, d), ReduceMean, 1, 2), 1e-2)))
	n := Add(Mul(h, a), Neg(Mul(mean, a)))
	y := Convolve(Mul(n, Logistic(n)), in[3]).PadSame().Done()
	return withGradient(Add(y, Convolve(h, in[4]).Done()), x, skip)
}

// TestConcatenationSteps: a concatenation that programs can read has no step, and its statistics
// are those of its parts.
func TestConcatenationSteps(t *testing.T) {
	c := joinCases[0]
	var p *plan
	b := newTestBackend(t, 1)
	b.compile = func(bd *Builder, outputs []*node) (runner, error) {
		p = newPlan(b, bd, outputs)
		return p, nil
	}
	runOn(t, b, randomArrays(rand.New(rand.NewPCG(1, 2)), c.dims), c.dims, func(in []*Node) []*Node { return c.build(in)[:1] })
	for _, s := range p.steps {
		switch s := s.(type) {
		case *concatenateStep:
			t.Errorf("a step concatenates %v", s.v.shape.Dimensions)
		case *reduceStep:
			if n := s.vs[0].in[0].shape.Dimensions[3]; n == 9 {
				t.Errorf("a step reduces the whole concatenation")
			}
		}
	}
}
