// Package engine compiles GoMLX graphs for a backend and runs them.
//
// It is the one place where GoMLX's panics become errors.
package engine

import (
	"errors"
	"fmt"
	"runtime/debug"
	"slices"

	"github.com/gomlx/gomlx/backends"
	"github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/shapes"
	"github.com/gomlx/gomlx/pkg/core/tensors"

	"github.com/seed-0f004ec9/spgd/engine/cpu"
	"github.com/seed-0f004ec9/spgd/engine/xla"
)

// Options chooses a backend.
type Options struct {
	// Device is what computes.
	Device Device
	// Threads bounds the worker goroutines of the CPU backend, at most cpu.MaxThreads; 0 means
	// GOMAXPROCS.
	Threads int
	// Precision is "f32" (the default) or "bf16", see cpu.Options, or for accelerators "tf32", see
	// xla.Options. New's error is a cpu.ErrPrecision or xla.ErrPrecision for another, and a cpu.ErrNoBF16 for
	// bf16 on a processor that cannot.
	Precision string
}

// Engine compiles graphs for one backend. It is safe for use by one goroutine at a time.
type Engine struct {
	backend     backends.Backend
	standIns    standIns
	precision   string    // of the accelerator
	accelerator *xla.Info // nil for the CPU
	fallback    error     // why the device auto came to be the CPU
	kept        []keptProgram
}

// New starts an engine on a device. The errors for accelerators are those of xla.Open and xla.Search.
func New(o Options) (*Engine, error) {
	if o.Threads < 0 {
		return nil, fmt.Errorf("engine: %d threads: the number cannot be negative", o.Threads)
	}
	b, accelerator, fallback, err := o.Device.open(o)
	if err != nil {
		return nil, fmt.Errorf("engine: %w", err)
	}
	e := WithBackend(b)
	e.precision, e.accelerator, e.fallback = o.Precision, accelerator, fallback
	return e, nil
}

// WithBackend wraps a GoMLX backend that the caller has opened, XLA for instance.
func WithBackend(b backends.Backend) *Engine { return &Engine{backend: b, standIns: standIns{}} }

// Backend returns the GoMLX backend behind the engine.
func (e *Engine) Backend() backends.Backend { return e.backend }

// Precision is that of the network's arithmetic, "" where the backend does not say.
func (e *Engine) Precision() string {
	switch b, ok := e.backend.(*cpu.Backend); {
	case ok:
		return b.Precision()
	case e.accelerator != nil && e.precision == "":
		return xla.PrecisionF32
	}
	return e.precision
}

// KnowsMemory says whether the backend can tell what its programs take (Program.Memory).
func (e *Engine) KnowsMemory() bool {
	_, ok := e.backend.(*cpu.Backend)
	return ok
}

// Close releases the backend. Tensors that live on it alone become invalid.
func (e *Engine) Close() {
	clear(e.standIns)
	for _, k := range e.kept {
		k.Close()
	}
	e.kept = nil
	e.backend.Finalize()
}

// Trim lets go of memory that the backend keeps for programs to come, and gives what is free back to
// the system: before something else needs it.
func (e *Engine) Trim() {
	if b, ok := e.backend.(*cpu.Backend); ok {
		b.Trim()
	}
	debug.FreeOSMemory()
}

// Held is the memory that the backend keeps for programs to come, in bytes.
func (e *Engine) Held() int {
	if b, ok := e.backend.(*cpu.Backend); ok {
		return b.Held()
	}
	return 0
}

// Program is a graph compiled for fixed input shapes.
type Program struct {
	engine *Engine
	name   string
	inputs []shapes.Shape
	graph  *graph.Graph
	cpu    *cpu.Executable // behind the graph, on this program's CPU backend
}

// Compile builds and compiles a graph whose parameters have the given shapes. build gets one
// node per shape and returns the outputs; what it panics with comes back as an error.
func (e *Engine) Compile(name string, inputs []shapes.Shape, build func(in []*graph.Node) []*graph.Node) (p *Program, err error) {
	defer rescue(name, &err)
	g, in := e.parameters(name, inputs)
	g.Compile(build(in)...)
	p = &Program{engine: e, name: name, inputs: inputs, graph: g}
	if b, ok := e.backend.(*cpu.Backend); ok {
		p.cpu = b.Latest()
	}
	return p, nil
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

// Memory says what a run takes beside its inputs, of which some may be donated (nil: none). It is known
// on this program's CPU backend only.
func (p *Program) Memory(donated []bool) (m cpu.Memory, known bool) {
	if p.cpu == nil {
		return m, false
	}
	return p.cpu.Memory(donated), true
}

// InputBytes is the size of the inputs.
func (p *Program) InputBytes() int {
	n := 0
	for _, s := range p.inputs {
		n += int(s.Memory())
	}
	return n
}

// Run executes the program. Inputs that are not on the backend yet are uploaded and stay there,
// so a tensor that is passed again costs nothing (see Share for large ones); outputs stay on the
// backend until read.
func (p *Program) Run(inputs ...*tensors.Tensor) (outputs []*tensors.Tensor, err error) {
	return p.RunDonating(inputs, nil)
}

// RunDonating is Run with inputs that are given up: donated says which (nil: none). Their memory
// serves what is computed after they were read for the last time. They are finalized, whether there
// is an error or not.
func (p *Program) RunDonating(inputs []*tensors.Tensor, donated []bool) (outputs []*tensors.Tensor, err error) {
	defer rescue(p.name, &err)
	defer func() {
		for i, t := range inputs {
			if donated != nil && donated[i] {
				_ = t.FinalizeAll() // it is not used again
			}
		}
	}()
	if len(inputs) != len(p.inputs) {
		return nil, fmt.Errorf("engine: %s: %d inputs, want %d", p.name, len(inputs), len(p.inputs))
	}
	if donated != nil && len(donated) != len(inputs) {
		return nil, fmt.Errorf("engine: %s: %d inputs and %d marks of those that are donated", p.name, len(inputs), len(donated))
	}
	in := make([]any, len(inputs))
	for i, t := range inputs {
		if !t.Ok() || !t.Shape().Equal(p.inputs[i]) {
			return nil, fmt.Errorf("engine: %s: input %d has shape %s, want %s", p.name, i, t.Shape(), p.inputs[i])
		}
		x, err := p.engine.input(t)
		if err != nil {
			return nil, err
		}
		in[i] = x
		if donated == nil || !donated[i] || x != t || slices.Contains(inputs[i+1:], t) || slices.Contains(inputs[:i], t) {
			continue
		}
		if in[i], err = graph.DonateTensorBuffer(t, p.engine.backend, 0); err != nil {
			return nil, fmt.Errorf("engine: %s: donating input %d: %w", p.name, i, err)
		}
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
		*err = fmt.Errorf("engine: %s: %w", name, xla.Explain(e))
	default:
		*err = fmt.Errorf("engine: %s: %v", name, r)
	}
}
