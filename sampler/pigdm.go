package sampler

import (
	"github.com/gomlx/gomlx/pkg/core/graph"

	"github.com/seed-0f004ec9/spgd/operator"
)

// PiGDM is pseudo-inverse guidance (Song et al., "Pseudoinverse-Guided Diffusion Models for Inverse
// Problems", ICLR 2023). It takes x0 given x to be normal with mean x0hat = D(x; sigma) and variance
// r^2 = sigma^2/(1+sigma^2), so that the score of the likelihood is g/r^2 with
//
//	g = (dx0hat/dx)^T A^T (A A^T + (sigma_y/r)^2 I)^-1 (y - A x0hat)
//
// and adds g to a DDIM step: x' = ddim(x0hat, x; eta) + g. Where the covariance of x0 given x is r^2 I,
// for a standard normal prior, the score is exact. The authors take 100 steps with eta = 1. A
// measurement without noise is treated as one with the little that the operator's pseudo-inverse
// bears. It takes T evaluations with a VJP.
type PiGDM struct {
	Levels
	Eta    float64 `set:"eta"`
	SigmaY float64 `set:"sigma-y"`
}

// NewPiGDM returns the method with its authors' settings.
func NewPiGDM(p Problem) PiGDM { return PiGDM{vpRange(100), 1, p.SigmaY} }

// Name is "pigdm".
func (PiGDM) Name() string { return "pigdm" }

// Applies implements Limited.
func (PiGDM) Applies(op operator.Operator) error { return linearOnly("PiGDM", op) }

// Validate implements Sampler.
func (m PiGDM) Validate() error {
	return m.validate(m.Name(), within{"eta", m.Eta, 0, 1}, within{"sigma-y", m.SigmaY, 0, maxStep})
}

// Stages lists the programs.
func (PiGDM) Stages() []Stage { return []Stage{pigdmStep} }

// StepCost is one evaluation with a VJP.
func (PiGDM) StepCost() Cost { return pigdmStep.Cost }

var pigdmStep = Stage{
	Name: "step", State: []string{StateX}, Scalars: append([]string{"rho"}, ddimScalars...), Noise: []string{"z"}, Inverse: true,
	Cost: Cost{VJPs: 1},
	Build: func(b *Builder) {
		x := b.State(StateX)
		x0hat := b.Denoise(x, b.Scalar("sigma"))
		ax := b.Apply(x0hat)
		u := b.Inverse().Solve(graph.Sub(b.Y(), ax), b.Scalar("rho"))
		g := b.Gradient(dot(ax, graph.StopGradient(u)), x)
		b.SetState(StateX0hat, x0hat)
		b.Report(reportLoss, b.misfit(x0hat))
		b.Report(reportGradient, norm(g))
		b.SetState(StateX, graph.Add(ddimTo(b, x0hat, x, x0hat), g))
	},
}

// Step runs outer step k.
func (m PiGDM) Step(r *Run) error {
	sigma := r.Sigma()
	in := ddim(sigma, r.SigmaNext(), m.Eta)
	in["rho"] = max(m.SigmaY*m.SigmaY*(1+sigma*sigma)/(sigma*sigma), pinvScale(r.Operator()))
	_, err := r.Exec(pigdmStep.Name, in)
	return err
}
