package spgd

import (
	"context"
	"fmt"

	"github.com/seed-0f004ec9/spgd/engine"
	"github.com/seed-0f004ec9/spgd/imageio"
	"github.com/seed-0f004ec9/spgd/measurement"
	"github.com/seed-0f004ec9/spgd/operator"
)

// Residual says how well images explain a measurement: for image i, sums[i] is the sum of
// (A(x) - y)^2 over its entries, and entries is the number of entries in each sum. An image that
// explains the measurement as well as the truth has sqrt(sums[i]/entries) near the noise's sigma.
// The pixels that a mask drops hold noise alone, which no image explains, and are not counted.
func Residual(ctx context.Context, e *engine.Engine, m *measurement.Measurement, images []*imageio.Image) (sums []float64, entries int, err error) {
	if len(images) != m.Len() {
		return nil, 0, fmt.Errorf("spgd: %d images for %d measurements", len(images), m.Len())
	}
	fit, err := measurement.Simulate(ctx, e, images, m.Operator, m.Task, measurement.Noise{}, 0)
	if err != nil {
		return nil, 0, err
	}
	h, w, c := m.Operator.MeasurementSize()
	counts := func(int) bool { return true }
	if o, ok := m.Operator.(*operator.Inpaint); ok {
		keep := o.Mask()
		counts = func(entry int) bool { return keep[entry/c] }
	}
	sums = make([]float64, len(images))
	for k := range h * w * c {
		if !counts(k) {
			continue
		}
		entries++
		for i := range sums {
			d := float64(fit.Y[i*h*w*c+k]) - float64(m.Y[i*h*w*c+k])
			sums[i] += d * d
		}
	}
	return sums, entries, nil
}
