package operator

import (
	"fmt"

	"github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/tensors"

	"github.com/seed-0f004ec9/spgd/internal/autodiff"
)

// SuperResolution is down-sampling by a whole factor with the antialiased cubic resizer, H then W.
type SuperResolution struct {
	size
	factor        int
	rows, columns *resizer
	normSquared   float64
	data          []*tensors.Tensor
	cache         factorCache
}

// MaxScale bounds the factor of super-resolution.
const MaxScale = 16

// NewSuperResolution returns the operator for images of height x width and a factor from 2 to
// MaxScale. A side of n pixels becomes ceil(n/factor).
func NewSuperResolution(height, width, factor int) (*SuperResolution, error) {
	s, err := newSize(height, width)
	if err != nil {
		return nil, err
	}
	if err := checkScale(factor); err != nil {
		return nil, err
	}
	rows, columns := newResizer(1, height, factor), newResizer(2, width, factor)
	return &SuperResolution{
		size: s, factor: factor, rows: rows, columns: columns,
		normSquared: rows.filter.normSquared() * columns.filter.normSquared(),
		data:        []*tensors.Tensor{rows.kernel(1), columns.kernel(imageChannels)},
	}, nil
}

func checkScale(factor int) error {
	if factor < 2 || factor > MaxScale {
		return fmt.Errorf("operator: super-resolution factor %d: %w: it must be between 2 and %d", factor, ErrTask, MaxScale)
	}
	return nil
}

// Name is "sr:FACTOR".
func (o *SuperResolution) Name() string { return fmt.Sprintf("sr:%d", o.factor) }

// Factor is the number of image pixels a measured pixel spans along each side.
func (o *SuperResolution) Factor() int { return o.factor }

// MeasurementSize is ceil(H/factor), ceil(W/factor) and 3 channels.
func (o *SuperResolution) MeasurementSize() (height, width, channels int) {
	return o.rows.filter.count, o.columns.filter.count, imageChannels
}

// Data are the weights of the resizer, for the rows [taps,1,1,1] and for the columns [1,taps,3,3].
func (o *SuperResolution) Data() []*tensors.Tensor { return o.data }

// Apply builds the small image.
func (o *SuperResolution) Apply(data []*graph.Node, x *graph.Node) *graph.Node {
	o.checkImage(o.Name(), x)
	return autodiff.Opaque(x,
		func(x *graph.Node) *graph.Node {
			return o.columns.apply(data[1], o.rows.apply(data[0], x))
		},
		func(v *graph.Node) *graph.Node {
			return o.rows.adjoint(data[0], o.columns.adjoint(data[1], v))
		})
}

// Linear is true.
func (o *SuperResolution) Linear() bool { return true }

// reflect maps an index within one image of the border into [0,n) by reflection that does not
// repeat the edge. It needs -n < i < 2n-1.
func reflect(i, n int) int {
	if i < 0 {
		i = -i
	}
	if i >= n {
		i = 2*(n-1) - i
	}
	return i
}
