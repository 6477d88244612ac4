package sampler

import (
	"fmt"
	"math"
	"slices"

	"github.com/gomlx/gomlx/pkg/core/dtypes"
	"github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/shapes"
	"github.com/gomlx/gomlx/pkg/core/tensors"

	"github.com/seed-0f004ec9/spgd/internal/rng"
	"github.com/seed-0f004ec9/spgd/operator"
)

// shapeOf is the shape of a sampler's state tensor for a batch of n images.
func (d *Driver) shapeOf(s Sampler, name string, n int) shapes.Shape {
	x := d.stateShape(n)
	if h, ok := s.(Shaper); ok && name != StateX && name != StateX0hat {
		return h.StateShape(name, x)
	}
	return x
}

// measurementShape is the shape of y for a batch of n images.
func (d *Driver) measurementShape(n int) shapes.Shape {
	h, w, c := d.operator.MeasurementSize()
	return shapes.Make(dtypes.Float32, n, h, w, c)
}

// constants are the inputs of a stage beside the weights that stay the same: the operator's data.
func (d *Driver) constants(st Stage) ([]*tensors.Tensor, error) {
	c := slices.Clone(d.operator.Data())
	if !st.Inverse {
		return c, nil
	}
	if d.inverse == nil {
		inverse, err := operator.NewInverse(d.operator)
		if err != nil {
			return nil, fmt.Errorf("sampler: %w: %w", ErrOperator, err)
		}
		d.inverse = inverse
	}
	return append(c, d.inverse.Data()...), nil
}

// states are the state tensors that a stage reads, without those that the run does without or that are not there yet.
func (d *Driver) states(s Sampler, st Stage) []string {
	zero := d.zero(s, st)
	return slices.DeleteFunc(slices.Clone(st.State), zero)
}

// zero says what a stage reads as zero.
func (d *Driver) zero(s Sampler, st Stage) func(state string) bool {
	sp, fresh := d.spared(s), st.Fresh
	if d.tiler == nil {
		fresh = nil
	}
	return func(name string) bool { return sp.state[name] || slices.Contains(fresh, name) }
}

// gone are the state tensors that are not there while a stage runs, or not used: those that it finds nothing in, and those
// that it leaves nothing in without reading them.
func (d *Driver) gone(s Sampler, st Stage) (names []string) {
	if d.tiler == nil {
		return nil
	}
	read := d.states(s, st)
	return slices.DeleteFunc(slices.Concat(st.Fresh, d.spent(st)), func(name string) bool { return slices.Contains(read, name) })
}

// spent are the state tensors that a stage leaves nothing in.
func (d *Driver) spent(st Stage) []string {
	if d.tiler == nil {
		return nil
	}
	return st.Spent
}

// program returns a stage compiled for a batch of n images. Outputs are the new state and, if the
// stage reports, one tensor [reports,N].
func (d *Driver) program(s Sampler, st Stage, n int) (*compiled, error) {
	key := programKey{s.Name(), st.Name, n, d.spared(s).key}
	if d.tiler == nil {
		key.stage = st.label()
	}
	if p, ok := d.programs[key]; ok {
		return p, nil
	}
	shapes, err := d.inputShapes(s, st, n)
	if err != nil {
		return nil, err
	}
	name, weights := s.Name()+" "+key.stage, d.denoiser.Weights()
	out := &compiled{}
	if d.tiler != nil {
		out.cut, err = d.compileCut(name, shapes, func(in []*graph.Node, c *cuts) []*graph.Node {
			b := d.builder(s, st, in)
			b.cuts = c
			return out.build(st, b, n)
		})
	} else {
		for _, w := range slices.Backward(weights) {
			shapes = slices.Insert(shapes, 0, w.Shape())
		}
		out.Program, err = d.engine.Compile(name, shapes, func(in []*graph.Node) []*graph.Node {
			b := d.builder(s, st, in[len(weights):])
			b.weights = in[:len(weights)]
			return out.build(st, b, n)
		})
	}
	if err != nil {
		return nil, err
	}
	d.programs[key] = out
	return out, nil
}

// inputShapes are the shapes of a stage's inputs beside the weights: the operator's data and those of
// its inverse, y, the state, the noise and the scalars, in this order.
func (d *Driver) inputShapes(s Sampler, st Stage, n int) ([]shapes.Shape, error) {
	constants, err := d.constants(st)
	if err != nil {
		return nil, err
	}
	var in []shapes.Shape
	for _, t := range constants {
		in = append(in, t.Shape())
	}
	in = append(in, d.measurementShape(n))
	for _, name := range d.states(s, st) {
		in = append(in, d.shapeOf(s, name, n))
	}
	return append(in, d.temporaryShapes(st, n)...), nil
}

// temporaryShapes are the shapes of the noise and the scalars of a stage.
func (d *Driver) temporaryShapes(st Stage, n int) (in []shapes.Shape) {
	for range st.Noise {
		in = append(in, d.stateShape(n))
	}
	for range st.MeasurementNoise {
		in = append(in, d.measurementShape(n))
	}
	for range st.Scalars {
		in = append(in, shapes.Make(dtypes.Float32))
	}
	return in
}

