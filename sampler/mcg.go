package sampler

import (
	"github.com/gomlx/gomlx/pkg/core/graph"

	"github.com/seed-0f004ec9/spgd/operator"
)

// MCG is the manifold-constrained gradient (Chung et al., arXiv 2206.00941): a step of DPS, and a
// projection onto the measurement with noise of the next level,
//
//	x' <- x' + A^+ (y + next A z' - A x')
//
// For a mask, whose A^+ is A^T, this is the authors' x - A^T A x + A^T y_t; noise that went through A
// keeps that of x at its level for other operators too. The authors take 1000 steps with the scale 1,
// for 256x256 and as DPS counts it. It takes T evaluations with a VJP.
type MCG struct{ DPS }

// NewMCG returns the method with its authors' settings.
func NewMCG(Problem) MCG { return MCG{DPS{vpRange(1000), 1, 1, true}} }

// Name is "mcg".
func (MCG) Name() string { return "mcg" }

// Applies implements Limited.
func (MCG) Applies(op operator.Operator) error { return linearOnly("MCG", op) }

// Validate implements Sampler.
func (m MCG) Validate() error { return m.check(m.Name()) }

// Stages lists the programs.
func (MCG) Stages() []Stage { return []Stage{mcgStep} }

var mcgStep = Stage{
	Name: dpsStep.Name, State: []string{StateX}, Scalars: append([]string{"next"}, dpsScalars...), Noise: []string{"z", "z'"},
	Inverse: true, Cost: Cost{VJPs: 1},
	Build: func(b *Builder) {
		x := pushed(b, func(x0hat *Node) *Node { return root(b.misfit(x0hat)) })
		off := graph.Add(b.Y(), b.Apply(graph.Sub(graph.Mul(b.Scalar("next"), b.Noise("z'")), x)))
		b.SetState(StateX, graph.Add(x, b.Inverse().PseudoInverse(off)))
	},
}

// Step runs outer step k.
func (m MCG) Step(r *Run) error {
	_, err := r.Exec(mcgStep.Name, m.inputs(r).with(Scalars{"next": r.SigmaNext()}))
	return err
}
