package sampler

import (
	"errors"
	"math"
	"slices"
	"testing"

	"gonum.org/v1/gonum/mat"
)

// A probe changes no result, and has something finite to say about every method: a residual and the
// prior's direction or the likelihood's gradient in every step.
func TestProbeEveryMethod(t *testing.T) {
	d := smallPrior(t)
	op := someOperators(t)["sr:4"]
	h, w, c := op.MeasurementSize()
	job := Job{Y: normals(60, 0.3, 2, h, w, c), Seed: 3}
	driver := newDriver(t, d, op)
	for _, name := range append(MethodNames(), "spgd"+FilterSuffix, "dps"+FilterSuffix) {
		m, err := smallMethod(t, name, Problem{op, 0.05})
		if errors.Is(err, ErrOperator) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		plain, probed := mustRun(t, driver, m, job), mustRun(t, driver, Probe{m}, job)
		if !slices.Equal(flat(t, plain.X), flat(t, probed.X)) || plain.Cost != probed.Cost {
			t.Errorf("%s: another result with a probe", name)
		}
		gradients := 0
		for k, r := range probed.Records {
			if len(r.Evaluations) == 0 || len(plain.Records[k].Evaluations) != 0 {
				t.Errorf("%s, step %d: %d evaluations, %d without a probe", name, k, len(r.Evaluations), len(plain.Records[k].Evaluations))
			}
			for i, e := range r.Evaluations {
				if len(e.SquaredResidual) != 2 || e.GradientNorm == nil && e.DirectionNorm == nil {
					t.Errorf("%s, step %d, evaluation %d: %+v", name, k, i, e)
				}
				gradients += min(1, len(e.GradientNorm))
				if k+i > 0 && e.DirectionNorm != nil && probed.Records[0].Evaluations[0].DirectionNorm != nil && e.Angles.DenoiseTurn == nil {
					t.Errorf("%s, step %d, evaluation %d: no turn of the direction", name, k, i)
				}
				for _, v := range slices.Concat(e.SquaredResidual, e.GradientNorm, e.DirectionNorm, e.Angles.DenoiseLikelihood, e.Angles.DenoiseTurn, e.Angles.LikelihoodTurn) {
					if math.IsNaN(v) || math.IsInf(v, 0) || v < 0 {
						t.Errorf("%s, step %d, evaluation %d: %g", name, k, i, v)
					}
				}
			}
		}
		if takes := plain.Cost.VJPs > 0; takes && gradients < plain.Cost.VJPs {
			t.Errorf("%s: %d gradients noted of %d", name, gradients, plain.Cost.VJPs)
		}
	}
}

// SPGD measures itself: with one likelihood step and a stale denoise step, its angles are those of its
// evaluations, and so are loss and gradient of any run.
func TestProbeAgainstSPGD(t *testing.T) {
	p := newProblem(t, 2)
	driver := newDriver(t, p.prior, p.op)
	single := quick()
	single.Warmup, single.Denoise, single.ADM = 1, DenoiseStale, ADMOff
	for k, r := range mustRun(t, driver, Probe{single}, p.job).Records {
		if len(r.Evaluations) != 1 {
			t.Fatalf("step %d: %d evaluations", k, len(r.Evaluations))
		}
		e := r.Evaluations[0]
		for name, v := range map[string][2][]float64{
			"direction to gradient": {e.Angles.DenoiseLikelihood, r.Angles.DenoiseLikelihood},
			"gradient turn":         {e.Angles.LikelihoodTurn, r.Angles.LikelihoodTurn},
			"direction turn":        {e.Angles.DenoiseTurn, r.Angles.DenoiseTurn},
			"loss":                  {e.SquaredResidual, r.Loss},
			"gradient norm":         {e.GradientNorm, r.GradientNorm},
		} {
			if len(v[0]) != len(v[1]) {
				t.Errorf("step %d, %s: %v, want %v", k, name, v[0], v[1])
				continue
			}
			for i := range v[0] {
				if math.Abs(v[0][i]-v[1][i]) > 1e-3*(1+math.Abs(v[1][i])) {
					t.Errorf("step %d, %s: %v, want %v", k, name, v[0], v[1])
				}
			}
		}
	}
	full := quick()
	for k, r := range mustRun(t, driver, Probe{full}, p.job).Records {
		if len(r.Evaluations) != full.Warmup+1 {
			t.Fatalf("step %d: %d evaluations", k, len(r.Evaluations))
		}
		last, denoise := r.Evaluations[full.Warmup-1], r.Evaluations[full.Warmup]
		if !near(last.SquaredResidual, r.Loss) || !near(last.GradientNorm, r.GradientNorm) {
			t.Errorf("step %d: %+v of the last likelihood step, loss %v", k, last, r.Loss)
		}
		if denoise.Stage != fresh.Name || denoise.GradientNorm != nil || denoise.Angles.DenoiseLikelihood != nil || denoise.DirectionNorm == nil {
			t.Errorf("step %d: the denoise step is %+v", k, denoise)
		}
		if first := r.Evaluations[0].Angles; k == 0 && (first.LikelihoodTurn != nil || first.DenoiseTurn != nil || first.DenoiseLikelihood == nil) {
			t.Errorf("the first evaluation has turned from nothing: %+v", first)
		}
	}
}

func near(a, b []float64) bool {
	return slices.EqualFunc(a, b, func(x, y float64) bool { return math.Abs(x-y) <= 1e-5*math.Abs(y) })
}

// The denoise step's squared residual and direction against the images in float64: A is a matrix, and
// the step leaves sigma_next/sigma of the direction.
func TestProbeAgainstImages(t *testing.T) {
	p := newProblem(t, 1)
	driver := newDriver(t, p.prior, p.op)
	p.job.Observers = []Observer{ObserverFunc(func(s *Snapshot) error {
		x, err := s.X()
		if err != nil {
			return err
		}
		x0hat, err := s.X0hat()
		if err != nil {
			return err
		}
		e := s.Evaluations[len(s.Evaluations)-1]
		estimate := mat.NewVecDense(p.prior.mean.Len(), double(flat(t, x0hat)))
		var r, d mat.VecDense
		r.MulVec(p.op.a, estimate)
		r.SubVec(&r, p.y[0])
		if want := mat.Dot(&r, &r); math.Abs(e.SquaredResidual[0]-want) > 1e-4*want {
			t.Errorf("step %d: squared residual %g, want %g", s.K, e.SquaredResidual[0], want)
		}
		if s.SigmaNext > 0 {
			d.SubVec(mat.NewVecDense(estimate.Len(), double(flat(t, x))), estimate)
			if want := mat.Norm(&d, 2) * s.Sigma / s.SigmaNext; math.Abs(e.DirectionNorm[0]-want) > 1e-4*want {
				t.Errorf("step %d: norm of the direction %g, want %g", s.K, e.DirectionNorm[0], want)
			}
		}
		return nil
	})}
	mustRun(t, driver, Probe{quick()}, p.job)
}
