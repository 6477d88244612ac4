package sampler

import (
	"context"
	"math"
	"testing"

	"github.com/gomlx/gomlx/pkg/core/tensors"
	"gonum.org/v1/gonum/mat"

	"github.com/seed-0f004ec9/spgd/operator"
	"github.com/seed-0f004ec9/spgd/prior"
)

const limitDim = gaussianSide * gaussianSide * 3

// white is the prior N(mean, variance I) of test images.
func white(t *testing.T, mean, variance float64) *prior.Gaussian {
	t.Helper()
	m, v := make([]float64, limitDim), make([]float64, limitDim)
	for i := range m {
		m[i], v[i] = mean, variance
	}
	p, err := prior.NewDiagonalGaussian(m, v, gaussianSide, gaussianSide, 3)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// moments are the mean and the variance of numbers, and the standard error of that variance.
func moments(v []float64) (mean, variance, stderr float64) {
	for _, x := range v {
		mean += x / float64(len(v))
	}
	for _, x := range v {
		variance += (x - mean) * (x - mean) / float64(len(v)-1)
	}
	return mean, variance, variance * math.Sqrt(2/float64(len(v)))
}

// DDRM and DDNM+ claim that the state of every level is the clean image plus noise of that level in
// every direction, measurement noise included. A prior that knows the image leaves nothing else.
func TestSpectralMarginals(t *testing.T) {
	const batch, sigmaY, mean = 200, 0.2, 0.3
	op := factoredOperator{newMatrixOperator(gaussianSide, gaussianSide, 20)}
	clean := times(op.a, vec(make([]float64, limitDim)).apply(func(int, float64) float64 { return mean }))
	y := flat(t, normals(50, sigmaY, batch*20))
	for i := range y {
		y[i] += float32(clean[i%20])
	}
	_, _, v := op.decompose()
	for _, m := range []Sampler{
		DDRM{few(8), 0.85, 1, sigmaY}, DDRM{few(8), 0.3, 0.7, sigmaY}, DDNMPlus{DDNM{few(8), 0.85, 1}, sigmaY},
	} {
		var got states
		_, err := newDriver(t, white(t, mean, 0), op).Run(context.Background(), m, Job{
			Y: tensors.FromFlatDataAndDimensions(append([]float32(nil), y...), batch, 1, 20, 1), Seed: 9, Observers: []Observer{&got},
		})
		if err != nil {
			t.Fatal(err)
		}
		for k, next := range m.Sigmas()[1:] {
			if next == 0 {
				continue
			}
			var row, free []float64 // in units of the level: inside the range of A^T and outside
			for i := range batch {
				n := vec(double(got.x[k][i*limitDim:][:limitDim])).apply(func(_ int, v float64) float64 { return (v - mean) / next })
				c := times(v.T(), n)
				row = append(row, c...)
				free = append(free, n.plus(-1, times(v, c)).norm()/math.Sqrt(limitDim-20))
			}
			mean, variance, stderr := moments(row)
			if math.Abs(mean) > 4*math.Sqrt(variance/float64(len(row))) || math.Abs(variance-1) > 4*stderr {
				t.Errorf("%s %+v: at level %.3g the measured coefficients have mean %.3g and variance %.3g in its units, want 0 and 1", m.Name(), m, next, mean, variance)
			}
			rms := 0.0
			for _, f := range free {
				rms += f * f / batch
			}
			if math.Abs(rms-1) > 4*math.Sqrt(2.0/(batch*(limitDim-20))) {
				t.Errorf("%s: at level %.3g the other coefficients have variance %.3g in its units, want 1", m.Name(), next, rms)
			}
		}
	}
}

// PiGDM's guidance is the exact score of the likelihood under a standard normal prior. That score is
// derived here from the joint distribution of x and y.
func TestPiGDMScore(t *testing.T) {
	const sigmaY, mean = 0.3, 0.2
	op := newMatrixOperator(gaussianSide, gaussianSide, 20)
	m := PiGDM{Levels{1, 2, 0.05}, 0, sigmaY}
	x, y := normals(3, 2, 1, gaussianSide, gaussianSide, 3), normals(4, 1, 1, 1, 20, 1)
	res := mustRun(t, newDriver(t, white(t, mean, 1), op), m, Job{Y: y, XStart: x})
	// One step to level 0 gives x' = x0hat + g.
	const s2 = 4.0
	xv, yv := vec(double(flat(t, x))), vec(double(flat(t, y)))
	off := xv.apply(func(_ int, v float64) float64 { return (v - mean) / (1 + s2) })
	x0hat := off.apply(func(_ int, v float64) float64 { return v + mean })
	// (x, y) is normal with cov(x) = (1+s2) I, cov(y, x) = A and cov(y) = A A^T + sigmaY^2 I.
	var cov mat.Dense
	cov.Mul(op.a, op.a.T())
	cov.Scale(1-1/(1+s2), &cov)
	for i := range 20 {
		cov.Set(i, i, cov.At(i, i)+sigmaY*sigmaY)
	}
	var u mat.VecDense
	if err := u.SolveVec(&cov, mat.NewVecDense(20, yv.plus(-1, times(op.a, x0hat)))); err != nil {
		t.Fatal(err)
	}
	score := times(op.a.T(), u.RawVector().Data).scaled(1 / (1 + s2))
	got := vec(double(flat(t, res.X))).plus(-1, x0hat).scaled((1 + s2) / s2)
	if e := relative(single(got), score); e > 1e-5 {
		t.Errorf("the guidance differs from the score by %g", e)
	}
}

// DAPS samples the posterior where x0 given x is normal with the level's variance: for a prior that is
// wide against the levels, whose posterior under y = x0 + noise of variance tau^2/2 is N(y, tau^2/2).
func TestDAPSPosterior(t *testing.T) {
	const batch, tau = 64, 0.2
	op, err := operator.NewDenoise(gaussianSide, gaussianSide)
	if err != nil {
		t.Fatal(err)
	}
	m := DAPS{Levels{12, 1, 0.1}, 3, 150, 1e-3, tau}
	y := make([]float32, batch*limitDim)
	for i := range y {
		y[i] = float32(i%7) / 7
	}
	res := mustRun(t, newDriver(t, white(t, 0, 400), op), m, Job{
		Y: tensors.FromFlatDataAndDimensions(append([]float32(nil), y...), batch, gaussianSide, gaussianSide, 3), Seed: 5,
	})
	off := double(flat(t, res.X))
	for i := range off {
		off[i] -= float64(y[i])
	}
	mean, variance, stderr := moments(off)
	// The decayed steps of the last levels bias the variance by less than 1 %.
	t.Logf("mean error %.3g, variance %.4g, want 0 and %.4g", mean, variance, tau*tau/2)
	if math.Abs(mean) > 4*math.Sqrt(variance/float64(len(off))) || math.Abs(variance-tau*tau/2) > 4*stderr+0.03*variance {
		t.Errorf("mean error %.3g and variance %.4g, want 0 and %.4g", mean, variance, tau*tau/2)
	}
}

// Without noise the methods that project onto the measurement end on it.
func TestDataConsistency(t *testing.T) {
	p := newProblem(t, 2)
	op := factoredOperator{p.op}
	for _, c := range []struct {
		m         Sampler
		tolerance float64 // of the residual, relative to y
	}{
		{DDNM{few(10), 0.85, 1}, 1e-5}, {DDNMPlus{DDNM{few(10), 0.85, 1}, 0}, 1e-5}, {DDRM{few(10), 0.85, 1, 0}, 1e-5},
		{DiffPIR{few(10), 1, 0.5, 1e-4, false}, 1e-4}, {REDDiff{few(300), 0.25, 1, 0.05}, 0.04},
	} {
		res := mustRun(t, newDriver(t, p.prior, op), c.m, Job{Y: p.job.Y, Seed: 2})
		for i, y := range p.y {
			r := times(p.op.a, vec(double(flat(t, res.X)[i*limitDim:][:limitDim]))).plus(-1, y.RawVector().Data)
			if e := r.norm() / vec(y.RawVector().Data).norm(); !(e <= c.tolerance) {
				t.Errorf("%s: relative residual %.3g, want at most %g", c.m.Name(), e, c.tolerance)
			}
		}
	}
}
