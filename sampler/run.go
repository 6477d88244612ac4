package sampler

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/gomlx/gomlx/pkg/core/tensors"

	"github.com/seed-0f004ec9/spgd/internal/rng"
	"github.com/seed-0f004ec9/spgd/operator"
)

// ErrDiverged is wrapped by the errors of runs whose state is no longer finite or has outgrown
// its noise level.
var ErrDiverged = errors.New("diverged")

// DivergedError is an ErrDiverged that says which image of a batch it is of.
type DivergedError struct {
	Image int
	text  string
}

// Error says where the run diverged, and what helps.
func (e *DivergedError) Error() string { return e.text }

// Unwrap returns ErrDiverged.
func (e *DivergedError) Unwrap() error { return ErrDiverged }

// reportRMS is the root mean square of every image of x, which the driver adds to the reports of
// the stages that write x.
const reportRMS = "x rms"

// What the driver notes in the step's record when a stage reports it.
const (
	reportLoss     = "loss"     // ||A(x0hat) - y||^2
	reportGradient = "gradient" // norm of the likelihood's gradient
)

// maxRMS bounds the root mean square of x, in units of sqrt(1+sigma^2), about what noise of the
// current level over an image in [-1,1] has. Runs that converge stay below 10 even with poor
// settings; a step size that is too large multiplies the state from step to step.
const maxRMS = 100

// Run is a restoration in progress: the state and the place in the schedule.
type Run struct {
	ctx     context.Context
	driver  *Driver
	sampler Sampler
	job     Job
	images  int // of the job
	batch   int // of the programs: the images as often as there are samples in a batch
	sigmas  []float64
	stages  map[string]Stage
	state   map[string]*tensors.Tensor
	spared  spared
	noise   []*rng.Stream // by image, of the outer step in progress, once drawn from
	waiting []call        // see Then

	*course
	k      int
	record StepRecord     // of all samples in progress
	own    [][]StepRecord // of every sample in progress
	spent  Cost           // of all samples, before those in progress
	began  time.Duration  // when these did
	each   Cost           // of a sample
}

func newRun(ctx context.Context, d *Driver, s Sampler, j Job, images int, of *course) (*Run, error) {
	r := &Run{
		ctx: ctx, driver: d, sampler: s, job: j, images: images, batch: images * of.batch, course: of, spent: of.cost,
		sigmas: s.Sigmas(), stages: map[string]Stage{}, state: map[string]*tensors.Tensor{},
	}
	for _, st := range s.Stages() {
		r.stages[st.Name] = st
	}
	c := s.StepCost()
	r.each = c.times(r.steps())
	if n := len(r.records); n > 0 {
		r.began = r.records[n-1].Elapsed
	}
	r.own = make([][]StepRecord, r.inProgress())
	r.spared = d.spared(s)
	x, err := r.startState()
	r.state[StateX] = x
	return r, err
}

// makeState makes the state of the given names that is not there yet, all zeros.
func (r *Run) makeState(names []string) error {
	for _, name := range names {
		if r.spared.state[name] || r.state[name] != nil {
			continue
		}
		zero, err := r.driver.engine.Make(func(v []float32) error { clear(v); return nil }, r.driver.shapeOf(r.sampler, name, r.batch).Dimensions...)
		if err != nil {
			return err
		}
		r.state[name] = zero
	}
	return nil
}

// allState are the names of all state tensors but x.
func (r *Run) allState() []string { return append(slices.Clone(r.sampler.State()), StateX0hat) }

// startState returns a copy of the state the caller gave, or noise of the first level.
func (r *Run) startState() (*tensors.Tensor, error) {
	return r.driver.engine.Make(func(noise []float32) error {
		if r.job.XStart != nil {
			return r.driver.engine.View(r.job.XStart, func(x []float32) error {
				for i := 0; i < len(noise); i += len(x) {
					copy(noise[i:], x)
				}
				return nil
			})
		}
		size := len(noise) / r.batch
		for i := range r.batch {
			rng.New(r.job.Seed, r.imageIndex(i), 0, rng.XStart).FillNormal(noise[i*size:][:size])
		}
		for i := range noise {
			noise[i] *= float32(r.sigmas[0])
		}
		return nil
	}, r.driver.stateShape(r.batch).Dimensions...)
}

func (r *Run) steps() int { return len(r.sigmas) - 1 }

// K is the outer step in progress, from 0.
func (r *Run) K() int { return r.k }

// Sigma is the noise level of the state at the start of the step.
func (r *Run) Sigma() float64 { return r.sigmas[r.k] }

// SigmaNext is the noise level at its end.
func (r *Run) SigmaNext() float64 { return r.sigmas[r.k+1] }

// Operator is the problem's.
func (r *Run) Operator() operator.Operator { return r.driver.operator }

