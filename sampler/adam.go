package sampler

import (
	"math"

	"github.com/gomlx/gomlx/pkg/core/graph"
)

// Names of Adam's state tensors and scalars (Kingma and Ba, arXiv 1412.6980).
const (
	firstMoment  = "first moment"
	secondMoment = "second moment"
)

var (
	adamState   = []string{firstMoment, secondMoment}
	adamScalars = []string{"beta1", "beta2", "unbias1", "unbias2", "again"}
)

// adamEpsilon keeps the division finite where there has been no gradient.
const adamEpsilon = 1e-8

// adamInputs are the scalars of step t, from 1.
func adamInputs(beta1, beta2 float64, t int) Scalars {
	return Scalars{
		"beta1": beta1, "beta2": beta2, "again": one(t > 1),
		"unbias1": 1 / (1 - math.Pow(beta1, float64(t))), "unbias2": 1 / (1 - math.Pow(beta2, float64(t))),
	}
}

// adam takes a gradient into the moments and builds the direction, of about unit size, to step
// against. At t = 1 the moments before count as 0.
func adam(b *Builder, g *Node) *Node {
	average := func(moment string, beta, v *Node) *Node {
		m := graph.Add(graph.Mul(graph.Mul(beta, b.Scalar("again")), b.State(moment)), graph.Mul(graph.OneMinus(beta), v))
		b.SetState(moment, m)
		return m
	}
	first := average(firstMoment, b.Scalar("beta1"), g)
	second := average(secondMoment, b.Scalar("beta2"), graph.Mul(g, g))
	size := graph.Sqrt(graph.Mul(second, b.Scalar("unbias2")))
	return graph.Div(graph.Mul(first, b.Scalar("unbias1")), graph.AddScalar(size, adamEpsilon))
}
