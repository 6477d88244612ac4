package sampler

import (
	"math"

	"github.com/gomlx/gomlx/pkg/core/graph"

	"github.com/seed-0f004ec9/spgd/operator"
)

// MPGD is manifold-preserving guided diffusion without projection (He et al., arXiv 2311.16424): the
// gradient is taken at the estimate, so none goes through the prior, and the noise is that of the
// estimate before,
//
//	x0' = x0hat - c sqrt(1+next^2) grad ||y - A(x0hat)||
//	x'  = ddim(x0', x, x0hat; eta = 0.5)
//
// sqrt(1+next^2) being 1/sqrt(alpha_bar'), and x0hat being clipped to the range of images. The authors take c = 17.5 with 20 steps and 7.5 with 50 for
// super-resolution, and 10 for blurs. The default is 50 steps; c changes with their number as 50/T
// and with the square root of the image's size. It takes T evaluations without VJP.
type MPGD struct {
	Levels
	Scale float64 `set:"scale"` // c, for 50 steps and images of 256x256
	Eta   float64 `set:"eta"`
	Clip  bool    `set:"clip"`
}

// NewMPGD returns the method with its authors' settings.
func NewMPGD(p Problem) MPGD {
	c := 7.5
	if p.task() == operator.TaskDeblur {
		c = 10
	}
	return MPGD{vpRange(50), c, 0.5, true}
}

// Name is "mpgd".
func (MPGD) Name() string { return "mpgd" }

// Validate implements Sampler.
func (m MPGD) Validate() error {
	return m.validate(m.Name(), within{"scale", m.Scale, 0, maxStep}, within{"eta", m.Eta, 0, 1})
}

// Stages lists the programs.
func (MPGD) Stages() []Stage { return []Stage{mpgdStep} }

// StepCost is one evaluation.
func (MPGD) StepCost() Cost { return mpgdStep.Cost }

var mpgdStep = Stage{
	Name: "step", State: []string{StateX}, Scalars: append([]string{"push", "bound"}, ddimScalars...), Noise: []string{"z"}, Cost: Cost{Forwards: 1},
	Build: func(b *Builder) {
		x := b.State(StateX)
		x0hat := clipped(b, b.Denoise(x, b.Scalar("sigma")))
		loss := b.misfit(x0hat)
		g := b.Gradient(root(loss), x0hat)
		x0 := graph.Sub(x0hat, graph.Mul(b.Scalar("push"), g))
		b.SetState(StateX0hat, x0)
		b.Report(reportLoss, loss)
		b.Report(reportGradient, norm(g))
		b.SetState(StateX, ddimTo(b, x0, x, x0hat))
	},
}

// Step runs outer step k.
func (m MPGD) Step(r *Run) error {
	in := ddim(r.Sigma(), r.SigmaNext(), m.Eta)
	in["bound"] = clipBound(m.Clip)
	in["push"] = m.Scale * 50 / float64(m.Steps) * imageScale(r.Operator()) * math.Sqrt(1+r.SigmaNext()*r.SigmaNext())
	_, err := r.Exec(mpgdStep.Name, in)
	return err
}
