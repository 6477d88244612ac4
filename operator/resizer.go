package operator

import (
	"github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/tensors"
)

// resizer applies a resizeFilter along an axis of images [N,H,W,C], as a convolution with strides whose
// cost is linear in the pixels. Rows, axis 1, take a row of the image with its channels for one of pixels with a
// single channel; columns, axis 2, mix no channels.
type resizer struct {
	axis   int
	filter filter
	edges  []reflection // one after the other
}

func newResizer(axis, n, factor int) *resizer {
	f := resizeFilter(n, factor)
	return &resizer{axis, f, mirrored(axis, n, f.first, f.read())}
}

// kernel is the filter's weights as the kernel of a convolution from channels to as many, each to its own.
func (r *resizer) kernel(channels int) *tensors.Tensor {
	taps := len(r.filter.weights)
	v := make([]float64, taps*channels*channels)
	for k, w := range r.filter.weights {
		for c := range channels {
			v[(k*channels+c)*channels+c] = w
		}
	}
	d := []int{1, 1, channels, channels}
	d[r.axis-1] = taps
	return floatTensor(v, d...)
}

// apply builds the filtered image.
func (r *resizer) apply(kernel, x *graph.Node) *graph.Node {
	last := len(r.edges) - 1
	for _, e := range r.edges[:last] {
		x = e.extend(x)
	}
	channels := x.Shape().Dimensions[3]
	strides := [2]int{1, 1}
	strides[r.axis-1] = r.filter.stride
	y := graph.Convolve(r.edges[last].extendAs(x, r.planes), kernel).NoPadding().StridePerAxis(strides[:]...).Done()
	return r.images(y, channels)
}

// adjoint builds its adjoint: zeros between the entries of v, the filter the other way round, and what it
// puts beyond the ends added to where it came from.
func (r *resizer) adjoint(kernel, v *graph.Node) *graph.Node {
	dilation, margin := [2]int{1, 1}, [2]int{}
	dilation[r.axis-1] = r.filter.stride
	margin[r.axis-1] = len(r.filter.weights) - 1
	x := graph.Convolve(r.planes(v), graph.Reverse(kernel, 0, 1)).
		PaddingPerDim([][2]int{{margin[0], margin[0]}, {margin[1], margin[1]}}).
		InputDilationPerAxis(dilation[:]...).Done()
	x = r.images(x, v.Shape().Dimensions[3])
	for i := range r.edges {
		x = r.edges[len(r.edges)-1-i].fold(x)
	}
	return x
}

// planes gives images the form that the convolution takes, and images takes what it makes of them back.
func (r *resizer) planes(x *graph.Node) *graph.Node {
	if r.axis == 1 {
		return asPlanes(x)
	}
	return x
}

func (r *resizer) images(y *graph.Node, channels int) *graph.Node {
	if r.axis == 1 {
		d := y.Shape().Dimensions
		return graph.Reshape(y, d[0], d[1], d[2]/channels, channels)
	}
	return y
}
