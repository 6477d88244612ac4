package engine

import (
	"slices"

	"github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/shapes"

	"github.com/seed-0f004ec9/spgd/engine/xla"
)

// Room is the memory of the accelerator that nobody has taken, in bytes. It is not known where the driver does not
// say, and of this program's CPU backend, see Program.Memory.
func (e *Engine) Room() (bytes int, known bool) {
	if e.accelerator == nil {
		return 0, false
	}
	return e.accelerator.Room()
}

// Estimate is about the memory in bytes that a program takes on an accelerator beside its inputs, as its graph
// tells: XLA says it only of what it has compiled, which takes minutes. It is the most that is alive at a time of
// the values that no fusion keeps from being stored: results of convolutions, products, sums, concatenations and
// Fourier transforms, what these read, and what several read. Fusions that compute a value again for each reader take
// less. With bf16 what convolutions between feature maps read and make has two bytes, see xla.Narrow.
func (e *Engine) Estimate(name string, inputs []shapes.Shape, build func(in []*graph.Node) []*graph.Node) (bytes int, err error) {
	err = e.Trace(name, inputs, func(in []*graph.Node) { bytes = estimated(build(in), e.Precision() == xla.PrecisionBF16) })
	return bytes, err
}

// estimated is the memory of a program with the given outputs.
func estimated(outputs []*graph.Node, bf16 bool) int {
	c := census{bf16: bf16, values: map[*graph.Node]*value{}, rounded: map[*value]*value{}}
	return c.aliveAtOnce(outputs)
}

// value is a value of a program.
type value struct {
	in, readers []*value
	bytes       int
	role        role
	output      bool
	place, last int // in the order of computation: its own, and that of the last operation that reads it, itself or through others that are not stored
	stored      bool
}

// role says what a value means for memory.
type role int

const (
	point  role = iota // computed element by element, where it is read
	view               // another value's elements, moved or repeated, or what is there before the program
	sum                // stored
	reader             // stored, as is what it reads
)

// roleOf is the role of what an operation makes.
func roleOf(t graph.NodeType) role {
	switch t {
	case graph.NodeTypeConvGeneral, graph.NodeTypeDot, graph.NodeTypeDotGeneral, graph.NodeTypeFFT, graph.NodeTypeReduceWindow, graph.NodeTypeScatterSum:
		return reader
	case graph.NodeTypeConcatenate, graph.NodeTypeReduceSum, graph.NodeTypeReduceMax:
		return sum
	case graph.NodeTypeIdentity, graph.NodeTypeReshape, graph.NodeTypeTranspose, graph.NodeTypeSlice, graph.NodeTypeReverse, graph.NodeTypeBroadcastInDim,
		graph.NodeTypeParameter, graph.NodeTypeConstant:
		return view
	}
	return point
}

// census lists the values of a program in the order of computation.
type census struct {
	bf16    bool
	order   []*value
	values  map[*graph.Node]*value
	rounded map[*value]*value // to bfloat16
}

// add appends a value.
func (c *census) add(role role, bytes int, in ...*value) *value {
	v := &value{in: in, bytes: bytes, role: role, place: len(c.order)}
	for _, x := range in {
		x.readers = append(x.readers, v)
	}
	c.order = append(c.order, v)
	return v
}

// take appends what a node makes, whose inputs are there.
func (c *census) take(n *graph.Node) {
	bytes, in := int(n.Shape().Memory()), []*value(nil)
	for _, x := range n.Inputs() {
		in = append(in, c.values[x])
	}
	if !c.bf16 || n.Type() != graph.NodeTypeConvGeneral || !xla.Narrows(n.Inputs()[1].Shape()) {
		c.values[n] = c.add(roleOf(n.Type()), bytes, in...)
		return
	}
	kernel := in[1]
	if n.Inputs()[1].Type() == graph.NodeTypeReverse { // which is rounded before
		kernel = c.add(view, kernel.bytes/2, c.round(kernel.in[0]))
	} else {
		kernel = c.round(kernel)
	}
	y := c.add(reader, bytes/2, c.round(in[0]), kernel)
	wide := c.add(view, bytes, y) // where it is read
	c.values[n], c.rounded[wide] = wide, y
}

// round returns what is rounded of a value, which is made once.
func (c *census) round(v *value) *value {
	if c.rounded[v] == nil {
		c.rounded[v] = c.add(point, v.bytes/2, v)
	}
	return c.rounded[v]
}

// list lists all that outputs are computed of, in the order in which the graph was built.
func (c *census) list(outputs []*graph.Node) {
	seen, nodes := map[*graph.Node]bool{}, []*graph.Node(nil)
	var visit func(n *graph.Node)
	visit = func(n *graph.Node) {
		if seen[n] {
			return
		}
		seen[n] = true
		nodes = append(nodes, n)
		for _, in := range n.Inputs() {
			visit(in)
		}
	}
	for _, n := range outputs {
		visit(n)
	}
	slices.SortFunc(nodes, func(a, b *graph.Node) int { return int(a.Id()) - int(b.Id()) })
	for _, n := range nodes {
		c.take(n)
	}
	for _, n := range outputs {
		c.values[n].output = true
	}
}

// aliveAtOnce is the most bytes of stored values that are alive at a time while outputs are computed.
func (c *census) aliveAtOnce(outputs []*graph.Node) int {
	c.list(outputs)
	for _, v := range slices.Backward(c.order) {
		v.stored = v.stored || v.role == reader || v.role == sum || len(v.readers) > 1 || v.output
		for _, in := range v.in {
			in.stored = in.stored || v.role == reader || v.stored && v.role == view
		}
		if v.role == view {
			v.stored = v.output
		}
	}
	const never = -1
	for _, v := range slices.Backward(c.order) {
		v.last = never
		for _, r := range v.readers {
			at := r.place
			if !r.stored {
				at = max(at, r.last)
			}
			v.last = max(v.last, at)
		}
		if v.output {
			v.last = len(c.order)
		}
	}
	ends := make([]int, len(c.order)+1) // bytes that end after a place
	now, most := 0, 0
	for i, v := range c.order {
		if v.stored {
			now += v.bytes
			ends[max(i, v.last)] += v.bytes
			most = max(most, now)
		}
		now -= ends[i]
	}
	return most
}
