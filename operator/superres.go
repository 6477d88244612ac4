package operator

import (
	"fmt"
	"math"

	"github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/tensors"

	"github.com/seed-0f004ec9/spgd/imageio"
)

// SuperResolution is down-sampling by a whole factor with the antialiased cubic resizer: two
// matrix products with the matrices of ResizeMatrix, H then W.
type SuperResolution struct {
	size
	factor      int
	h, w        int // of the measurement
	normSquared float64
	data        []*tensors.Tensor
	cache       factorCache
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
	left, right := resizeMatrix(height, factor), resizeMatrix(width, factor)
	return &SuperResolution{
		size: s, factor: factor, h: left.rows, w: right.rows,
		normSquared: left.normSquared() * right.normSquared(),
		data:        []*tensors.Tensor{left.tensor(), right.tensor()},
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
	return o.h, o.w, imageChannels
}

// Data are the resize matrices of the two axes, [h,H] and [w,W].
func (o *SuperResolution) Data() []*tensors.Tensor { return o.data }

// Apply builds the small image.
func (o *SuperResolution) Apply(data []*graph.Node, x *graph.Node) *graph.Node {
	o.checkImage(o.Name(), x)
	return separable(data[0], data[1], x)
}

// Linear is true.
func (o *SuperResolution) Linear() bool { return true }

// resizeMatrix is one axis of the antialiased cubic resizer from n samples to ceil(n/factor):
// the cubic convolution kernel with a = -1/2 stretched by the factor, centred (counting from 1)
// on p/s + (1-1/s)/2 for output p and s = 1/factor, its weights renormalised to sum 1, the
// boundary mirrored with the edge repeated.
func resizeMatrix(n, factor int) *matrix {
	f := float64(factor)
	out := (n + factor - 1) / factor
	m := newMatrix(out, n)
	taps := 4*factor + 2
	weights := make([]float64, taps)
	for p := range out {
		centre := float64(p+1)*f + 0.5*(1-f)
		first := int(math.Floor(centre - 2*f))
		sum := 0.0
		for k := range weights {
			weights[k] = imageio.Cubic((centre - float64(first+k)) / f)
			sum += weights[k]
		}
		row := m.row(p)
		for k, w := range weights {
			row[imageio.Mirror(first+k-1, n)] += w / sum
		}
	}
	return m
}

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
