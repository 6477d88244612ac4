package sampler

import "github.com/gomlx/gomlx/pkg/core/graph"

// autoAgree ends a run with AutoStep for a linear operator: it brings the result to y as far as it is further
// from y than the noise explains. Errors of x of variance s^2, the same everywhere, leave the residual
//
//	||y - A x||^2 / m = s^2 lambda + sigma_y^2,
//
// m the number of entries of y that an image can influence and lambda the largest eigenvalue of A A^T, so that
// s^2 is at least what this gives. The mean of x0 given such an x and y is
//
//	x + s^2 A^T (s^2 A A^T + sigma_y^2 I)^-1 (y - A x).
//
// Where the residual is that of the noise, s^2 is 0 and x stays. It is what keeps the pixels that
// inpainting knows.
var autoAgree = Stage{
	Name: "auto agree", State: []string{StateX}, Scalars: []string{"noise", "entries", "largest"}, Inverse: true,
	Fresh: shared, Spent: []string{mean},
	Build: func(b *Builder) {
		x, noise := b.State(StateX), b.atLeast("noise")
		if noise.Rank() > 0 {
			noise = graph.Reshape(noise, noise.Shape().Dimensions[0])
		}
		excess := graph.Sub(graph.Div(b.misfit(x), b.Scalar("entries")), noise)
		spread := graph.Div(graph.MaxScalar(excess, 0), b.Scalar("largest"))
		some := graph.ConvertDType(graph.GreaterThan(spread, graph.ZerosLike(spread)), x.DType())
		rho := perImage(graph.Div(noise, graph.MaxScalar(spread, 1e-20)))
		step := b.Inverse().Prox(b.Y(), x, rho)
		b.SetState(StateX, graph.Add(x, graph.Mul(perImage(some), graph.Sub(step, x))))
	},
}
