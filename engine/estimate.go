package engine

import (
	"slices"

	"github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/shapes"
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
// less, and bfloat16 half.
func (e *Engine) Estimate(name string, inputs []shapes.Shape, build func(in []*graph.Node) []*graph.Node) (bytes int, err error) {
	err = e.Trace(name, inputs, func(in []*graph.Node) { bytes = aliveAtOnce(build(in)) })
	return bytes, err
}

// reads says whether an operation reads arrays: what it is computed from has been stored.
func reads(t graph.NodeType) bool {
	switch t {
	case graph.NodeTypeConvGeneral, graph.NodeTypeDot, graph.NodeTypeDotGeneral, graph.NodeTypeFFT, graph.NodeTypeReduceWindow, graph.NodeTypeScatterSum:
		return true
	}
	return false
}

// moves says whether an operation only moves elements, or makes more of the same.
func moves(t graph.NodeType) bool {
	switch t {
	case graph.NodeTypeIdentity, graph.NodeTypeReshape, graph.NodeTypeTranspose, graph.NodeTypeSlice, graph.NodeTypeReverse, graph.NodeTypeBroadcastInDim:
		return true
	}
	return false
}

// aliveAtOnce is the most bytes of stored values that are alive at a time while outputs are computed in the order in
// which the graph was built.
func aliveAtOnce(outputs []*graph.Node) int {
	readers := map[*graph.Node][]*graph.Node{}
	var order []*graph.Node
	var visit func(n *graph.Node)
	visit = func(n *graph.Node) {
		if _, seen := readers[n]; seen {
			return
		}
		readers[n] = nil
		order = append(order, n)
		for _, in := range n.Inputs() {
			visit(in)
		}
	}
	for _, n := range outputs {
		visit(n)
	}
	slices.SortFunc(order, func(a, b *graph.Node) int { return int(a.Id()) - int(b.Id()) })
	place, stored := map[*graph.Node]int{}, map[*graph.Node]bool{}
	for i, n := range order {
		place[n] = i
		for _, in := range n.Inputs() {
			readers[in] = append(readers[in], n)
		}
	}
	for _, n := range slices.Backward(order) {
		stored[n] = stored[n] || reads(n.Type()) || n.Type() == graph.NodeTypeConcatenate || n.Type() == graph.NodeTypeReduceSum ||
			n.Type() == graph.NodeTypeReduceMax || len(readers[n]) > 1 || slices.Contains(outputs, n)
		for _, in := range n.Inputs() {
			stored[in] = stored[in] || reads(n.Type()) || stored[n] && moves(n.Type())
		}
		if moves(n.Type()) || n.Type() == graph.NodeTypeParameter || n.Type() == graph.NodeTypeConstant {
			stored[n] = slices.Contains(outputs, n)
		}
	}
	const never = -1
	// last is the place of the last operation that reads a value, itself or through others that are not stored.
	last := map[*graph.Node]int{}
	for _, n := range slices.Backward(order) {
		last[n] = never
		for _, r := range readers[n] {
			at := place[r]
			if !stored[r] {
				at = max(at, last[r])
			}
			last[n] = max(last[n], at)
		}
		if slices.Contains(outputs, n) {
			last[n] = len(order)
		}
	}
	ends := make([]int, len(order)+1) // bytes that end after a place
	now, most := 0, 0
	for i, n := range order {
		if stored[n] {
			bytes := int(n.Shape().Memory())
			now += bytes
			ends[max(i, last[n])] += bytes
			most = max(most, now)
		}
		now -= ends[i]
	}
	return most
}
