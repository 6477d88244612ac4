package sampler

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/shapes"
	"github.com/gomlx/gomlx/pkg/core/tensors"

	"github.com/seed-0f004ec9/spgd/engine"
)

// On an accelerator, where each launch of a program and each wait for its numbers cost, an outer step of a sampler
// that uses Run.Then is one program: the stages' graphs one behind the other, with their scalars and noise as
// inputs, and all that they report as one array. The engine of this program, whose memory planning and tiles
// work stage by stage, runs each when it is asked for.

// call is a stage that is to be run, with what it gets, or a state tensor that is to be kept.
type call struct {
	stage   Stage
	scalars Scalars
	noise   []*tensors.Tensor
	then    func(Reports)

	dst, src string // of Keep
}

// name is the same for equal programs.
func (c *call) name() string {
	if c.dst != "" {
		return c.dst + " = " + c.src
	}
	return c.stage.label()
}

// Then runs a stage, perhaps with others of the outer step as one program: at the end of the step at the latest,
// or when Exec runs another. then gets what the stage reports, or is nil. What Step does meanwhile must
// depend neither on that nor on the state. The errors are those of Exec, perhaps of a later call.
func (r *Run) Then(stage string, scalars Scalars, then func(Reports)) error {
	if then == nil {
		then = func(Reports) {}
	}
	if r.driver.tiler == nil {
		r.chosen = r.form
	}
	if r.form == ProgramsStage {
		out, err := r.Exec(stage, scalars)
		if err == nil {
			then(out)
		}
		return err
	}
	st, err := r.stage(stage)
	if err != nil {
		return err
	}
	noise, err := r.drawn(st)
	if err != nil {
		return err
	}
	own := Scalars{}
	for _, name := range st.Scalars {
		v, ok := scalars[name]
		if !ok {
			return fmt.Errorf("sampler: %s runs without its scalar %q", st.Name, name)
		}
		own[name] = v
	}
	r.waiting = append(r.waiting, call{stage: st, scalars: own, noise: noise, then: then})
	return nil
}

// wholeStep is the program of several calls. Its inputs are the weights, the operator's data and those of its inverse
// if a stage needs it, y, the state tensors that a stage reads, and the noise and scalars of every stage. Its
// outputs are the values of places, and what all stages report as one tensor [reports,N].
type wholeStep struct {
	*engine.Program
	read     []string
	inverse  bool
	written  []string
	places   []int // the output of each of written
	outputs  int
	reported [][]string // of every call
}

// wholeStep returns the program of several calls for a batch of n images.
func (d *Driver) wholeStep(s Sampler, calls []call, n int) (*wholeStep, error) {
	var names []string
	for i := range calls {
		names = append(names, calls[i].name())
	}
	key := programKey{s.Name(), strings.Join(names, "; "), n, d.spared(s).key}
	if p, ok := d.programs[key]; ok {
		return p.whole, nil
	}
	p := &wholeStep{}
	for i := range calls {
		p.inverse = p.inverse || calls[i].stage.Inverse
		for _, name := range slices.Concat(d.states(s, calls[i].stage), []string{calls[i].src}) {
			if name != "" && !slices.Contains(p.read, name) {
				p.read = append(p.read, name)
			}
		}
	}
	constants, err := d.constants(Stage{Inverse: p.inverse})
	if err != nil {
		return nil, err
	}
	var in []shapes.Shape
	for _, t := range slices.Concat(d.denoiser.Weights(), constants) {
		in = append(in, t.Shape())
	}
	in = append(in, d.measurementShape(n))
	for _, name := range p.read {
		in = append(in, d.shapeOf(s, name, n))
	}
	for i := range calls {
		in = append(in, d.temporaryShapes(calls[i].stage, n)...)
	}
	p.Program, err = d.engine.Compile(s.Name()+" step", in, func(in []*graph.Node) []*graph.Node { return p.build(d, s, calls, in, n) })
	if err != nil {
		return nil, err
	}
	d.programs[key] = &compiled{Program: p.Program, whole: p}
	return p, nil
}

