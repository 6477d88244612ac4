package sampler

import (
	"fmt"
	"slices"

	"github.com/gomlx/gomlx/pkg/core/graph"

	"github.com/seed-0f004ec9/spgd/internal/rng"
	"github.com/seed-0f004ec9/spgd/operator"
)

// The estimate that a run with AutoStep starts from is the image of the smallest
//
//	||A x - y||^2 + lambda ||grad x||^2,    lambda = sigma_y^2 / gradientSpread^2,
//
// the posterior's mean if differences of neighbouring pixels were independent and normal. It is found by
// conjugate gradients without the prior. A mask's gaps are filled smoothly, a low resolution is
// interpolated, and a blur is undone as far as the noise allows.
const (
	gradientSpread = 0.1 // standard deviation of the differences of neighbouring pixels in [-1,1]
	estimateSteps  = 60  // conjugate-gradient steps
	estimateNoise  = 0.3 // noise at the start on the estimate of an operator's own, in units of the first level
)

// autoStart is the start: x is noise of the first level before it. What "noise" keeps of it is all for a linear
// operator. With less, the network is told of more noise than there is, and the gradient through it loses its
// sign at the borders of smooth pictures: lines along them grow from step to step, and stay. For an operator that is not
// linear less is kept, because its derivative holds near the estimate only.
var autoStart = Stage{
	Name: "auto start", State: []string{StateX}, Scalars: []string{"lambda", "noise"}, First: true,
	Build: func(b *Builder) {
		lambda := b.Scalar("lambda")
		if own, ok := b.state[ownNoise]; ok {
			lambda = graph.MulScalar(own, 1/(gradientSpread*gradientSpread))
		}
		estimate := b.estimate(lambda)
		b.SetState(StateX0hat, estimate)
		b.SetState(StateX, graph.Add(estimate, graph.Mul(b.Scalar("noise"), b.State(StateX))))
	},
}

// hasEstimate says whether the measurement gives an estimate to start from, and whether it has to be searched for.
func hasEstimate(op operator.Operator) (estimate, searched bool) {
	if op.Linear() {
		return true, false
	}
	_, estimate = op.(operator.Estimator)
	if _, ok := op.(operator.Starter); ok && !estimate {
		return true, true
	}
	return estimate, false
}

// search makes x what the operator finds, with the noise that it is now.
func (r *Run) search() error {
	op := r.driver.operator.(operator.Starter)
	estimates := make([][]float32, r.batch)
	err := r.driver.engine.View(r.y, func(y []float32) error {
		size := len(y) / r.batch
		for i := range estimates {
			if err := r.ctx.Err(); err != nil {
				return err
			}
			stream := rng.New(r.job.Seed, r.imageIndex(i), searchStep, rng.XStart)
			estimates[i] = op.Start(y[i*size:][:size], func() float64 { return stream.Between(0, 1) })
		}
		return nil
	})
	if err != nil {
		return err
	}
	found := slices.Concat(estimates...)
	x, err := r.driver.engine.Make(func(x []float32) error {
		return r.driver.engine.View(r.state[StateX], func(noise []float32) error {
			if len(found) != len(x) {
				return fmt.Errorf("sampler: %w: the estimate of %s has %d values, want %d", ErrProblem, r.driver.operator.Name(), len(found), len(x))
			}
			for i, v := range found {
				x[i] = v + estimateNoise*noise[i]
			}
			return nil
		})
	}, r.state[StateX].Shape().Dimensions...)
	if err == nil {
		r.set(StateX, x)
	}
	return err
}

// searchStep is the step of the search's random numbers: step 0 is that of the noise that x starts as.
const searchStep = 1

// estimate builds the image that a run starts from: for an operator that is not linear its own.
func (b *Builder) estimate(lambda *Node) *Node {
	if b.operator.Linear() {
		return smoothEstimate(b, lambda)
	}
	return b.operator.(operator.Estimator).Estimate(b.data, b.Y())
}

// autoSame is the start for y = x0 + noise: y itself, which is x at the noise level sigma_y.
var autoSame = Stage{
	Name:  "auto start same",
	First: true,
	Build: func(b *Builder) { b.SetState(StateX, b.Y()) },
}

// smoothEstimate builds the minimiser. Every image stops where its residual has fallen to rounding.
func smoothEstimate(b *Builder, lambda *Node) *Node {
	adjoint := func(v *Node) *Node { return operator.Adjoint(b.operator, b.data, v) }
	// (A^T A + lambda grad^T grad) x is half the gradient of the sum without y.
	return operator.ConjugateGradients(func(x *Node) *Node {
		return graph.Add(adjoint(b.Apply(x)), graph.Mul(lambda, roughness(x)))
	}, adjoint(b.Y()), estimateSteps, 1e-12)
}

// roughness is grad^T grad x: along each axis twice a pixel less its two neighbours, the edge's being itself.
func roughness(x *Node) *Node {
	sum := graph.MulScalar(x, 4)
	for axis := 1; axis <= 2; axis++ {
		part := func(from, to int) *Node { return graph.SliceAxis(x, axis, graph.AxisRange(from, to)) }
		n := x.Shape().Dimensions[axis]
		if n == 1 {
			sum = graph.Sub(sum, graph.MulScalar(x, 2))
			continue
		}
		before := graph.Concatenate([]*Node{part(0, 1), part(0, n-1)}, axis)
		after := graph.Concatenate([]*Node{part(1, n), part(n-1, n)}, axis)
		sum = graph.Sub(sum, graph.Add(before, after))
	}
	return sum
}
