package sampler

import (
	"github.com/gomlx/gomlx/pkg/core/graph"

	"github.com/seed-0f004ec9/spgd/operator"
)

// DCDP decouples data consistency from diffusion purification (Li et al., arXiv 2403.06054). Each of
// its K rounds fits the image to the measurement by gradient descent with momentum, adds noise of a
// level that falls from round to round, and removes it by DDIM:
//
//	m <- 0.9 m + grad ||A(u) - y||^2,   u <- u - rate/(2 lambda) m      (inner times, m = 0 before)
//	x  = u + sigma_k z,                 u = ODE(x; sigma_k)
//
// lambda is the largest eigenvalue of A^T A. The authors take 10 rounds of 100 descent steps at times
// that fall linearly from 400 of 1000, 20 DDIM steps, and learning rates of a mean loss that come to
// rate = 0.01 for super-resolution x4 and 1 for Gaussian deblurring; other tasks have 1 here. The
// start is noise of 0.01. It takes 20 K evaluations without VJP.
type DCDP struct {
	Steps       int     `set:"steps"` // K
	Inner       int     `set:"inner"`
	PurifySteps int     `set:"purify-steps"`
	Rate        float64 `set:"rate"`
	Time        float64 `set:"time"` // of the first round, 0 to 1
}

// NewDCDP returns the method with its authors' settings.
func NewDCDP(p Problem) DCDP {
	rate := 1.0
	if p.task() == operator.TaskSuperResolution {
		rate = 0.01
	}
	return DCDP{10, 100, 20, rate, 0.4}
}

// Name is "dcdp".
func (DCDP) Name() string { return "dcdp" }

// Validate implements Sampler.
func (m DCDP) Validate() error {
	// The momentum is stable for a rate below 2 (1 + 0.9).
	return Levels{m.Steps, 1, 0.5}.validate(m.Name(), within{"inner", float64(m.Inner), 0, MaxSteps},
		within{"purify-steps", float64(m.PurifySteps), 1, MaxSteps}, within{"rate", m.Rate, 0, 3.8}, within{"time", m.Time, 1e-3, 1})
}

// Sigmas are the levels of the rounds, and 0.
func (m DCDP) Sigmas() []float64 {
	sigmas := make([]float64, m.Steps+1)
	for k := range m.Steps {
		sigmas[k] = vpSigma(m.Time * (1 - float64(k)/float64(m.Steps)))
	}
	return sigmas
}

// State lists the state tensors.
func (DCDP) State() []string { return []string{path, momentum} }

// Scratch lists what a round begins anew.
func (DCDP) Scratch() []string { return []string{path, momentum} }

// Stages lists the programs.
func (DCDP) Stages() []Stage {
	return []Stage{odeStage, fitStage, renoiseStage, scaleStart, resultStage}
}

// StepCost is the purification's evaluations.
func (m DCDP) StepCost() Cost { return Cost{Forwards: m.PurifySteps} }

// fitStage is a descent step of x0hat.
var fitStage = Stage{
	Name: "fit", State: []string{StateX0hat, momentum}, Scalars: []string{"rate", "keep"},
	Build: func(b *Builder) {
		u := b.State(StateX0hat)
		loss := b.misfit(u)
		m := graph.Add(graph.Mul(b.Scalar("keep"), b.State(momentum)), b.Gradient(loss, u))
		b.SetState(momentum, m)
		b.SetState(StateX0hat, graph.Sub(u, graph.Mul(b.Scalar("rate"), m)))
		b.Report(reportLoss, loss)
	},
}

// resultStage makes the estimate the state.
var resultStage = Stage{
	Name: "result", State: []string{StateX0hat},
	Build: func(b *Builder) { b.SetState(StateX, graph.Identity(b.State(StateX0hat))) },
}

// Step runs round k.
func (m DCDP) Step(r *Run) error {
	if r.K() == 0 {
		scale := Scalars{"scale": 1}
		if !r.Started() {
			scale["scale"] = 0.01 / r.Sigma()
		}
		if _, err := r.Exec(scaleStart.Name, scale); err != nil {
			return err
		}
		r.Keep(StateX0hat, StateX)
	}
	rate := m.Rate / (2 * largest(r.Operator()))
	for j := range m.Inner {
		if _, err := r.Exec(fitStage.Name, Scalars{"rate": rate, "keep": 0.9 * one(j > 0)}); err != nil {
			return err
		}
	}
	if _, err := r.Exec(renoiseStage.Name, Scalars{"next": r.Sigma()}); err != nil {
		return err
	}
	if err := purify(r, m.PurifySteps, r.Sigma()); err != nil {
		return err
	}
	_, err := r.Exec(resultStage.Name, nil)
	return err
}
