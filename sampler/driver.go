package sampler

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gomlx/gomlx/pkg/core/dtypes"
	"github.com/gomlx/gomlx/pkg/core/shapes"
	"github.com/gomlx/gomlx/pkg/core/tensors"

	"github.com/seed-0f004ec9/spgd/engine"
	"github.com/seed-0f004ec9/spgd/operator"
	"github.com/seed-0f004ec9/spgd/prior"
)

// ErrProblem is wrapped by the errors of measurements that do not fit the operator or the
// denoiser.
var ErrProblem = errors.New("ill-posed problem")

// ErrOperator is wrapped by the errors of methods that cannot treat an operator.
var ErrOperator = errors.New("the method does not apply to the operator")

// Sampler is one restoration method: its equations, as stages, and the loop over them.
type Sampler interface {
	// Name identifies the method.
	Name() string
	// Validate returns an error for settings out of range.
	Validate() error
	// Sigmas are the noise levels, one more than outer steps; the last may be 0.
	Sigmas() []float64
	// State lists the state tensors beside x and x0hat. They start at zero.
	State() []string
	// Stages are the programs. Only those that Step runs are compiled; the first, which has to be
	// the largest that every run needs, before the state is made unless steps are programs, so that a problem too
	// large for the memory is refused before it takes any.
	Stages() []Stage
	// StepCost is what one outer step costs.
	StepCost() Cost
	// Step runs one outer step. On return x is the state at the next noise level. What one step leaves
	// to the next is in state tensors: a run may go on from a Checkpoint.
	Step(r *Run) error
}

// Shaper is implemented by samplers with state tensors of another shape than x.
type Shaper interface {
	// StateShape is the shape of a state tensor in a run whose x has the given shape.
	StateShape(name string, x shapes.Shape) shapes.Shape
}

// Sparing is implemented by samplers that have state tensors which a run can do without. A driver with
// tiles, for which every tensor of the size of an image counts, leaves them out: stages read zeros in
// their place, and what they write there and report of them is dropped.
type Sparing interface {
	// Spared lists these state tensors, and the reports that make no sense without them.
	Spared() (state, reports []string)
}

// spared are the names that a run does without.
type spared struct {
	state, reports map[string]bool
	key            string // the same for equal states
}

// spared returns what runs of a sampler do without.
func (d *Driver) spared(s Sampler) spared {
	sp, ok := s.(Sparing)
	if !ok || d.tiler == nil {
		return spared{}
	}
	set := func(names []string) map[string]bool {
		m := map[string]bool{}
		for _, name := range names {
			m[name] = true
		}
		return m
	}
	state, reports := sp.Spared()
	return spared{set(state), set(reports), strings.Join(state, ", ")}
}

// Limited is implemented by samplers that cannot treat every operator.
type Limited interface {
	// Applies returns an error that wraps ErrOperator for an operator that it cannot treat.
	Applies(op operator.Operator) error
}

// Driver runs samplers for one denoiser and one operator, and keeps the stages that it has
// compiled. It is for use by one goroutine at a time.
type Driver struct {
	engine   *engine.Engine
	denoiser prior.Denoiser
	operator operator.Operator
	inverse  *operator.Inverse // of the operator, once a stage has needed it
	programs map[programKey]*compiled
	tiles    Tiles
	tiler    *tiler // nil where images stay whole
	form     Programs
	tooMany  int // images for which a whole step did not find room with ProgramsAuto, 0 for none known
}

type programKey struct {
	sampler, stage string
	batch          int
	spared         string // state tensors, which depend on the sampler's settings
}

// compiled is a stage's program, in a driver with tiles the pieces that it is cut into, or that of a whole step.
type compiled struct {
	*engine.Program
	cut               *cutProgram
	whole             *wholeStep
	written, reported []string
}

func (c *compiled) close() {
	if c.cut != nil {
		c.cut.close()
	} else {
		c.Close()
	}
}

// Option changes how a driver works.
type Option func(d *Driver)

// WithTiles lets a driver evaluate the denoiser tile by tile where an image is larger than a tile, with
// the operator on the whole image. A run then does without what only its diagnostics need, see Sparing.
func WithTiles(t Tiles) Option { return func(d *Driver) { d.tiles = t } }

