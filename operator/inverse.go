package operator

import (
	"errors"
	"fmt"

	"github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/shapes"
	"github.com/gomlx/gomlx/pkg/core/tensors"
)

// ErrNonlinear reports an operator without an inverse of the kind asked for, because it is not a
// linear map.
var ErrNonlinear = errors.New("not a linear operator")

// Inverse builds what restoration methods ask of a linear operator beside A itself: adjoint,
// pseudo-inverse, the solution of regularised normal equations and the proximal map. They are closed
// forms where the operator has Factors; otherwise the adjoint comes from autodiff and solutions from
// conjugate gradients.
type Inverse struct {
	op      Operator
	factors Factors // or nil
}

// NewInverse returns the inverse of a linear operator. Other operators are an ErrNonlinear.
func NewInverse(op Operator) (*Inverse, error) {
	if !op.Linear() {
		return nil, fmt.Errorf("operator: %s has no pseudo-inverse: %w", op.Name(), ErrNonlinear)
	}
	v := &Inverse{op: op}
	if d, ok := op.(Decomposer); ok {
		if f, ok := d.Decompose(); ok {
			v.factors = f
		}
	}
	return v, nil
}

// Factored says whether the inverse is a closed form.
func (v *Inverse) Factored() bool { return v.factors != nil }

// Data are arrays that programs take as inputs beside those of the operator.
func (v *Inverse) Data() []*tensors.Tensor {
	if v.factors == nil {
		return nil
	}
	return v.factors.Data()
}

// Bind returns the inverse in a graph in which data are the parameters for the operator's Data and
// own those for Inverse.Data.
func (v *Inverse) Bind(data, own []*graph.Node) *BoundInverse { return &BoundInverse{v, data, own} }

// BoundInverse is an Inverse in a graph. Measurements y are [N,h,w,c], images z [N,H,W,3].
type BoundInverse struct {
	*Inverse
	data, own []*graph.Node
}

// Adjoint builds A^T y.
func (v *BoundInverse) Adjoint(y *graph.Node) *graph.Node { return Adjoint(v.op, v.data, y) }

// Adjoint builds A^T y of a linear operator, by autodiff, for y of [N,h,w,c] and the operator's data as in Apply.
func Adjoint(op Operator, data []*graph.Node, y *graph.Node) *graph.Node {
	h, w := op.ImageSize()
	x := graph.Zeros(y.Graph(), shapes.Make(y.DType(), y.Shape().Dimensions[0], h, w, imageChannels))
	return graph.Gradient(graph.ReduceAllSum(graph.Mul(op.Apply(data, x), graph.StopGradient(y))), x)[0]
}

// Solve builds (A A^T + rho I)^-1 y for rho > 0, a scalar or a number per image, [N,1,1,1].
func (v *BoundInverse) Solve(y, rho *graph.Node) *graph.Node {
	if v.factors == nil {
		return ConjugateGradients(func(p *graph.Node) *graph.Node {
			return graph.Add(v.op.Apply(v.data, v.Adjoint(p)), graph.Mul(rho, p))
		}, y, cgSteps, 1e-13)
	}
	s, _ := v.factors.Values(v.own)
	c := graph.Div(v.factors.Left(v.own, y), graph.Add(graph.Mul(s, s), rho))
	return v.factors.LeftBack(v.own, c)
}

// PseudoInverse builds A^+ y, without the singular values below Cutoff times the largest. Without
// Factors these are damped instead: it is A^T (A A^T + (Cutoff/3)^2 lambda I)^-1 y, lambda being its
// NormSquared.
func (v *BoundInverse) PseudoInverse(y *graph.Node) *graph.Node {
	if v.factors == nil {
		return v.Adjoint(v.Solve(y, graph.Scalar(y.Graph(), y.DType(), Cutoff*Cutoff/9*NormSquared(v.op))))
	}
	_, inverse := v.factors.Values(v.own)
	return v.factors.RightBack(v.own, graph.Mul(inverse, v.factors.Left(v.own, y)))
}

// Prox builds the minimiser of ||y - A x||^2 + rho ||x - z||^2 over x, for rho > 0 as of Solve:
// z + A^T (A A^T + rho I)^-1 (y - A z).
func (v *BoundInverse) Prox(y, z, rho *graph.Node) *graph.Node {
	return graph.Add(z, v.Adjoint(v.Solve(graph.Sub(y, v.op.Apply(v.data, z)), rho)))
}

// Spectrum returns the decomposition bound to the graph. It panics unless Factored.
func (v *BoundInverse) Spectrum() Spectrum {
	if v.factors == nil {
		panic(fmt.Errorf("operator: %s has no cheap singular value decomposition", v.op.Name()))
	}
	return Spectrum{v.factors, v.own}
}

// Spectrum is a Factors in a graph.
type Spectrum struct {
	factors Factors
	data    []*graph.Node
}

// Values are the singular values, and their inverses above the Cutoff.
func (s Spectrum) Values() (values, inverse *graph.Node) { return s.factors.Values(s.data) }

// Left builds U^T y.
func (s Spectrum) Left(y *graph.Node) *graph.Node { return s.factors.Left(s.data, y) }

// Right builds V^T x.
func (s Spectrum) Right(x *graph.Node) *graph.Node { return s.factors.Right(s.data, x) }

// RightBack builds V c.
func (s Spectrum) RightBack(c *graph.Node) *graph.Node { return s.factors.RightBack(s.data, c) }

// cgSteps is the number of conjugate-gradient steps for a linear operator. Numbers of steps are fixed, so
// that an image's result does not depend on the others of its batch.
const cgSteps = 30

// ConjugateGradients builds the solution of m x = b, b of [N,h,w,c], for a symmetric positive definite map m by a number
// of steps, image by image (Hestenes and Stiefel, 1952). An image stops where its squared residual has fallen to a part
// of b's.
func ConjugateGradients(m func(*graph.Node) *graph.Node, b *graph.Node, steps int, part float64) *graph.Node {
	dot := func(a, b *graph.Node) *graph.Node {
		return graph.InsertAxes(graph.ReduceSum(graph.Mul(a, b), 1, 2, 3), -1, -1, -1)
	}
	x, r, p := graph.ZerosLike(b), b, b
	rr := dot(r, r)
	floor := graph.AddScalar(graph.MulScalar(rr, part), 1e-30)
	for range steps {
		mp := m(p)
		going := graph.GreaterThan(rr, floor)
		zero := graph.ZerosLike(rr)
		alpha := graph.Where(going, graph.Div(rr, graph.MaxScalar(dot(p, mp), 1e-30)), zero)
		x = graph.Add(x, graph.Mul(alpha, p))
		r = graph.Sub(r, graph.Mul(alpha, mp))
		next := dot(r, r)
		beta := graph.Where(going, graph.Div(next, graph.MaxScalar(rr, 1e-30)), zero)
		p = graph.Add(r, graph.Mul(beta, p))
		rr = graph.Where(going, next, rr)
	}
	return x
}
