package sampler

import (
	"errors"
	"math"
	"slices"
	"time"

	"github.com/gomlx/gomlx/pkg/core/tensors"
)

// StepRecord is what the driver and the sampler note about one outer step. Slices have a value
// for every image of the batch.
type StepRecord struct {
	Sample    int     `json:"sample,omitempty"` // of Job.Samples, from 0
	K         int     `json:"k"`                // outer step, from 0
	Steps     int     `json:"steps"`
	Sigma     float64 `json:"sigma"`
	SigmaNext float64 `json:"sigma_next"`
	StepSize  float64 `json:"step_size"` // of this outer step, after decay

	Loss         []float64   `json:"loss"`            // ||A(x0hat) - y||^2
	GradientNorm []float64   `json:"gradient_norm"`   // norm of its gradient with respect to x
	Alpha        [][]float64 `json:"alpha,omitempty"` // momentum's share of beta, by warm-up step from the second on
	Angles       Angles      `json:"angles"`
	// Evaluations are those of a Probe.
	Evaluations []Evaluation `json:"evaluations,omitempty"`

	Cost    Cost          `json:"cost"`       // denoiser evaluations since the start of the run, as if samples were made one after the other
	Elapsed time.Duration `json:"elapsed_ns"` // time since the start of the run, without interruptions
}

// Angles are in degrees between the two terms of an outer step: the likelihood's push g_l, the
// sum of its smoothed gradients, and the denoise direction g_d = x - x0hat. Both are subtracted
// from x, so 0 degrees is agreement and 180 conflict. These are the paper's diagnostics.
type Angles struct {
	DenoiseLikelihood []float64 `json:"denoise_likelihood,omitempty"` // g_d with g_l
	LikelihoodTurn    []float64 `json:"likelihood_turn,omitempty"`    // g_l with the step before's; nil at k = 0
	DenoiseTurn       []float64 `json:"denoise_turn,omitempty"`       // g_d with the step before's; nil at k = 0
}

// of returns the record of images first to first+n-1 of the batch, whose slices it shares.
func (s *StepRecord) of(first, n int) StepRecord {
	part := func(v []float64) []float64 {
		if v == nil {
			return nil
		}
		return v[first : first+n : first+n]
	}
	angles := func(a Angles) Angles {
		return Angles{part(a.DenoiseLikelihood), part(a.LikelihoodTurn), part(a.DenoiseTurn)}
	}
	o := *s
	o.Loss, o.GradientNorm, o.Angles = part(s.Loss), part(s.GradientNorm), angles(s.Angles)
	o.Alpha, o.Evaluations = slices.Clone(s.Alpha), slices.Clone(s.Evaluations)
	for i, v := range o.Alpha {
		o.Alpha[i] = part(v)
	}
	for i, e := range o.Evaluations {
		o.Evaluations[i] = Evaluation{e.Stage, part(e.SquaredResidual), part(e.GradientNorm), part(e.DirectionNorm), angles(e.Angles)}
	}
	return o
}

// alone returns the record of image i of n as one of it alone, with its share of the time.
func (s *StepRecord) alone(i, n int) StepRecord {
	o := s.of(i, 1)
	o.Elapsed = share(s.Elapsed, i, n)
	return o
}

// share is image i's part of the time that n images took: their sum is that time.
func share(d time.Duration, i, n int) time.Duration {
	part := d / time.Duration(n)
	if i == 0 {
		part = d - part*time.Duration(n-1)
	}
	return part
}

// joinRecords returns the record of a batch, of the same step of each of its images.
func joinRecords(parts []*StepRecord) StepRecord {
	all := *parts[0]
	join := func(of func(s *StepRecord) []float64) (v []float64) {
		for _, s := range parts {
			v = append(v, of(s)...)
		}
		return v
	}
	angles := func(of func(s *StepRecord) *Angles) Angles {
		return Angles{
			join(func(s *StepRecord) []float64 { return of(s).DenoiseLikelihood }),
			join(func(s *StepRecord) []float64 { return of(s).LikelihoodTurn }),
			join(func(s *StepRecord) []float64 { return of(s).DenoiseTurn }),
		}
	}
	all.Elapsed = 0
	for _, s := range parts {
		all.Elapsed += s.Elapsed
	}
	all.Loss = join(func(s *StepRecord) []float64 { return s.Loss })
	all.GradientNorm = join(func(s *StepRecord) []float64 { return s.GradientNorm })
	all.Angles = angles(func(s *StepRecord) *Angles { return &s.Angles })
	all.Alpha = slices.Clone(all.Alpha)
	for k := range all.Alpha {
		all.Alpha[k] = join(func(s *StepRecord) []float64 { return at(s.Alpha, k) })
	}
	all.Evaluations = slices.Clone(all.Evaluations)
	for k := range all.Evaluations {
		evaluation := func(s *StepRecord) *Evaluation {
			if k < len(s.Evaluations) {
				return &s.Evaluations[k]
			}
			return &Evaluation{}
		}
		all.Evaluations[k] = Evaluation{
			all.Evaluations[k].Stage,
			join(func(s *StepRecord) []float64 { return evaluation(s).SquaredResidual }),
			join(func(s *StepRecord) []float64 { return evaluation(s).GradientNorm }),
			join(func(s *StepRecord) []float64 { return evaluation(s).DirectionNorm }),
			angles(func(s *StepRecord) *Angles { return &evaluation(s).Angles }),
		}
	}
	return all
}

