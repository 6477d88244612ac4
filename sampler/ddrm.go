package sampler

import (
	"math"

	"github.com/gomlx/gomlx/pkg/core/graph"

	"github.com/seed-0f004ec9/spgd/operator"
)

// DDRM is the denoising diffusion restoration model (Kawar et al., arXiv 2201.11793). With
// A = U S V^T, the coefficients x~ = V^T x and y~ = S^+ U^T y, whose noise has the standard deviation
// level_i = sigma_y/s_i, it goes to the next level coefficient by coefficient:
//
//	s_i = 0:          x~0 + sqrt(1-eta^2) next (x~ - x~0)/sigma + eta next z
//	next < level_i:   x~0 + sqrt(1-eta^2) next (y~ - x~0)/level_i + eta next z
//	next >= level_i:  (1-etab) x~0 + etab y~ + sqrt(next^2 - etab^2 level_i^2) z
//
// and starts with y~ + sqrt(sigma^2 - level_i^2) z where s_i > 0. Given x0, the state has the standard
// deviation next in every coefficient. The authors take eta = 0.85, etab = 1 and 20 steps, and drop
// singular values below 3 % of the largest, see operator.Cutoff. It takes T evaluations without VJP.
type DDRM struct {
	Levels
	Eta    float64 `set:"eta"`
	EtaB   float64 `set:"eta-b"`
	SigmaY float64 `set:"sigma-y"`
}

// NewDDRM returns the method with its authors' settings.
func NewDDRM(p Problem) DDRM { return DDRM{vpRange(20), 0.85, 1, p.SigmaY} }

// Name is "ddrm".
func (DDRM) Name() string { return "ddrm" }

// Applies implements Limited: the operator has to offer its singular value decomposition.
func (m DDRM) Applies(op operator.Operator) error { return factoredOnly("DDRM", op) }

// Validate implements Sampler.
func (m DDRM) Validate() error {
	return m.validate(m.Name(), within{"eta", m.Eta, 0, 1}, within{"eta-b", m.EtaB, 0, 1}, within{"sigma-y", m.SigmaY, 0, maxStep})
}

// Stages lists the programs.
func (DDRM) Stages() []Stage { return []Stage{ddrmStep, ddrmStart} }

// StepCost is one evaluation.
func (DDRM) StepCost() Cost { return ddrmStep.Cost }

// observed is what a spectral method knows of the coefficients of x: y~, its noise's standard
// deviation, and 1 where the singular value counts.
func observed(b *Builder) (y, level, known *Node) {
	s := b.Inverse().Spectrum()
	_, inverse := s.Values()
	known = graph.ConvertDType(graph.GreaterThan(inverse, graph.ZerosLike(inverse)), inverse.DType())
	return graph.Mul(inverse, s.Left(b.Y())), graph.Mul(b.Scalar("sigma_y"), inverse), known
}

// replaced returns x with the coefficients c in place of its own where they are known.
func replaced(b *Builder, x, c, known *Node) *Node {
	s := b.Inverse().Spectrum()
	return graph.Add(x, s.RightBack(graph.Mul(known, graph.Sub(c, s.Right(x)))))
}

var ddrmStart = Stage{
	Name: "start", State: []string{StateX}, Scalars: []string{"sigma", "sigma_y"}, Inverse: true,
	Build: func(b *Builder) {
		x, sigma := b.State(StateX), b.Scalar("sigma")
		y, level, known := observed(b)
		spread := graph.Div(positiveRoot(graph.Sub(graph.Mul(sigma, sigma), graph.Mul(level, level))), sigma)
		c := graph.Add(y, graph.Mul(spread, b.Inverse().Spectrum().Right(x)))
		b.SetState(StateX, replaced(b, x, c, known))
	},
}

// positiveRoot is the square root, of 0 for negative numbers.
func positiveRoot(v *Node) *Node { return graph.Sqrt(graph.MaxScalar(v, 0)) }

var ddrmStep = Stage{
	Name: "step", State: []string{StateX}, Noise: []string{"z"}, Inverse: true, Cost: Cost{Forwards: 1},
	Scalars: []string{"sigma", "next", "sigma_y", "eta", "carry", "eta_b"},
	Build: func(b *Builder) {
		x, z, next, etaB := b.State(StateX), b.Noise("z"), b.Scalar("next"), b.Scalar("eta_b")
		x0hat := b.Denoise(x, b.Scalar("sigma"))
		b.SetState(StateX0hat, x0hat)
		b.Report(reportLoss, b.misfit(x0hat))

		fresh := graph.Mul(graph.Mul(b.Scalar("eta"), next), z)
		carry := graph.Mul(b.Scalar("carry"), next) // carry = sqrt(1-eta^2)
		free := graph.Add(graph.Add(x0hat, graph.Mul(graph.Div(carry, b.Scalar("sigma")), graph.Sub(x, x0hat))), fresh)

		s := b.Inverse().Spectrum()
		y, level, known := observed(b)
		c0 := s.Right(x0hat)
		far := graph.Sub(y, c0)
		noisy := graph.Add(graph.Add(c0, graph.Mul(graph.Div(carry, graph.MaxScalar(level, 1e-12)), far)), s.Right(fresh))
		left := positiveRoot(graph.Sub(graph.Mul(next, next), graph.Mul(graph.Mul(etaB, etaB), graph.Mul(level, level))))
		clear := graph.Add(graph.Add(c0, graph.Mul(etaB, far)), graph.Mul(left, s.Right(z)))
		isNoisy := graph.BroadcastToShape(graph.ConvertDType(graph.LessThan(graph.Add(graph.ZerosLike(level), next), level), level.DType()), c0.Shape())
		c := graph.Add(graph.Mul(isNoisy, noisy), graph.Mul(graph.OneMinus(isNoisy), clear))
		b.SetState(StateX, replaced(b, free, c, known))
	},
}

// Step runs outer step k.
func (m DDRM) Step(r *Run) error {
	in := Scalars{
		"sigma": r.Sigma(), "next": r.SigmaNext(), "sigma_y": m.SigmaY,
		"eta": m.Eta, "carry": math.Sqrt(1 - m.Eta*m.Eta), "eta_b": m.EtaB,
	}
	if r.K() == 0 && !r.Started() {
		if _, err := r.Exec(ddrmStart.Name, in); err != nil {
			return err
		}
	}
	_, err := r.Exec(ddrmStep.Name, in)
	return err
}
