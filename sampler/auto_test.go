package sampler

import (
	"context"
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/tensors"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"github.com/seed-0f004ec9/spgd/operator"
	"github.com/seed-0f004ec9/spgd/prior"
)

// autoSettings are short settings for a problem.
func autoSettings(p Problem, steps, warmup int) Settings {
	s := DefaultSettings()
	s.Steps, s.Warmup = steps, warmup
	return s.For(p)
}

// Under a Gaussian prior the likelihood steps of AutoStep are linear algebra.
func TestAutoRecursion(t *testing.T) {
	const batch, dim, warmups = 2, gaussianSide * gaussianSide * 3, 3
	p := newProblem(t, batch)
	for _, c := range []struct {
		name string
		op   operator.Operator
		tol  float64
	}{
		{"conjugate gradients", p.op, 2e-4},
		{"factors", factoredOperator{p.op}, 2e-5},
	} {
		s := autoSettings(Problem{c.op, p.sigmaY}, 1, warmups)
		s.ADM = ADMOff
		job := p.job
		job.XStart = normals(31, s.SigmaMax, batch, gaussianSide, gaussianSide, 3)
		res, err := newDriver(t, p.prior, c.op).Run(context.Background(), SPGD{s}, job)
		if err != nil {
			t.Fatal(err)
		}
		sigma := s.SigmaMax
		r2 := 2 * sigma * sigma / (1 + sigma*sigma)
		d := p.prior.denoiser(sigma)
		var m, whiten, jat mat.Dense
		m.Mul(p.op.a, p.op.a.T())
		m.Scale(r2, &m)
		rows, _ := m.Dims()
		for i := range rows {
			m.Set(i, i, m.At(i, i)+p.sigmaY*p.sigmaY)
		}
		if err := whiten.Inverse(&m); err != nil {
			t.Fatal(err)
		}
		jat.Mul(d.m.T(), p.op.a.T())
		for i := range batch {
			x := mat.NewVecDense(dim, double(flat(t, job.XStart)[i*dim:][:dim]))
			u := mat.NewVecDense(rows, nil)
			var before mat.VecDense
			for range warmups {
				before.CloneFromVec(x)
				var r, v, g mat.VecDense
				r.MulVec(p.op.a, d.apply(x))
				r.SubVec(p.y[i], &r)
				r.AddScaledVec(&r, -p.sigmaY*p.sigmaY, u)
				v.MulVec(&whiten, &r)
				g.MulVec(&jat, &v)
				if length := math.Sqrt(r2/dim) * mat.Norm(&g, 2); length > 1 {
					t.Fatalf("step %.3g is above the bound: the test does not reach what it means to", length)
				}
				u.AddVec(u, &v)
				x.AddScaledVec(x, r2, &g)
			}
			x.SubVec(x, &before)
			x.AddVec(x, d.apply(&before))
			x = agreement(t, p, c.op, i, x)
			if e := relative(flat(t, res.X)[i*dim:][:dim], x.RawVector().Data); e > c.tol {
				t.Errorf("%s: image %d is off by %.3g", c.name, i, e)
			}
		}
	}
}

// agreement is what autoAgree makes of a result x, image i of problem p, in float64.
func agreement(t *testing.T, p problem, op operator.Operator, i int, x *mat.VecDense) *mat.VecDense {
	t.Helper()
	rows, dim := p.op.a.Dims()
	var r, v, back mat.VecDense
	r.MulVec(p.op.a, x)
	r.SubVec(p.y[i], &r)
	spread := (mat.Dot(&r, &r)/float64(rows) - p.sigmaY*p.sigmaY) / largest(op)
	out := mat.VecDenseCopyOf(x)
	if spread <= 0 {
		return out
	}
	var m mat.Dense
	m.Mul(p.op.a, p.op.a.T())
	for j := range rows {
		m.Set(j, j, m.At(j, j)+p.sigmaY*p.sigmaY/spread)
	}
	if err := v.SolveVec(&m, &r); err != nil {
		t.Fatal(err)
	}
	back.MulVec(p.op.a.T(), &v)
	if dim != x.Len() {
		t.Fatalf("%d columns for %d pixels", dim, x.Len())
	}
	out.AddVec(out, &back)
	return out
}

