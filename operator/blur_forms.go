package operator

import "github.com/gomlx/gomlx/pkg/core/graph"

// lines applies a kernel that is a column times a row: one after the other.
type lines struct{ rows, columns reflection }

func (f *lines) apply(data []*graph.Node, x *graph.Node) *graph.Node {
	x = correlate(f.rows.extend(x), data[0])
	return correlate(f.columns.extend(x), data[1])
}

func (f *lines) adjoint(data []*graph.Node, v *graph.Node) *graph.Node {
	v = f.columns.fold(correlateAdjoint(v, data[1]))
	return f.rows.fold(correlateAdjoint(v, data[0]))
}

// taps applies a kernel by its definition: a sum over its weights.
type taps struct{ rows, columns reflection }

func (f *taps) apply(data []*graph.Node, x *graph.Node) *graph.Node {
	return correlate(f.columns.extend(f.rows.extend(x)), data[0])
}

func (f *taps) adjoint(data []*graph.Node, v *graph.Node) *graph.Node {
	return f.rows.fold(f.columns.fold(correlateAdjoint(v, data[0])))
}

// correlate builds the correlation of every channel of x [N,H,W,C] with weights [h,w,1,1], as far as
// the kernel stays inside. A row of pixels with their channels counts as W C pixels of one
// channel, in which neighbours are C apart: that takes no transposition and makes long rows.
func correlate(x, weights *graph.Node) *graph.Node {
	d, k := x.Shape().Dimensions, weights.Shape().Dimensions
	y := graph.Convolve(asPlanes(x), weights).NoPadding().DilationPerAxis(1, d[3]).Done()
	return graph.Reshape(y, d[0], d[1]-k[0]+1, d[2]-k[1]+1, d[3])
}

// correlateAdjoint correlates v, padded with zeros, with the kernel turned by half a turn.
func correlateAdjoint(v, weights *graph.Node) *graph.Node {
	d, k := v.Shape().Dimensions, weights.Shape().Dimensions
	margin := (k[1] - 1) * d[3]
	x := graph.Convolve(asPlanes(v), graph.Reverse(weights, 0, 1)).
		PaddingPerDim([][2]int{{k[0] - 1, k[0] - 1}, {margin, margin}}).DilationPerAxis(1, d[3]).Done()
	return graph.Reshape(x, d[0], d[1]+k[0]-1, d[2]+k[1]-1, d[3])
}

func asPlanes(x *graph.Node) *graph.Node {
	d := x.Shape().Dimensions
	return graph.Reshape(x, d[0], d[1], d[2]*d[3], 1)
}

// maxTaps is the largest number of weights, counted as taps does, that are applied one by one:
// beyond it the Fourier transforms are cheaper, whose cost does not depend on the kernel. Measured
// for images of 256x256 and their VJP on two cores with AVX-512, in ms: discs of 176, 350, 564, 842,
// 1436 and 3116 weights take 2.9, 4.4, 6.3, 8.8, 22 and 47 one by one, and 7 to 9 by transforms.
const maxTaps = 800

// taps counts the elements of the image that have a weight for one of four pixels above one
// another. The engine computes so many rows together.
func (k *Kernel) taps() int {
	const together = 4
	count := 0
	for y := range k.Height + together - 1 {
		for x := range k.Width {
			for a := max(0, y-together+1); a <= min(y, k.Height-1); a++ {
				if k.Weights[a*k.Width+x] > 0 {
					count++
					break
				}
			}
		}
	}
	return count
}
