package sampler

import (
	"github.com/gomlx/gomlx/pkg/core/graph"

	"github.com/seed-0f004ec9/spgd/operator"
)

// FPS is filtering posterior sampling (Dou and Song, "Diffusion Posterior Sampling for Linear Inverse
// Problem Solving: A Filtering Perspective", ICLR 2024) with one particle. The measurement has a chain
// of its own, y_k = y + sigma A eps_k, driven by the noise of the DDIM steps; each step fuses the
// prior's x' ~ N(mean, s^2 I) with y' = A x' + N(0, sigma_y^2 I), which is sampled exactly by
//
//	x' = argmin_x ||y' + sigma_y z' - A x||^2 + (sigma_y/s)^2 ||x - (mean + s z)||^2
//
// mean and s being those of DDIM. The authors take eta = 1 (DDPM); the default is 100 steps. It takes
// T evaluations without VJP.
type FPS struct {
	Levels
	Eta    float64 `set:"eta"`
	SigmaY float64 `set:"sigma-y"`
	Clip   bool    `set:"clip"`
}

// NewFPS returns the method with its authors' settings.
func NewFPS(p Problem) FPS { return FPS{vpRange(100), 1, p.SigmaY, true} }

// Name is "fps".
func (FPS) Name() string { return "fps" }

// Applies implements Limited.
func (FPS) Applies(op operator.Operator) error { return linearOnly("FPS", op) }

// Validate implements Sampler.
func (m FPS) Validate() error {
	return m.validate(m.Name(), within{"eta", m.Eta, 1e-3, 1}, within{"sigma-y", m.SigmaY, 0, maxStep})
}

// sharedNoise is eps, the noise that x and y have in common.
const sharedNoise = "shared noise"

// State lists the shared noise.
func (FPS) State() []string { return []string{sharedNoise} }

// Stages lists the programs.
func (FPS) Stages() []Stage { return []Stage{fpsStep} }

// StepCost is one evaluation.
func (FPS) StepCost() Cost { return fpsStep.Cost }

var fpsStep = Stage{
	Name: "step", State: []string{StateX, sharedNoise}, Inverse: true, Cost: Cost{Forwards: 1},
	Noise: []string{"z"}, MeasurementNoise: []string{"z'"},
	Scalars: append([]string{"first", "rho", "sigma_y", "level", "bound"}, ddimScalars...),
	Build: func(b *Builder) {
		x, sigma, first := b.State(StateX), b.Scalar("sigma"), b.Scalar("first")
		// The first state is all noise.
		eps := graph.Add(graph.Mul(first, graph.Div(x, sigma)), graph.Mul(graph.OneMinus(first), b.State(sharedNoise)))
		x0hat := clipped(b, b.Denoise(x, sigma))
		b.SetState(StateX0hat, x0hat)
		b.Report(reportLoss, b.misfit(x0hat))
		// next eps' = sqrt(next^2-s^2) eps + s z; the scalars are "direction" sigma and "noise".
		driven := graph.Add(graph.Mul(graph.Mul(b.Scalar("direction"), sigma), eps), graph.Mul(b.Scalar("noise"), b.Noise("z")))
		y := graph.Add(graph.Add(b.Y(), b.Apply(driven)), graph.Mul(b.Scalar("sigma_y"), b.Noise("z'")))
		b.SetState(StateX, b.Inverse().Prox(y, ddimTo(b, x0hat, x, x0hat), b.Scalar("rho")))
		b.SetState(sharedNoise, graph.Div(driven, b.Scalar("level")))
	},
}

// Step runs outer step k.
func (m FPS) Step(r *Run) error {
	in := ddim(r.Sigma(), r.SigmaNext(), m.Eta)
	ratio := m.SigmaY / max(in["noise"], 1e-6)
	in["rho"], in["sigma_y"] = max(ratio*ratio, pinvScale(r.Operator())), m.SigmaY
	in["bound"] = clipBound(m.Clip)
	in["first"], in["level"] = one(r.K() == 0), max(r.SigmaNext(), 1e-6)
	_, err := r.Exec(fpsStep.Name, in)
	return err
}