// The multiplier takes off the residual what the noise explains, so that the likelihood steps settle on
// a mean: for D with the Jacobian J, on the u of (A r^2 J J^T A^T + sigma_y^2 I) u = y - A D(x).
func TestAutoSettles(t *testing.T) {
	p := newProblem(t, 1)
	op := factoredOperator{p.op}
	const dim, sigmaY = gaussianSide * gaussianSide * 3, 0.5
	s := autoSettings(Problem{op, sigmaY}, 1, 200)
	s.ADM, s.Denoise = ADMOff, DenoiseFresh
	job := p.job
	job.XStart = normals(31, s.SigmaMax, 1, gaussianSide, gaussianSide, 3)
	res, err := newDriver(t, p.prior, op).Run(context.Background(), SPGD{s}, job)
	if err != nil {
		t.Fatal(err)
	}
	sigma := s.SigmaMax
	r2 := 2 * sigma * sigma / (1 + sigma*sigma)
	d := p.prior.denoiser(sigma)
	var aj, m mat.Dense
	aj.Mul(p.op.a, d.m)
	m.Mul(&aj, aj.T())
	m.Scale(r2, &m)
	rows, _ := m.Dims()
	for i := range rows {
		m.Set(i, i, m.At(i, i)+sigmaY*sigmaY)
	}
	x := mat.NewVecDense(dim, double(flat(t, job.XStart)))
	var r, u, push mat.VecDense
	r.MulVec(p.op.a, d.apply(x))
	r.SubVec(p.y[0], &r)
	if err := u.SolveVec(&m, &r); err != nil {
		t.Fatal(err)
	}
	push.MulVec(aj.T(), &u)
	x.AddScaledVec(x, r2, &push)
	if e := relative(flat(t, res.X), d.apply(x).RawVector().Data); e > 1e-4 {
		t.Errorf("after 200 likelihood steps the estimate is off the solution by %.3g", e)
	}
}

// Under a Gaussian prior a run ends much nearer to the posterior's mean than the posterior's samples are.
func TestAutoPosteriorMean(t *testing.T) {
	const batch, dim = 8, gaussianSide * gaussianSide * 3
	for _, sigmaY := range []float64{0.01, 0.05, 0.2} {
		p := newProblem(t, batch)
		op := factoredOperator{p.op}
		job := p.job
		job.XStart = nil
		res, err := newDriver(t, p.prior, op).Run(context.Background(), SPGD{autoSettings(Problem{op, sigmaY}, 30, 2)}, job)
		if err != nil {
			t.Fatal(err)
		}
		var apart float64 // mean squared distance from the posterior's mean
		for i := range batch {
			for k, v := range posteriorMean(t, p.prior, p.op, p.y[i], sigmaY).RawVector().Data {
				apart += math.Pow(float64(flat(t, res.X)[i*dim+k])-v, 2) / batch
			}
		}
		spread := posteriorVariance(t, p, sigmaY)
		t.Logf("sigma_y %g: %.3g from the mean, samples %.3g", sigmaY, math.Sqrt(apart), math.Sqrt(spread))
		if math.Sqrt(apart) > 0.2*math.Sqrt(spread) {
			t.Errorf("with noise %g results are %.3g from the posterior's mean, its samples %.3g", sigmaY, math.Sqrt(apart), math.Sqrt(spread))
		}
	}
}

// posteriorVariance is the trace of the posterior's covariance C - C A^T (A C A^T + sigma_y^2 I)^-1 A C.
func posteriorVariance(t *testing.T, p problem, sigmaY float64) float64 {
	t.Helper()
	c, ca, s := covariances(p.prior, p.op, sigmaY)
	var gain, explained mat.Dense
	if err := gain.Solve(s, ca.T()); err != nil {
		t.Fatal(err)
	}
	explained.Mul(ca, &gain)
	return mat.Trace(c) - mat.Trace(&explained)
}

