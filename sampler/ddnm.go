package sampler

import (
	"math"

	"github.com/gomlx/gomlx/pkg/core/graph"

	"github.com/seed-0f004ec9/spgd/operator"
)

// DDNM is the denoising diffusion null-space model (Wang et al., arXiv 2212.00490): the estimate's part
// in the range of A^+ is replaced by the measurement's,
//
//	x0' = x0hat - A^+ (A x0hat - y)
//	x'  = x0' + next (eta z + sqrt(1-eta^2) (x - x0hat)/sigma)
//
// so that the result explains a measurement without noise exactly. With Repeats above 1 a step is
// taken again from its result brought back to its noise level, the paper's time travel of length 1.
// The authors take eta = 0.85 and 100 steps. It takes T evaluations times Repeats, without VJP. A^+ is
// that of operator.BoundInverse.
type DDNM struct {
	Levels
	Eta     float64 `set:"eta"`
	Repeats int     `set:"repeats"`
}

// NewDDNM returns the method with its authors' settings.
func NewDDNM(Problem) DDNM { return DDNM{vpRange(100), 0.85, 1} }

// Name is "ddnm".
func (DDNM) Name() string { return "ddnm" }

// Applies implements Limited.
func (DDNM) Applies(op operator.Operator) error { return linearOnly("DDNM", op) }

// Validate implements Sampler.
func (m DDNM) Validate() error {
	return m.validate(m.Name(), within{"eta", m.Eta, 0, 1}, within{"repeats", float64(m.Repeats), 1, MaxSteps})
}

// Stages lists the programs.
func (DDNM) Stages() []Stage { return []Stage{ddnmStep, backStage} }

// StepCost is one evaluation for each repetition.
func (m DDNM) StepCost() Cost { return Cost{Forwards: m.Repeats} }

var ddnmStep = Stage{
	Name: "step", State: []string{StateX}, Scalars: ddnmScalars, Noise: []string{"z"}, Inverse: true, Cost: Cost{Forwards: 1},
	Build: func(b *Builder) {
		x := b.State(StateX)
		x0hat := b.Denoise(x, b.Scalar("sigma"))
		b.Report(reportLoss, b.misfit(x0hat))
		x0 := graph.Add(x0hat, b.Inverse().PseudoInverse(graph.Sub(b.Y(), b.Apply(x0hat))))
		b.SetState(StateX0hat, x0)
		b.SetState(StateX, ddimTo(b, x0, x, x0hat))
	},
}

// ddnmScalars are those of ddimTo and what DDNM+ needs beside.
var ddnmScalars = append([]string{"next", "sigma_y", "rho"}, ddimScalars...)

// backStage adds noise to go back to a higher level.
var backStage = Stage{
	Name: "back", State: []string{StateX}, Scalars: []string{"back"}, Noise: []string{"z"},
	Build: func(b *Builder) {
		b.SetState(StateX, graph.Add(b.State(StateX), graph.Mul(b.Scalar("back"), b.Noise("z"))))
	},
}

// Step runs outer step k.
func (m DDNM) Step(r *Run) error { return m.step(r, 0) }

func (m DDNM) step(r *Run, sigmaY float64) error {
	sigma, next := r.Sigma(), r.SigmaNext()
	in := Scalars{
		"sigma": sigma, "direction": next * math.Sqrt(1-m.Eta*m.Eta) / sigma, "noise": next * m.Eta, "next": next,
		"sigma_y": sigmaY, "rho": max(math.Pow(sigmaY/max(next, 1e-6), 2), pinvScale(r.Operator())),
		"back": math.Sqrt(sigma*sigma - next*next),
	}
	for i := range m.Repeats {
		if _, err := r.Exec(ddnmStep.Name, in); err != nil {
			return err
		}
		if i == m.Repeats-1 {
			break
		}
		if _, err := r.Exec(backStage.Name, in); err != nil {
			return err
		}
	}
	return nil
}

// DDNMPlus is DDNM for measurements with noise (section 3.3 of its paper). With A = U S V^T,
// y~ = S^+ U^T y and level_i = sigma_y/s_i its noise, the coefficients of x' with s_i > 0 are
//
//	x~0 + lambda_i (y~ - x~0) + sqrt(max(next^2 - level_i^2, 0)) z,   lambda_i = min(1, next/level_i)
//
// so that the noise of y is a part of that of x' and not one on top of it; the others are those of
// DDNM. The noise is fresh because (x - x0hat)/sigma holds that of y. For an operator without a
// singular value decomposition x0' = x0hat + A^T (A A^T + (sigma_y/next)^2 I)^-1 (y - A x0hat), whose
// noise is below next/2 in every direction, and x' is that of DDNM.
type DDNMPlus struct {
	DDNM
	SigmaY float64 `set:"sigma-y"`
}

// NewDDNMPlus returns the method with its authors' settings.
func NewDDNMPlus(p Problem) DDNMPlus { return DDNMPlus{NewDDNM(p), p.SigmaY} }

// Name is "ddnm+".
func (DDNMPlus) Name() string { return "ddnm+" }

// Validate implements Sampler.
func (m DDNMPlus) Validate() error {
	if err := m.DDNM.Validate(); err != nil {
		return err
	}
	return m.validate(m.Name(), within{"sigma-y", m.SigmaY, 0, maxStep})
}

// Stages lists the programs.
func (DDNMPlus) Stages() []Stage { return []Stage{ddnmPlusStep, backStage} }

var ddnmPlusStep = Stage{
	Name: ddnmStep.Name, State: []string{StateX}, Scalars: ddnmScalars, Noise: []string{"z"}, Inverse: true, Cost: Cost{Forwards: 1},
	Build: func(b *Builder) {
		x, next := b.State(StateX), b.Scalar("next")
		x0hat := b.Denoise(x, b.Scalar("sigma"))
		b.SetState(StateX0hat, x0hat)
		b.Report(reportLoss, b.misfit(x0hat))
		if !b.Inverse().Factored() {
			x0 := b.Inverse().Prox(b.Y(), x0hat, b.Scalar("rho"))
			b.SetState(StateX, ddimTo(b, x0, x, x0hat))
			return
		}
		free := ddimTo(b, x0hat, x, x0hat)
		s := b.Inverse().Spectrum()
		y, level, known := observed(b)
		c0 := s.Right(x0hat)
		lambda := graph.Where(graph.LessThan(graph.Add(graph.ZerosLike(level), next), level),
			graph.Div(next, graph.MaxScalar(level, 1e-12)), graph.OnesLike(level))
		left := positiveRoot(graph.Sub(graph.Mul(next, next), graph.Mul(level, level)))
		c := graph.Add(graph.Add(c0, graph.Mul(lambda, graph.Sub(y, c0))), graph.Mul(left, s.Right(b.Noise("z"))))
		b.SetState(StateX, replaced(b, free, c, known))
	},
}

// Step runs outer step k.
func (m DDNMPlus) Step(r *Run) error { return m.step(r, m.SigmaY) }
