package sampler

import (
	"context"
	"fmt"
	"math"
	"testing"

	"github.com/gomlx/gomlx/pkg/core/tensors"
	"gonum.org/v1/gonum/mat"
)

// affine is the map x -> m x + c.
type affine struct {
	m *mat.Dense
	c *mat.VecDense
}

func identity(dim int) affine {
	m := mat.NewDense(dim, dim, nil)
	for i := range dim {
		m.Set(i, i, 1)
	}
	return affine{m, mat.NewVecDense(dim, nil)}
}

// apply returns m x + c.
func (f affine) apply(x *mat.VecDense) *mat.VecDense {
	var v mat.VecDense
	v.MulVec(f.m, x)
	v.AddVec(&v, f.c)
	return &v
}

// after returns the map f(h(x)).
func (f affine) after(h affine) affine {
	var m mat.Dense
	m.Mul(f.m, h.m)
	return affine{&m, f.apply(h.c)}
}

// plus returns the map f(x) + s h(x).
func (f affine) plus(s float64, h affine) affine {
	var m mat.Dense
	var c mat.VecDense
	m.Scale(s, h.m)
	m.Add(f.m, &m)
	c.AddScaledVec(f.c, s, h.c)
	return affine{&m, &c}
}

// denoiser is D(.; sigma) of the Gaussian prior.
func (g *gaussian) denoiser(sigma float64) affine {
	j := g.jacobian(sigma)
	var c mat.VecDense
	c.MulVec(j, g.mean)
	c.SubVec(g.mean, &c)
	return affine{j, &c}
}

// gradient is x -> grad ||A D(x) - y||^2 = 2 J^T A^T (A D(x) - y).
func gradient(g *gaussian, op *matrixOperator, y *mat.VecDense, sigma float64) affine {
	d := g.denoiser(sigma)
	var jat mat.Dense
	jat.Mul(d.m.T(), op.a.T())
	jat.Scale(2, &jat)
	var minus mat.VecDense
	minus.ScaleVec(-1, y)
	residual := affine{op.a, &minus}.after(d)
	rows, _ := d.m.Dims()
	return affine{&jat, mat.NewVecDense(rows, nil)}.after(residual)
}

// covariances are C of x0, C A^T of x0 and y, and A C A^T + sigma_y^2 I of y = A x0 + noise of standard deviation sigmaY.
func covariances(g *gaussian, op *matrixOperator, sigmaY float64) (c, ca, s *mat.Dense) {
	c, ca, s = new(mat.Dense), new(mat.Dense), new(mat.Dense)
	c.Mul(g.q, mat.NewDiagDense(len(g.lambda), g.lambda))
	c.Mul(c, g.q.T())
	ca.Mul(c, op.a.T())
	s.Mul(op.a, ca)
	m, _ := s.Dims()
	for i := range m {
		s.Set(i, i, s.At(i, i)+sigmaY*sigmaY)
	}
	return c, ca, s
}

// posteriorMean is E[x0 | y] for y = A x0 + noise of standard deviation sigmaY.
func posteriorMean(t *testing.T, g *gaussian, op *matrixOperator, y *mat.VecDense, sigmaY float64) *mat.VecDense {
	t.Helper()
	_, ca, s := covariances(g, op, sigmaY)
	var r, v mat.VecDense
	r.MulVec(op.a, g.mean)
	r.SubVec(y, &r)
	if err := v.SolveVec(s, &r); err != nil {
		t.Fatal(err)
	}
	var x mat.VecDense
	x.MulVec(ca, &v)
	x.AddVec(&x, g.mean)
	return &x
}

// problem is a batch of measurements of images drawn from the Gaussian prior.
type problem struct {
	prior  *gaussian
	op     *matrixOperator
	y      []*mat.VecDense // per image
	job    Job
	sigmaY float64
}

const gaussianSide = 4 // images of 4x4x3