// builder gives a stage the nodes of its inputs, in the order of inputShapes.
func (d *Driver) builder(s Sampler, st Stage, in []*graph.Node) *Builder {
	take := func(n int) []*graph.Node {
		head := in[:n]
		in = in[n:]
		return head
	}
	named := func(to map[string]*Node, names []string) {
		for i, v := range take(len(names)) {
			to[names[i]] = v
		}
	}
	b := &Builder{
		denoiser: d.denoiser, operator: d.operator, filter: st.filter, spared: d.spared(s),
		state: map[string]*Node{}, scalars: map[string]*Node{}, noise: map[string]*Node{},
	}
	b.data = take(len(d.operator.Data()))
	if st.Inverse {
		b.inverse = d.inverse
		b.own = take(len(d.inverse.Data()))
	}
	b.y = take(1)[0]
	named(b.state, d.states(s, st))
	named(b.noise, st.Noise)
	named(b.noise, st.MeasurementNoise)
	named(b.scalars, st.Scalars)
	b.spent = d.spent(st)
	zero := d.zero(s, st)
	for _, name := range st.State {
		if zero(name) {
			n := b.y.Shape().Dimensions[0]
			b.state[name] = graph.Zeros(b.y.Graph(), d.shapeOf(s, name, n))
		}
	}
	return b
}

// build builds the graph of a stage and returns its outputs, which p notes the names of.
func (p *compiled) build(st Stage, b *Builder, n int) []*graph.Node {
	b.finish(st, n)
	p.written, p.reported = b.written, b.reported
	if len(b.reports) == 0 {
		return b.writes
	}
	return append(b.writes, graph.Stack(b.reports, 0))
}

// finish builds the graph of a stage, with the report of the driver's.
func (b *Builder) finish(st Stage, n int) {
	st.Build(b)
	if i := slices.Index(b.written, StateX); i >= 0 {
		size := float64(b.writes[i].Shape().Size() / n)
		b.reports = append(b.reports, graph.MulScalar(norm(b.writes[i]), 1/math.Sqrt(size)))
		b.reported = append(b.reported, reportRMS)
	}
}

// inputs gathers the inputs of a stage in the order of Driver.inputShapes. donated are those that nobody
// reads after it: numbers and noise, and state tensors of which the stage writes the next values, which
// can take their place, or that are spent. State that it only writes, or that is not to be there, is let go of.
func (r *Run) inputs(st Stage, written []string, scalars Scalars) (in []*tensors.Tensor, donated []bool, err error) {
	if in, err = r.driver.constants(st); err != nil {
		return nil, nil, err
	}
	for _, name := range st.Scalars {
		if _, ok := scalars[name]; !ok {
			return nil, nil, fmt.Errorf("sampler: %s runs without its scalar %q", st.Name, name)
		}
	}
	in = append(in, r.y)
	donated = make([]bool, len(in), len(in)+len(st.State)+len(st.Noise)+len(st.MeasurementNoise)+len(st.Scalars))
	read, spent := r.driver.states(r.sampler, st), r.driver.spent(st)
	for _, name := range read {
		t, ok := r.state[name]
		if !ok {
			return nil, nil, fmt.Errorf("sampler: %s reads state %q, which %s does not have", st.Name, name, r.sampler.Name())
		}
		in, donated = append(in, t), append(donated, (slices.Contains(written, name) || slices.Contains(spent, name)) && !r.shared(name))
	}
	for _, name := range slices.Concat(written, r.driver.gone(r.sampler, st)) {
		if !slices.Contains(read, name) {
			r.set(name, nil)
		}
	}
	noise, err := r.drawn(st)
	if err != nil {
		return nil, nil, err
	}
	in = append(in, noise...)
	for _, name := range st.Scalars {
		in = append(in, tensors.FromScalar(float32(scalars[name])))
	}
	for len(donated) < len(in) {
		donated = append(donated, true)
	}
	return in, donated, nil
}

// drawn draws the noise of a stage.
func (r *Run) drawn(st Stage) (noise []*tensors.Tensor, err error) {
	for i := range len(st.Noise) + len(st.MeasurementNoise) {
		shape := r.driver.stateShape(r.batch)
		if i >= len(st.Noise) {
			shape = r.driver.measurementShape(r.batch)
		}
		z, err := r.normals(shape)
		if err != nil {
			return nil, err
		}
		noise = append(noise, z)
	}
	return noise, nil
}

// drawAs makes the noise that the step in progress draws from now on that of outer step k, from its beginning.
func (r *Run) drawAs(k int) {
	r.noise = make([]*rng.Stream, r.batch)
	for i := range r.noise {
		r.noise[i] = rng.New(r.job.Seed, r.imageIndex(i), uint32(k), rng.Sampler)
	}
}

// normals draws the next standard normal numbers of every image's stream of the outer step.
func (r *Run) normals(s shapes.Shape) (*tensors.Tensor, error) {
	if r.noise == nil {
		r.drawAs(r.k)
	}
	return r.driver.engine.Make(func(v []float32) error {
		size := len(v) / r.batch
		for i, stream := range r.noise {
			stream.FillNormal(v[i*size:][:size])
		}
		return nil
	}, s.Dimensions...)
}

// imageIndex names the random streams of image i of the batch: all images of one sample, and of the next. Places
// that no sample is left for repeat the last.
func (r *Run) imageIndex(i int) uint32 {
	return SampleIndex(r.job.image(i%r.images), r.sample+min(i/r.images, r.inProgress()-1))
}