// Under a Gaussian prior ancestral runs spread nearly as the posterior does, and runs with fresh noise do not.
func TestAncestralSpread(t *testing.T) {
	const batch, samples = 4, 24
	for _, sigmaY := range []float64{0.01, 0.05, 0.2} {
		p := newProblem(t, batch)
		op := factoredOperator{p.op}
		want := math.Sqrt(posteriorVariance(t, p, sigmaY))
		spread := func(ancestral bool) float64 {
			s, err := Preset("posterior")
			if err != nil {
				t.Fatal(err)
			}
			s.Ancestral = ancestral
			job := p.job
			job.XStart, job.Samples.Number = nil, samples
			res := mustRun(t, newDriver(t, p.prior, op), SPGD{s.For(Problem{op, sigmaY})}, job)
			return floats.Norm(double(flat(t, res.Spread)), 2) / math.Sqrt(batch)
		}
		ancestral, fresh := spread(true)/want, spread(false)/want
		t.Logf("sigma_y %g: spread %.3f of the posterior's, with fresh noise %.3f", sigmaY, ancestral, fresh)
		if ancestral < 0.8 || ancestral > 1.05 {
			t.Errorf("with noise %g the spread is %.3f of the posterior's", sigmaY, ancestral)
		}
		if fresh > 0.75 {
			t.Errorf("with noise %g and fresh noise at each level the spread is %.3f of the posterior's: ancestral steps are not needed", sigmaY, fresh)
		}
	}
}

// Ancestral steps are draws from the distribution of the next state given this one and x0': what a step adds beside its
// mean is normal with the variance sigma_next^2 (1-c).
func TestAncestralSteps(t *testing.T) {
	const batch, dim, levels = 2, gaussianSide * gaussianSide * 3, 8
	for _, denoise := range []DenoiseFrom{DenoiseStale, DenoiseFresh} {
		p := newProblem(t, batch)
		op := factoredOperator{p.op}
		s := autoSettings(Problem{op, p.sigmaY}, levels, 2)
		s.Denoise, s.Ancestral, s.Average, s.Antithetic = denoise, true, false, false
		sigmas := SPGD{s}.Sigmas()
		var got states
		job := p.job
		job.Observers = []Observer{&got}
		mustRun(t, newDriver(t, p.prior, op), SPGD{s}, job)
		var before []float64
		for k := 1; k < levels-1; k++ {
			c := math.Pow(sigmas[k+1]/sigmas[k], 2)
			z := double(got.x[k])
			floats.AddScaled(z, -(1 - c), double(got.x0hat[k]))
			floats.AddScaled(z, -c, double(got.x[k-1]))
			floats.Scale(1/(sigmas[k+1]*math.Sqrt(1-c)), z)
			if size := floats.Norm(z, 2) / math.Sqrt(batch*dim); math.Abs(size-1) > 4/math.Sqrt(2*batch*dim) {
				t.Errorf("%s: the noise of step %d has the root mean square %.3g", denoise, k, size)
			}
			if k > 1 {
				if cos := floats.Dot(z, before) / (floats.Norm(z, 2) * floats.Norm(before, 2)); math.Abs(cos) > 4/math.Sqrt(batch*dim) {
					t.Errorf("%s: steps %d and %d have noise at the cosine %.3g", denoise, k-1, k, cos)
				}
			}
			before = z
		}
	}
}

// The result is the mean of all levels' estimates, weighted by 1/sigma^2, and does not change the run that they
// are from; without Average it is the last of them.
func TestAutoAverage(t *testing.T) {
	const batch, dim = 2, gaussianSide * gaussianSide * 3
	for _, denoise := range []DenoiseFrom{DenoiseStale, DenoiseFresh} {
		p := newProblem(t, batch)
		op := factoredOperator{p.op}
		s := autoSettings(Problem{op, p.sigmaY}, 5, 2)
		s.Denoise = denoise
		var estimates [2][][]float32
		var results [2][]float32
		for i, average := range []bool{false, true} {
			s.Average = average
			job := p.job
			job.Observers = []Observer{ObserverFunc(func(snap *Snapshot) error {
				x0hat, err := snap.X0hat()
				if err != nil {
					return err
				}
				estimates[i] = append(estimates[i], slices.Clone(flat(t, x0hat)))
				return nil
			})}
			res, err := newDriver(t, p.prior, op).Run(context.Background(), SPGD{s}, job)
			if err != nil {
				t.Fatal(err)
			}
			results[i] = flat(t, res.X)
		}
		weighted, weights := make([]float64, batch*dim), 0.0
		for k, sigma := range (SPGD{s}).Sigmas()[:5] {
			if !slices.Equal(estimates[0][k], estimates[1][k]) {
				t.Errorf("%s: the mean changes estimate %d", denoise, k)
			}
			weights += 1 / (sigma * sigma)
			for i, v := range estimates[0][k] {
				weighted[i] += float64(v) / (sigma * sigma)
			}
		}
		for i := range weighted {
			weighted[i] /= weights
		}
		for i := range batch {
			for k, want := range [][]float64{double(estimates[0][4]), weighted} {
				x := mat.NewVecDense(dim, slices.Clone(want[i*dim:][:dim]))
				if e := relative(results[k][i*dim:][:dim], agreement(t, p, op, i, x).RawVector().Data); e > 2e-5 {
					t.Errorf("%s, average %v: image %d is off by %.3g", denoise, k == 1, i, e)
				}
			}
		}
	}
}

