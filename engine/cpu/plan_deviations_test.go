package cpu

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	. "github.com/gomlx/gomlx/pkg/core/graph"
)

// squaredDeviations is the sum over all positions of (x-m)^2 with the mean m over the positions and
// over all channels, so that it is not the mean of any one of them.
func squaredDeviations(x *Node) *Node {
	d := x.Shape().Dimensions
	mean := ReduceMean(ReduceSum(x, 1, 2), -1)
	mean = MulScalar(mean, 1/float64(d[1]*d[2]))
	spread := BroadcastToDims(Reshape(mean, d[0], 1, 1, 1), d[0], 1, 1, d[3])
	e := Sub(x, Add(spread, Zeros(x.Graph(), spread.Shape())))
	return ReduceSum(Mul(e, e), 1, 2)
}

// Sums of squared deviations are those of float64, also where the deviations are small beside the mean,
// of values in memory and of the rows of a convolution, and the same to the bit for an image in a batch.
func TestPlanDeviations(t *testing.T) {
	r := rand.New(rand.NewPCG(51, 52))
	for _, c := range []int{3, 16, 33, 96, 512, 700} {
		for _, offset := range []float64{0, 100} {
			t.Run(fmt.Sprintf("%d channels, mean %v", c, offset), func(t *testing.T) {
				dims := [][]int{{3, 11, 13, c}}
				in := randomArrays(r, dims)
				for i := range in[0] {
					in[0][i] += float32(offset)
				}
				build := func(in []*Node) []*Node { return []*Node{squaredDeviations(in[0])} }
				b := newTestBackend(t, 3)
				var sums int
				compile := b.compile
				b.compile = func(bd *Builder, outputs []*node) (runner, error) {
					r, err := compile(bd, outputs)
					for _, s := range r.(*plan).steps {
						if _, ok := s.(*rowSumStep); ok {
							sums++
						}
					}
					return r, err
				}
				got := runOn(t, b, in, dims, build)[0]
				if want := map[bool]int{true: 1}[c <= tileElements/2]; sums != want {
					t.Errorf("%d passes for both sums, want %d", sums, want)
				}
				image := 11 * 13 * c
				single := runOn(t, newTestBackend(t, 1), [][]float32{in[0][image : 2*image]}, [][]int{{1, 11, 13, c}}, build)[0]
				for n := range 3 {
					x := in[0][n*image : (n+1)*image]
					var mean float64
					for _, v := range x {
						mean += float64(v) / float64(image)
					}
					for j := range c {
						var want float64
						for i := j; i < image; i += c {
							want += (float64(x[i]) - mean) * (float64(x[i]) - mean)
						}
						if g := float64(got[n*c+j]); !(math.Abs(g-want) <= 2e-5*want) {
							t.Fatalf("image %d, channel %d: %v, want %v", n, j, g, want)
						}
						if n == 1 && got[c+j] != single[j] {
							t.Fatalf("channel %d: %v in a batch, %v alone", j, got[c+j], single[j])
						}
					}
				}
			})
		}
	}
}

// The same of what a convolution computes, against the interpreter.
func TestPlanDeviationsOfConvolution(t *testing.T) {
	for _, c := range []int{5, 80} {
		dims := [][]int{{2, 12, 9, 6}, {3, 3, 6, c}, {1, 1, 1, c}}
		in := randomArrays(rand.New(rand.NewPCG(53, 54)), dims)
		build := func(in []*Node) []*Node {
			h := Add(Convolve(in[0], in[1]).PadSame().Done(), in[2])
			return []*Node{squaredDeviations(h), ReduceSum(h, 1, 2), h}
		}
		got, want := runOn(t, newTestBackend(t, 2), in, dims, build), runOn(t, newInterpreted(t), in, dims, build)
		for i := range want {
			if e := relative(got[i], want[i]); !(e < 2e-6) {
				t.Errorf("%d channels, output %d: relative error %.2g", c, i, e)
			}
		}
	}
}
