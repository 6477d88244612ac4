// Package engine compiles GoMLX graphs for a backend and runs them.
//
// It is the one place where GoMLX's panics become errors.
package engine

import (
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/gomlx/gomlx/backends"
	"github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/shapes"
	"github.com/gomlx/gomlx/pkg/core/tensors"

	"github.com/seed-0f004ec9/spgd/engine/cpu"
)

// Options chooses a backend.
type Options struct {
	// Threads bounds the worker goroutines of the CPU backend, at most cpu.MaxThreads; 0 means
	// GOMAXPROCS.
	Threads int
	// Precision is that of the CPU backend, "f32" (the default) or "bf16": see cpu.Options. New's
	// error is a cpu.ErrPrecision for another, and a cpu.ErrNoBF16 for bf16 on a processor that
	// cannot.
	Precision string
}

// Engine compiles graphs for one backend. It is safe for use by one goroutine at a time.
type Engine struct {
	backend  backends.Backend
	standIns standIns
}

// New starts an engine on this program's CPU backend.
func New(o Options) (*Engine, error) {
	if o.Threads < 0 {
		return nil, fmt.Errorf("engine: %d threads: the number cannot be negative", o.Threads)
	}
	b, err := cpu.New(cpu.Options{Threads: o.Threads, Precision: o.Precision})
	if err != nil {
		return nil, fmt.Errorf("engine: %w", err)
	}
	return WithBackend(b), nil
}

// WithBackend wraps a GoMLX backend that the caller has opened, XLA for instance.
func WithBackend(b backends.Backend) *Engine { return &Engine{backend: b, standIns: standIns{}} }

// Backend returns the GoMLX backend behind the engine.
func (e *Engine) Backend() backends.Backend { return e.backend }

// Close releases the backend. Tensors that live on it alone become invalid.
func (e *Engine) Close() {
	clear(e.standIns)
	e.backend.Finalize()
}

// Program is a graph compiled for fixed input shapes.
type Program struct {
	engine *Engine
	name   string
	inputs []shapes.Shape
	graph  *graph.Graph
}

// Compile builds and compiles a graph whose parameters have the given shapes. build gets one
// node per shape and returns the outputs; what it panics with comes back as an error.
func (e *Engine) Compile(name string, inputs []shapes.Shape, build func(in []*graph.Node) []*graph.Node) (p *Program, err error) {
	defer rescue(name, &err)
	g, in := e.parameters(name, inputs)
	g.Compile(build(in)...)
	return &Program{engine: e, name: name, inputs: inputs, graph: g}, nil
}

// Trace builds a graph as Compile does, for its nodes to be looked at, and throws it away.
func (e *Engine) Trace(name string, inputs []shapes.Shape, build func(in []*graph.Node)) (err error) {
	defer rescue(name, &err)
	g, in := e.parameters(name, inputs)
	build(in)
	g.Finalize()
	return nil
}

// parameters begins a graph.
func (e *Engine) parameters(name string, inputs []shapes.Shape) (*graph.Graph, []*graph.Node) {
	g := graph.NewGraph(e.backend, name)
	in := make([]*graph.Node, len(inputs))
	for i, s := range inputs {
		in[i] = graph.Parameter(g, fmt.Sprintf("in%d", i), s)
	}
	return g, in
}

// Run executes the program. Inputs that are not on the backend yet are uploaded and stay there,
// so a tensor that is passed again costs nothing (see Share for large ones); outputs stay on the
// backend until read.
func (p *Program) Run(inputs ...*tensors.Tensor) (outputs []*tensors.Tensor, err error) {
	defer rescue(p.name, &err)
	if len(inputs) != len(p.inputs) {
		return nil, fmt.Errorf("engine: %s: %d inputs, want %d", p.name, len(inputs), len(p.inputs))
	}
	in := make([]any, len(inputs))
	for i, t := range inputs {
		if !t.Shape().Equal(p.inputs[i]) {
			return nil, fmt.Errorf("engine: %s: input %d has shape %s, want %s", p.name, i, t.Shape(), p.inputs[i])
		}
		x, err := p.engine.input(t)
		if err != nil {
			return nil, err
		}
		in[i] = x
	}
	return p.graph.Run(in...), nil
}

// Close releases the compiled program.
func (p *Program) Close() { p.graph.Finalize() }

// rescue turns a panic into an error. Runtime errors (nil pointers, indices) keep their stack:
// they are defects, not bad input.
func rescue(name string, err *error) {
	r := recover()
	if r == nil {
		return
	}
	var re interface{ RuntimeError() }
	e, ok := r.(error)
	switch {
	case ok && errors.As(e, &re):
		*err = fmt.Errorf("engine: %s: internal error: %w\n%s", name, e, debug.Stack())
	case ok:
		*err = fmt.Errorf("engine: %s: %w", name, e)
	default:
		*err = fmt.Errorf("engine: %s: %v", name, r)
	}
}