// With Antithetic levels 2 and 3, 4 and 5, and so on have opposite noise; that of different pairs, and without it that of
// any two, is independent.
func TestAutoAntithetic(t *testing.T) {
	const batch, dim, levels = 2, gaussianSide * gaussianSide * 3, 6
	for _, c := range []struct {
		denoise    DenoiseFrom
		antithetic bool
	}{{DenoiseStale, true}, {DenoiseFresh, true}, {DenoiseStale, false}} {
		p := newProblem(t, batch)
		op := factoredOperator{p.op}
		s := autoSettings(Problem{op, p.sigmaY}, levels, 2)
		s.Denoise, s.Antithetic = c.denoise, c.antithetic
		sigmas := SPGD{s}.Sigmas()
		var noise [][]float64 // by level from 1, in units of sigma
		job := p.job
		job.Observers = []Observer{ObserverFunc(func(snap *Snapshot) error {
			x, err := snap.X()
			if err != nil {
				return err
			}
			x0hat, err := snap.X0hat()
			if err != nil {
				return err
			}
			z := double(flat(t, x))
			floats.Sub(z, double(flat(t, x0hat)))
			floats.Scale(1/sigmas[len(noise)+1], z)
			noise = append(noise, z)
			return nil
		})}
		mustRun(t, newDriver(t, p.prior, op), SPGD{s}, job)
		for i, z := range noise[:levels-1] {
			if size := floats.Norm(z, 2) / math.Sqrt(float64(len(z))); size < 0.8 || size > 1.2 {
				t.Errorf("%+v: noise of level %d has the root mean square %.3g", c, i+1, size)
			}
			for j, before := range noise[:i] {
				cos := floats.Dot(z, before) / (floats.Norm(z, 2) * floats.Norm(before, 2))
				want, tolerance := 0.0, 0.5
				if c.antithetic && i%2 == 0 && j == i-1 {
					want, tolerance = -1, 1e-6
				}
				if math.Abs(cos-want) > tolerance {
					t.Errorf("%+v: levels %d and %d have noise at the cosine %.7f, want %g", c, j+1, i+1, cos, want)
				}
			}
		}
	}
}

// The result goes towards y where its residual is above the noise, and nowhere else.
func TestAutoAgree(t *testing.T) {
	p := newProblem(t, 2)
	op := factoredOperator{p.op}
	s := autoSettings(Problem{op, p.sigmaY}, 2, 1)
	run := func(settings Settings) *Result {
		job := p.job
		job.XStart = nil
		return mustRun(t, newDriver(t, p.prior, op), SPGD{settings}, job)
	}
	residual := func(r *Result, i int) float64 {
		const dim = gaussianSide * gaussianSide * 3
		var v mat.VecDense
		v.MulVec(p.op.a, mat.NewVecDense(dim, double(flat(t, r.X)[i*dim:][:dim])))
		v.SubVec(p.y[i], &v)
		return mat.Norm(&v, 2) / math.Sqrt(float64(v.Len()))
	}
	with := run(s)
	s.auto.largest = 1e12 // errors of x too small to be worth a change
	without := run(s)
	closer := 0
	for i := range 2 {
		a, b := residual(without, i), residual(with, i)
		switch {
		case a > p.sigmaY && b < a:
			closer++
		case a > p.sigmaY || b != a:
			t.Errorf("image %d: residual %g, before the last stage %g, of the noise %g", i, b, a, p.sigmaY)
		}
	}
	if closer == 0 {
		t.Error("no result was further from y than the noise explains: the test tests nothing")
	}
}

// scaledOperator is op with measurements in another unit.
type scaledOperator struct {
	operator.Operator
	scale float64
}

