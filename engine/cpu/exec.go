package cpu

import (
	"errors"
	"fmt"

	"github.com/gomlx/gomlx/backends"
	"github.com/gomlx/gomlx/pkg/core/shapes"
)

// Executable implements [backends.Executable]. It may be executed from several goroutines.
type Executable struct {
	backend    *Backend
	name       string
	parameters []*node
	outputs    []*node
	live       []*node // what the outputs need, in order
	lastUse    []int // per node id, the position in live after which its value is not needed
}

var _ backends.Executable = (*Executable)(nil)

// newExecutable prunes the nodes that no output needs.
func newExecutable(bd *Builder, outputs []*node) *Executable {
	e := &Executable{backend: bd.backend, name: bd.name, parameters: bd.parameters, outputs: outputs}
	need := make([]bool, len(bd.nodes))
	for _, n := range outputs {
		need[n.id] = true
	}
	for i := len(bd.nodes) - 1; i >= 0; i-- {
		if !need[i] {
			continue
		}
		n := bd.nodes[i]
		if n.from != nil {
			need[n.from.id] = true
		}
		for _, in := range n.inputs {
			need[in.id] = true
		}
	}
	e.lastUse = make([]int, len(bd.nodes))
	for i, n := range bd.nodes {
		if !need[i] || n.from != nil {
			continue
		}
		at := len(e.live)
		e.live = append(e.live, n)
		e.lastUse[i] = at
		for _, r := range n.results {
			e.lastUse[r.id] = at
		}
		for _, in := range n.inputs {
			e.lastUse[in.id] = at
		}
	}
	for _, n := range outputs {
		e.lastUse[n.id] = len(e.live)
	}
	return e
}

// Finalize drops the program.
func (e *Executable) Finalize() {
	e.backend.mu.Lock()
	defer e.backend.mu.Unlock()
	e.live, e.outputs = nil, nil
}

// Inputs returns the names and shapes of the parameters.
func (e *Executable) Inputs() (names []string, in []shapes.Shape) {
	for _, p := range e.parameters {
		names = append(names, p.attr.(*parameterAttr).name)
		in = append(in, p.shape)
	}
	return names, in
}

// Outputs returns the shapes of the outputs.
func (e *Executable) Outputs() (out []shapes.Shape) {
	for _, n := range e.outputs {
		out = append(out, n.shape)
	}
	return out
}

// Execute runs the program. A panic within an operation comes back as an error.
func (e *Executable) Execute(inputs []backends.Buffer, donate []bool, d backends.DeviceNum) (outputs []backends.Buffer, err error) {
	b := e.backend
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.finalized || e.live == nil && len(e.parameters)+len(e.outputs) > 0 {
		return nil, errors.New("cpu: Execute: the backend or the executable is finalized")
	}
	if err := checkDevice(d); err != nil {
		return nil, err
	}
	in, err := e.checkInputs(inputs, donate)
	if err != nil {
		return nil, err
	}
	out, err := e.run(in)
	if err != nil {
		return nil, err
	}
	for i, buf := range in {
		if donate != nil && donate[i] {
			buf.flat = nil
		}
	}
	for _, buf := range out {
		outputs = append(outputs, buf)
	}
	return outputs, nil
}

func (e *Executable) checkInputs(inputs []backends.Buffer, donate []bool) ([]*Buffer, error) {
	if len(inputs) != len(e.parameters) {
		return nil, fmt.Errorf("cpu: Execute: %d inputs, want %d", len(inputs), len(e.parameters))
	}
	if donate != nil && len(donate) != len(inputs) {
		return nil, fmt.Errorf("cpu: Execute: %d donate flags for %d inputs", len(donate), len(inputs))
	}
	in := make([]*Buffer, len(inputs))
	for i, x := range inputs {
		buf, err := checkBuffer(x)
		if err != nil {
			return nil, fmt.Errorf("cpu: Execute: input %d: %w", i, err)
		}
		if !buf.shape.Equal(e.parameters[i].shape) {
			return nil, fmt.Errorf("cpu: Execute: input %d (%q) has shape %s, want %s", i,
				e.parameters[i].attr.(*parameterAttr).name, buf.shape, e.parameters[i].shape)
		}
		in[i] = buf
	}
	return in, nil
}

// run computes the live nodes in order. b.mu is held.
func (e *Executable) run(in []*Buffer) ([]*Buffer, error) {
	values := make([]*Buffer, len(e.lastUse)) // by node id
	for at, n := range e.live {
		switch n.op {
		case backends.OpTypeParameter:
			values[n.id] = in[n.attr.(*parameterAttr).index]
			continue
		case backends.OpTypeConstant:
			values[n.id] = &Buffer{shape: n.shape, flat: n.attr.(*constantAttr).flat}
			continue
		}
		args := make([]*Buffer, len(n.inputs))
		for i, x := range n.inputs {
			args[i] = values[x.id]
		}
		results := n.results
		if results == nil {
			results = []*node{n}
		}
		out := make([]*Buffer, len(results))
		for i, r := range results {
			buf, err := newBuffer(r.shape)
			if err != nil {
				return nil, err
			}
			out[i], values[r.id] = buf, buf
		}
		if err := runNode(e.backend, n, args, out); err != nil {
			return nil, fmt.Errorf("%w (in %q)", err, e.name)
		}
		for _, x := range n.inputs {
			if e.lastUse[x.id] == at {
				values[x.id] = nil
			}
		}
		for _, r := range results {
			if e.lastUse[r.id] == at {
				values[r.id] = nil
			}
		}
	}
	out := make([]*Buffer, len(e.outputs))
	taken := make(map[*Buffer]bool)
	for i, n := range e.outputs {
		buf := values[n.id]
		// Parameters and constants belong to others, and no two outputs may share a buffer.
		if n.op == backends.OpTypeParameter || n.op == backends.OpTypeConstant || taken[buf] {
			c, err := newBuffer(n.shape)
			if err != nil {
				return nil, err
			}
			copyFlat(c.flat, buf.flat)
			buf = c
		}
		taken[buf] = true
		out[i] = buf
	}
	return out, nil
}
