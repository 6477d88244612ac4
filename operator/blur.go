package operator

import (
	"fmt"
	"math"

	"github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/tensors"

	"github.com/seed-0f004ec9/spgd/internal/autodiff"
)

// Blur is depthwise cross-correlation with a kernel, the image being reflected at its borders
// without repeating the edge: y[i,j] = sum k[a,b] x[i+a-cy, j+b-cx], (cy, cx) the kernel's centre.
type Blur struct {
	size
	name   string
	kernel *Kernel

	form        blurForm
	normSquared float64 // of a product of lines
	data        []*tensors.Tensor
	cache       factorCache
}

// blurForm is a way to apply a blur. It is given the reflected image and returns the pixels that
// the kernel's support reaches inside of it.
type blurForm interface {
	// apply builds the blur of x [N,H,W,C].
	apply(data []*graph.Node, x *graph.Node) *graph.Node
	// adjoint builds its adjoint.
	adjoint(data []*graph.Node, v *graph.Node) *graph.Node
}

// NewBlur returns the operator for images of height x width. name is the canonical name to give
// it; empty means "deblur:kernel". The kernel must reach less far from its centre than the image's
// sides: a reflection shows each pixel only once.
func NewBlur(name string, height, width int, kernel *Kernel) (*Blur, error) {
	s, err := newSize(height, width)
	if err != nil {
		return nil, err
	}
	k, err := NewKernel(kernel.Height, kernel.Width, kernel.Weights)
	if err != nil {
		return nil, err
	}
	if name == "" {
		name = "deblur:kernel"
	}
	top, bottom, left, right := k.support()
	cy, cx := k.Height/2, k.Width/2
	if ry, rx := max(cy-top, bottom-cy), max(cx-left, right-cx); ry >= height || rx >= width {
		return nil, fmt.Errorf("operator: %s on an image of %dx%d: %w: the kernel reaches %d pixels across and %d down, which must be less than the image's sides", name, width, height, ErrSize, rx, ry)
	}
	o := &Blur{size: s, name: name, kernel: k}
	rows := reflection{axis: 1, n: height, first: top - cy, count: height + bottom - top}
	columns := reflection{axis: 2, n: width, first: left - cx, count: width + right - left}
	if column, row, ok := k.factors(); ok {
		o.normSquared = reflectedFilter(column, cy, height).normSquared() * reflectedFilter(row, cx, width).normSquared()
		o.form = &lines{rows, columns}
		column, row = column[top:bottom+1], row[left:right+1]
		o.data = []*tensors.Tensor{floatTensor(column, len(column), 1, 1, 1), floatTensor(row, 1, len(row), 1, 1)}
		return o, nil
	}
	k = k.crop(top, bottom, left, right)
	if k.taps() > maxTaps {
		o.form, o.data = newSpectrum(k, rows, columns)
	} else {
		o.form = &taps{rows, columns}
		o.data = []*tensors.Tensor{floatTensor(k.Weights, k.Height, k.Width, 1, 1)}
	}
	return o, nil
}

// Name is "deblur:" and how the kernel was made.
func (o *Blur) Name() string { return o.name }

// Kernel returns the kernel, which must not be modified.
func (o *Blur) Kernel() *Kernel { return o.kernel }

// MeasurementSize is the image's size and 3 channels.
func (o *Blur) MeasurementSize() (height, width, channels int) {
	return o.height, o.width, imageChannels
}

// Data are the kernel's weights: the two lines that it is a product of, or all of them, or, for a
// large kernel, the real and the imaginary parts of its Fourier transform.
func (o *Blur) Data() []*tensors.Tensor { return o.data }

// Apply builds the blurred image.
func (o *Blur) Apply(data []*graph.Node, x *graph.Node) *graph.Node {
	o.checkImage(o.name, x)
	return autodiff.Opaque(x,
		func(x *graph.Node) *graph.Node { return o.form.apply(data, x) },
		func(v *graph.Node) *graph.Node { return o.form.adjoint(data, v) })
}

// Linear is true.
func (o *Blur) Linear() bool { return true }

// crop is the part of the kernel inside of the given bounds, which are included.
func (k *Kernel) crop(top, bottom, left, right int) *Kernel {
	c := &Kernel{Height: bottom - top + 1, Width: right - left + 1}
	for y := top; y <= bottom; y++ {
		c.Weights = append(c.Weights, k.Weights[y*k.Width+left:y*k.Width+right+1]...)
	}
	return c
}

// factors returns a column and a row whose product is the kernel, if their product is within
// 1e-6 of it in the sum of absolute differences: then images in [-1,1] change by less.
func (k *Kernel) factors() (column, row []float64, ok bool) {
	peak := 0
	for i, w := range k.Weights {
		if w > k.Weights[peak] {
			peak = i
		}
	}
	py, px := peak/k.Width, peak%k.Width
	column, row = make([]float64, k.Height), make([]float64, k.Width)
	for y := range column {
		column[y] = k.Weights[y*k.Width+px]
	}
	for x := range row {
		row[x] = k.Weights[py*k.Width+x] / k.Weights[peak]
	}
	difference := 0.0
	for i, w := range k.Weights {
		difference += math.Abs(w - column[i/k.Width]*row[i%k.Width])
	}
	return column, row, difference <= 1e-6
}
