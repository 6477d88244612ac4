package sampler

import (
	"math"

	"github.com/seed-0f004ec9/spgd/operator"
)

// DiffPIR is plug-and-play restoration with a diffusion prior (Zhu et al., arXiv 2305.08995):
//
//	x0' = argmin_x ||y - A x||^2 + rho ||x - x0hat||^2,   rho = lambda sigma_y^2/sigma^2
//	e   = (x - x0')/sigma
//	x'  = x0' + next (sqrt(1-zeta) e + sqrt(zeta) z)
//
// The authors take 100 steps on a quadratic grid of times, lambda = 1 (their paper studies up to 25),
// and zeta = 0.1 for blurs, 0.25 for super-resolution and 1 for masks; their code sets noise levels
// below 0.001 of the range to that, which is 0.002 in [-1,1]. It takes T evaluations without VJP.
type DiffPIR struct {
	Levels
	Lambda float64 `set:"lambda"`
	Zeta   float64 `set:"zeta"`
	SigmaY float64 `set:"sigma-y"`
	Clip   bool    `set:"clip"`
}

// NewDiffPIR returns the method with its authors' settings.
func NewDiffPIR(p Problem) DiffPIR {
	zeta := 1.0
	switch p.task() {
	case operator.TaskDeblur:
		zeta = 0.1
	case operator.TaskSuperResolution:
		zeta = 0.25
	}
	return DiffPIR{vpRange(100), 1, zeta, max(p.SigmaY, 0.002), true}
}

// Name is "diffpir".
func (DiffPIR) Name() string { return "diffpir" }

// Applies implements Limited.
func (DiffPIR) Applies(op operator.Operator) error { return linearOnly("DiffPIR", op) }

// Sigmas is the quadratic grid.
func (m DiffPIR) Sigmas() []float64 { return VPQuadratic(m.Steps, m.SigmaMax, m.SigmaMin) }

// Validate implements Sampler.
func (m DiffPIR) Validate() error {
	return m.validate(m.Name(), within{"lambda", m.Lambda, 1e-6, maxStep}, within{"zeta", m.Zeta, 0, 1}, within{"sigma-y", m.SigmaY, 1e-6, maxStep})
}

// Stages lists the programs.
func (DiffPIR) Stages() []Stage { return []Stage{diffPIRStep} }

// StepCost is one evaluation.
func (DiffPIR) StepCost() Cost { return diffPIRStep.Cost }

var diffPIRStep = Stage{
	Name: "step", State: []string{StateX}, Scalars: append([]string{"rho", "bound"}, ddimScalars...), Noise: []string{"z"}, Inverse: true,
	Cost: Cost{Forwards: 1},
	Build: func(b *Builder) {
		x := b.State(StateX)
		x0hat := clipped(b, b.Denoise(x, b.Scalar("sigma")))
		x0 := b.Inverse().Prox(b.Y(), x0hat, b.Scalar("rho"))
		b.SetState(StateX0hat, x0)
		b.Report(reportLoss, b.misfit(x0hat))
		b.SetState(StateX, ddimTo(b, x0, x, x0))
	},
}

// Step runs outer step k.
func (m DiffPIR) Step(r *Run) error {
	sigma, next := r.Sigma(), r.SigmaNext()
	_, err := r.Exec(diffPIRStep.Name, Scalars{
		"bound": clipBound(m.Clip), "sigma": sigma, "rho": m.Lambda * m.SigmaY * m.SigmaY / (sigma * sigma),
		"direction": next * math.Sqrt(1-m.Zeta) / sigma, "noise": next * math.Sqrt(m.Zeta),
	})
	return err
}
