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
	if len(images) != m.Len() {
		return nil, 0, fmt.Errorf("measurement: %d images for the measurements of %d: %w", len(images), m.Len(), operator.ErrSize)
	}
	_, _, channels := m.Operator.MeasurementSize()
	var keep []bool
	if o, ok := m.Operator.(*operator.Inpaint); ok {
		keep = o.Mask()
	}
	sumSquares = make([]float64, m.Len())
	err = apply(ctx, e, images, m.Operator, func(i int, clean []float32) error {
		entries = 0
		for j, y := range m.Y[i*len(clean):][:len(clean)] {
			if keep != nil && !keep[j/channels] {
				continue
			}
			d := float64(clean[j]) - float64(y)
			sumSquares[i] += d * d
			entries++
		}
		return nil
	})
	if err != nil {
		return nil, 0, err
	}
	return sumSquares, entries, nil
}
