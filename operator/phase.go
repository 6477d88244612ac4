package operator

import (
	"math"
	"slices"

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

// smallMagnitude is what a smaller magnitude counts as in the gradient, z/|z|.
const smallMagnitude = 1e-18

// Apply builds the magnitudes. Where the transform is zero the gradient is zero.
//
// A cyclic shift of the image changes only the phases of its transform, so neither the shift
// before the transform nor the place of the padding matters here: the zeros all go at the end.
// Only the shift of the magnitudes that puts frequency zero in the middle remains. The transform of
// a real image is known from its left half, frequencies 0 to w/2.
func (o *PhaseRetrieval) Apply(_ []*graph.Node, x *graph.Node) *graph.Node {
	o.checkImage(o.Name(), x)
	h, w, _ := o.MeasurementSize()
	scale := 0.5 / math.Sqrt(float64(h)*float64(w)) // of x/2+1/2 in the orthonormal transform
	var re, im, half *graph.Node
	return autodiff.Custom([]*graph.Node{x},
		func(in []*graph.Node) *graph.Node {
			u := graph.TransposeAllAxes(graph.MulScalar(graph.OnePlus(in[0]), scale), 0, 3, 1, 2)
			z := graph.RealFFT(padEnd(padEnd(u, 3, w), 2, h), h, w) // [N,C,h,w/2+1]
			re, im = graph.Real(z), graph.Imag(z)
			half = graph.Sqrt(graph.Add(graph.Mul(re, re), graph.Mul(im, im)))
			return graph.TransposeAllAxes(wholeSpectrum(half, h, w), 0, 2, 3, 1)
		},
		func(_ []*graph.Node, _, v *graph.Node) []*graph.Node {
			// d|z| = Re(conj(z/|z|) dz), and the adjoint of a transform of n elements is n times
			// its inverse.
			v = halfSpectrum(graph.TransposeAllAxes(v, 0, 3, 1, 2), h, w)
			v = graph.MulScalar(v, scale*float64(h)*float64(w))
			v = graph.Div(v, graph.MaxScalar(half, smallMagnitude))
			g := graph.InverseRealFFT(graph.Complex(graph.Mul(re, v), graph.Mul(im, v)), h, w)
			g = part(part(g, 2, 0, o.height), 3, 0, o.width)
			return []*graph.Node{graph.TransposeAllAxes(g, 0, 2, 3, 1)}
		})
}

// wholeSpectrum makes magnitudes at h x w frequencies, frequency 0 at row h/2 and column w/2, from
// those at frequencies 0 to h-1 and 0 to w/2, in the last two axes: opposite ones are equal.
func wholeSpectrum(half *graph.Node, h, w int) *graph.Node {
	right := part(half, 3, 0, w-w/2)
	right = join(2, part(right, 2, h-h/2, h), part(right, 2, 0, h-h/2))
	left := part(half, 3, 1, w/2+1)
	return join(3, turned(left, h), right)
}

// halfSpectrum is the adjoint of wholeSpectrum, but for a factor of 2 at all frequencies that have
// a mirror image in the other half. The inverse transform counts them twice.
func halfSpectrum(whole *graph.Node, h, w int) *graph.Node {
	right := part(whole, 3, w/2, w)
	right = join(2, part(right, 2, h/2, h), part(right, 2, 0, h/2))
	left := turned(part(whole, 3, 0, w/2), h) // from column 1 on
	n := w - w/2
	both := graph.MulScalar(graph.Add(part(right, 3, 1, n), part(left, 3, 0, n-1)), 0.5)
	return join(3, part(right, 3, 0, 1), both, part(left, 3, n-1, w/2))
}

// turned takes axis 3 in the opposite order, and axis 2, which has h entries, from h/2 down to 0 and
// then from the end to h/2+1.
func turned(x *graph.Node, h int) *graph.Node {
	return autodiff.Reverse(join(2, part(x, 2, h/2+1, h), part(x, 2, 0, h/2+1)), 2, 3)
}

// part keeps entries from to to-1 of an axis, of which there may be none: not every backend takes a slice
// of nothing at the end of an axis.
func part(x *graph.Node, axis, from, to int) *graph.Node {
	if from == to {
		d := slices.Clone(x.Shape().Dimensions)
		d[axis] = 0
		return graph.Zeros(x.Graph(), shapes.Make(x.DType(), d...))
	}
	return graph.SliceAxis(x, axis, graph.AxisRange(from, to))
}

// join concatenates what is not empty.
func join(axis int, parts ...*graph.Node) *graph.Node { return joinAs(asImages, axis, parts...) }

// joinAs concatenates what is not empty, in another form, which keeps the axis.
func joinAs(form func(*graph.Node) *graph.Node, axis int, parts ...*graph.Node) *graph.Node {
	parts = slices.DeleteFunc(parts, func(p *graph.Node) bool { return p.Shape().Dimensions[axis] == 0 })
	for i, p := range parts {
		parts[i] = form(p)
	}
	if len(parts) == 1 {
		return parts[0]
	}
	return graph.Concatenate(parts, axis)
}

// padEnd appends zeros to an axis until it has n entries.
func padEnd(x *graph.Node, axis, n int) *graph.Node {
	d := slices.Clone(x.Shape().Dimensions)
	d[axis] = n - d[axis]
	return join(axis, x, graph.Zeros(x.Graph(), shapes.Make(x.DType(), d...)))
}
