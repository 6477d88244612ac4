package operator

import (
	"math"

	"github.com/gomlx/gomlx/pkg/core/graph"
)

// Derivative is the derivative A' of an operator at images x, in a graph. A' of a linear operator is
// the operator itself.
type Derivative struct {
	op    Operator
	data  []*graph.Node
	x, ax *graph.Node
}

// NewDerivative returns the derivative of op at x, [N,H,W,3], in a graph in which data are the parameters
// for the operator's Data.
func NewDerivative(op Operator, data []*graph.Node, x *graph.Node) *Derivative {
	x = graph.Identity(graph.StopGradient(x)) // GoMLX has no gradient with respect to a StopGradient itself
	return &Derivative{op, data, x, op.Apply(data, x)}
}

// Adjoint builds A'^T v for v of [N,h,w,c], by autodiff.
func (d *Derivative) Adjoint(v *graph.Node) *graph.Node {
	return graph.Gradient(graph.ReduceAllSum(graph.Mul(d.ax, graph.StopGradient(v))), d.x)[0]
}

// differenceStep is the root mean square of the step that differences are taken over.
const differenceStep = 0.01

// Apply builds A' w for w of [N,H,W,3], by central differences where the operator is not linear: reverse
// mode twice would ask for gradients of gradients, which GoMLX lacks for slices and convolutions.
func (d *Derivative) Apply(w *graph.Node) *graph.Node {
	if d.op.Linear() {
		return d.op.Apply(d.data, w)
	}
	length := graph.Sqrt(graph.ReduceAndKeep(graph.Mul(w, w), graph.ReduceMean, 1, 2, 3))
	unit := graph.Div(w, graph.MaxScalar(length, math.SmallestNonzeroFloat32))
	ahead := d.op.Apply(d.data, graph.Add(d.x, graph.MulScalar(unit, differenceStep)))
	behind := d.op.Apply(d.data, graph.Sub(d.x, graph.MulScalar(unit, differenceStep)))
	return graph.Mul(graph.Sub(ahead, behind), graph.MulScalar(length, 1/(2*differenceStep)))
}

// SolveNormal builds (A'^T A' + rho I)^-1 A'^T y for y of [N,h,w,c] and rho > 0 as of Solve, by a number of
// steps of conjugate gradients: the step from x that explains y best if steps cost rho of their squared length.
func (d *Derivative) SolveNormal(y, rho *graph.Node, steps int) *graph.Node {
	return ConjugateGradients(func(p *graph.Node) *graph.Node {
		return graph.Add(d.Adjoint(d.Apply(p)), graph.Mul(rho, p))
	}, d.Adjoint(y), steps, 1e-13)
}
