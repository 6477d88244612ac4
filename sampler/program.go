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

// constants are the inputs of a stage that stay the same: weights and the operator's data.
func (d *Driver) constants(st Stage) ([]*tensors.Tensor, error) {
	c := slices.Concat(d.denoiser.Weights(), d.operator.Data())
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

// program returns a stage compiled for a batch of n images. Inputs are the weights, the
// operator's data and those of its inverse, y, the state, the noise and the scalars, in this order;
// outputs the new state and, if the stage reports, one tensor [reports,N].
func (d *Driver) program(s Sampler, st Stage, n int) (*compiled, error) {
	key := programKey{s.Name(), st.Name, n}
	if p, ok := d.programs[key]; ok {
		return p, nil
	}
	constants, err := d.constants(st)
	if err != nil {
		return nil, err
	}
	var in []shapes.Shape
	for _, t := range constants {
		in = append(in, t.Shape())
	}
	in = append(in, d.measurementShape(n))
	for _, name := range st.State {
		in = append(in, d.shapeOf(s, name, n))
	}
	for range st.Noise {
		in = append(in, d.stateShape(n))
	}
	for range st.MeasurementNoise {
		in = append(in, d.measurementShape(n))
	}
	for range st.Scalars {
		in = append(in, shapes.Make(dtypes.Float32))
	}

	out := &compiled{}
	p, err := d.engine.Compile(s.Name()+" "+st.Name, in, func(in []*graph.Node) []*graph.Node {
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
			denoiser: d.denoiser, operator: d.operator, filter: st.filter,
			state: map[string]*Node{}, scalars: map[string]*Node{}, noise: map[string]*Node{},
		}
		b.weights = take(len(d.denoiser.Weights()))
		b.data = take(len(d.operator.Data()))
		if st.Inverse {
			b.inverse = d.inverse
			b.own = take(len(d.inverse.Data()))
		}
		b.y = take(1)[0]
		named(b.state, st.State)
		named(b.noise, st.Noise)
		named(b.noise, st.MeasurementNoise)
		named(b.scalars, st.Scalars)
		st.Build(b)
		out.written, out.reported = b.written, b.reported
		if i := slices.Index(b.written, StateX); i >= 0 {
			size := float64(b.writes[i].Shape().Size() / n)
			b.reports = append(b.reports, graph.MulScalar(norm(b.writes[i]), 1/math.Sqrt(size)))
			out.reported = append(out.reported, reportRMS)
		}
		if len(b.reports) == 0 {
			return b.writes
		}
		return append(b.writes, graph.Stack(b.reports, 0))
	})
	if err != nil {
		return nil, err
	}
	out.Program = p
	d.programs[key] = out
	return out, nil
}

// inputs gathers the inputs of a stage in the order of Driver.program. donated are those that nobody
// reads after it: numbers and noise, and state tensors of which the stage writes the next values, which
// can take their place. State that it only writes is let go of.
func (r *Run) inputs(st Stage, written []string, scalars Scalars) (in []*tensors.Tensor, donated []bool, err error) {
	if in, err = r.driver.constants(st); err != nil {
		return nil, nil, err
	}
	for _, name := range st.Scalars {
		if _, ok := scalars[name]; !ok {
			return nil, nil, fmt.Errorf("sampler: %s runs without its scalar %q", st.Name, name)
		}
	}
	in = append(in, r.job.Y)
	donated = make([]bool, len(in), len(in)+len(st.State)+len(st.Noise)+len(st.MeasurementNoise)+len(st.Scalars))
	for _, name := range st.State {
		t, ok := r.state[name]
		if !ok {
			return nil, nil, fmt.Errorf("sampler: %s reads state %q, which %s does not have", st.Name, name, r.sampler.Name())
		}
		in, donated = append(in, t), append(donated, slices.Contains(written, name) && !r.shared(name))
	}
	for _, name := range written {
		if !slices.Contains(st.State, name) {
			r.set(name, nil)
		}
	}
	temporary := func(t *tensors.Tensor) { in, donated = append(in, t), append(donated, true) }
	for i := range len(st.Noise) + len(st.MeasurementNoise) {
		shape := r.driver.stateShape(r.batch)
		if i >= len(st.Noise) {
			shape = r.driver.measurementShape(r.batch)
		}
		z, err := r.normals(shape)
		if err != nil {
			return nil, nil, err
		}
		temporary(z)
	}
	for _, name := range st.Scalars {
		temporary(tensors.FromScalar(float32(scalars[name])))
	}
	return in, donated, nil
}

// normals draws the next standard normal numbers of every image's stream of the outer step.
func (r *Run) normals(s shapes.Shape) (*tensors.Tensor, error) {
	if r.noise == nil {
		for i := range r.batch {
			r.noise = append(r.noise, rng.New(r.job.Seed, r.imageIndex(i), uint32(r.k), rng.Sampler))
		}
	}
	return r.driver.engine.Make(func(v []float32) error {
		size := len(v) / r.batch
		for i, stream := range r.noise {
			stream.FillNormal(v[i*size:][:size])
		}
		return nil
	}, s.Dimensions...)
}

// imageIndex names the random streams of image i of the batch.
func (r *Run) imageIndex(i int) uint32 {
	if r.job.Images != nil {
		return r.job.Images[i]
	}
	return uint32(i)
}
