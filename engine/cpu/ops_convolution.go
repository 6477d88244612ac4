package cpu

import (
	"fmt"
	"slices"

	"github.com/gomlx/gomlx/backends"
	"github.com/gomlx/gomlx/backends/shapeinference"
	"github.com/gomlx/gomlx/pkg/core/dtypes"
	"github.com/gomlx/gomlx/pkg/core/shapes"
)

func init() { register(widenHalf(execConv), backends.OpTypeConvGeneral) }

// convAttr describes a convolution. The lists have one entry per spatial axis, in the order of
// axes.InputSpatial; strides, dilations and group counts are at least 1, and padding may be
// negative.
//
// With one group, output[n, o, c] = sum over k and i of
// input[n, (o*stride + k*kernelDilation - paddings[0]) / inputDilation, i] * kernel[k, i, c],
// where a position that is outside or between the input's elements counts as 0.
type convAttr struct {
	axes                            backends.ConvolveAxesConfig
	strides                         []int
	paddings                        [][2]int
	inputDilations, kernelDilations []int
	channelGroups, batchGroups      int
}

// atLeastOne returns a copy of list with 1 in place of what is missing or 0.
func atLeastOne(list []int, n int) []int {
	out := slices.Clone(list)
	if len(out) == 0 {
		out = make([]int, n)
	}
	for i, v := range out {
		if v == 0 {
			out[i] = 1
		}
	}
	return out
}

// ConvGeneral convolves. Nil lists and zeros among strides, dilations and group counts mean 1.
func (bd *Builder) ConvGeneral(input, kernel backends.Op, axes backends.ConvolveAxesConfig,
	strides []int, paddings [][2]int, inputDilations, kernelDilations []int,
	channelGroupCount, batchGroupCount int) (backends.Op, error) {
	in, err := bd.check("ConvGeneral", input, kernel)
	if err != nil {
		return nil, err
	}
	x, k := in[0].shape, in[1].shape
	if x.DType != k.DType || kindOf(x.DType)&kindNumber == 0 {
		return nil, fmt.Errorf("cpu: ConvGeneral(%s, %s): want one data type of numbers", x, k)
	}
	n := len(axes.InputSpatial)
	attr := &convAttr{
		axes:            axes.Clone(),
		strides:         atLeastOne(strides, n),
		paddings:        slices.Clone(paddings),
		inputDilations:  atLeastOne(inputDilations, n),
		kernelDilations: atLeastOne(kernelDilations, n),
		channelGroups:   max(1, channelGroupCount),
		batchGroups:     max(1, batchGroupCount),
	}
	if len(attr.paddings) == 0 {
		attr.paddings = make([][2]int, n)
	}
	s, err := shapeinference.ConvGeneralOp(x, k, attr.axes, attr.strides, attr.paddings,
		attr.inputDilations, attr.kernelDilations, attr.channelGroups, attr.batchGroups)
	if err != nil {
		return nil, fmt.Errorf("cpu: %w", err)
	}
	return bd.add(backends.OpTypeConvGeneral, s, attr, in...), nil
}

