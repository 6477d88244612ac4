package sampler

import (
	"math"

	"github.com/gomlx/gomlx/pkg/core/dtypes"
	"github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/shapes"

	"github.com/seed-0f004ec9/spgd/operator"
)

// SITCOM is step-wise triple-consistent sampling (Alkhouri et al., arXiv 2410.04479). At each level it
// seeks the input v of the prior whose estimate explains the measurement, by Adam from v = x on
//
//	||A(D(v; sigma)) - y||^2 + lambda ||v - x||^2 / (1+sigma^2)
//
// until the first term is below (sigma_y + 0.001)^2 times the number of measured values, or K times,
// and goes on with noise of the next level: x' = D(v; sigma) + next z. Steps of Adam are in units of
// the variance-preserving state, sqrt(1+sigma^2) times as long in x. The authors take 20 levels,
// K = 20, a learning rate of 0.01 and lambda = 0. It takes at most K evaluations with a VJP and one
// without for each level. An image that has reached its noise stays as it is, whatever its batch does.
type SITCOM struct {
	Levels
	Inner        int     `set:"inner"` // K
	LearningRate float64 `set:"learning-rate"`
	Lambda       float64 `set:"lambda"`
	SigmaY       float64 `set:"sigma-y"`
}

// NewSITCOM returns the method with its authors' settings.
func NewSITCOM(p Problem) SITCOM { return SITCOM{vpRange(20), 20, 0.01, 0, p.SigmaY} }

// Name is "sitcom".
func (SITCOM) Name() string { return "sitcom" }

// Validate implements Sampler.
func (m SITCOM) Validate() error {
	return m.validate(m.Name(), within{"inner", float64(m.Inner), 1, MaxSteps}, within{"learning-rate", m.LearningRate, 0, maxStep},
		within{"lambda", m.Lambda, 0, maxStep}, within{"sigma-y", m.SigmaY, 0, maxStep})
}

const (
	networkInput = "input" // v
	open         = "open"  // 1 for images that have not reached their noise, [N,1,1,1]
)

// State lists the state tensors.
func (SITCOM) State() []string { return append([]string{networkInput, open}, adamState...) }

// Scratch lists all of it.
func (SITCOM) Scratch() []string { return []string{networkInput, open, firstMoment, secondMoment} }

// StateShape implements Shaper.
func (SITCOM) StateShape(name string, x shapes.Shape) shapes.Shape {
	if name == open {
		return shapes.Make(dtypes.Float32, x.Dimensions[0], 1, 1, 1)
	}
	return x
}

// Stages lists the programs.
func (SITCOM) Stages() []Stage { return []Stage{sitcomFit, sitcomEstimate, renoiseStage} }

// StepCost is the most that a level takes.
func (m SITCOM) StepCost() Cost { return Cost{Forwards: 1, VJPs: m.Inner} }

var sitcomFit = Stage{
	Name: "fit", State: append([]string{StateX, networkInput, open}, adamState...), Cost: Cost{VJPs: 1},
	Scalars: append([]string{"sigma", "unit", "rate", "lambda", "limit"}, adamScalars...),
	Build: func(b *Builder) {
		v, unit := b.State(networkInput), b.Scalar("unit")
		x0hat := b.Denoise(v, b.Scalar("sigma"))
		loss := b.misfit(x0hat)
		off := graph.Div(graph.Sub(v, b.State(StateX)), unit)
		g := b.Gradient(graph.Add(loss, graph.Mul(b.Scalar("lambda"), dot(off, off))), v)
		far := graph.ConvertDType(graph.GreaterOrEqual(loss, graph.Add(graph.ZerosLike(loss), b.Scalar("limit"))), loss.DType())
		going := graph.Mul(perImage(far), graph.Max(b.State(open), graph.OneMinus(b.Scalar("again"))))
		step := graph.Mul(graph.Mul(b.Scalar("rate"), unit), adam(b, graph.Mul(unit, g)))
		b.SetState(networkInput, graph.Sub(v, graph.Mul(going, step)))
		b.SetState(open, going)
		b.SetState(StateX0hat, x0hat)
		b.Report(reportLoss, loss)
		b.Report(reportGradient, norm(g))
		b.Report(open, graph.Reshape(going, -1))
	},
}

// sitcomEstimate is the estimate of the last input, where an image has not reached its noise.
var sitcomEstimate = Stage{
	Name: "estimate", State: []string{networkInput, StateX0hat, open}, Scalars: []string{"sigma"}, Cost: Cost{Forwards: 1},
	Build: func(b *Builder) {
		going := b.State(open)
		x0hat := b.Denoise(b.State(networkInput), b.Scalar("sigma"))
		b.SetState(StateX0hat, graph.Add(graph.Mul(going, x0hat), graph.Mul(graph.OneMinus(going), b.State(StateX0hat))))
	},
}

// Step runs outer step k.
func (m SITCOM) Step(r *Run) error {
	sigma := r.Sigma()
	r.Keep(networkInput, StateX)
	limit := (m.SigmaY + 0.001) * (m.SigmaY + 0.001) * float64(operator.Entries(r.Operator()))
	going := true
	for j := 0; j < m.Inner && going; j++ {
		in := adamInputs(0.9, 0.999, j+1).with(Scalars{
			"sigma": sigma, "unit": math.Sqrt(1 + sigma*sigma), "rate": m.LearningRate, "lambda": m.Lambda, "limit": limit,
		})
		out, err := r.Exec(sitcomFit.Name, in)
		if err != nil {
			return err
		}
		going = false
		for _, v := range out[open] {
			going = going || v > 0
		}
	}
	if going {
		if _, err := r.Exec(sitcomEstimate.Name, Scalars{"sigma": sigma}); err != nil {
			return err
		}
	}
	_, err := r.Exec(renoiseStage.Name, Scalars{"next": r.SigmaNext()})
	return err
}
