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
	clean, err := Simulate(ctx, e, images, m.Operator, m.Task, Noise{}, 0)
	if err != nil {
		return nil, 0, err
	}
	_, _, channels := m.Operator.MeasurementSize()
	var keep []bool
	if o, ok := m.Operator.(*operator.Inpaint); ok {
		keep = o.Mask()
	}
	size := len(m.Y) / m.Len()
	sumSquares = make([]float64, m.Len())
	for i := range sumSquares {
		entries = 0
		for j, y := range m.Y[i*size:][:size] {
			if keep != nil && !keep[j/channels] {
				continue
			}
			d := float64(clean.Y[i*size+j]) - float64(y)
			sumSquares[i] += d * d
			entries++
		}
	}
	return sumSquares, entries, nil
}