func newProblem(t *testing.T, batch int) problem {
	t.Helper()
	const dim, m = gaussianSide * gaussianSide * 3, 20
	p := problem{prior: newGaussian(t, dim, gaussianSide), op: newMatrixOperator(gaussianSide, gaussianSide, m), sigmaY: 0.05}
	var all []float32
	for i := range batch {
		z := mat.NewVecDense(dim, double(flat(t, normals(uint64(10+i), 1, dim))))
		for k := range dim {
			z.SetVec(k, z.AtVec(k)*math.Sqrt(p.prior.lambda[k]))
		}
		var x, y mat.VecDense
		x.MulVec(p.prior.q, z)
		x.AddVec(&x, p.prior.mean)
		y.MulVec(p.op.a, &x)
		y.AddScaledVec(&y, p.sigmaY, mat.NewVecDense(m, double(flat(t, normals(uint64(20+i), 1, m)))))
		round(y.RawVector().Data)
		p.y = append(p.y, &y)
		all = append(all, single(y.RawVector().Data)...)
	}
	p.job = Job{
		Y:      tensors.FromFlatDataAndDimensions(all, batch, 1, m, 1),
		XStart: normals(30, 100, batch, gaussianSide, gaussianSide, 3),
	}
	return p
}

// states collects the state after every outer step.
type states struct{ x, x0hat [][]float32 }

func (s *states) ObserveStep(snap *Snapshot) error {
	for _, part := range []struct {
		get func() (*tensors.Tensor, error)
		to  *[][]float32
	}{{snap.X, &s.x}, {snap.X0hat, &s.x0hat}} {
		t, err := part.get()
		if err != nil {
			return err
		}
		err = t.ConstFlatData(func(f any) { *part.to = append(*part.to, append([]float32(nil), f.([]float32)...)) })
		if err != nil {
			return err
		}
	}
	return nil
}

func gaussianSettings() Settings {
	s := PaperSettings()
	s.Steps, s.Warmup = 30, 3
	s.StepSize = 2
	return s
}

// affineRun visits the maps from the starting state to x and x0hat after every step of a run without
// momentum for image i.
func (p problem) affineRun(s Settings, i int, visit func(k int, x, x0hat affine)) {
	f := identity(p.prior.mean.Len())
	sigmas := Poly7(s.Steps, s.SigmaMax, s.SigmaMin)
	for k := range s.Steps {
		d := p.prior.denoiser(sigmas[k])
		g := gradient(p.prior, p.op, p.y[i], sigmas[k])
		step := s.StepSize * (1 - 0.99*float64(k)/float64(s.Steps))
		before := f
		for range s.Warmup {
			before = f
			f = f.plus(-step, g.after(f))
		}
		from := f
		if s.Denoise == DenoiseStale {
			from = before
		}
		x0hat := d.after(from)
		f = f.plus(-(1 - sigmas[k+1]/sigmas[k]), from.plus(-1, x0hat))
		visit(k, f, x0hat)
	}
}

// Without momentum every state is an affine map of the starting state, known in closed form
// under a Gaussian prior.
func TestAffineRecursion(t *testing.T) {
	const batch, dim = 2, gaussianSide * gaussianSide * 3
	p := newProblem(t, batch)
	driver := newDriver(t, p.prior, p.op)
	for _, denoise := range []DenoiseFrom{DenoiseFresh, DenoiseStale} {
		t.Run(string(denoise), func(t *testing.T) {
			s := gaussianSettings()
			s.ADM, s.Denoise = ADMOff, denoise
			var got states
			job := p.job
			job.Observers = []Observer{&got}
			res, err := driver.Run(context.Background(), SPGD{s}, job)
			if err != nil {
				t.Fatal(err)
			}
			worst := 0.0
			for i := range batch {
				xStart := mat.NewVecDense(dim, double(flat(t, p.job.XStart)[i*dim:][:dim]))
				p.affineRun(s, i, func(k int, x, x0hat affine) {
					worst = max(worst, relative(got.x[k][i*dim:][:dim], x.apply(xStart).RawVector().Data))
					worst = max(worst, relative(got.x0hat[k][i*dim:][:dim], x0hat.apply(xStart).RawVector().Data))
				})
				post := posteriorMean(t, p.prior, p.op, p.y[i], p.sigmaY).RawVector().Data
				t.Logf("image %d: relative distance to the posterior mean %.3g, of the prior's mean %.3g", i,
					relative(flat(t, res.X)[i*dim:][:dim], post), relative(single(p.prior.mean.RawVector().Data), post))
			}
			t.Logf("largest relative error of x and x0hat over %d steps: %.2g", s.Steps, worst)
			if worst > 1e-5 {
				t.Errorf("relative error %.3g, want at most 1e-5", worst)
			}
		})
	}
}