func execConv(b *Backend, n *node, in, out []*Buffer) error {
	attr := n.attr.(*convAttr)
	a := attr.axes
	x, err := b.arranged(in[0], slices.Concat([]int{a.InputBatch}, a.InputSpatial, []int{a.InputChannels}))
	if err != nil {
		return err
	}
	k, err := b.arranged(in[1], slices.Concat(a.KernelSpatial, []int{a.KernelInputChannels, a.KernelOutputChannels}))
	if err != nil {
		return err
	}
	// The result is computed with the channels last and then brought into its own order.
	order := slices.Concat([]int{a.OutputBatch}, a.OutputSpatial, []int{a.OutputChannels})
	o := out[0]
	last := slices.IsSorted(order)
	if !last {
		dims := make([]int, len(order))
		for i, axis := range order {
			dims[i] = o.shape.Dimensions[axis]
		}
		if o, err = newBuffer(shapes.Shape{DType: o.shape.DType, Dimensions: dims}); err != nil {
			return err
		}
	}
	if o.shape.Size() == 0 {
		return nil
	}
	switch x.shape.DType {
	case dtypes.Float32:
		convolve[float32](b, attr, x, k, o)
	case dtypes.Float64:
		convolve[float64](b, attr, x, k, o)
	case dtypes.Complex64:
		convolve[complex64](b, attr, x, k, o)
	case dtypes.Complex128:
		convolve[complex128](b, attr, x, k, o)
	case dtypes.Int8:
		convolve[int8](b, attr, x, k, o)
	case dtypes.Int16:
		convolve[int16](b, attr, x, k, o)
	case dtypes.Int32:
		convolve[int32](b, attr, x, k, o)
	case dtypes.Int64:
		convolve[int64](b, attr, x, k, o)
	case dtypes.Uint8:
		convolve[uint8](b, attr, x, k, o)
	case dtypes.Uint16:
		convolve[uint16](b, attr, x, k, o)
	case dtypes.Uint32:
		convolve[uint32](b, attr, x, k, o)
	case dtypes.Uint64:
		convolve[uint64](b, attr, x, k, o)
	default:
		return errDType(n, x.shape.DType)
	}
	if last {
		return nil
	}
	back := make([]int, len(order)) // the inverse permutation
	for i, axis := range order {
		back[axis] = i
	}
	return b.transpose(out[0], o, back)
}

// convWindow is the window that a kernel with the given spatial dimensions slides over its input.
func convWindow(a *convAttr, taps []int) *windowAttr {
	return &windowAttr{sizes: taps, strides: a.strides, paddings: a.paddings,
		baseDilations: a.inputDilations, dilations: a.kernelDilations}
}

// convolve works on input [batch, spatial..., channels], kernel [spatial..., in, out] and output
// [batch, spatial..., channels]. Each output pixel sums over the kernel's positions in order.
func convolve[T number](b *Backend, attr *convAttr, x, k, out *Buffer) {
	xs, ks, o := flatOf[T](x), flatOf[T](k), flatOf[T](out)
	rank := len(attr.strides)
	inDims := x.shape.Dimensions[1 : rank+1]
	outDims := out.shape.Dimensions[1 : rank+1]
	taps := k.shape.Dimensions[:rank]
	inChannels := x.shape.Dimensions[rank+1]
	kernelIn, outChannels := k.shape.Dimensions[rank], k.shape.Dimensions[rank+1]
	groups := attr.channelGroups * attr.batchGroups // one of them is 1
	width := outChannels / groups
	channelStep, batchStep := 0, 0
	if attr.channelGroups > 1 {
		channelStep = kernelIn
	}
	if attr.batchGroups > 1 {
		batchStep = out.shape.Dimensions[0] * product(inDims) * inChannels
	}
	window := convWindow(attr, taps)
	where := window.positions(inDims, outDims, inChannels)
	nTaps, nPixels, pixelsIn := product(taps), product(outDims), product(inDims)
	b.parallel(out.shape.Dimensions[0]*nPixels, nTaps*kernelIn*outChannels, func(lo, hi int) {
		at := make([]int, rank)
		tap := make([]int, rank)
		for p := lo; p < hi; p++ {
			unravel(p%nPixels, outDims, at)
			base := p / nPixels * pixelsIn * inChannels
			acc := o[p*outChannels : (p+1)*outChannels]
			clear(acc)
			for t := range nTaps {
				unravel(t, taps, tap)
				off := window.element(where, at, tap)
				if off < 0 {
					continue
				}
				off += base
				w := ks[t*kernelIn*outChannels : (t+1)*kernelIn*outChannels]
				for g := range groups {
					from := off + g*(channelStep+batchStep)
					addProducts(acc[g*width:(g+1)*width], xs[from:from+kernelIn], w[g*width:], outChannels)
				}
			}
		}
	})
}