// Started says whether the caller gave the starting state.
func (r *Run) Started() bool { return r.job.XStart != nil }

// Record is the step's record, for the sampler to fill in. The driver fills in the schedule, the
// cost and the time.
func (r *Run) Record() *StepRecord { return &r.record }

// Scalars are the numeric inputs of a stage, by name. Names that the stage does not declare are
// ignored.
type Scalars map[string]float64

// one is 1 for true and 0 for false.
func one(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// Reports are a stage's numbers, by name, with one value for every image.
type Reports map[string][]float64

// Exec runs a stage once, after those that wait (see Then): it replaces the state tensors that the stage writes and
// returns what it reports. It returns the context's error if the context has ended, and an error that wraps
// ErrDiverged if a report is not finite or x has grown out of all proportion.
func (r *Run) Exec(stage string, scalars Scalars) (Reports, error) {
	if err := r.flush(); err != nil {
		return nil, err
	}
	if err := r.ctx.Err(); err != nil {
		return nil, err
	}
	st, err := r.stage(stage)
	if err != nil {
		return nil, err
	}
	if !st.First {
		gone := r.driver.gone(r.sampler, st)
		here := slices.DeleteFunc(r.allState(), func(name string) bool { return slices.Contains(gone, name) })
		if err := r.makeState(here); err != nil {
			return nil, err
		}
	}
	begin := time.Now()
	p, err := r.driver.program(r.sampler, st, r.batch)
	r.compile += time.Since(begin)
	if err != nil {
		return nil, err
	}
	in, donated, err := r.inputs(st, p.written, scalars)
	if err != nil {
		return nil, err
	}
	var out []*tensors.Tensor
	if p.cut != nil {
		out, err = r.runCut(p.cut, st.Cost, in, donated)
	} else {
		weights := r.driver.denoiser.Weights()
		out, err = p.RunDonating(slices.Concat(weights, in), slices.Concat(make([]bool, len(weights)), donated))
	}
	if err != nil {
		return nil, err
	}
	for i, name := range p.written {
		r.set(name, out[i])
	}
	for _, name := range r.driver.spent(st) {
		r.set(name, nil)
	}
	var values []float32
	if len(p.reported) > 0 {
		if values, err = r.numbers(out[len(p.written)]); err != nil {
			return nil, err
		}
	}
	if st.First && r.driver.large(r.batch) {
		r.driver.engine.Trim() // what only this stage needed, before the rest of the state is made
	}
	reports := r.reports(values, p.reported)
	return reports, r.account(st, p.reported, reports)
}

// stage finds a stage of the sampler.
func (r *Run) stage(name string) (Stage, error) {
	st, ok := r.stages[name]
	if !ok {
		return st, fmt.Errorf("sampler: %s has no stage %q", r.sampler.Name(), name)
	}
	return st, nil
}

// account takes what a stage that was run has reported into the step's record.
func (r *Run) account(st Stage, reported []string, reports Reports) error {
	if err := r.check(reported, reports); err != nil {
		return err
	}
	r.cost = r.cost.plus(st.Cost.times(r.inProgress()))
	if st.Cost.NFE() > 0 {
		r.progress(0)
	}
	if v, ok := reports[reportLoss]; ok {
		r.record.Loss = v
	}
	if v, ok := reports[reportGradient]; ok {
		r.record.GradientNorm = v
	}
	if e, ok := probed(st.label(), reports); ok {
		r.record.Evaluations = append(r.record.Evaluations, e)
	}
	return nil
}

// progress tells the caller how far the run is; work is that of a stage in progress.
func (r *Run) progress(work float64) {
	if r.job.Progress != nil {
		r.job.Progress(Progress{
			Sample: r.sample, Batch: r.inProgress(), Samples: r.samples, Step: r.k, Steps: r.steps(),
			Done: r.cost.Work() + work*float64(r.inProgress()), Total: r.each.times(r.samples).Work(), Cost: r.cost,
		})
	}
}

// Keep gives the state tensor dst the value that src has now. Nothing is copied.
func (r *Run) Keep(dst, src string) {
	if len(r.waiting) > 0 {
		r.waiting = append(r.waiting, call{dst: dst, src: src})
		return
	}
	if !r.spared.state[dst] && r.state[dst] != r.state[src] {
		r.set(dst, r.state[src])
	}
}

// set replaces a state tensor, and frees the one before unless another name holds it too.
func (r *Run) set(name string, t *tensors.Tensor) {
	if !r.shared(name) {
		free(r.state[name])
	}
	r.state[name] = t
}

// shared says whether a state tensor goes by another name too.
func (r *Run) shared(name string) bool {
	for other, t := range r.state {
		if other != name && t == r.state[name] {
			return true
		}
	}
	return false
}

// free releases a tensor's memory now rather than when the garbage collector sees it. It cannot
// fail in a way that matters: the tensor is not used again.
func free(t *tensors.Tensor) {
	if t != nil {
		_ = t.FinalizeAll()
	}
}

// numbers fetches what stages report.
func (r *Run) numbers(t *tensors.Tensor) (values []float32, err error) {
	defer free(t)
	if err := t.ConstFlatData(func(flat any) { values = slices.Clone(flat.([]float32)) }); err != nil {
		return nil, fmt.Errorf("sampler: reading the reports of a stage: %w", err)
	}
	return values, nil
}

// reports are the first of the values, one for every image and name.
func (r *Run) reports(values []float32, names []string) Reports {
	reports := Reports{}
	for i, name := range names {
		per := make([]float64, r.batch)
		for k := range per {
			per[k] = float64(values[i*r.batch+k])
		}
		reports[name] = per
	}
	return reports
}

// check looks for divergence in the reports of a stage.
func (r *Run) check(names []string, reports Reports) error {
	for _, name := range names {
		for i, v := range reports[name] {
			var what string
			switch {
			case math.IsNaN(v) || math.IsInf(v, 0):
				what = fmt.Sprintf("%s is %g", name, v)
			case name == reportRMS && v > maxRMS*math.Sqrt(1+r.Sigma()*r.Sigma()):
				what = fmt.Sprintf("%s has grown to %.3g", name, v)
			default:
				continue
			}
			if r.record.StepSize == 0 {
				return &DivergedError{i % r.images, fmt.Sprintf("sampler: %v at step %d of %d of %s (sigma %.4g): %s in image %d; other settings of the method may help (--set)",
					ErrDiverged, r.k+1, r.steps(), r.sampler.Name(), r.Sigma(), what, i%r.images)}
			}
			return &DivergedError{i % r.images, fmt.Sprintf("sampler: %v at step %d of %d (sigma %.4g, step size %.4g): %s in image %d; use a smaller step size (--step-size)",
				ErrDiverged, r.k+1, r.steps(), r.Sigma(), r.record.StepSize, what, i%r.images)}
		}
	}
	return nil
}

// view calls f with the values that a state tensor has for sample i of those in progress.
func (r *Run) view(name string, i int, f func(data []float32) error) error {
	return r.driver.engine.View(r.state[name], func(data []float32) error {
		size := len(data) / r.course.batch
		return f(data[i*size:][:size])
	})
}

// image copies a state tensor to the host.
func (r *Run) image(name string) (t *tensors.Tensor, err error) {
	return hosted(r.state[name].Shape().Dimensions, func(f func([]float32) error) error { return r.driver.engine.View(r.state[name], f) })
}

// imageOf copies what a state tensor has for sample i of those in progress to the host.
func (r *Run) imageOf(name string, i int) (t *tensors.Tensor, err error) {
	dims := slices.Clone(r.state[name].Shape().Dimensions)
	dims[0] /= r.course.batch
	return hosted(dims, func(f func([]float32) error) error { return r.view(name, i, f) })
}

// hosted copies what view shows to a tensor of the host.
func hosted(dims []int, view func(f func(data []float32) error) error) (t *tensors.Tensor, err error) {
	err = view(func(data []float32) error {
		t = tensors.FromFlatDataAndDimensions(data, dims...)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("sampler: reading images: %w", err)
	}
	return t, nil
}

// results collects what the run returns for every sample, and lets the state go.
func (r *Run) results() ([]*Result, error) {
	for name := range r.state {
		if name != StateX && name != StateX0hat {
			r.set(name, nil)
		}
	}
	if r.driver.large(r.batch) {
		r.driver.engine.Trim()
	}
	out := make([]*Result, r.inProgress())
	for i := range out {
		out[i] = &Result{
			Samples: r.samples, Programs: r.chosen, Records: r.own[i], Cost: r.cost.minus(r.spent).share(len(out)),
			Elapsed: (time.Since(r.start) - r.began) / time.Duration(len(out)), Compile: r.compile,
		}
	}
	for _, name := range []string{StateX, StateX0hat} {
		for i := range out {
			t, err := r.imageOf(name, i)
			if err != nil {
				return nil, err
			}
			if name == StateX {
				out[i].X = t
			} else {
				out[i].X0hat = t
			}
		}
		r.set(name, nil)
	}
	return out, nil
}

// large says whether memory that a run for n images has used is given back after its first stage, and
// before its results are copied: a run of such a size makes little of fetching it again.
func (d *Driver) large(n int) bool { return d.stateShape(n).Memory() >= 4<<20 }

// release frees the state, and the noise of what has not been run.
func (r *Run) release() {
	for i := range r.waiting {
		for _, z := range r.waiting[i].noise {
			free(z)
		}
	}
	for name := range r.state {
		r.set(name, nil)
	}
}
