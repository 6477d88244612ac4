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
	batch   int
	sigmas  []float64
	stages  map[string]Stage
	state   map[string]*tensors.Tensor
	spared  spared
	noise   []*rng.Stream // by image, of the outer step in progress, once drawn from

	*course
	k      int
	record StepRecord
	total  Cost // of all samples
}

func newRun(ctx context.Context, d *Driver, s Sampler, j Job, batch int, of *course) (*Run, error) {
	r := &Run{
		ctx: ctx, driver: d, sampler: s, job: j, batch: batch, course: of,
		sigmas: s.Sigmas(), stages: map[string]Stage{}, state: map[string]*tensors.Tensor{},
	}
	for _, st := range s.Stages() {
		r.stages[st.Name] = st
	}
	c := s.StepCost()
	r.total = Cost{c.Forwards * r.steps() * r.samples, c.VJPs * r.steps() * r.samples}
	r.spared = d.spared(s)
	x, err := r.startState()
	r.state[StateX] = x
	return r, err
}

// makeState makes the state that is not there yet, all zeros.
func (r *Run) makeState() error {
	for _, name := range append(r.sampler.State(), StateX0hat) {
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

// startState returns a copy of the state the caller gave, or noise of the first level.
func (r *Run) startState() (*tensors.Tensor, error) {
	return r.driver.engine.Make(func(noise []float32) error {
		if r.job.XStart != nil {
			return r.driver.engine.View(r.job.XStart, func(x []float32) error { copy(noise, x); return nil })
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

// Exec runs a stage once: it replaces the state tensors that the stage writes and returns what it
// reports. It returns the context's error if the context has ended, and an error that wraps
// ErrDiverged if a report is not finite or x has grown out of all proportion.
func (r *Run) Exec(stage string, scalars Scalars) (Reports, error) {
	if err := r.ctx.Err(); err != nil {
		return nil, err
	}
	st, ok := r.stages[stage]
	if !ok {
		return nil, fmt.Errorf("sampler: %s has no stage %q", r.sampler.Name(), stage)
	}
	if !st.First {
		if err := r.makeState(); err != nil {
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
	reports := Reports{}
	if len(p.reported) > 0 {
		if reports, err = r.read(out[len(p.written)], p.reported); err != nil {
			return nil, err
		}
	}
	if err := r.check(p.reported, reports); err != nil {
		return nil, err
	}
	r.cost = r.cost.plus(st.Cost)
	if st.Cost.NFE() > 0 {
		r.progress(0)
	}
	if v, ok := reports[reportLoss]; ok {
		r.record.Loss = v
	}
	if v, ok := reports[reportGradient]; ok {
		r.record.GradientNorm = v
	}
	if e, ok := probed(stage, reports); ok {
		r.record.Evaluations = append(r.record.Evaluations, e)
	}
	return reports, nil
}

// progress tells the caller how far the run is; work is that of a stage in progress.
func (r *Run) progress(work float64) {
	if r.job.Progress != nil {
		r.job.Progress(Progress{Sample: r.sample, Samples: r.samples, Step: r.k, Steps: r.steps(), Done: r.cost.Work() + work, Total: r.total.Work(), Cost: r.cost})
	}
}

// Keep gives the state tensor dst the value that src has now. Nothing is copied.
func (r *Run) Keep(dst, src string) {
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

// read fetches the reports of a stage, a tensor of [reports,N].
func (r *Run) read(t *tensors.Tensor, names []string) (Reports, error) {
	defer free(t)
	reports := Reports{}
	err := t.ConstFlatData(func(flat any) {
		values := flat.([]float32)
		for i, name := range names {
			per := make([]float64, r.batch)
			for k := range per {
				per[k] = float64(values[i*r.batch+k])
			}
			reports[name] = per
		}
	})
	if err != nil {
		return nil, fmt.Errorf("sampler: reading the reports of a stage: %w", err)
	}
	return reports, nil
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
				return fmt.Errorf("sampler: %w at step %d of %d of %s (sigma %.4g): %s in image %d; other settings of the method may help (--set)",
					ErrDiverged, r.k+1, r.steps(), r.sampler.Name(), r.Sigma(), what, i)
			}
			return fmt.Errorf("sampler: %w at step %d of %d (sigma %.4g, step size %.4g): %s in image %d; use a smaller step size (--step-size)",
				ErrDiverged, r.k+1, r.steps(), r.Sigma(), r.record.StepSize, what, i)
		}
	}
	return nil
}

// image copies a state tensor to the host.
func (r *Run) image(name string) (*tensors.Tensor, error) {
	var t *tensors.Tensor
	err := r.driver.engine.View(r.state[name], func(data []float32) error {
		t = tensors.FromFlatDataAndDimensions(data, r.state[name].Shape().Dimensions...)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("sampler: reading images: %w", err)
	}
	return t, nil
}

// result collects what the run returns, and lets the state go.
func (r *Run) result() (*Result, error) {
	bytes := 0
	for name, t := range r.state {
		if t != nil && t.Ok() {
			bytes += int(t.Shape().Memory())
		}
		if name != StateX && name != StateX0hat {
			r.set(name, nil)
		}
	}
	if bytes >= largeState {
		r.driver.engine.Trim()
	}
	x, err := r.image(StateX)
	if err != nil {
		return nil, err
	}
	r.set(StateX, nil)
	x0hat, err := r.image(StateX0hat)
	if err != nil {
		return nil, err
	}
	return &Result{
		X: x, X0hat: x0hat, Samples: r.samples, Records: r.records,
		Cost: r.cost, Elapsed: time.Since(r.start), Compile: r.compile,
	}, nil
}

// largeState is the size in bytes from which on memory that a run has used is given back before its
// results are copied: another run of such a size makes little of fetching it again.
const largeState = 32 << 20

// release frees the state.
func (r *Run) release() {
	for name := range r.state {
		r.set(name, nil)
	}
}