// NewDriver returns a driver. Programs are compiled when they are first needed, and released by
// Close; the engine, the denoiser and the operator stay the caller's. The error of tiles that do not
// serve is an ErrSettings.
func NewDriver(e *engine.Engine, d prior.Denoiser, op operator.Operator, options ...Option) (*Driver, error) {
	if d.Channels() != imageChannels {
		return nil, fmt.Errorf("sampler: %w: prior %s has %d channels, the operators take %d", ErrProblem, d.Name(), d.Channels(), imageChannels)
	}
	if err := e.Share(slices.Concat(d.Weights(), op.Data())...); err != nil {
		return nil, fmt.Errorf("sampler: %w", err)
	}
	dr := &Driver{engine: e, denoiser: prior.AnySize(d), operator: op, programs: map[programKey]*compiled{}}
	for _, o := range options {
		o(dr)
	}
	if err := dr.checkForm(); err != nil {
		return nil, err
	}
	h, w := op.ImageSize()
	var err error
	dr.tiler, err = newTiler(e, d, h, w, dr.tiles)
	return dr, err
}

// SetOperator gives the driver another operator, for its next run: one with operator.SamePrograms as its own, for which what
// is compiled serves. Another is an ErrProblem.
func (d *Driver) SetOperator(op operator.Operator) error {
	if !operator.SamePrograms(d.operator, op) {
		return fmt.Errorf("sampler: %w: programs of the operator %s do not serve %s", ErrProblem, d.operator.Name(), op.Name())
	}
	if err := d.engine.Share(op.Data()...); err != nil {
		return fmt.Errorf("sampler: %w", err)
	}
	d.operator, d.inverse = op, nil
	return nil
}

// Tiling is how the images are cut into tiles, nil if they stay whole.
func (d *Driver) Tiling() *prior.Tiling {
	if d.tiler == nil {
		return nil
	}
	return d.tiler.tiling
}

// Close releases the compiled programs.
func (d *Driver) Close() {
	for _, p := range d.programs {
		p.close()
	}
	clear(d.programs)
	if d.tiler != nil {
		d.tiler.close()
	}
}

// stateShape is the shape of the state tensors for a batch of n images.
func (d *Driver) stateShape(n int) shapes.Shape {
	h, w := d.operator.ImageSize()
	return shapes.Make(dtypes.Float32, n, h, w, d.denoiser.Channels())
}

// Job is one batch of measurements to restore.
type Job struct {
	// Y are the measurements, [N,h,w,c] of the operator's measurement size, float32.
	Y *tensors.Tensor
	// Seed and an image's index name its random streams. Images are those indices; nil means 0
	// to N-1. An image restored alone under its index gives what it gives in a batch.
	Seed   uint64
	Images []uint32
	// SigmaY, if not nil, is the noise of every measurement, where it is not the one that the settings know: for SPGD with
	// AutoStep and images whole, with settings that are the same up to that, see SameLevels.
	SigmaY []float64
	// Samples asks for several restorations of every measurement; the zero value for one.
	Samples Samples
	// XStart is the starting state at the first noise level, [N,H,W,C] of the operator's image
	// size, float32. Nil means sigma n with n drawn from the seed.
	XStart *tensors.Tensor
	// Resume, if not nil, is where the run goes on: after the checkpoint's step, to the same result
	// as without interruption, to the bit on one kind of machine. A checkpoint of a run with another
	// sampler, setting, seed, measurement, operator or prior is an ErrCheckpoint. Run empties it.
	Resume *Checkpoint
	// Progress, if not nil, is called after every evaluation of the denoiser, and where that works in
	// tiles after every batch of them.
	Progress func(Progress)
	// Observers are called after every outer step.
	Observers []Observer
}

// validate checks a job against the driver's problem and returns its batch size.
func (d *Driver) validate(j Job) (batch int, err error) {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("sampler: %w: %s", ErrProblem, fmt.Sprintf(format, args...))
	}
	if j.Y == nil {
		return 0, bad("no measurement")
	}
	if j.Y.Rank() != 4 || j.Y.Shape().Dimensions[0] < 1 {
		return 0, bad("the measurement has shape %s, want [N,h,w,c]", j.Y.Shape())
	}
	n := j.Y.Shape().Dimensions[0]
	h, w, c := d.operator.MeasurementSize()
	if want := shapes.Make(dtypes.Float32, n, h, w, c); !j.Y.Shape().Equal(want) {
		return 0, bad("the measurement has shape %s, operator %s makes %s", j.Y.Shape(), d.operator.Name(), want)
	}
	if err := d.finite(j.Y); err != nil {
		return 0, bad("the measurement holds %v", err)
	}
	if j.Images != nil && len(j.Images) != n {
		return 0, bad("%d image indices for %d measurements", len(j.Images), n)
	}
	if j.XStart != nil {
		if want := d.stateShape(n); !j.XStart.Shape().Equal(want) {
			return 0, bad("the starting state has shape %s, want %s", j.XStart.Shape(), want)
		}
		if err := d.finite(j.XStart); err != nil {
			return 0, bad("the starting state holds %v", err)
		}
	}
	return n, nil
}

