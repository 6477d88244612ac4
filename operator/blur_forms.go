package operator

import "github.com/gomlx/gomlx/pkg/core/graph"

// lines applies a kernel that is a column times a row: one after the other.
type lines struct{ rows, columns reflection }

func (f *lines) apply(data []*graph.Node, x *graph.Node) *graph.Node {
	c := x.Shape().Dimensions[3]
	x = correlate(f.rows.extendAs(x, asPlanes), data[0], c)
	return correlate(f.columns.extendAs(x, asPlanes), data[1], c)
}

func (f *lines) adjoint(data []*graph.Node, v *graph.Node) *graph.Node {
	c := v.Shape().Dimensions[3]
	v = f.columns.foldAs(correlateAdjoint(asPlanes(v), data[1], c), asPlanes)
	return f.rows.fold(correlateAdjoint(v, data[0], c))
}

// taps applies a kernel by its definition: a sum over its weights.
type taps struct{ rows, columns reflection }

func (f *taps) apply(data []*graph.Node, x *graph.Node) *graph.Node {
	return correlate(f.rows.extendAs(f.columns.extend(x), asPlanes), data[0], x.Shape().Dimensions[3])
}

func (f *taps) adjoint(data []*graph.Node, v *graph.Node) *graph.Node {
	return f.rows.fold(f.columns.fold(correlateAdjoint(asPlanes(v), data[0], v.Shape().Dimensions[3])))
}

// correlate builds the correlation of every channel of an image [N,H,W,C], which it takes as asPlanes makes it, with weights
// [h,w,1,1], as far as the kernel stays inside. A row of pixels with their channels counts as W C pixels of one
// channel, in which neighbours are C apart: that takes no transposition and makes long rows.
func correlate(planes, weights *graph.Node, channels int) *graph.Node {
	d, k := planes.Shape().Dimensions, weights.Shape().Dimensions
	y := graph.Convolve(planes, weights).NoPadding().DilationPerAxis(1, channels).Done()
	return graph.Reshape(y, d[0], d[1]-k[0]+1, d[2]/channels-k[1]+1, channels)
}

// correlateAdjoint correlates an image, padded with zeros, with the kernel turned by half a turn.
func correlateAdjoint(planes, weights *graph.Node, channels int) *graph.Node {
	d, k := planes.Shape().Dimensions, weights.Shape().Dimensions
	margin := (k[1] - 1) * channels
	x := graph.Convolve(planes, graph.Reverse(weights, 0, 1)).
		PaddingPerDim([][2]int{{k[0] - 1, k[0] - 1}, {margin, margin}}).DilationPerAxis(1, channels).Done()
	return graph.Reshape(x, d[0], d[1]+k[0]-1, d[2]/channels+k[1]-1, channels)
}

// asPlanes makes rows of one channel of the rows of images.
func asPlanes(x *graph.Node) *graph.Node {
	d := x.Shape().Dimensions
	return graph.Reshape(x, d[0], d[1], d[2]*d[3], 1)
}

// asImages leaves images as they are.
func asImages(x *graph.Node) *graph.Node { return x }

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
