package sampler

import (
	"math"

	"github.com/gomlx/gomlx/pkg/core/graph"
)

// AdamDPS is DPS with Adam's moments of the likelihood's gradient over the steps ("Adaptive Moments
// are Surprisingly Effective for Plug-and-Play Diffusion Sampling", arXiv 2603.16797),
//
//	x' = ddim(x0hat, x; eta = 1) - lr_T sqrt(1+next^2) Adam(grad_u ||y - A(x0hat)||)
//
// with u = x/sqrt(1+sigma^2) the variance-preserving state, in which lr is a length. The defaults are
// ours: 100 steps, lr = 0.02, which changes with their number as 100/T, and moments (0.9, 0.99). It
// takes T evaluations with a VJP.
type AdamDPS struct {
	Levels
	LearningRate float64 `set:"learning-rate"` // lr, for 100 steps
	Beta1        float64 `set:"beta1"`
	Beta2        float64 `set:"beta2"`
	Eta          float64 `set:"eta"`
	Clip         bool    `set:"clip"`
}

// NewAdamDPS returns the method.
func NewAdamDPS(Problem) AdamDPS { return AdamDPS{vpRange(100), 0.02, 0.9, 0.99, 1, true} }

// Name is "adam-dps".
func (AdamDPS) Name() string { return "adam-dps" }

// maxBeta is the largest weight of a moment.
const maxBeta = 0.999999

// Validate implements Sampler.
func (m AdamDPS) Validate() error {
	return m.validate(m.Name(), within{"learning-rate", m.LearningRate, 0, maxStep}, within{"beta1", m.Beta1, 0, maxBeta},
		within{"beta2", m.Beta2, 0, maxBeta}, within{"eta", m.Eta, 0, 1})
}

// State lists the moments.
func (AdamDPS) State() []string { return adamState }

// Stages lists the programs.
func (AdamDPS) Stages() []Stage { return []Stage{adamDPSStep} }

// StepCost is one evaluation with a VJP.
func (AdamDPS) StepCost() Cost { return adamDPSStep.Cost }

var adamDPSStep = Stage{
	Name: "step", State: append([]string{StateX}, adamState...), Noise: []string{"z"}, Cost: Cost{VJPs: 1},
	Scalars: append(append([]string{"bound", "unit", "push"}, ddimScalars...), adamScalars...),
	Build: func(b *Builder) {
		x := b.State(StateX)
		x0hat := clipped(b, b.Denoise(x, b.Scalar("sigma")))
		loss := b.misfit(x0hat)
		g := graph.Mul(b.Scalar("unit"), b.Gradient(root(loss), x))
		b.SetState(StateX, graph.Sub(ddimTo(b, x0hat, x, x0hat), graph.Mul(b.Scalar("push"), adam(b, g))))
		b.SetState(StateX0hat, x0hat)
		b.Report(reportLoss, loss)
		b.Report(reportGradient, norm(g))
	},
}

// Step runs outer step k.
func (m AdamDPS) Step(r *Run) error {
	in := ddim(r.Sigma(), r.SigmaNext(), m.Eta).with(adamInputs(m.Beta1, m.Beta2, r.K()+1))
	in["bound"], in["unit"] = clipBound(m.Clip), math.Sqrt(1+r.Sigma()*r.Sigma())
	in["push"] = m.LearningRate * 100 / float64(m.Steps) * math.Sqrt(1+r.SigmaNext()*r.SigmaNext())
	_, err := r.Exec(adamDPSStep.Name, in)
	return err
}
