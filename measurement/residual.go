package measurement

import (
	"context"
	"fmt"

	"github.com/seed-0f004ec9/spgd/engine"
	"github.com/seed-0f004ec9/spgd/imageio"
	"github.com/seed-0f004ec9/spgd/operator"
)

// Residual says how well images explain the measurement: for each, the sum of (A(x) - y)^2 over the
// entries that an image can influence, and the number of these entries. The dropped pixels of a
// mask are not among them.
func (m *Measurement) Residual(ctx context.Context, e *engine.Engine, images []*imageio.Image) (sumSquares []float64, entries int, err error) {
	sumSquares = make([]float64, m.Len())
	err = m.EachResidual(ctx, e, images, func(image, _ int, d float64) {
		sumSquares[image] += d * d
		if image == 0 {
			entries++
		}
	})
	if err != nil {
		return nil, 0, err
	}
	return sumSquares, entries, nil
}

// EachResidual calls f with d = A(x) - y for each entry that an image can influence, image by image
// and in the order of Y: entry counts within the image's [h,w,c].
func (m *Measurement) EachResidual(ctx context.Context, e *engine.Engine, images []*imageio.Image, f func(image, entry int, d float64)) error {
	if len(images) != m.Len() {
		return fmt.Errorf("measurement: %d images for the measurements of %d: %w", len(images), m.Len(), operator.ErrSize)
	}
	_, _, channels := m.Operator.MeasurementSize()
	var keep []bool
	if o, ok := m.Operator.(*operator.Inpaint); ok {
		keep = o.Mask()
	}
	return apply(ctx, e, images, m.Operator, func(i int, clean []float32) error {
		for j, y := range m.Y[i*len(clean):][:len(clean)] {
			if keep == nil || keep[j/channels] {
				f(i, j, float64(clean[j])-float64(y))
			}
		}
		return nil
	})
}
