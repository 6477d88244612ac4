// Package operator holds the measurement operators A of y = A(x0) + noise, as GoMLX graph
// functions whose gradients come from autodiff.
package operator

import (
	"github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/tensors"
)

// Operator is A for images of one size. Images are [N,H,W,3] in [-1,1].
type Operator interface {
	// Name is the canonical form of the operator with its settings, such as "sr:4" or
	// "gaussian:3", for logs, reports and measurement files.
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
