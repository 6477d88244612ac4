package sampler

import (
	"math"

	"github.com/gomlx/gomlx/pkg/core/graph"

	"github.com/seed-0f004ec9/spgd/operator"
)

// The methods of the variance-preserving papers step from x at noise level sigma to the next level by
// DDIM (arXiv 2010.02502),
//
//	x' = x0 + sqrt(next^2 - s^2) e + s z,   e = (x - x0hat) / sigma,   s = eta next sqrt(1 - next^2/sigma^2)
//
// in the variance-exploding state: the paper's step divided by sqrt(alpha_bar'). x0 is the method's
// estimate, which may differ from x0hat = D(x; sigma). eta = 1 is ancestral sampling with the
// posterior's variance.

// ddimScalars are what ddimTo reads beside the noise "z".
var ddimScalars = []string{"sigma", "direction", "noise"}

// ddim returns these scalars.
func ddim(sigma, next, eta float64) Scalars {
	s := eta * next * math.Sqrt(1-next*next/(sigma*sigma))
	return Scalars{"sigma": sigma, "direction": math.Sqrt(next*next-s*s) / sigma, "noise": s}
}

// ddimTo builds x' from the estimate x0.
func ddimTo(b *Builder, x0, x, x0hat *Node) *Node {
	return graph.Add(ddimMean(b, x0, x, x0hat), graph.Mul(b.Scalar("noise"), b.Noise("z")))
}

// ddimMean builds x' without noise.
func ddimMean(b *Builder, x0, x, x0hat *Node) *Node {
	return graph.Add(x0, graph.Mul(b.Scalar("direction"), graph.Sub(x, x0hat)))
}

// misfit returns ||A(x) - y||^2 of every image, [N], over the entries of y that an image can
// influence: not the dropped pixels of a mask, which hold noise or anything else.
func (b *Builder) misfit(x *Node) *Node {
	r := graph.Sub(b.Apply(x), b.y)
	if m, ok := b.operator.(*operator.Inpaint); ok {
		r = m.Apply(b.data, r)
	}
	return dot(r, r)
}

// root returns the square root of numbers [N] with a finite gradient at 0.
func root(v *Node) *Node { return graph.Sqrt(graph.MaxScalar(v, 1e-20)) }

// clipped limits an estimate to [-bound, bound], with the scalar input "bound": see clipBound.
func clipped(b *Builder, x0hat *Node) *Node {
	bound := b.Scalar("bound")
	return graph.Min(graph.Max(x0hat, graph.Neg(bound)), bound)
}

// clipBound is 1, the range of images, or for no limit a number that no estimate reaches.
func clipBound(clip bool) float64 {
	if clip {
		return 1
	}
	return 1e30
}

// imageScale is sqrt(n / (256*256*3)) for images of n values. The steps of methods that take
// gradients of a norm, not of its square, have a length of their own, published for images of
// 256x256; those of an image grow with the square root of its size.
func imageScale(op operator.Operator) float64 {
	h, w := op.ImageSize()
	return math.Sqrt(float64(h*w) / (256 * 256))
}

// vpRatio is sqrt((1+sigma^2)(1+next^2)) = 1/sqrt(alpha_bar alpha_bar'): what a step of length 1
// along a gradient with respect to the variance-preserving state comes to in x.
func vpRatio(sigma, next float64) float64 {
	return math.Sqrt((1 + sigma*sigma) * (1 + next*next))
}

// pinvScale is the smallest regularisation of A A^T, relative to the noise's: with it no inverse
// amplifies what a pseudo-inverse would not, see operator.Cutoff.
func pinvScale(op operator.Operator) float64 {
	return operator.Cutoff * operator.Cutoff / 9 * largest(op)
}

// largest is the largest eigenvalue of A^T A, or for an operator that is not linear of its derivative's.
func largest(op operator.Operator) float64 { return operator.NormSquared(op) }
