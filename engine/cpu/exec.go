package cpu

import (
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/gomlx/gomlx/backends"
	"github.com/gomlx/gomlx/pkg/core/shapes"
)

// Executable implements [backends.Executable]. It may be executed from several goroutines.
type Executable struct {
	backend    *Backend
	name       string
	parameters []*node
	outputs    []*node
	runner     runner // nil once finalized
}

// runner computes the outputs from the parameters. It may drop those that are donated (nil: none are) as
// soon as it has read them, and has to leave the others as they are. b.mu is held.
type runner interface {
	run(b *Backend, in []*Buffer, donated []bool) ([]*Buffer, error)
}

var _ backends.Executable = (*Executable)(nil)

func newExecutable(bd *Builder, outputs []*node) (*Executable, error) {
	e := &Executable{backend: bd.backend, name: bd.name, parameters: bd.parameters, outputs: outputs}
	e.backend.mu.Lock()
	defer e.backend.mu.Unlock()
	var err error
	if e.runner, err = e.backend.compile(bd, outputs); err == nil {
		e.backend.latest = e
	}
	return e, err
}

// Latest is the executable that the backend has compiled last, or nil. GoMLX's graphs do not show
// theirs.
func (b *Backend) Latest() *Executable {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.latest
}

// Finalize drops the program.
func (e *Executable) Finalize() {
	e.backend.mu.Lock()
	defer e.backend.mu.Unlock()
	e.runner = nil
	if e.backend.latest == e {
		e.backend.latest = nil
	}
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

// Execute runs the program. A panic within an operation comes back as an error. Inputs that are
// donated are finalized, also if there is an error, and their memory is used for what is computed
// after they were read for the last time.
func (e *Executable) Execute(inputs []backends.Buffer, donate []bool, d backends.DeviceNum) (outputs []backends.Buffer, err error) {
	b := e.backend
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.finalized || e.runner == nil {
		return nil, errors.New("cpu: Execute: the backend or the executable is finalized")
	}
	if err := checkDevice(d); err != nil {
		return nil, err
	}
	in, err := e.checkInputs(inputs, donate)
	if err != nil {
		return nil, err
	}
	var donated []bool
	turnover := 0
	for i, buf := range in {
		if donate == nil || !donate[i] {
			continue
		}
		if donated == nil {
			donated = make([]bool, len(in))
		}
		donated[i] = buf.owned && count(in, buf) == 1
		turnover += int(buf.shape.Memory())
		defer func() {
			if buf.flat != nil {
				b.drop(buf)
			}
		}()
	}
	defer func() {
		if r := recover(); r != nil {
			outputs, err = nil, fmt.Errorf("cpu: %q: internal error: %v\n%s", e.name, r, debug.Stack())
		}
	}()
	for _, n := range e.outputs {
		turnover += int(n.shape.Memory())
	}
	b.recycled.raise(turnover)
	out, err := e.runner.run(b, in, donated)
	if err != nil {
		return nil, fmt.Errorf("%w (in %q)", err, e.name)
	}
	outputs = make([]backends.Buffer, len(out))
	for i, buf := range out {
		outputs[i] = buf
	}
	return outputs, nil
}

// count is how often a buffer is among others.
func count(in []*Buffer, buf *Buffer) int {
	n := 0
	for _, x := range in {
		if x == buf {
			n++
		}
	}
	return n
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
