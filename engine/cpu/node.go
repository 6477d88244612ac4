package cpu

import (
	"github.com/gomlx/gomlx/backends"
	"github.com/gomlx/gomlx/pkg/core/shapes"
)

// node is one operation of a graph under construction. Nodes are created after their inputs,
// so their order in the builder is a topological order.
type node struct {
	builder *Builder
	id      int // index in builder.nodes
	op      backends.OpType
	shape   shapes.Shape
	inputs  []*node

	// attr holds what the operation needs beside its inputs: one of the *Attr types.
	attr any

	// An operation with several results (RNGBitGenerator, ...) is one node with results set and
	// an invalid shape, followed by one OpTypeInvalid node per result with from and index set.
	results []*node
	from    *node
	index   int
}
