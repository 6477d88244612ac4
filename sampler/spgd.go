package sampler

import "github.com/gomlx/gomlx/pkg/core/graph"

// SPGD is stabilised progressive gradient diffusion (arXiv 2507.06656), in the
// variance-exploding state. Outer step k, at noise level sigma, starts from x^(0) = x_k with
// N likelihood steps,
//
//	g_j     = grad_x ||A(D(x^(j); sigma)) - y||^2
//	alpha_j = (cos(g_j, g~_(j-1)) + 1) / 2
//	g~_j    = alpha_j beta g~_(j-1) + (1 - alpha_j beta) g_j,    g~_0 = g_0
//	x^(j+1) = x^(j) - step_k g~_j
//
// and goes to the next level by an Euler step of the probability-flow ODE,
//
//	x_(k+1) = x^(N) - (1 - sigma_next/sigma) (x^ - D(x^; sigma)),
//
// with x^ = x^(N), or x^(N-1) where the denoise step is stale. The loss of a StepRecord is that
// of the last likelihood step, at x^(N-1). With AutoStep gradient, step and denoise step are others, see
// there.
type SPGD struct{ Settings }

// Names of the state tensors beside x and x0hat.
const (
	momentum  = "momentum"  // g~
	push      = "push"      // g_l, the sum of g~_j over the likelihood steps
	direction = "direction" // g_d = x - D(x; sigma)
	lastPush  = "last push"
	lastDir   = "last direction"
	dual      = "dual"  // u of AutoStep, in the shape of y
	mean      = "mean"  // of the levels' estimates
	level     = "level" // x_k, which Settings.Ancestral keeps a part of
)

// Names of the reports beside the driver's.
const (
	reportAlpha             = "alpha"
	reportDenoiseLikelihood = "denoise-likelihood"
	reportLikelihoodTurn    = "likelihood-turn"
	reportDenoiseTurn       = "denoise-turn"
)

// Name is "spgd".
func (SPGD) Name() string { return "spgd" }

// Sigmas is the poly-7 schedule.
func (s SPGD) Sigmas() []float64 { return Poly7(s.Steps, s.SigmaMax, s.SigmaMin) }

// State lists the state tensors.
func (s SPGD) State() []string {
	names := []string{momentum, push, direction, lastPush, lastDir}
	if s.automatic() {
		names = append(names, dual, mean, level)
	}
	if s.auto.own {
		names = append(names, ownNoise)
	}
	return names
}

// Spared implements Sparing: the angles, the directions that they compare, and the momentum if it has no
// effect.
func (s SPGD) Spared() (state, reports []string) {
	state = []string{push, lastPush, lastDir}
	reports = []string{reportDenoiseLikelihood, reportLikelihoodTurn, reportDenoiseTurn}
	if s.Denoise == DenoiseFresh || s.auto.same {
		state = append(state, direction)
	}
	if s.automatic() && s.Warmup == 1 {
		state = append(state, dual)
	}
	if s.automatic() && !s.Ancestral {
		state = append(state, level)
	}
	if s.automatic() && !s.Average {
		state = append(state, mean)
	}
	if s.ADM == ADMOff || s.Warmup == 1 {
		state, reports = append(state, momentum), append(reports, reportAlpha)
	}
	return state, reports
}

// Scratch lists what a level begins anew, or a run.
func (SPGD) Scratch() []string { return []string{momentum, push, direction, dual, level, ownNoise} }

// denoise is the stage of the denoise step.
func (s SPGD) denoise() Stage {
	if s.Denoise == DenoiseFresh {
		return fresh
	}
	return stale
}

// StepCost is N evaluations with a VJP, and one without for a fresh denoise step.
func (s SPGD) StepCost() Cost {
	if s.auto.same {
		return autoFresh.Cost
	}
	return Cost{VJPs: s.Warmup}.plus(s.denoise().Cost)
}

// Stages lists the programs.
func (s SPGD) Stages() []Stage {
	if s.automatic() {
		return s.autoStages()
	}
	return append(s.likelihood(warmup), fresh, stale)
}

// shared is the state that only the likelihood steps of a level read.
var shared = []string{momentum, dual}

// likelihood lists a likelihood step as the steps of a level run it. An x0hat that the denoise step makes anew is none of
// theirs to leave.
func (s SPGD) likelihood(st Stage) []Stage {
	shared := shared
	if s.automatic() || s.Denoise == DenoiseFresh {
		shared = append(shared[:len(shared):len(shared)], StateX0hat)
	}
	return st.parts(s.Warmup, shared, []string{StateX0hat, direction})
}

// warmup is one likelihood step. With beta = 0, g~ is the gradient itself.
var warmup = Stage{
	Name:    "warm-up",
	State:   []string{StateX, momentum, push},
	Scalars: []string{"sigma", "step", "beta", "pixel", "keep"},
	Cost:    Cost{VJPs: 1},
	Build: func(b *Builder) {
		x := b.State(StateX)
		x0hat := b.Denoise(x, b.Scalar("sigma"))
		loss := b.SquaredResidual(x0hat)
		b.Report(reportLoss, loss)
		b.descend(x, x0hat, b.Gradient(loss, x))
	},
}

