package sampler

import (
	"maps"

	"github.com/gomlx/gomlx/pkg/core/graph"

	"github.com/seed-0f004ec9/spgd/operator"
)

// DPS is diffusion posterior sampling (Chung et al., arXiv 2209.14687): an ancestral step, and a step
// down the gradient of the norm, not of its square, of the residual. In the variance-exploding state
//
//	x' = ddim(x0hat, x; eta = 1) - zeta_T sqrt((1+sigma^2)(1+next^2)) grad_x ||y - A(x0hat)||
//
// with x0hat = D(x; sigma) clipped to the range of images. The authors take 1000 steps with zeta = 0.3
// for blurs and super-resolution, 0.5 for random masks and 1 for phase retrieval (their configuration
// files). zeta_T is zeta times 1000/T, so that fewer steps push as far in all, and times the square
// root of the image's size over theirs. It takes T evaluations with a VJP.
type DPS struct {
	Levels
	Scale float64 `set:"scale"` // zeta, for 1000 steps and images of 256x256
	Eta   float64 `set:"eta"`
	Clip  bool    `set:"clip"`
}

// NewDPS returns the method with its authors' settings.
func NewDPS(p Problem) DPS {
	zeta := 0.3
	switch p.task() {
	case operator.TaskInpaint:
		zeta = 0.5
	case operator.TaskPhase:
		zeta = 1
	}
	return DPS{vpRange(1000), zeta, 1, true}
}

// Name is "dps".
func (DPS) Name() string { return "dps" }

// Validate implements Sampler.
func (m DPS) Validate() error { return m.check(m.Name()) }

// check checks the settings of DPS and further ones of the method with the given name.
func (m DPS) check(name string, more ...within) error {
	return m.validate(name, append(more, within{"scale", m.Scale, 0, maxStep}, within{"eta", m.Eta, 0, 1})...)
}

// Stages lists the programs.
func (DPS) Stages() []Stage { return []Stage{dpsStep} }

// StepCost is one evaluation with a VJP.
func (DPS) StepCost() Cost { return dpsStep.Cost }

var dpsScalars = append([]string{"bound", "push"}, ddimScalars...)

var dpsStep = Stage{
	Name: "step", State: []string{StateX}, Scalars: dpsScalars, Noise: []string{"z"}, Cost: Cost{VJPs: 1},
	Build: func(b *Builder) {
		b.SetState(StateX, pushed(b, func(x0hat *Node) *Node { return root(b.misfit(x0hat)) }))
	},
}

// pushed builds a DDIM step with noise "z" that is followed by a step down the gradient of a loss of
// x0hat, [N], and reports both.
func pushed(b *Builder, loss func(x0hat *Node) *Node) *Node {
	x := b.State(StateX)
	x0hat := clipped(b, b.Denoise(x, b.Scalar("sigma")))
	g := b.Gradient(loss(x0hat), x)
	b.SetState(StateX0hat, x0hat)
	b.Report(reportLoss, b.misfit(x0hat))
	b.Report(reportGradient, norm(g))
	return graph.Sub(ddimTo(b, x0hat, x, x0hat), graph.Mul(b.Scalar("push"), g))
}

// inputs are the scalars of pushed.
func (m DPS) inputs(r *Run) Scalars {
	in := ddim(r.Sigma(), r.SigmaNext(), m.Eta)
	in["push"] = m.Scale * 1000 / float64(m.Steps) * imageScale(r.Operator()) * vpRatio(r.Sigma(), r.SigmaNext())
	in["bound"] = clipBound(m.Clip)
	return in
}

// Step runs outer step k.
func (m DPS) Step(r *Run) error {
	_, err := r.Exec(dpsStep.Name, m.inputs(r))
	return err
}

// with returns the scalars together with further ones.
func (s Scalars) with(more Scalars) Scalars {
	maps.Copy(s, more)
	return s
}
