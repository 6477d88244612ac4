package operator

import (
	"github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/tensors"
)

// Denoise is the identity.
type Denoise struct{ size }

// NewDenoise returns the identity for images of height x width.
func NewDenoise(height, width int) (*Denoise, error) {
	s, err := newSize(height, width)
	if err != nil {
		return nil, err
	}
	return &Denoise{s}, nil
}

// Name is "denoise".
func (o *Denoise) Name() string { return "denoise" }

// MeasurementSize is the image's size and 3 channels.
func (o *Denoise) MeasurementSize() (height, width, channels int) {
	return o.height, o.width, imageChannels
}

// Data is empty.
func (o *Denoise) Data() []*tensors.Tensor { return nil }

// Apply returns x.
func (o *Denoise) Apply(_ []*graph.Node, x *graph.Node) *graph.Node {
	o.checkImage(o.Name(), x)
	return x
}

// Linear is true.
func (o *Denoise) Linear() bool { return true }

// lumaWeights are the weights of R, G and B in a grey value (ITU-R BT.601).
var lumaWeights = [imageChannels]float64{0.299, 0.587, 0.114}

// Colorize is y = 0.299 R + 0.587 G + 0.114 B on [-1,1]: one channel.
type Colorize struct{ size }

// NewColorize returns the operator for images of height x width.
func NewColorize(height, width int) (*Colorize, error) {
	s, err := newSize(height, width)
	if err != nil {
		return nil, err
	}
	return &Colorize{s}, nil
}

// Name is "colorize".
func (o *Colorize) Name() string { return "colorize" }

// MeasurementSize is the image's size and one channel.
func (o *Colorize) MeasurementSize() (height, width, channels int) { return o.height, o.width, 1 }

// Data is empty.
func (o *Colorize) Data() []*tensors.Tensor { return nil }

// Apply builds the grey image.
func (o *Colorize) Apply(_ []*graph.Node, x *graph.Node) *graph.Node {
	o.checkImage(o.Name(), x)
	w := graph.Const(x.Graph(), [][][][]float32{{{{float32(lumaWeights[0]), float32(lumaWeights[1]), float32(lumaWeights[2])}}}})
	return graph.ReduceAndKeep(graph.Mul(x, graph.ConvertDType(w, x.DType())), graph.ReduceSum, -1)
}

// Linear is true.
func (o *Colorize) Linear() bool { return true }

// HighDynamicRange is clip(2x, -1, 1): it saturates half the range. Clipped values pass no
// gradient; a value that 2x puts exactly on the border does.
type HighDynamicRange struct{ size }

// NewHighDynamicRange returns the operator for images of height x width.
func NewHighDynamicRange(height, width int) (*HighDynamicRange, error) {
	s, err := newSize(height, width)
	if err != nil {
		return nil, err
	}
	return &HighDynamicRange{s}, nil
}

// Name is "hdr".
func (o *HighDynamicRange) Name() string { return "hdr" }

// MeasurementSize is the image's size and 3 channels.
func (o *HighDynamicRange) MeasurementSize() (height, width, channels int) {
	return o.height, o.width, imageChannels
}

// Data is empty.
func (o *HighDynamicRange) Data() []*tensors.Tensor { return nil }

// Apply builds the clipped image.
func (o *HighDynamicRange) Apply(_ []*graph.Node, x *graph.Node) *graph.Node {
	o.checkImage(o.Name(), x)
	// GoMLX's Max passes the gradient at equality and its Min does not, so both bounds are
	// maxima: min(z, 1) = -max(-z, -1).
	low := graph.MaxScalar(graph.MulScalar(x, 2), -1.0)
	return graph.Neg(graph.MaxScalar(graph.Neg(low), -1.0))
}

// Linear is false.
func (o *HighDynamicRange) Linear() bool { return false }
