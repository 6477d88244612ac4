package sampler

import (
	"github.com/gomlx/gomlx/pkg/core/graph"

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
	estimateNoise  = 0.3 // noise on the estimate at the start, in units of the first level
)

// autoStart is the start: x is noise of the first level before it.
var autoStart = Stage{
	Name: "auto start", State: []string{StateX}, Scalars: []string{"lambda", "noise"}, First: true,
	Build: func(b *Builder) {
		estimate := b.estimate(b.Scalar("lambda"))
		b.SetState(StateX0hat, estimate)
		b.SetState(StateX, graph.Add(estimate, graph.Mul(b.Scalar("noise"), b.State(StateX))))
	},
}

// hasEstimate says whether the measurement gives an estimate to start from.
func hasEstimate(op operator.Operator) bool {
	_, ok := op.(operator.Estimator)
	return ok || op.Linear()
}

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
	// normal is (A^T A + lambda grad^T grad) x, half the gradient of the sum without y.
	normal := func(x *Node) *Node {
		return graph.Add(adjoint(b.Apply(x)), graph.Mul(lambda, roughness(x)))
	}
	x := graph.ZerosLike(b.State(StateX))
	r := adjoint(b.Y())
	p, rr := r, dot(r, r)
	floor := graph.AddScalar(graph.MulScalar(rr, 1e-12), 1e-30)
	for range estimateSteps {
		hp := normal(p)
		going := graph.ConvertDType(graph.GreaterThan(rr, floor), rr.DType())
		share := func(a, b *Node) *Node { return graph.Mul(going, graph.Div(a, graph.MaxScalar(b, 1e-30))) }
		alpha := perImage(share(rr, dot(p, hp)))
		x = graph.Add(x, graph.Mul(alpha, p))
		r = graph.Sub(r, graph.Mul(alpha, hp))
		next := dot(r, r)
		p = graph.Add(r, graph.Mul(perImage(share(next, rr)), p))
		rr = next
	}
	return x
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
