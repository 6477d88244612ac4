package sampler

import (
	"math"

	"github.com/gomlx/gomlx/pkg/core/graph"

	"github.com/seed-0f004ec9/spgd/operator"
)

// DSG is diffusion with a spherical Gaussian constraint (Yang et al., arXiv 2402.03201). The step
// stays on the sphere where the noise of an ancestral step lies, and turns it towards the gradient:
// with mean + s z that step for eta = 1, n the number of values and g = grad_x ||y - A(x0hat)||,
//
//	d* = -sqrt(n) s g/||g||,   d = s z,   m = d + w (d* - d)
//	x' = mean + sqrt(n) s m/||m||
//
// Every interval-th step does so, the others are ancestral. The authors take 100 steps, an interval of
// 1 and w = 0.2 for masks; 0.1 is the default of their program. x0hat is clipped to the range of
// images. It takes T evaluations with a VJP.
type DSG struct {
	Levels
	Weight   float64 `set:"weight"` // w
	Interval int     `set:"interval"`
	Clip     bool    `set:"clip"`
}

// NewDSG returns the method with its authors' settings.
func NewDSG(p Problem) DSG {
	w := 0.1
	if p.task() == operator.TaskInpaint {
		w = 0.2
	}
	return DSG{vpRange(100), w, 1, true}
}

// Name is "dsg".
func (DSG) Name() string { return "dsg" }

// Validate implements Sampler.
func (m DSG) Validate() error {
	return m.validate(m.Name(), within{"weight", m.Weight, 0, 1}, within{"interval", float64(m.Interval), 1, MaxSteps})
}

// Stages lists the programs.
func (DSG) Stages() []Stage { return []Stage{dsgStep, ancestralStep} }

// StepCost is one evaluation with a VJP, which is what every interval-th step takes.
func (DSG) StepCost() Cost { return dsgStep.Cost }

var dsgStep = Stage{
	Name: "step", State: []string{StateX}, Scalars: append([]string{"weight", "radius", "bound"}, ddimScalars...), Noise: []string{"z"},
	Cost: Cost{VJPs: 1},
	Build: func(b *Builder) {
		x, radius := b.State(StateX), b.Scalar("radius")
		x0hat := clipped(b, b.Denoise(x, b.Scalar("sigma")))
		loss := b.misfit(x0hat)
		g := b.Gradient(root(loss), x)
		length := func(v *Node) *Node { return perImage(graph.MaxScalar(norm(v), 1e-20)) }
		best := graph.Neg(graph.Div(graph.Mul(radius, g), length(g)))
		d := graph.Mul(b.Scalar("noise"), b.Noise("z"))
		m := graph.Add(d, graph.Mul(b.Scalar("weight"), graph.Sub(best, d)))
		b.SetState(StateX, graph.Add(ddimMean(b, x0hat, x, x0hat), graph.Div(graph.Mul(radius, m), length(m))))
		b.SetState(StateX0hat, x0hat)
		b.Report(reportLoss, loss)
		b.Report(reportGradient, norm(g))
	},
}

// ancestralStep is a DDIM step without a measurement.
var ancestralStep = Stage{
	Name: "ancestral", State: []string{StateX}, Scalars: append([]string{"bound"}, ddimScalars...), Noise: []string{"z"}, Cost: Cost{Forwards: 1},
	Build: func(b *Builder) {
		x := b.State(StateX)
		x0hat := clipped(b, b.Denoise(x, b.Scalar("sigma")))
		b.SetState(StateX, ddimTo(b, x0hat, x, x0hat))
		b.SetState(StateX0hat, x0hat)
		b.Report(reportLoss, b.misfit(x0hat))
	},
}

// Step runs outer step k.
func (m DSG) Step(r *Run) error {
	stage := dsgStep.Name
	if r.K()%m.Interval != 0 {
		stage = ancestralStep.Name
	}
	h, w := r.Operator().ImageSize()
	in := ddim(r.Sigma(), r.SigmaNext(), 1)
	in["bound"] = clipBound(m.Clip)
	in["weight"], in["radius"] = m.Weight, in["noise"]*math.Sqrt(float64(h*w*3))
	_, err := r.Exec(stage, in)
	return err
}