// With momentum the recursion depends on the cosines; the reference computes them in float64.
func TestMomentumRecursion(t *testing.T) {
	const batch, dim = 2, gaussianSide * gaussianSide * 3
	p := newProblem(t, batch)
	driver := newDriver(t, p.prior, p.op)
	for _, adm := range []ADM{ADMPixel, ADMGlobal} {
		for _, denoise := range []DenoiseFrom{DenoiseFresh, DenoiseStale} {
			t.Run(fmt.Sprint(adm, "-", denoise), func(t *testing.T) {
				s := gaussianSettings()
				s.ADM, s.Denoise = adm, denoise
				var got states
				job := p.job
				job.Observers = []Observer{&got}
				res, err := driver.Run(context.Background(), SPGD{s}, job)
				if err != nil {
					t.Fatal(err)
				}
				worst, worstAlpha, worstLoss, worstAngle := 0.0, 0.0, 0.0, 0.0
				for i := range batch {
					x := mat.NewVecDense(dim, double(flat(t, p.job.XStart)[i*dim:][:dim]))
					sigmas := Poly7(s.Steps, s.SigmaMax, s.SigmaMin)
					var lastPush, lastDirection *mat.VecDense
					for k := range s.Steps {
						rec := res.Records[k]
						d := p.prior.denoiser(sigmas[k])
						grad := gradient(p.prior, p.op, p.y[i], sigmas[k])
						step := s.StepSize * (1 - 0.99*float64(k)/float64(s.Steps))
						var m *mat.VecDense
						push := mat.NewVecDense(dim, nil)
						from := x
						for j := range s.Warmup {
							from = mat.VecDenseCopyOf(x)
							if j == s.Warmup-1 {
								var r mat.VecDense
								r.MulVec(p.op.a, d.apply(x))
								r.SubVec(&r, p.y[i])
								loss := mat.Dot(&r, &r)
								worstLoss = max(worstLoss, math.Abs(rec.Loss[i]-loss)/loss)
							}
							g := grad.apply(x)
							if m == nil {
								m = g
							} else {
								alpha := (referenceCosine(adm, g, m) + 1) / 2
								worstAlpha = max(worstAlpha, math.Abs(rec.Alpha[j-1][i]-alpha))
								var v mat.VecDense
								v.ScaleVec(alpha*s.Beta, m)
								v.AddScaledVec(&v, 1-alpha*s.Beta, g)
								m = &v
							}
							x.AddScaledVec(x, -step, m)
							push.AddVec(push, m)
						}
						if denoise == DenoiseFresh {
							from = mat.VecDenseCopyOf(x)
						}
						var dir mat.VecDense
						dir.SubVec(from, d.apply(from))
						x.AddScaledVec(x, -(1 - sigmas[k+1]/sigmas[k]), &dir)
						worst = max(worst, relative(got.x[k][i*dim:][:dim], x.RawVector().Data))

						// Angles are compared by their cosines, which rounding treats evenly.
						angle := func(a, b *mat.VecDense, deg float64) {
							worstAngle = max(worstAngle, math.Abs(referenceCosine(ADMGlobal, a, b)-math.Cos(deg*math.Pi/180)))
						}
						angle(&dir, push, rec.Angles.DenoiseLikelihood[i])
						if k > 0 {
							angle(push, lastPush, rec.Angles.LikelihoodTurn[i])
							angle(&dir, lastDirection, rec.Angles.DenoiseTurn[i])
						} else if rec.Angles.LikelihoodTurn != nil || rec.Angles.DenoiseTurn != nil {
							t.Error("the first step has turning angles")
						}
						lastPush, lastDirection = push, &dir
					}
				}
				t.Logf("largest errors: x %.2g relative, loss %.2g relative, alpha %.2g, cosines of angles %.2g", worst, worstLoss, worstAlpha, worstAngle)
				if worst > 1e-5 || worstLoss > 1e-4 || worstAlpha > 1e-4 || worstAngle > 1e-4 {
					t.Error("want at most 1e-5, 1e-4, 1e-4 and 1e-4")
				}
			})
		}
	}
}

// referenceCosine is the cosine between whole vectors, or the mean of those between pixels.
func referenceCosine(adm ADM, a, b *mat.VecDense) float64 {
	if adm == ADMGlobal {
		return mat.Dot(a, b) / (mat.Norm(a, 2) * mat.Norm(b, 2))
	}
	sum := 0.0
	for i := 0; i < a.Len(); i += 3 {
		pa, pb := a.SliceVec(i, i+3), b.SliceVec(i, i+3)
		sum += mat.Dot(pa, pb) / (mat.Norm(pa, 2) * mat.Norm(pb, 2))
	}
	return sum / float64(a.Len()/3)
}
