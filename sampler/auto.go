package sampler

import (
	"math"

	"github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/shapes"

	"github.com/seed-0f004ec9/spgd/operator"
)

// AutoStep, as a StepSize, asks for likelihood steps that follow from the problem; docs/step-size.md
// derives them. At noise level sigma, with r^2 = 2 sigma^2/(1+sigma^2) for the variance of x0 given x,
//
//	v_j     = (r^2 A A^T + sigma_y^2 I)^-1 (y - A(D(x^(j); sigma)) - sigma_y^2 u_j),  u_(j+1) = u_j + v_j,  u_0 = 0
//	g_j     = - J^T A^T v_j,      J the Jacobian of D at x^(j)
//	x^(j+1) = x^(j) - r^2 g~_j
//
// with ADM's g~ as ever: Gauss-Newton steps towards the mean of x0 given x and y, whose length knows
// neither task nor prior. What the noise of y explains, sigma_y^2 u at the solution, is taken off the
// residual, so that further steps do not fit the noise. A step whose root mean square is above r, which
// only a network far from its training asks for, is shortened to r. The denoise step puts fresh noise on that mean:
//
//	x0' = x^(N) - (x^ - D(x^; sigma)),      x_(k+1) = x0' + sigma_next z_k,      z_k = -z_(k-1) for even k > 0.
//
// With Settings.Antithetic levels go in pairs with opposite noise, as written; without, every z_k is drawn. What x0'
// keeps of z at the first is taken off at the second.
// With Settings.Ancestral the next state is a draw from its distribution given x_k and x0',
//
//	x_(k+1) = x0' + c (x_k - x0') + sigma_next sqrt(1-c) z_k,      c = (sigma_next/sigma)^2,
//
// the reverse transition of the diffusion (Ho et al. 2020, eq. 6 and 7, for the variance-exploding state), with which runs
// spread nearly as the posterior does. Fresh noise forgets in x_k what x0', a mean, leaves open.
//
// Each level's x0' has errors of its own, from its noise, which grow with sigma: with Settings.Average the
// result is the mean of all x0', weighted by 1/sigma^2. Of a linear operator it is brought to y as far as it is
// further from it than the noise explains, see autoAgree.
//
// A run for a linear operator, or one that is an operator.Estimator or an operator.Starter, starts from an estimate,
// see Builder.estimate and Run.search. Where A is the identity, x = y
// is the state at sigma = sigma_y and y holds nothing more: the run is a single denoise step.
const AutoStep = -1

// autoSigmaMax is the highest first noise level of a run that starts from an estimate. The estimate
// is much closer to the image than this; the steps between may still change its coarse structure.
const autoSigmaMax = 1

// problem is what AutoStep takes from the problem, see Settings.For.
type autoProblem struct {
	sigmaY   float64 // noise of y
	own      bool    // of every image its own, see Job.SigmaY
	floor    float64 // smallest regularisation of A A^T, see pinvScale
	linear   bool
	estimate bool    // the run starts from an estimate
	searched bool    // which is that of an operator.Starter
	entries  int     // of y that an image can influence
	largest  float64 // eigenvalue of A A^T
	same     bool    // A is the identity
	measured [3]int  // size of y
}

// For resolves what depends on the problem. A StepSize of 0 becomes the operator's published one. With
// AutoStep the settings learn about noise and operator, and the noise levels go from 1 at most, where
// there is an estimate to start from, to that of the best measured detail, sigma_y/s with s the largest singular value of
// A, at least; for the identity there is the one level sigma_y. Where that is 0, which says that it is not
// known, the step is the published one. For a second time it changes nothing.
func (s Settings) For(p Problem) Settings {
	switch s.StepSize {
	case 0:
		s.StepSize, _, _ = operator.DefaultStepSize(p.Operator)
	case AutoStep:
		_, s.auto.same = p.Operator.(*operator.Denoise)
		if s.auto.same && p.SigmaY == 0 {
			s.auto.same = false
			s.StepSize, _, _ = operator.DefaultStepSize(p.Operator)
			break
		}
		s.auto.floor = pinvScale(p.Operator)
		s.auto.linear = p.Operator.Linear()
		s.auto.estimate, s.auto.searched = hasEstimate(p.Operator)
		s.auto.entries, s.auto.largest = operator.Entries(p.Operator), largest(p.Operator)
		s.auto.measured[0], s.auto.measured[1], s.auto.measured[2] = p.Operator.MeasurementSize()
		s.auto.sigmaY = s.leastNoise(p.SigmaY)
		if !(s.Steps > 0 && s.SigmaMin > 0 && s.SigmaMax > s.SigmaMin) {
			break // for Validate to refuse
		}
		switch finest := s.auto.sigmaY / math.Sqrt(largest(p.Operator)); {
		case s.auto.same:
			s.Steps, s.SigmaMax, s.SigmaMin, s.Average = 1, finest, finest/2, false
		case s.auto.estimate:
			s.SigmaMin = max(s.SigmaMin, finest)
			s.SigmaMax = max(min(s.SigmaMax, autoSigmaMax), 2*s.SigmaMin)
		}
	}
	return s
}