func (o scaledOperator) StepConstants() (c, lambda float64) {
	_, c, lambda = operator.DefaultStepSize(o.Operator)
	return c, lambda * o.scale * o.scale
}

func (o scaledOperator) Apply(data []*Node, x *Node) *Node {
	return graph.MulScalar(o.Operator.Apply(data, x), o.scale)
}

// The unit of y changes nothing, nor does the batch that an image is in.
func TestAutoInvariances(t *testing.T) {
	const side, sigmaY = 8, 0.05
	base, err := operator.NewSuperResolution(side, side, 2)
	if err != nil {
		t.Fatal(err)
	}
	d := smallDiagonal(t, side)
	h, w, _ := base.MeasurementSize()
	y := flat(t, normals(3, 0.5, 2, h, w, 3))
	run := func(scale float64, images []uint32, y []float32) []float32 {
		op := scaledOperator{base, scale}
		scaled := make([]float32, len(y))
		for i, v := range y {
			scaled[i] = v * float32(scale)
		}
		res, err := newDriver(t, d, op).Run(context.Background(), SPGD{autoSettings(Problem{op, sigmaY * scale}, 4, 2)}, Job{
			Y: tensors.FromFlatDataAndDimensions(scaled, len(images), h, w, 3), Seed: 4, Images: images,
		})
		if err != nil {
			t.Fatal(err)
		}
		return flat(t, res.X)
	}
	want := run(1, []uint32{0, 1}, y)
	for _, scale := range []float64{16, 1. / 255} {
		if e := relative(run(scale, []uint32{0, 1}, y), double(want)); e > 1e-4 {
			t.Errorf("in a unit of 1/%g the result changes by %.3g", scale, e)
		}
	}
	if alone := run(1, []uint32{1}, y[len(y)/2:]); !slices.Equal(alone, want[len(want)/2:]) {
		t.Error("the second image has other bits alone than in the batch")
	}
}

// The size of the image changes nothing: where the problem repeats itself, so does the step.
func TestAutoStepOfAnySize(t *testing.T) {
	first := func(side int) float64 {
		op, err := operator.NewColorize(side, side)
		if err != nil {
			t.Fatal(err)
		}
		y, x := make([]float32, side*side), make([]float32, side*side*3)
		for i := range y {
			y[i] = 0.5
		}
		for i := range x {
			x[i] = 0.1
		}
		res, err := newDriver(t, smallDiagonal(t, side), op).Run(context.Background(), SPGD{autoSettings(Problem{op, 0.1}, 1, 2)}, Job{
			Y: tensors.FromFlatDataAndDimensions(y, 1, side, side, 1), XStart: tensors.FromFlatDataAndDimensions(x, 1, side, side, 3),
		})
		if err != nil {
			t.Fatal(err)
		}
		return float64(flat(t, res.X)[0])
	}
	small, large := first(4), first(32)
	if math.Abs(small-large) > 1e-6 || math.Abs(small-0.1) < 0.01 {
		t.Errorf("a pixel moves from 0.1 to %g in a small image and to %g in a large one", small, large)
	}
}

