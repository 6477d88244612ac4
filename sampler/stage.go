package sampler

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/gomlx/gomlx/pkg/core/graph"

	"github.com/seed-0f004ec9/spgd/operator"
	"github.com/seed-0f004ec9/spgd/prior"
)

// Node is a value in the graph of a stage.
type Node = graph.Node

// The names of the state tensors that every sampler has.
const (
	StateX     = "x"     // the iterate, x0 plus noise of the current level
	StateX0hat = "x0hat" // the latest estimate of the clean image
)

// Cost counts evaluations of the denoiser.
type Cost struct {
	Forwards int `json:"forwards"` // evaluations alone
	VJPs     int `json:"vjps"`     // evaluations with a vector-Jacobian product
}

// Work weighs the evaluations by what they take: 1 for a forward, 3 for a forward with its VJP.
func (c Cost) Work() float64 { return float64(c.Forwards + 3*c.VJPs) }

// NFE is the number of network function evaluations, with or without a VJP.
func (c Cost) NFE() int { return c.Forwards + c.VJPs }

func (c Cost) minus(o Cost) Cost { return Cost{c.Forwards - o.Forwards, c.VJPs - o.VJPs} }

func (c Cost) times(n int) Cost { return Cost{c.Forwards * n, c.VJPs * n} }

// share is the n-th part.
func (c Cost) share(n int) Cost { return Cost{c.Forwards / n, c.VJPs / n} }

func (c Cost) plus(o Cost) Cost { return Cost{c.Forwards + o.Forwards, c.VJPs + o.VJPs} }

// Stage is one program of a sampler. It is compiled once for a driver and batch size, so what
// changes from run to run of a stage has to be a scalar input.
type Stage struct {
	// Name says which stage this is, unique within its sampler. The driver keeps compiled stages
	// under the sampler's and the stage's name: equal names have to mean equal graphs.
	Name string
	// State are the state tensors that the stage reads.
	State []string
	// Scalars are its numeric inputs, float32 scalars in the graph.
	Scalars []string
	// Noise and MeasurementNoise are inputs of standard normal numbers, in the shape of x and of y.
	// The driver draws them anew for every run, from the streams of the images and the outer step.
	Noise, MeasurementNoise []string
	// Inverse says that the stage uses the operator's inverse, see Builder.Inverse.
	Inverse bool
	// First says that a run begins with the stage, if it runs it at all, and that it reads no state but x: the rest
	// is made after it, and its memory serves the stage.
	First bool
	// Fresh lists state tensors that hold nothing of use when the stage runs: what it reads of them counts as zero. Spent
	// lists those that nobody reads after it, whatever it writes. A driver with tiles, for which every tensor of the size
	// of an image counts, has no memory for either; without tiles both are there, and mean nothing.
	Fresh, Spent []string
	// Cost is what one run of it costs.
	Cost   Cost
	filter func(b *Builder, g *Node) *Node // of likelihood gradients, or nil: see DiffStateGrad
	// of is the name of the stage that this one is but for Fresh and Spent, if it is.
	of string
	// Build builds the graph. Errors are raised as panics, as GoMLX does.
	Build func(b *Builder)
}

// label names the stage, without regard to where in a step it runs.
func (st Stage) label() string { return cmp.Or(st.of, st.Name) }

// part is the stage as the j-th of n runs on end: the first finds nothing in the state that they share, and the last
// leaves nothing there; what is for later stages only the last leaves behind.
func (st Stage) part(j, n int, shared, later []string) Stage {
	st.of = cmp.Or(st.of, st.Name)
	first, last := j == 0, j == n-1
	switch {
	case first && last:
		st.Name += ", alone"
	case first:
		st.Name += ", first"
	case last:
		st.Name += ", last"
	}
	if first {
		st.Fresh = shared
	}
	if st.Spent = later; last {
		st.Spent = shared
	}
	return st
}

// parts are the different ones of n runs on end.
func (st Stage) parts(n int, shared, later []string) (list []Stage) {
	for j := range n {
		if j < 2 || j == n-1 { // those in between are the same
			list = append(list, st.part(j, n, shared, later))
		}
	}
	return list
}

// Builder is what a stage's Build function sees: its inputs, the problem's denoiser and
// operator as graph functions, and the places to put its results.
type Builder struct {
	denoiser prior.Denoiser
	operator operator.Operator

	state, scalars, noise map[string]*Node
	weights, data, own    []*Node
	y                     *Node
	inverse               *operator.Inverse
	filter                func(b *Builder, g *Node) *Node // of likelihood gradients, or nil
	cuts                  *cuts                           // where the denoiser is left out of the graph, or nil
	spared                spared
	spent                 []string // state that is not written

	written  []string
	writes   []*Node
	reported []string
	reports  []*Node

	estimates, gradients []change // what Denoise and Gradient have made of which x, for Probe
}

// change is a value with what it was made of.
type change struct{ x, value *Node }

// State returns a state tensor, [N,H,W,C]. One that the run does without is zero, see Sparing.
func (b *Builder) State(name string) *Node { return input(b.state, "state", name) }