// descend moves x against the gradient g, smoothed by ADM, by the scalar "step", with x0hat = D(x; sigma).
func (b *Builder) descend(x, x0hat, g *Node) {
	last := b.State(momentum)
	pixel := b.Scalar("pixel") // 1 for the per-pixel cosine, 0 for the whole-vector one
	cos := graph.Add(graph.Mul(pixel, pixelCosine(g, last)),
		graph.Mul(graph.OneMinus(pixel), cosine(g, last)))
	alpha := graph.MulScalar(graph.AddScalar(cos, 1), 0.5)
	weight := perImage(graph.Mul(alpha, b.Scalar("beta")))
	smooth := graph.Add(graph.Mul(weight, last), graph.Mul(graph.OneMinus(weight), g))

	b.SetState(StateX, graph.Sub(x, graph.Mul(b.Scalar("step"), smooth)))
	b.SetState(StateX0hat, x0hat)
	b.SetState(momentum, smooth)
	b.SetState(push, graph.Add(graph.Mul(b.Scalar("keep"), b.State(push)), smooth))
	b.SetState(direction, graph.Sub(x, x0hat))
	b.Report(reportAlpha, alpha)
	b.Report(reportGradient, norm(g))
}

// fresh is the denoise step from x^(N).
var fresh = Stage{
	Name:    "denoise fresh",
	Fresh:   shared,
	State:   []string{StateX, push, lastPush, lastDir},
	Scalars: []string{"sigma", "advance"},
	Cost:    Cost{Forwards: 1},
	Build: func(b *Builder) {
		x0hat := b.Denoise(b.State(StateX), b.Scalar("sigma"))
		d := graph.Sub(b.State(StateX), x0hat)
		b.SetState(StateX0hat, x0hat)
		b.SetState(direction, d)
		euler(b, d)
	},
}

// stale is the denoise step along the direction of x^(N-1), which the warm-up left behind.
var stale = Stage{
	Name:    "denoise stale",
	Fresh:   shared,
	State:   []string{StateX, direction, push, lastPush, lastDir},
	Scalars: []string{"advance"},
	Build:   func(b *Builder) { euler(b, b.State(direction)) },
}

// euler moves x along d = x - x0hat.
func euler(b *Builder, d *Node) {
	b.SetState(StateX, graph.Sub(b.State(StateX), graph.Mul(b.Scalar("advance"), d)))
	b.reportAngles(d)
}

// reportAngles compares d = x - x0hat with the likelihood's push and both with the step before: the
// three angles by which the paper explains the method.
func (b *Builder) reportAngles(d *Node) {
	b.Report(reportDenoiseLikelihood, cosine(d, b.State(push)))
	b.Report(reportLikelihoodTurn, cosine(b.State(push), b.State(lastPush)))
	b.Report(reportDenoiseTurn, cosine(d, b.State(lastDir)))
}

// Step runs outer step k.
func (s SPGD) Step(r *Run) error {
	if s.automatic() {
		return s.autoStep(r)
	}
	sigma := r.Sigma()
	step := s.StepSize * (1 - (1-s.MinStepRatio)*float64(r.K())/float64(s.Steps))
	return s.steps(r, warmup, s.Warmup, s.denoise(), Scalars{"sigma": sigma, "step": step, "advance": 1 - r.SigmaNext()/sigma})
}

// steps runs n likelihood steps and the denoise step, with the scalars in and those of ADM.
func (s SPGD) steps(r *Run, likelihood Stage, n int, denoise Stage, in Scalars) error {
	rec := r.Record()
	rec.StepSize, in["pixel"] = in["step"], one(s.ADM == ADMPixel)
	for j := range n {
		in["keep"], in["beta"] = one(j > 0), s.Beta*one(j > 0 && s.ADM != ADMOff)
		err := r.Then(likelihood.part(j, n, nil, nil).Name, in, func(out Reports) {
			if j > 0 && s.ADM != ADMOff {
				rec.Alpha = append(rec.Alpha, out[reportAlpha])
			}
		})
		if err != nil {
			return err
		}
	}
	angles := func(out Reports) {
		if _, ok := out[reportDenoiseLikelihood]; !ok {
			return // spared
		}
		rec.Angles.DenoiseLikelihood = degrees(out[reportDenoiseLikelihood])
		if r.K() > 0 {
			rec.Angles.LikelihoodTurn = degrees(out[reportLikelihoodTurn])
			rec.Angles.DenoiseTurn = degrees(out[reportDenoiseTurn])
		}
	}
	if err := r.Then(denoise.Name, in, angles); err != nil {
		return err
	}
	r.Keep(lastPush, push)
	r.Keep(lastDir, direction)
	return nil
}
