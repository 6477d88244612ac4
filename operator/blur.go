package operator

import (
	"fmt"
	"math"

	"github.com/gomlx/gomlx/backends"
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

	// A kernel that is a product of two lines is applied as two matrices that include the
	// reflection. Any other one has taps, and the two matrices are the reflection alone.
	taps        *blockTaps
	normSquared float64 // without taps
	data        []*tensors.Tensor
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
	if column, row, ok := k.factors(); ok {
		down, across := reflectedLine(column, cy, height), reflectedLine(row, cx, width)
		o.normSquared = down.normSquared() * across.normSquared()
		o.data = []*tensors.Tensor{down.tensor(), across.tensor()}
		return o, nil
	}
	o.taps = newBlockTaps(k, top, bottom, left, right, width)
	down := reflection(height, top-cy, height+bottom-top, height+bottom-top)
	across := reflection(width, left-cx, width+right-left, o.taps.paddedWidth)
	o.data = []*tensors.Tensor{down.tensor(), across.tensor(), o.taps.tensor()}
	o.taps.weights = nil // the tensor has them now
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

// Data are two matrices for the image's axes and, for a kernel that is no product of two
// lines, its weights.
func (o *Blur) Data() []*tensors.Tensor { return o.data }

// Apply builds the blurred image.
func (o *Blur) Apply(data []*graph.Node, x *graph.Node) *graph.Node {
	o.checkImage(o.name, x)
	y := separable(data[0], data[1], x)
	if o.taps == nil {
		return y
	}
	return o.taps.apply(data[2], y, o.height, o.width)
}

// Linear is true.
func (o *Blur) Linear() bool { return true }

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

// reflectedLine is correlation with a line of weights centred at the given index, on n pixels
// that are reflected at both ends.
func reflectedLine(line []float64, centre, n int) *matrix {
	m := newMatrix(n, n)
	for i := range n {
		for a, w := range line {
			if w > 0 {
				m.row(i)[reflect(i+a-centre, n)] += w
			}
		}
	}
	return m
}

// reflection reads rows first, first+1, ... of n pixels that are reflected at both ends; rows
// from count on are zero.
func reflection(n, first, count, rows int) *matrix {
	m := newMatrix(rows, n)
	for i := range count {
		m.row(i)[reflect(first+i, n)] = 1
	}
	return m
}

// blockWidth is the number of neighbouring pixels of a row that count as channels.
const blockWidth = 32

// blockTaps writes correlation with a kernel on one channel as a convolution from blockWidth to
// blockWidth channels, a form that a dense convolution runs at full speed: pixel 32 b + c of a row
// is channel c of position b. With kernel offset d = 32 q + in - out, its weights are
// w[dy, q, in, out] = k[dy, d].
type blockTaps struct {
	rows, blocks int // size of the convolution kernel: rows x blocks
	outBlocks    int // blocks of a row of the result
	paddedWidth  int // pixels of a row of the padded image, a multiple of blockWidth
	weights      []float64
}

// newBlockTaps lays out the part of k inside the given bounds for images of the given width.
func newBlockTaps(k *Kernel, top, bottom, left, right, width int) *blockTaps {
	rows, cols := bottom-top+1, right-left+1
	t := &blockTaps{rows: rows, blocks: (cols-1+blockWidth-1)/blockWidth + 1, outBlocks: (width + blockWidth - 1) / blockWidth}
	t.paddedWidth = (t.outBlocks + t.blocks - 1) * blockWidth
	t.weights = make([]float64, rows*t.blocks*blockWidth*blockWidth)
	for i := range t.weights {
		out, in := i%blockWidth, i/blockWidth%blockWidth
		q, dy := i/(blockWidth*blockWidth)%t.blocks, i/(blockWidth*blockWidth*t.blocks)
		if d := q*blockWidth + in - out; d >= 0 && d < cols {
			t.weights[i] = k.Weights[(top+dy)*k.Width+left+d]
		}
	}
	return t
}

func (t *blockTaps) tensor() *tensors.Tensor {
	return floatTensor(t.weights, t.rows, t.blocks, blockWidth, blockWidth)
}

// apply correlates the padded image x [N,h,paddedWidth,C] and returns [N,height,width,C].
func (t *blockTaps) apply(weights, x *graph.Node, height, width int) *graph.Node {
	d := x.Shape().Dimensions
	n, channels := d[0], d[3]
	x = graph.TransposeAllAxes(x, 0, 3, 1, 2)
	x = graph.Reshape(x, n*channels, d[1], t.paddedWidth/blockWidth, blockWidth)
	y := autodiff.Custom([]*graph.Node{x},
		func(in []*graph.Node) *graph.Node { return graph.Convolve(in[0], weights).NoPadding().Done() },
		func(_ []*graph.Node, _, v *graph.Node) []*graph.Node { return []*graph.Node{t.adjoint(weights, v)} })
	y = graph.Reshape(y, n, channels, height, t.outBlocks*blockWidth)
	if t.outBlocks*blockWidth != width {
		y = graph.SliceAxis(y, 3, graph.AxisRange(0, width))
	}
	return graph.TransposeAllAxes(y, 0, 2, 3, 1)
}

// adjoint correlates v, padded with zeros, with the kernel turned by half a turn and its channels
// exchanged. GoMLX's own gradient pads one short for a kernel of an even number of blocks.
func (t *blockTaps) adjoint(weights, v *graph.Node) *graph.Node {
	c := graph.Convolve(v, graph.Reverse(weights, 0, 1)).
		PaddingPerDim([][2]int{{t.rows - 1, t.rows - 1}, {t.blocks - 1, t.blocks - 1}})
	return c.AxesConfig(backends.ConvolveAxesConfig{
		InputBatch: 0, InputSpatial: []int{1, 2}, InputChannels: 3,
		KernelSpatial: []int{0, 1}, KernelInputChannels: 3, KernelOutputChannels: 2,
		OutputBatch: 0, OutputSpatial: []int{1, 2}, OutputChannels: 3,
	}).Done()
}
