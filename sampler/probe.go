package sampler

import (
	"slices"

	"github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/shapes"

	"github.com/seed-0f004ec9/spgd/operator"
)

// Probe is a sampler that records every evaluation of the likelihood and of the prior of another, see
// Evaluation. It computes what the other does, and takes two images of memory, one application of the
// operator and some sums an evaluation for it.
type Probe struct{ Sampler }

// Evaluation is what a Probe notes about one run of a stage that evaluates the denoiser or takes a
// gradient of the likelihood. Slices have a value for every image of the batch, and are nil where
// there is nothing to say.
type Evaluation struct {
	Stage string `json:"stage"`
	// SquaredResidual is ||A(x0hat) - y||^2 of the estimate.
	SquaredResidual []float64 `json:"squared_residual,omitempty"`
	// GradientNorm is the norm of the likelihood's gradient g_l, as the method defines it.
	GradientNorm []float64 `json:"gradient_norm,omitempty"`
	// DirectionNorm is the norm of the prior's direction g_d = x - x0hat.
	DirectionNorm []float64 `json:"direction_norm,omitempty"`
	// Angles are those of g_d with g_l, and of each with that of the evaluation before that had one. Where
	// a stage takes a gradient without evaluating the denoiser, g_d is the latest.
	Angles Angles `json:"angles"`
}

// Names of a probe's state tensors and reports.
const (
	probeGradient  = "probe: gradient"  // the latest g_l
	probeDirection = "probe: direction" // the latest g_d

	probeResidual        = "probe: squared residual"
	probeGradientNorm    = "probe: gradient norm"
	probeDirectionNorm   = "probe: direction norm"
	probeGradientBefore  = "probe: gradient norm before"
	probeDirectionBefore = "probe: direction norm before"
	probeBetween         = "probe: direction to gradient"
	probeGradientTurn    = "probe: gradient turn"
	probeDirectionTurn   = "probe: direction turn"
)

// Name is the method's with a suffix: its stages are other programs.
func (p Probe) Name() string { return p.Sampler.Name() + " (probed)" }

// Applies implements Limited.
func (p Probe) Applies(op operator.Operator) error {
	if l, ok := p.Sampler.(Limited); ok {
		return l.Applies(op)
	}
	return nil
}

// Scratch implements Scratcher.
func (p Probe) Scratch() []string {
	if s, ok := p.Sampler.(Scratcher); ok {
		return s.Scratch()
	}
	return nil
}

// StateShape implements Shaper.
func (p Probe) StateShape(name string, x shapes.Shape) shapes.Shape {
	if s, ok := p.Sampler.(Shaper); ok && name != probeGradient && name != probeDirection {
		return s.StateShape(name, x)
	}
	return x
}

// State adds the latest gradient and direction to the method's state.
func (p Probe) State() []string { return slices.Concat(p.Sampler.State(), probeState) }

var probeState = []string{probeGradient, probeDirection}

// Stages are the method's, with the reports.
func (p Probe) Stages() []Stage {
	stages := slices.Clone(p.Sampler.Stages())
	for i := range stages {
		if stages[i].First {
			continue // it comes before the state is there, and evaluates nothing
		}
		build := stages[i].Build
		stages[i].State = slices.Concat(stages[i].State, probeState)
		stages[i].Build = func(b *Builder) {
			build(b)
			b.probe()
		}
	}
	return stages
}

// probe reports what the stage has evaluated last.
func (b *Builder) probe() {
	direction, before := b.State(probeDirection), b.State(probeDirection)
	var estimate *Node
	if n := len(b.gradients); n > 0 { // of an image, unless an evaluation says better
		estimate = b.gradients[n-1].x
	}
	if n := len(b.estimates); n > 0 {
		e := b.estimates[n-1]
		estimate, direction = e.value, graph.Sub(e.x, e.value)
		b.SetState(probeDirection, direction)
		b.Report(probeDirectionNorm, norm(direction))
		b.Report(probeDirectionBefore, norm(before))
		b.Report(probeDirectionTurn, cosine(direction, before))
	}
	if n := len(b.gradients); n > 0 {
		g, before := b.gradients[n-1].value, b.State(probeGradient)
		b.SetState(probeGradient, g)
		b.Report(probeGradientNorm, norm(g))
		b.Report(probeGradientBefore, norm(before))
		b.Report(probeGradientTurn, cosine(g, before))
		b.Report(probeBetween, cosine(direction, g))
		if len(b.estimates) == 0 {
			b.Report(probeDirectionBefore, norm(direction))
		}
	}
	if estimate != nil {
		b.Report(probeResidual, b.SquaredResidual(estimate))
	}
}

// probed makes an evaluation of the reports of a stage, if a probe has made any.
func probed(stage string, r Reports) (Evaluation, bool) {
	e := Evaluation{
		Stage: stage, SquaredResidual: r[probeResidual], GradientNorm: r[probeGradientNorm], DirectionNorm: r[probeDirectionNorm],
	}
	// An angle needs two vectors: at first there is none before.
	angle := func(name string, lengths ...[]float64) []float64 {
		for _, l := range lengths {
			if len(l) == 0 || slices.Contains(l, 0) {
				return nil
			}
		}
		return degrees(r[name])
	}
	direction := e.DirectionNorm
	if direction == nil {
		direction = r[probeDirectionBefore]
	}
	e.Angles = Angles{
		DenoiseLikelihood: angle(probeBetween, direction, e.GradientNorm),
		LikelihoodTurn:    angle(probeGradientTurn, e.GradientNorm, r[probeGradientBefore]),
		DenoiseTurn:       angle(probeDirectionTurn, e.DirectionNorm, r[probeDirectionBefore]),
	}
	return e, e.SquaredResidual != nil
}