// finite returns an error that says what the tensor holds beside finite numbers.
func (d *Driver) finite(t *tensors.Tensor) error {
	return d.engine.View(t, func(data []float32) error {
		for i, v := range data {
			if v-v != 0 {
				return fmt.Errorf("%g (element %d)", v, i)
			}
		}
		return nil
	})
}

// Run restores a batch, as often as the job asks for samples. The errors it returns wrap ErrSettings, ErrProblem, ErrDiverged or ErrCheckpoint where
// they apply; when ctx ends, the run stops before its next program and returns ctx.Err().
func (d *Driver) Run(ctx context.Context, s Sampler, j Job) (*Result, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	if l, ok := s.(Limited); ok {
		if err := l.Applies(d.operator); err != nil {
			return nil, err
		}
	}
	n, err := d.validate(j)
	if err != nil {
		return nil, err
	}
	if j.SigmaY != nil {
		if s, err = d.withOwnNoise(s, j.SigmaY, n); err != nil {
			return nil, err
		}
	}
	c, err := newCourse(d, s, j, n)
	if err != nil {
		return nil, err
	}
	for {
		r, err := d.runCourse(ctx, s, j, n, c)
		if !c.smaller(d, j, n, err) {
			return r, err
		}
		d.Close() // what it has compiled takes memory too
	}
}

// runCourse makes the samples of a course.
func (d *Driver) runCourse(ctx context.Context, s Sampler, j Job, n int, c *course) (*Result, error) {
	if c.form == ProgramsStage {
		begin := time.Now()
		if _, err := d.program(s, s.Stages()[0], n*c.batch); err != nil {
			return nil, err
		}
		c.compile += time.Since(begin)
	}
	y, err := c.measured(d.engine, j.Y)
	if err != nil {
		return nil, err
	}
	if c.y = y; y != j.Y {
		defer free(y)
	}
	for {
		made, err := d.runOnce(ctx, s, j, n, c)
		if err != nil {
			return nil, err
		}
		for _, r := range made {
			if r, err := c.take(r, j); err != nil || r != nil {
				return r, err
			}
		}
		j.Resume = nil
	}
}

// runOnce runs the next samples of a course.
func (d *Driver) runOnce(ctx context.Context, s Sampler, j Job, n int, c *course) ([]*Result, error) {
	r, err := newRun(ctx, d, s, j, n, c)
	if err != nil {
		return nil, err
	}
	defer r.release()
	if j.Resume != nil {
		if err := r.resume(j.Resume); err != nil {
			return nil, err
		}
	}
	for r.k = r.first; r.k < r.steps(); r.k++ {
		r.noise = nil
		r.record = StepRecord{K: r.k, Steps: r.steps(), Sigma: r.Sigma(), SigmaNext: r.SigmaNext()}
		if err := s.Step(r); err != nil {
			return nil, err
		}
		if err := r.flush(); err != nil {
			return nil, err
		}
		if err := r.observe(); err != nil {
			return nil, err
		}
	}
	return r.results()
}

// observe notes the records of an outer step and shows it to the job's observers.
func (r *Run) observe() error {
	if err := r.makeState(r.kept()); err != nil {
		return err
	}
	r.stepped = true
	elapsed, spent := time.Since(r.start), r.cost.minus(r.spent).share(len(r.own))
	for i := range r.own {
		of := r.record.of(i*r.images, r.images)
		of.Sample, of.Elapsed = r.sample+i, elapsed
		of.Cost = r.spent.plus(r.each.times(i)).plus(spent)
		r.own[i] = append(r.own[i], of)
	}
	for i := range r.own {
		for _, o := range r.job.Observers {
			s := &Snapshot{StepRecord: r.own[i][len(r.own[i])-1], Earlier: r.earlier, Samples: r.samples, First: r.sample, run: r}
			if err := o.ObserveStep(s); err != nil {
				return err
			}
		}
	}
	return nil
}