// build builds the graphs of the calls one behind the other.
func (p *wholeStep) build(d *Driver, s Sampler, calls []call, in []*graph.Node, n int) []*graph.Node {
	take := func(n int) []*graph.Node {
		head := in[:n:n]
		in = in[n:]
		return head
	}
	weights, data := take(len(d.denoiser.Weights())), take(len(d.operator.Data()))
	var own []*graph.Node
	if p.inverse {
		own = take(len(d.inverse.Data()))
	}
	y, state := take(1), map[string]*Node{}
	for _, name := range p.read {
		state[name] = take(1)[0]
	}
	write := func(name string, value *Node) {
		state[name] = value
		if !slices.Contains(p.written, name) {
			p.written = append(p.written, name)
		}
	}
	var reports []*Node
	for i := range calls {
		c := &calls[i]
		if c.dst != "" {
			write(c.dst, state[c.src])
			p.reported = append(p.reported, nil)
			continue
		}
		inputs := slices.Clone(data)
		if c.stage.Inverse {
			inputs = append(inputs, own...)
		}
		inputs = append(inputs, y...)
		for _, name := range d.states(s, c.stage) {
			inputs = append(inputs, state[name])
		}
		b := d.builder(s, c.stage, append(inputs, take(len(d.temporaryShapes(c.stage, n)))...))
		b.weights = weights
		b.finish(c.stage, n)
		for k, name := range b.written {
			write(name, b.writes[k])
		}
		p.reported = append(p.reported, b.reported)
		reports = append(reports, b.reports...)
	}
	var out []*Node
	for _, name := range p.written {
		at := slices.Index(out, state[name])
		if at < 0 {
			at, out = len(out), append(out, state[name])
		}
		p.places = append(p.places, at)
	}
	p.outputs = len(out)
	if len(reports) > 0 {
		out = append(out, graph.Stack(reports, 0))
	}
	return out
}

// flush runs what waits.
func (r *Run) flush() error {
	calls := r.waiting
	r.waiting = nil
	if len(calls) == 0 {
		return nil
	}
	if err := r.ctx.Err(); err != nil {
		return err
	}
	if err := r.makeState(r.allState()); err != nil {
		return err
	}
	begin := time.Now()
	p, err := r.driver.wholeStep(r.sampler, calls, r.batch)
	r.compile += time.Since(begin)
	if err != nil {
		return err
	}
	in, donated, err := r.wholeInputs(p, calls)
	if err != nil {
		return err
	}
	out, err := p.RunDonating(in, donated)
	if err != nil {
		return err
	}
	for i, name := range p.written {
		r.set(name, out[p.places[i]])
	}
	var values []float32
	if len(out) > p.outputs {
		if values, err = r.numbers(out[p.outputs]); err != nil {
			return err
		}
	}
	for i := range calls {
		if calls[i].dst != "" {
			continue
		}
		reported := p.reported[i]
		reports := r.reports(values, reported)
		values = values[len(reported)*r.batch:]
		if err := r.account(calls[i].stage, reported, reports); err != nil {
			return err
		}
		calls[i].then(reports)
	}
	return nil
}

// wholeInputs gathers the inputs of a step. State that it writes without reading it is let go of.
func (r *Run) wholeInputs(p *wholeStep, calls []call) (in []*tensors.Tensor, donated []bool, err error) {
	constants, err := r.driver.constants(Stage{Inverse: p.inverse})
	if err != nil {
		return nil, nil, err
	}
	in = append(slices.Concat(r.driver.denoiser.Weights(), constants), r.y)
	donated = make([]bool, len(in))
	for _, name := range p.read {
		t, ok := r.state[name]
		if !ok {
			return nil, nil, fmt.Errorf("sampler: a step reads state %q, which %s does not have", name, r.sampler.Name())
		}
		in, donated = append(in, t), append(donated, slices.Contains(p.written, name) && !r.shared(name))
	}
	for _, name := range p.written {
		if !slices.Contains(p.read, name) {
			r.set(name, nil)
		}
	}
	for i := range calls {
		in = append(in, calls[i].noise...)
		for _, name := range calls[i].stage.Scalars {
			in = append(in, tensors.FromScalar(float32(calls[i].scalars[name])))
		}
	}
	for len(donated) < len(in) {
		donated = append(donated, true)
	}
	return in, donated, nil
}
