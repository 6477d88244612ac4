package sampler

import (
	"math"

	"github.com/gomlx/gomlx/pkg/core/graph"

	"github.com/seed-0f004ec9/spgd/operator"
)

// DAPS is decoupled annealing posterior sampling (Zhang et al., arXiv 2407.01521). At every level it
// goes to x0hat along the probability-flow ODE, with Euler steps on a poly-7 grid of its own, samples
// x0 given y and x0hat by Langevin dynamics that take x0 to be N(x0hat, sigma^2 I), and adds noise of
// the next level:
//
//	u <- u + h (-grad ||A(u) - y||^2/tau^2 + (x0hat - u)/sigma^2) + sqrt(2h) z,   from u = x0hat
//	x' = u + next z
//
// The plain sum of squares makes tau^2/2 the variance of the noise. The authors take 200 levels from
// 100 to 0.1, 5 ODE steps down to 0.01, 100 Langevin steps, tau = 0.01, and h = 1e-4 (5e-5 for motion
// blur, boxes and phase retrieval, 2e-5 for HDR), which falls linearly to 1 %. Here h stays below what
// the dynamics are stable for, 1.9/(2 lambda/tau^2 + 1/sigma^2) with lambda the largest eigenvalue of
// A^T A. It takes 5 T evaluations without VJP.
type DAPS struct {
	Levels
	ODESteps int     `set:"ode-steps"`
	Inner    int     `set:"inner"` // Langevin steps
	StepSize float64 `set:"step-size"`
	Tau      float64 `set:"tau"`
}

// NewDAPS returns the method with its authors' settings.
func NewDAPS(p Problem) DAPS {
	h := 1e-4
	switch {
	case p.task() == operator.TaskHDR:
		h = 2e-5
	case p.motion() || p.box() || p.task() == operator.TaskPhase:
		h = 5e-5
	}
	return DAPS{Levels{200, 100, 0.1}, 5, 100, h, 0.01}
}

// Name is "daps".
func (DAPS) Name() string { return "daps" }

// Sigmas is the poly-7 schedule.
func (m DAPS) Sigmas() []float64 { return Poly7(m.Steps, m.SigmaMax, m.SigmaMin) }

// Validate implements Sampler.
func (m DAPS) Validate() error {
	return m.validate(m.Name(), within{"ode-steps", float64(m.ODESteps), 1, MaxSteps}, within{"inner", float64(m.Inner), 0, MaxSteps},
		within{"step-size", m.StepSize, 0, maxStep}, within{"tau", m.Tau, 1e-6, maxStep})
}

// path is the ODE's solution on its way, and its end x0hat.
const path = "path"

// State lists the state tensors.
func (DAPS) State() []string { return []string{path} }

// Scratch lists the path.
func (DAPS) Scratch() []string { return []string{path} }

// Stages lists the programs.
func (DAPS) Stages() []Stage { return []Stage{odeStage, langevinStage, renoiseStage} }

// StepCost is the ODE's evaluations.
func (m DAPS) StepCost() Cost { return Cost{Forwards: m.ODESteps} }

// odeStage is an Euler step of the probability-flow ODE.
var odeStage = Stage{
	Name: "ode", State: []string{path}, Scalars: []string{"sigma", "advance"}, Cost: Cost{Forwards: 1},
	Build: func(b *Builder) {
		x := b.State(path)
		b.SetState(path, graph.Sub(x, graph.Mul(b.Scalar("advance"), graph.Sub(x, b.Denoise(x, b.Scalar("sigma"))))))
	},
}

// purify runs the ODE from the state, which has the noise level sigma, to an estimate in path.
func purify(r *Run, steps int, sigma float64) error {
	r.Keep(path, StateX)
	levels := Poly7(steps, sigma, min(0.01, sigma/2))
	for i, s := range levels[:steps] {
		if _, err := r.Exec(odeStage.Name, Scalars{"sigma": s, "advance": 1 - levels[i+1]/s}); err != nil {
			return err
		}
	}
	r.Keep(StateX0hat, path)
	return nil
}

var langevinStage = Stage{
	Name: "langevin", State: []string{path, StateX0hat}, Noise: []string{"z"}, Scalars: []string{"data", "prior", "noise"},
	Build: func(b *Builder) {
		x0hat, u := b.State(path), b.State(StateX0hat)
		loss := b.misfit(u)
		drift := graph.Sub(graph.Mul(b.Scalar("prior"), graph.Sub(x0hat, u)), graph.Mul(b.Scalar("data"), b.Gradient(loss, u)))
		b.SetState(StateX0hat, graph.Add(graph.Add(u, drift), graph.Mul(b.Scalar("noise"), b.Noise("z"))))
		b.Report(reportLoss, loss)
	},
}

// renoiseStage makes the state of the next level from an estimate.
var renoiseStage = Stage{
	Name: "renoise", State: []string{StateX0hat}, Noise: []string{"z"}, Scalars: []string{"next"},
	Build: func(b *Builder) {
		x0 := b.State(StateX0hat)
		b.SetState(StateX, graph.Add(x0, graph.Mul(b.Scalar("next"), b.Noise("z"))))
		b.Report(reportLoss, b.misfit(x0))
	},
}

// Step runs outer step k.
func (m DAPS) Step(r *Run) error {
	sigma := r.Sigma()
	if err := purify(r, m.ODESteps, sigma); err != nil {
		return err
	}
	h := m.StepSize * (1 - 0.99*float64(r.K())/float64(m.Steps))
	h = min(h, 1.9/(2*largest(r.Operator())/(m.Tau*m.Tau)+1/(sigma*sigma)))
	r.Record().StepSize = h
	in := Scalars{"data": h / (m.Tau * m.Tau), "prior": h / (sigma * sigma), "noise": math.Sqrt(2 * h)}
	for range m.Inner {
		if _, err := r.Exec(langevinStage.Name, in); err != nil {
			return err
		}
	}
	_, err := r.Exec(renoiseStage.Name, Scalars{"next": r.SigmaNext()})
	return err
}
