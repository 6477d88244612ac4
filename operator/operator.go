// Package operator holds the measurement operators A of y = A(x0) + noise, as GoMLX graph
// functions whose gradients come from autodiff.
package operator

import (
	"errors"
	"fmt"

	"github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/shapes"
	"github.com/gomlx/gomlx/pkg/core/tensors"
)

// Operator is A for images of one size. Images are [N,H,W,3] in [-1,1].
type Operator interface {
	// Name is the canonical form of the operator with its settings, such as "sr:4" or
	// "deblur:gaussian:3", for logs, reports and measurement files.
	Name() string

	// ImageSize is the height and width of the images that A takes.
	ImageSize() (height, width int)

	// MeasurementSize is the height, width and number of channels of a measurement.
	MeasurementSize() (height, width, channels int)

	// Data are the operator's arrays (mask, kernel, resize matrices). They are passed to every
	// program as inputs, in this order; nothing larger than a few KB is a graph constant.
	Data() []*tensors.Tensor

	// Apply builds y = A(x): x is [N,H,W,3] of ImageSize, the result [N,h,w,c] of
	// MeasurementSize, data are the parameters made for Data.
	Apply(data []*graph.Node, x *graph.Node) *graph.Node

	// Linear says whether A is a linear map.
	Linear() bool
}

// Errors that a caller may want to tell apart; those returned wrap them with the details.
var (
	// ErrTask reports a task or setting that is unknown, missing or out of range.
	ErrTask = errors.New("bad task")
	// ErrSize reports an image, mask or kernel whose size does not fit.
	ErrSize = errors.New("size mismatch")
	// ErrMask reports a mask that cannot be used, such as one that keeps nothing.
	ErrMask = errors.New("bad mask")
	// ErrKernel reports a blur kernel that cannot be used, such as one with negative weights.
	ErrKernel = errors.New("bad kernel")
)

// Ranged is implemented by operators whose measurements are not pictures in [-1,1].
type Ranged interface {
	// Range is the measured value without any light and that of full light.
	Range() (black, white float64)
}

// Range returns op's Range, or -1 and 1 if it has none.
func Range(op Operator) (black, white float64) {
	if r, ok := op.(Ranged); ok {
		return r.Range()
	}
	return -1, 1
}

// imageChannels is the number of channels of the images that operators take.
const imageChannels = 3

// size is the part of an operator that knows the image's height and width.
type size struct{ height, width int }

// ImageSize is the height and width of the images that the operator takes.
func (s size) ImageSize() (height, width int) { return s.height, s.width }

// maxSide bounds image sides: the matrices of resizing and blurring grow with their square.
const maxSide = 1 << 14

func newSize(height, width int) (size, error) {
	if height < 1 || width < 1 || height > maxSide || width > maxSide {
		return size{}, fmt.Errorf("operator: image of %dx%d pixels: %w: sides must be between 1 and %d", width, height, ErrSize, maxSide)
	}
	return size{height, width}, nil
}

// checkImage panics, as graph-building functions do, unless x is a batch of images of the
// operator's size.
func (s size) checkImage(name string, x *graph.Node) {
	d := x.Shape().Dimensions
	if len(d) != 4 || d[1] != s.height || d[2] != s.width || d[3] != imageChannels {
		panic(fmt.Errorf("operator: %s takes images [N,%d,%d,%d], not %s: %w", name, s.height, s.width, imageChannels, x.Shape(), ErrSize))
	}
}

// DataShapes lists the shapes of op's Data, in order.
func DataShapes(op Operator) []shapes.Shape {
	data := op.Data()
	s := make([]shapes.Shape, len(data))
	for i, t := range data {
		s[i] = t.Shape()
	}
	return s
}
