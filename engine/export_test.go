package engine

import (
	"github.com/gomlx/gomlx/backends"
	"github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/shapes"
)

// EstimateAs is Estimate as if the engine had a precision.
func (e *Engine) EstimateAs(precision string, inputs []shapes.Shape, build func(in []*graph.Node) []*graph.Node) (bytes int, err error) {
	as := *e
	as.backend, as.precision = struct{ backends.Backend }{e.backend}, precision
	return as.Estimate("estimate", inputs, build)
}