// smallestNoise is what a measurement without noise counts as, relative to the largest singular value:
// an eighth of a step of 8 bits in [-1,1].
const smallestNoise = 0.001

// automatic says whether the step size follows from the problem.
func (s Settings) automatic() bool { return s.StepSize == AutoStep }

// resolved says whether For has seen the problem.
func (s Settings) resolved() bool { return s.auto.measured[0] > 0 }

// Deterministic implements Deterministic: a single denoise step from y draws nothing that the result keeps.
func (s SPGD) Deterministic() bool { return s.auto.same }

// StateShape implements Shaper: the multiplier u has the shape of y.
func (s SPGD) StateShape(name string, x shapes.Shape) shapes.Shape {
	if name == dual && s.automatic() {
		m := s.auto.measured
		return shapes.Make(x.DType, x.Dimensions[0], m[0], m[1], m[2])
	}
	if name == ownNoise {
		return shapes.Make(x.DType, x.Dimensions[0], 1, 1, 1)
	}
	return x
}

// autoStages lists the programs of runs with AutoStep.
func (s SPGD) autoStages() []Stage {
	if s.auto.same {
		return []Stage{autoFresh, autoSame}
	}
	warmup, agree := autoWarmup, autoAgree
	warmup.Inverse = s.auto.linear
	start := autoStart
	if s.auto.own {
		warmup, start, agree = warmup.withOwnNoise(), start.withOwnNoise(), agree.withOwnNoise()
	}
	stages := append(s.likelihood(warmup), autoFresh, autoStale)
	if s.auto.estimate && !s.auto.searched {
		if s.auto.linear { // it takes memory for conjugate gradients, and none to spare
			start.Spent = []string{StateX0hat}
		}
		stages = append(stages, start)
	}
	if s.auto.linear {
		stages = append(stages, agree)
	}
	return stages
}

// autoWarmup is one likelihood step; "step" is r^2, "noise" sigma_y^2 or, where images have their own, its least.
var autoWarmup = Stage{
	Name:    "auto warm-up",
	State:   []string{StateX, momentum, push, dual},
	Scalars: []string{"sigma", "step", "beta", "pixel", "keep", "noise"},
	Cost:    Cost{VJPs: 1},
	Build: func(b *Builder) {
		x, step, noise := b.State(StateX), b.Scalar("step"), b.atLeast("noise")
		x0hat := b.Denoise(x, b.Scalar("sigma"))
		ax := b.Apply(x0hat)
		b.Report(reportLoss, b.Hold(b.misfit(x0hat)))
		u := graph.Mul(b.Scalar("keep"), b.State(dual))
		g, v := b.likelihood(x, x0hat, ax, graph.Sub(graph.Sub(b.Y(), ax), graph.Mul(noise, u)), step, noise)
		size := float64(x.Shape().Size() / x.Shape().Dimensions[0])
		length := graph.Mul(graph.MulScalar(norm(g), 1/math.Sqrt(size)), graph.Sqrt(step)) // in units of r
		within := perImage(graph.Div(graph.OnesLike(length), graph.MaxScalar(length, 1)))
		g = graph.Mul(within, g)
		b.SetState(dual, graph.Add(u, graph.Mul(within, v)))
		b.descend(x, x0hat, g)
	},
}

// likelihood builds v = (r2 A A^T + noise I)^-1 r and g = - J^T A^T v, J the Jacobian of x0hat at x and ax = A(x0hat).
//
// For an operator that is not linear A is its derivative at x0hat, and what is solved for is the step
// w = A^T v of the estimate, (r2 A^T A + noise I) w = A^T r, by some conjugate gradients: entries of y
// that no step of the estimate changes, such as clipped ones, have no part in it. Then v is what such
// a step leaves of r, by noise: (r - r2 A w)/noise.
func (b *Builder) likelihood(x, x0hat, ax, r, r2, noise *Node) (g, v *Node) {
	if b.operator.Linear() {
		v = b.Hold(graph.StopGradient(graph.Div(b.Inverse().Solve(r, graph.Div(noise, r2)), r2)))
		return b.Gradient(graph.Neg(dot(ax, v)), x), v
	}
	d := operator.NewDerivative(b.operator, b.data, x0hat)
	r = graph.StopGradient(r)
	w := graph.StopGradient(graph.Div(d.SolveNormal(r, graph.Div(noise, r2), derivativeSteps), r2))
	v = b.Hold(graph.Div(graph.Sub(r, graph.Mul(r2, d.Apply(w))), noise))
	return b.Gradient(graph.Neg(dot(x0hat, w)), x), v
}

// derivativeSteps is the number of conjugate-gradient steps for an operator that is not linear. One is
// enough where its derivative treats alike all that it passes, as saturation does; more help little,
// because the derivative changes with the step.
const derivativeSteps = 3

