package operator

import (
	"fmt"

	"github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/tensors"
)

// Inpaint multiplies the image by a mask: 1 where a pixel is kept, 0 where it is to be filled,
// the same for all channels.
type Inpaint struct {
	size
	name string
	keep []bool
	data []*tensors.Tensor
}

// NewInpaint returns the operator for a mask of height*width pixels in row order, true where the
// pixel is kept. name is the canonical name to give it; empty means "inpaint:mask". The mask is
// copied.
func NewInpaint(name string, height, width int, keep []bool) (*Inpaint, error) {
	s, err := newSize(height, width)
	if err != nil {
		return nil, err
	}
	if len(keep) != height*width {
		return nil, fmt.Errorf("operator: mask of %d pixels for an image of %dx%d: %w", len(keep), width, height, ErrSize)
	}
	kept := 0
	mask := make([]float32, len(keep))
	for i, k := range keep {
		if k {
			mask[i] = 1
			kept++
		}
	}
	if kept == 0 {
		return nil, fmt.Errorf("operator: the mask keeps no pixel of %dx%d: %w", width, height, ErrMask)
	}
	if name == "" {
		name = "inpaint:mask"
	}
	data := []*tensors.Tensor{tensors.FromFlatDataAndDimensions(mask, 1, height, width, 1)}
	return &Inpaint{s, name, append([]bool(nil), keep...), data}, nil
}

// Name is "inpaint:" and how the mask was made.
func (o *Inpaint) Name() string { return o.name }

// Mask returns the mask, in row order, true where the pixel is kept. It must not be modified.
func (o *Inpaint) Mask() []bool { return o.keep }

// MeasurementSize is the image's size and 3 channels: dropped pixels are there, as zeros.
func (o *Inpaint) MeasurementSize() (height, width, channels int) {
	return o.height, o.width, imageChannels
}

// Data is the mask, [1,H,W,1].
func (o *Inpaint) Data() []*tensors.Tensor { return o.data }

// Apply builds the masked image.
func (o *Inpaint) Apply(data []*graph.Node, x *graph.Node) *graph.Node {
	o.checkImage(o.name, x)
	return graph.Mul(x, data[0])
}

// Linear is true.
func (o *Inpaint) Linear() bool { return true }