// at returns element k, or nothing if there is none.
func at(list [][]float64, k int) []float64 {
	if k < len(list) {
		return list[k]
	}
	return nil
}

// degrees turns cosines into angles. Rounding may carry a cosine just past 1.
func degrees(cosines []float64) []float64 {
	a := make([]float64, len(cosines))
	for i, c := range cosines {
		a[i] = math.Acos(max(-1, min(1, c))) * 180 / math.Pi
	}
	return a
}

// Observer follows a run. An error from it ends the run and is returned by it.
type Observer interface {
	ObserveStep(s *Snapshot) error
}

// ObserverFunc is a function that serves as an Observer.
type ObserverFunc func(s *Snapshot) error

// ObserveStep calls f.
func (f ObserverFunc) ObserveStep(s *Snapshot) error { return f(s) }

// Snapshot is the end of an outer step of a sample. Where several samples are computed at once, there is one for
// each, in their order. The images are copied from the device when asked for,
// and can be asked for only until ObserveStep returns.
type Snapshot struct {
	StepRecord
	// Earlier is the part of Elapsed that precedes the checkpoint from which the run went on.
	Earlier time.Duration
	Samples int // how many the job comes to
	First   int // the first of the samples that are computed at once, which all make this step
	run     *Run
}

// Last says whether the step is the last of the job: no other follows it, but for those of samples that are
// computed at once.
func (s *Snapshot) Last() bool {
	return s.K == s.Steps-1 && s.First+s.run.inProgress() >= s.Samples
}

// X returns the state after the step, [N,H,W,C].
func (s *Snapshot) X() (*tensors.Tensor, error) { return s.run.imageOf(StateX, s.Sample-s.First) }

// X0hat returns the estimate that the step denoised towards, [N,H,W,C].
func (s *Snapshot) X0hat() (*tensors.Tensor, error) {
	return s.run.imageOf(StateX0hat, s.Sample-s.First)
}

// ViewX0hat calls f with the values of X0hat, uncopied where the engine works in the host's memory.
// They may be read until f returns.
func (s *Snapshot) ViewX0hat(f func(data []float32) error) error {
	return s.run.view(StateX0hat, s.Sample-s.First, f)
}

// Progress says how far a run is. Done and Total are in units of Cost.Work; their ratio is the
// share of the work done.
type Progress struct {
	Sample, Samples int // sample in progress, from 0, the first if there are several, and their number
	Batch           int // samples in progress
	Step, Steps     int // outer step in progress, from 0, and their number in a sample
	Done, Total     float64
	Cost            Cost // denoiser evaluations so far, without one in progress
}

// Result is what a run returns.
type Result struct {
	X       *tensors.Tensor // the restored images, [N,H,W,C], not clipped; the mean of several samples, or those chosen
	X0hat   *tensors.Tensor // the last estimate of the clean images, [N,H,W,C], not clipped; nil of several samples
	Spread  *tensors.Tensor // standard deviation of several samples about their mean, [N,H,W,C], unbiased in its square; nil of one
	Samples int             // how many there are
	Chosen  []int           // the sample, from 0, that was chosen for every image; nil where none was, see Samples.Choose
	Scores  [][]float64     // by sample and image, by which it was
	Records []StepRecord    // one per outer step, of all samples
	// Programs is what was one program, ProgramsStep or ProgramsStage; empty where there was no choice.
	Programs Programs
	Cost     Cost
	Elapsed  time.Duration // the whole run, compilation and what preceded a checkpoint included
	Compile  time.Duration // time spent compiling
}

// Split returns the results of the first n images of a batch, 0 for all, which share nothing with it. What the batch
// took, in time and in compiling, is divided among them.
func (r *Result) Split(n int) ([]*Result, error) {
	if all := r.X.Shape().Dimensions[0]; n < 1 || n > all {
		n = all
	}
	out := make([]*Result, n)
	for i := range out {
		one := &Result{Samples: r.Samples, Programs: r.Programs, Cost: r.Cost, Elapsed: share(r.Elapsed, i, n), Compile: share(r.Compile, i, n)}
		for k := range r.Records {
			one.Records = append(one.Records, r.Records[k].alone(i, n))
		}
		if r.Chosen != nil {
			one.Chosen = []int{r.Chosen[i]}
		}
		for _, scores := range r.Scores {
			one.Scores = append(one.Scores, scores[i:i+1])
		}
		var errs [3]error
		one.X, errs[0] = imageAt(r.X, i)
		one.X0hat, errs[1] = imageAt(r.X0hat, i)
		one.Spread, errs[2] = imageAt(r.Spread, i)
		if err := errors.Join(errs[:]...); err != nil {
			return nil, err
		}
		out[i] = one
	}
	return out, nil
}

// imageAt copies image i of [N,H,W,C], as [1,H,W,C]; of nil it is nil.
func imageAt(t *tensors.Tensor, i int) (*tensors.Tensor, error) {
	if t == nil {
		return nil, nil
	}
	dims := slices.Clone(t.Shape().Dimensions)
	size := t.Size() / dims[0]
	dims[0] = 1
	return hosted(dims, func(f func([]float32) error) (err error) {
		readErr := t.ConstFlatData(func(flat any) { err = f(flat.([]float32)[i*size:][:size]) })
		return errors.Join(err, readErr)
	})
}