// autoFresh is the denoise step from x^(N).
var autoFresh = Stage{
	Name:    "auto denoise fresh",
	Fresh:   shared,
	State:   []string{StateX, push, lastPush, lastDir, mean, level},
	Scalars: []string{"sigma", "next", "kept", "share", "final"},
	Noise:   []string{"z"},
	Cost:    Cost{Forwards: 1},
	Build: func(b *Builder) {
		x0hat := b.Denoise(b.State(StateX), b.Scalar("sigma"))
		d := graph.Sub(b.State(StateX), x0hat)
		b.Report(reportLoss, b.misfit(x0hat))
		b.SetState(direction, d)
		renoise(b, d)
	},
}

// autoStale is the denoise step along the direction of x^(N-1).
var autoStale = Stage{
	Name:    "auto denoise stale",
	Fresh:   shared,
	State:   []string{StateX, direction, push, lastPush, lastDir, mean, level},
	Scalars: []string{"next", "kept", "share", "final"},
	Noise:   []string{"z"},
	Build:   func(b *Builder) { renoise(b, b.State(direction)) },
}

// renoise moves x along d = x - x0hat to the estimate x0', takes it into the mean with the weight "share", and
// puts noise of the next level on it, whose sign "next" bears, or the share "kept" of what the level had beside x0'
// and less noise. Where "final" is 1, x becomes the mean.
func renoise(b *Builder, d *Node) {
	x0, before := graph.Sub(b.State(StateX), d), b.State(mean)
	after := graph.Add(before, graph.Mul(b.Scalar("share"), graph.Sub(x0, before)))
	b.SetState(mean, after)
	b.SetState(StateX0hat, x0)
	x := graph.Add(x0, graph.Mul(b.Scalar("final"), graph.Sub(after, x0)))
	if !b.spared.state[level] {
		x = graph.Add(x, graph.Mul(b.Scalar("kept"), graph.Sub(b.State(level), x0)))
	}
	b.SetState(StateX, graph.Add(x, graph.Mul(b.Scalar("next"), b.Noise("z"))))
	b.reportAngles(d)
}

// autoStep runs outer step k.
func (s SPGD) autoStep(r *Run) error {
	sigma, noise := r.Sigma(), s.auto.sigmaY*s.auto.sigmaY
	if s.auto.own {
		noise = 0
		if err := s.giveNoise(r); err != nil {
			return err
		}
	}
	step := 2 * sigma * sigma / (1 + sigma*sigma)
	next, kept := s.transition(sigma, r.SigmaNext())
	in := Scalars{"sigma": sigma, "next": next, "kept": kept, "noise": max(noise, s.auto.floor*step), "step": step}
	if k := r.K(); s.Antithetic && k > 0 && k%2 == 0 {
		r.drawAs(k - 1)
		in["next"] = -in["next"]
	}
	in["share"], in["final"] = r.share(), one(s.Average && r.SigmaNext() == 0)
	if r.K() == 0 && !r.Started() {
		if err := s.start(r, noise); err != nil {
			return err
		}
	}
	r.Keep(level, StateX)
	denoise, n := autoStale, s.Warmup
	if s.Denoise == DenoiseFresh {
		denoise = autoFresh
	}
	if s.auto.same {
		denoise, n = autoFresh, 0
	}
	if err := s.steps(r, autoWarmup, n, denoise, in); err != nil || !s.auto.linear || s.auto.same || r.SigmaNext() > 0 {
		return err
	}
	_, err := r.Exec(autoAgree.Name, Scalars{"noise": noise, "entries": float64(s.auto.entries), "largest": s.auto.largest})
	return err
}

// transition is the way to the next level: the noise put on x0', and what is kept of x_k - x0'.
func (s SPGD) transition(sigma, next float64) (noise, kept float64) {
	if s.Ancestral {
		kept = next * next / (sigma * sigma)
	}
	return next * math.Sqrt(1-kept), kept
}

// share is the weight of this level's estimate in the mean of those so far, each weighted by 1/sigma^2.
func (r *Run) share() float64 {
	sum := 0.0
	for _, sigma := range r.sigmas[:r.k+1] {
		sum += 1 / (sigma * sigma)
	}
	return 1 / (r.Sigma() * r.Sigma() * sum)
}

// start puts the noise that x starts from, or a part of it, on an estimate.
func (s SPGD) start(r *Run, noise float64) (err error) {
	switch {
	case s.auto.same:
		_, err = r.Exec(autoSame.Name, nil)
	case s.auto.searched:
		err = r.search()
	case s.auto.estimate:
		kept := 1.0
		if !s.auto.linear {
			kept = estimateNoise
		}
		_, err = r.Exec(autoStart.Name, Scalars{"lambda": noise / (gradientSpread * gradientSpread), "noise": kept})
	}
	return err
}
