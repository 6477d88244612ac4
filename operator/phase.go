package operator

import (
	"math"

	"github.com/gomlx/gomlx/pkg/core/dtypes"
	"github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/shapes"
	"github.com/gomlx/gomlx/pkg/core/tensors"

	"github.com/seed-0f004ec9/spgd/internal/autodiff"
)

// PhaseRetrieval measures Fourier magnitudes: x/2+1/2 in [0,1] is padded with zeros by int(H/4)
// and int(W/4) on each side, and y is the absolute value of its centred orthonormal discrete
// Fourier transform, channel by channel.
type PhaseRetrieval struct{ size }

// NewPhaseRetrieval returns the operator for images of height x width.
func NewPhaseRetrieval(height, width int) (*PhaseRetrieval, error) {
	s, err := newSize(height, width)
	if err != nil {
		return nil, err
	}
	return &PhaseRetrieval{s}, nil
}

// Name is "phase".
func (o *PhaseRetrieval) Name() string { return "phase" }

// MeasurementSize is H+2 int(H/4), W+2 int(W/4) and 3 channels.
func (o *PhaseRetrieval) MeasurementSize() (height, width, channels int) {
	return o.height + 2*(o.height/4), o.width + 2*(o.width/4), imageChannels
}

// Data is empty.
func (o *PhaseRetrieval) Data() []*tensors.Tensor { return nil }

// Linear is false.
func (o *PhaseRetrieval) Linear() bool { return false }

// Range is 0 and 1: measurements are amplitudes.
func (o *PhaseRetrieval) Range() (black, white float64) { return 0, 1 }

// Apply builds the magnitudes. Where the transform is zero the gradient is zero.
//
// A cyclic shift of the image changes only the phases of its transform, so neither the shift
// before the transform nor the place of the padding matters here: the zeros all go at the end.
// Only the shift of the magnitudes that puts frequency zero in the middle remains.
func (o *PhaseRetrieval) Apply(_ []*graph.Node, x *graph.Node) *graph.Node {
	o.checkImage(o.Name(), x)
	h, w, _ := o.MeasurementSize()
	scale := 1 / math.Sqrt(float64(h)*float64(w))
	var re, im *graph.Node
	magnitude := autodiff.Custom([]*graph.Node{x},
		func(in []*graph.Node) *graph.Node {
			u := graph.TransposeAllAxes(graph.MulScalar(graph.OnePlus(in[0]), 0.5*scale), 0, 3, 1, 2) // [N,C,H,W]
			u = padEnd(u, w)
			z := graph.FFT(graph.Complex(u, graph.ZerosLike(u))) // [N,C,H,w]
			z = padEnd(graph.TransposeAllAxes(z, 0, 1, 3, 2), h) // [N,C,w,h]
			z = graph.FFT(z)
			re, im = graph.Real(z), graph.Imag(z)
			power := graph.Add(graph.Mul(re, re), graph.Mul(im, im))
			return graph.Sqrt(power)
		},
		func(_ []*graph.Node, magnitude, v *graph.Node) []*graph.Node {
			// d|z| = Re(conj(z/|z|) dz), and the adjoint of a transform of length n is n
			// times its inverse.
			zero := graph.Equal(magnitude, graph.ZerosLike(magnitude))
			unit := graph.Div(v, graph.Where(zero, graph.OnesLike(magnitude), magnitude))
			z := graph.Complex(graph.Mul(re, unit), graph.Mul(im, unit)) // [N,C,w,h]
			z = graph.InverseFFT(z)
			z = graph.Slice(z, graph.AxisRange(), graph.AxisRange(), graph.AxisRange(), graph.AxisRange(0, o.height))
			z = graph.InverseFFT(graph.TransposeAllAxes(z, 0, 1, 3, 2)) // [N,C,H,w]
			g := graph.Slice(graph.Real(z), graph.AxisRange(), graph.AxisRange(), graph.AxisRange(), graph.AxisRange(0, o.width))
			g = graph.MulScalar(g, 0.5*scale*float64(h)*float64(w))
			return []*graph.Node{graph.TransposeAllAxes(g, 0, 2, 3, 1)}
		})
	y := graph.TransposeAllAxes(magnitude, 0, 3, 2, 1) // [N,h,w,C]
	return centre(centre(y, 1, h), 2, w)
}

// padEnd appends zeros to the last axis until it has n entries.
func padEnd(x *graph.Node, n int) *graph.Node {
	d := append([]int(nil), x.Shape().Dimensions...)
	last := len(d) - 1
	if d[last] == n {
		return x
	}
	d[last] = n - d[last]
	return graph.Concatenate([]*graph.Node{x, zeros(x.Graph(), x.DType(), d)}, last)
}

func zeros(g *graph.Graph, dtype dtypes.DType, dims []int) *graph.Node {
	return graph.Zeros(g, shapes.Make(dtype, dims...))
}

// centre moves frequency zero of an axis of n entries from the front to index n/2.
func centre(x *graph.Node, axis, n int) *graph.Node {
	if n == 1 {
		return x
	}
	cut := n - n/2
	front, back := graph.SliceAxis(x, axis, graph.AxisRange(0, cut)), graph.SliceAxis(x, axis, graph.AxisRange(cut, n))
	return graph.Concatenate([]*graph.Node{back, front}, axis)
}
