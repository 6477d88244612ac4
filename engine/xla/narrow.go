package xla

import (
	"github.com/gomlx/gomlx/backends"
	"github.com/gomlx/gomlx/pkg/core/dtypes"
	"github.com/gomlx/gomlx/pkg/core/shapes"
)

// featureChannels is the number of channels from which on an array counts as a feature map of a network.
// Images, and the planes that operators convolve, have fewer and are never rounded.
const featureChannels = 8

// Narrow returns a backend that computes the convolutions between feature maps from bfloat16 numbers: the
// input and the kernel are rounded, the result is rounded once more, and everything that reads it sees
// float32 numbers. All other operations, images, parameters and outputs are b's own.
//
// The conversions are operations of the graph, which XLA fuses with what stands before and after
// them, so that feature maps go through memory as bfloat16 from one convolution to the next. What else reads
// them, and what several operations read, finds float32.
func Narrow(b backends.Backend) backends.Backend { return narrowBackend{b} }

type narrowBackend struct{ backends.Backend }

// Builder returns a builder that does so.
func (b narrowBackend) Builder(name string) backends.Builder {
	return &narrowBuilder{Builder: b.Backend.Builder(name), reversed: map[backends.Op]reversal{}}
}

type narrowBuilder struct {
	backends.Builder
	reversed map[backends.Op]reversal
}

// reversal is what Reverse was asked for.
type reversal struct {
	x    backends.Op
	axes []int
}

// Reverse notes what it reverses, for the kernels of convolutions.
func (b *narrowBuilder) Reverse(x backends.Op, axes ...int) (backends.Op, error) {
	y, err := b.Builder.Reverse(x, axes...)
	if err == nil {
		b.reversed[y] = reversal{x, axes}
	}
	return y, err
}

// Narrows says whether Narrow rounds the convolution by a kernel whose channels are its last two axes, in either order.
func Narrows(kernel shapes.Shape) bool { return kernel.Rank() >= 2 && narrows(kernel, -2, -1) }

func narrows(kernel shapes.Shape, in, out int) bool {
	return kernel.DType == dtypes.Float32 && min(kernel.Dim(in), kernel.Dim(out)) >= featureChannels
}

// ConvGeneral rounds the operands of a convolution between feature maps, and its result.
func (b *narrowBuilder) ConvGeneral(input, kernel backends.Op, axes backends.ConvolveAxesConfig, strides []int, paddings [][2]int, inputDilations, kernelDilations []int, channelGroupCount, batchGroupCount int) (backends.Op, error) {
	convolve := func(input, kernel backends.Op) (backends.Op, error) {
		return b.Builder.ConvGeneral(input, kernel, axes, strides, paddings, inputDilations, kernelDilations, channelGroupCount, batchGroupCount)
	}
	k, err := b.OpShape(kernel)
	if err != nil {
		return nil, err
	}
	if !narrows(k, axes.KernelInputChannels, axes.KernelOutputChannels) {
		return convolve(input, kernel)
	}
	if input, err = b.ConvertDType(input, dtypes.BFloat16); err != nil {
		return nil, err
	}
	if kernel, err = b.narrowKernel(kernel); err != nil {
		return nil, err
	}
	y, err := convolve(input, kernel)
	if err != nil {
		return nil, err
	}
	return b.ConvertDType(y, dtypes.Float32)
}

// narrowKernel rounds a kernel. One that is reversed is rounded before: XLA knows the convolution of a
// vector-Jacobian product by the reversal, which has to be what the convolution reads.
func (b *narrowBuilder) narrowKernel(kernel backends.Op) (backends.Op, error) {
	r, ok := b.reversed[kernel]
	if !ok {
		return b.ConvertDType(kernel, dtypes.BFloat16)
	}
	x, err := b.ConvertDType(r.x, dtypes.BFloat16)
	if err != nil {
		return nil, err
	}
	return b.Builder.Reverse(x, r.axes...)
}
