package spgd

import (
	"context"

	"github.com/seed-0f004ec9/spgd/engine"
	"github.com/seed-0f004ec9/spgd/imageio"
	"github.com/seed-0f004ec9/spgd/measurement"
)

// Residual says how well images explain a measurement: for image i, sums[i] is the sum of
// (A(x) - y)^2 over its entries, and entries is the number of entries in each sum. An image that
// explains the measurement as well as the truth has sqrt(sums[i]/entries) near the noise's sigma.
// The pixels that a mask drops hold noise alone, which no image explains, and are not counted.
func Residual(ctx context.Context, e *engine.Engine, m *measurement.Measurement, images []*imageio.Image) (sums []float64, entries int, err error) {
	return m.Residual(ctx, e, images)
}
