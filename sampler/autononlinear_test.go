package sampler

import (
	"context"
	"testing"

	"github.com/gomlx/gomlx/pkg/core/tensors"

	"github.com/seed-0f004ec9/spgd/operator"
	"github.com/seed-0f004ec9/spgd/prior"
)

// Saturation of independent pixels: every likelihood step is arithmetic on single numbers. Clipped
// pixels get no push, however large their residual is, and change none of the others'.
func TestAutoSaturation(t *testing.T) {
	const side, warmups, variance, sigmaY, dim = 4, 3, 0.04, 0.1, 4 * 4 * 3
	op, err := operator.NewHighDynamicRange(side, side)
	if err != nil {
		t.Fatal(err)
	}
	mean, variances, y := make([]float64, dim), make([]float64, dim), make([]float32, dim)
	for i := range mean {
		variances[i] = variance
		if y[i] = 0.3; i%3 == 0 { // clipped, and not explained
			mean[i], y[i] = 0.9, -0.5
		}
	}
	d, err := prior.NewDiagonalGaussian(mean, variances, side, side, 3)
	if err != nil {
		t.Fatal(err)
	}
	s := autoSettings(Problem{op, sigmaY}, 1, warmups)
	s.ADM = ADMOff
	start := normals(31, s.SigmaMax, 1, side, side, 3)
	res, err := newDriver(t, d, op).Run(context.Background(), SPGD{s}, Job{Y: tensors.FromFlatDataAndDimensions(y, 1, side, side, 3), XStart: start})
	if err != nil {
		t.Fatal(err)
	}
	sigma2 := s.SigmaMax * s.SigmaMax
	r2, j, noise := 2*sigma2/(1+sigma2), variance/(variance+sigma2), sigmaY*sigmaY
	want := double(flat(t, start))
	for i := range want {
		x, u, before := want[i], 0.0, 0.0
		x0hat := func(x float64) float64 { return mean[i] + j*(x-mean[i]) }
		for range warmups {
			before = x
			r := float64(y[i]) - min(max(2*x0hat(x), -1), 1) - noise*u
			w := 0.0
			if i%3 != 0 {
				w = 2 * r / (4*r2 + noise)
			}
			u += (r - r2*2*w) / noise
			x += r2 * j * w
		}
		want[i] = x - before + x0hat(before)
	}
	if e := relative(flat(t, res.X), want); e > 1e-4 {
		t.Errorf("off by %.3g", e)
	}
}

// What a run takes is known for every operator: each stage that it lists can be built.
func TestAutoFootprint(t *testing.T) {
	for name, op := range someOperators(t) {
		m := SPGD{autoSettings(Problem{op, 0.05}, 3, 2)}
		if _, bytes, err := Fit(newEngine(t), smallPrior(t), op, m, 1, 1<<40, Tiles{}); err != nil || bytes <= 0 {
			t.Errorf("%s: %d bytes, %v", name, bytes, err)
		}
	}
}