// smallDiagonal is a prior of independent pixels.
func smallDiagonal(t *testing.T, side int) *prior.Gaussian {
	t.Helper()
	mean, variance := make([]float64, side*side*3), make([]float64, side*side*3)
	for i := range variance {
		variance[i] = 0.3
	}
	d, err := prior.NewDiagonalGaussian(mean, variance, side, side, 3)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// Where y is the image plus noise, the result is the prior's posterior mean, E[x0 | y] = D(y; sigma_y).
func TestAutoDenoising(t *testing.T) {
	const side, sigmaY = 8, 0.2
	op, err := operator.NewDenoise(side, side)
	if err != nil {
		t.Fatal(err)
	}
	y := normals(3, 0.5, 1, side, side, 3)
	s := autoSettings(Problem{op, sigmaY}, 30, 2)
	res, err := newDriver(t, smallDiagonal(t, side), op).Run(context.Background(), SPGD{s}, Job{Y: y})
	if err != nil {
		t.Fatal(err)
	}
	want := double(flat(t, y))
	for i := range want {
		want[i] *= 0.3 / (0.3 + sigmaY*sigmaY)
	}
	if e := relative(flat(t, res.X), want); e > 1e-6 {
		t.Errorf("off by %.3g", e)
	}
	if res.Cost != (Cost{Forwards: 1}) || len(res.Records) != 1 {
		t.Errorf("%+v in %d steps, want one evaluation in one step", res.Cost, len(res.Records))
	}
}

// The estimate is the minimiser that its documentation names.
func TestSmoothEstimate(t *testing.T) {
	const h, w = gaussianSide, gaussianSide
	p := newProblem(t, 1)
	const dim, sigmaY = h * w * 3, 0.1
	lambda := sigmaY * sigmaY / (gradientSpread * gradientSpread)
	var normal mat.Dense
	normal.Mul(p.op.a.T(), p.op.a)
	at := func(y, x, c int) int { return (y*w+x)*3 + c }
	pair := func(i, j int) {
		for _, e := range [][3]int{{i, i, 1}, {j, j, 1}, {i, j, -1}, {j, i, -1}} {
			normal.Set(e[0], e[1], normal.At(e[0], e[1])+lambda*float64(e[2]))
		}
	}
	for y := range h {
		for x := range w {
			for c := range 3 {
				if x+1 < w {
					pair(at(y, x, c), at(y, x+1, c))
				}
				if y+1 < h {
					pair(at(y, x, c), at(y+1, x, c))
				}
			}
		}
	}
	var aty, want mat.VecDense
	aty.MulVec(p.op.a.T(), p.y[0])
	if err := want.SolveVec(&normal, &aty); err != nil {
		t.Fatal(err)
	}
	var got []float32
	s := autoSettings(Problem{p.op, sigmaY}, 1, 1)
	_, err := newDriver(t, p.prior, p.op).Run(context.Background(), startOnly{SPGD{s}, &got, t}, Job{Y: p.job.Y})
	if err != nil {
		t.Fatal(err)
	}
	if e := relative(got, want.RawVector().Data); e > 1e-3 {
		t.Errorf("off by %.3g", e)
	}
}

// startOnly is a run that ends with its start.
type startOnly struct {
	SPGD
	estimate *[]float32
	t        *testing.T
}

func (s startOnly) Step(r *Run) error {
	if err := s.start(r, s.auto.sigmaY*s.auto.sigmaY); err != nil {
		return err
	}
	x, err := r.image(StateX0hat)
	*s.estimate = flat(s.t, x)
	return err
}

func TestSettingsFor(t *testing.T) {
	sr, err := operator.NewSuperResolution(16, 16, 4)
	if err != nil {
		t.Fatal(err)
	}
	phase, err := operator.NewPhaseRetrieval(16, 16)
	if err != nil {
		t.Fatal(err)
	}
	denoise, err := operator.NewDenoise(16, 16)
	if err != nil {
		t.Fatal(err)
	}
	if err := DefaultSettings().Validate(); !errors.Is(err, ErrSettings) {
		t.Errorf("settings that know no problem: %v, want ErrSettings", err)
	}
	for _, c := range []struct {
		op       operator.Operator
		sigmaY   float64
		max, min float64
	}{
		{sr, 0.001, 1, 0.05}, {sr, 0.05, 1, 0.2}, {sr, 10, 80, 40}, {phase, 0.05, 1, 0.05}, {denoise, 0.2, 0.2, 0.1}, {denoise, 0, 10, 0.05},
	} {
		p := Problem{c.op, c.sigmaY}
		s := DefaultSettings().For(p)
		if err := s.Validate(); err != nil {
			t.Errorf("%s with noise %g: %v", c.op.Name(), c.sigmaY, err)
		}
		if math.Abs(s.SigmaMax/c.max-1) > 0.03 || math.Abs(s.SigmaMin/c.min-1) > 0.03 { // borders move the norm of a resizer
			t.Errorf("%s with noise %g: levels from %g to %g, want %g to %g", c.op.Name(), c.sigmaY, s.SigmaMax, s.SigmaMin, c.max, c.min)
		}
		if s.For(p) != s {
			t.Errorf("%s: For changes settings that it has made", c.op.Name())
		}
	}
	s := PaperSettings().For(Problem{sr, 0.01})
	if want, _, _ := operator.DefaultStepSize(sr); s.StepSize != want || s.SigmaMax != 100 {
		t.Errorf("the published step is %g from %g, want %g from 100", s.StepSize, s.SigmaMax, want)
	}
}