// Scalar returns a numeric input, a float32 scalar.
func (b *Builder) Scalar(name string) *Node { return input(b.scalars, "scalar", name) }

// Noise returns an input of standard normal numbers, [N,H,W,C] or, if the stage declares it as
// MeasurementNoise, [N,h,w,c].
func (b *Builder) Noise(name string) *Node { return input(b.noise, "noise", name) }

// Y returns the measurements, [N,h,w,c].
func (b *Builder) Y() *Node { return b.y }

// Apply returns A(x), [N,h,w,c], for x of [N,H,W,C].
func (b *Builder) Apply(x *Node) *Node { return b.operator.Apply(b.data, x) }

// Inverse returns the inverse of the operator, for stages that say so. The driver refuses operators
// that have none before a stage is built.
func (b *Builder) Inverse() *operator.BoundInverse { return b.inverse.Bind(b.data, b.own) }

// Gradient returns the gradient of a loss per image, [N], with respect to a state tensor x. It is
// the place where a filter such as DiffStateGrad works.
func (b *Builder) Gradient(loss, x *Node) *Node {
	loss = graph.ReduceAllSum(loss)
	var g *Node
	if b.cuts != nil {
		g = b.cuts.gradient(loss, x)
	} else {
		g = graph.Gradient(loss, x)[0]
	}
	if b.filter != nil {
		g = b.filter(b, g)
	}
	b.gradients = append(b.gradients, change{x, g})
	return g
}

func input(from map[string]*Node, kind, name string) *Node {
	n, ok := from[name]
	if !ok {
		panic(fmt.Errorf("sampler: stage reads %s %q without declaring it", kind, name))
	}
	return n
}

// Denoise returns x0hat = D(x; sigma) for x of [N,H,W,C] and a scalar sigma.
func (b *Builder) Denoise(x, sigma *Node) *Node {
	var x0hat *Node
	if b.cuts != nil {
		x0hat = b.cuts.denoise(x, sigma)
	} else {
		n := x.Shape().Dimensions[0]
		x0hat = b.denoiser.Denoise(b.weights, x, graph.BroadcastToDims(sigma, n))
	}
	b.estimates = append(b.estimates, change{x, x0hat})
	return x0hat
}

// SquaredResidual returns ||A(x0hat) - y||^2 of every image, [N], for x0hat of [N,H,W,C].
func (b *Builder) SquaredResidual(x0hat *Node) *Node {
	r := graph.Sub(b.Apply(x0hat), b.y)
	return dot(r, r)
}

// Hold returns a value that Denoise and Gradient leave alone. Where tiles cut the graph there, what comes after
// does not compute the value again, nor does it need what that was computed of. It must not be on the way of a gradient.
func (b *Builder) Hold(value *Node) *Node {
	if b.cuts == nil {
		return value
	}
	return b.cuts.hold(value)
}

// SetState gives a state tensor its new value, [N,H,W,C].
func (b *Builder) SetState(name string, value *Node) {
	if b.spared.state[name] || slices.Contains(b.spent, name) {
		return
	}
	b.written = append(b.written, name)
	b.writes = append(b.writes, value)
}

// Report returns a number per image, [N], to the sampler's Step. The driver holds a report that
// is not finite for divergence.
func (b *Builder) Report(name string, value *Node) {
	if b.spared.reports[name] {
		return
	}
	b.reported = append(b.reported, name)
	b.reports = append(b.reports, value)
}

// dot returns the inner product of two tensors for every image, [N].
func dot(a, b *Node) *Node { return graph.ReduceSum(graph.Mul(a, b), 1, 2, 3) }

// norm returns the Euclidean norm of every image, [N].
func norm(a *Node) *Node { return graph.Sqrt(dot(a, a)) }

// tinyNorm keeps cosines of vanishing vectors finite: the cosine with a zero vector is 0.
const tinyNorm = 1e-8

// cosine returns the cosine of the angle between two tensors for every image, [N].
func cosine(a, b *Node) *Node {
	den := graph.Mul(graph.MaxScalar(norm(a), tinyNorm), graph.MaxScalar(norm(b), tinyNorm))
	return graph.Div(dot(a, b), den)
}

// pixelCosine returns, for every image, the mean over its pixels of the cosine of the angle
// between the channel vectors of a and b, [N].
func pixelCosine(a, b *Node) *Node {
	channels := func(a, b *Node) *Node { return graph.ReduceSum(graph.Mul(a, b), 3) }
	length := func(a *Node) *Node { return graph.MaxScalar(graph.Sqrt(channels(a, a)), tinyNorm) }
	c := graph.Div(channels(a, b), graph.Mul(length(a), length(b)))
	return graph.ReduceMean(c, 1, 2)
}

// perImage gives a number per image, [N], the shape [N,1,1,1], which broadcasts against images.
func perImage(v *Node) *Node { return graph.Reshape(v, v.Shape().Dimensions[0], 1, 1, 1) }
