// Package spgd restores degraded photographs with a pretrained diffusion prior, by stabilised
// progressive gradient diffusion (SPGD, arXiv 2507.06656).
//
// A photograph x0 was measured as y = A(x0) + noise, with a known operator A: a blur, missing
// pixels, a lower resolution. [Degrade] simulates such a measurement, package measurement reads
// one from a picture or a file, and [Restore] estimates x0 from it:
//
//	e, err := engine.New(engine.Options{})
//	p, err := spgd.LoadPrior("natural-small")
//	m, err := spgd.Degrade(ctx, e, operator.Task{Name: operator.TaskInpaint, Mask: "random:0.8"},
//		photo, measurement.Noise{Sigma: 0.01}, 1)
//	res, err := spgd.Restore(ctx, e, p, m, spgd.DefaultSettings(), spgd.Options{Seed: 1})
//
// Images are in [-1,1]. The parts behind these functions are public packages too: priors and
// their networks in prior, operators in operator, the sampler and the driver that runs it in
// sampler. A [prior.Denoiser] or [operator.Operator] of the caller's own serves as well.
package spgd

import (
	"context"
	"fmt"

	"github.com/gomlx/gomlx/pkg/core/tensors"

	"github.com/seed-0f004ec9/spgd/engine"
	"github.com/seed-0f004ec9/spgd/imageio"
	"github.com/seed-0f004ec9/spgd/measurement"
	"github.com/seed-0f004ec9/spgd/operator"
	"github.com/seed-0f004ec9/spgd/prior"
	"github.com/seed-0f004ec9/spgd/sampler"
)

// Settings are the sampler's parameters. A StepSize of sampler.AutoStep takes every step from the problem,
// and 0 asks for the operator's published one, operator.DefaultStepSize.
type Settings = sampler.Settings

// DefaultSettings takes its step sizes from the problem, in 30 steps of 2 likelihood steps.
func DefaultSettings() Settings { return sampler.DefaultSettings() }

// PaperSettings is the paper's algorithm in 100 steps of 5 likelihood steps, from sigma 100.
func PaperSettings() Settings { return sampler.PaperSettings() }

// ReleasedSettings is the algorithm that the authors' published code runs.
func ReleasedSettings() Settings { return sampler.ReleasedSettings() }

// Errors that a caller may want to tell apart, found with errors.Is.
var (
	ErrSettings = sampler.ErrSettings // settings out of range
	ErrProblem  = sampler.ErrProblem  // a measurement that does not fit its operator, or holds NaN
	ErrDiverged = sampler.ErrDiverged // a step size too large
	ErrOperator = sampler.ErrOperator // a method that cannot treat the operator

	ErrCheckpoint = sampler.ErrCheckpoint // a checkpoint of another run
)

// LoadPrior loads a prior that comes with the program, by its name, or a checkpoint in
// safetensors or PyTorch form, by its path. See prior.Load for its errors and for checkpoints
// that do not describe their network.
func LoadPrior(spec string) (prior.Denoiser, error) {
	m, err := prior.Load(spec, prior.LoadOptions{})
	if err != nil {
		return nil, err
	}
	return m, nil
}

// Degrade simulates the measurement of a clean image: the task's operator, its mask or kernel
// drawn from the seed where the task says random, then noise drawn from the seed. Tasks whose
// mask or kernel is a picture go through operator.Build and measurement.Simulate.
func Degrade(ctx context.Context, e *engine.Engine, task operator.Task, img *imageio.Image, noise measurement.Noise, seed uint64) (*measurement.Measurement, error) {
	op, _, err := operator.Build(task, img.Height, img.Width, seed, operator.Files{})
	if err != nil {
		return nil, err
	}
	return measurement.Simulate(ctx, e, []*imageio.Image{img}, op, task, noise, seed)
}

// Options are what Restore takes beside the problem and the settings. The zero value is usable.
type Options struct {
	// Method is the name of another method than SPGD, see sampler.Methods. It has its authors'
	// settings for the measurement's operator and noise but for those in Set, and the Settings given
	// to Restore do not concern it.
	Method string
	// Set are settings of Method, by the names that sampler.Parameters lists.
	Set map[string]string
	// Tile is the largest side in pixels of the overlapping tiles in which the prior sees larger images, so
	// that memory depends on their size and not on the image's; 0 leaves images whole. See sampler.Tiles.
	Tile int
	// Programs says what is compiled as one program on an accelerator: an outer step of SPGD or each of its stages. The zero
	// value leaves it to the sampler. See sampler.Programs.
	Programs sampler.Programs
	// Seed and an image's index name the noise that the image starts from.
	Seed uint64
	// Images are those indices; nil means 0 to N-1.
	Images []uint32
	// Samples is how many restorations of every measurement the result is the mean of, which differ in their random
	// numbers alone; 0 counts as 1. Sample i from 0 has the random streams of the index sampler.SampleIndex(image, i), with which
	// it can be made alone; sample 0 is the restoration without samples. More take hardly more memory. A
	// method whose samples would all be the same is run once, see sampler.IsDeterministic.
	Samples int
	// SampleBatch is the most of them that are computed at once, which takes memory for each; 0 leaves it to the
	// sampler. See sampler.Samples.
	SampleBatch int
	// Starts, if not 0, is how many such restorations are made to choose from: the result of every measurement is the one with
	// the smallest residual, see Residual. It is for problems with several solutions, such as phase retrieval,
	// and not for Samples too. Tiles, SampleIndex and EachSample are as with Samples.
	Starts int
	// EachSample, if not nil, is called with every sample as it is complete. Its images may be read until
	// it returns, and an error ends the restoration. See sampler.Samples.
	EachSample func(i int, r *Result) error
	// Progress, if not nil, is called after every evaluation of the denoiser, and where that works in
	// tiles after every batch of them.
	Progress func(sampler.Progress)
	// Observers are called after every outer step. A resume.Keeper is one that keeps the run in a file.
	Observers []sampler.Observer
	// Resume, if not nil, is where the run goes on, as resume.Load reads it. It is emptied. The result
	// is that of an undisturbed run; a checkpoint of another method, setting, seed, measurement or prior
	// is an ErrCheckpoint, and File.Check tells another program or engine, which give other bits.
	Resume *sampler.Checkpoint
}

// Result is a restoration.
type Result struct {
	// Images are the restored images, in the order of the measurement: of several samples the mean. They
	// are not clipped.
	Images []*imageio.Image
	// Spread is the standard deviation of several samples about their mean, for every pixel and channel
	// of Images and in their units; its square is unbiased. It is nil of one sample.
	Spread []*imageio.Image
	// Samples is how many there are, or how many starts.
	Samples int
	// Chosen is which of several starts, from 0, is the result of every measurement, and Residuals are the root mean squares of
	// their residuals, by start and measurement. They are nil without Options.Starts.
	Chosen    []int
	Residuals [][]float64
	// Estimates are the prior's last estimates D(x; sigma) of the clean images. At the end of the
	// schedule they differ from Images by the last likelihood push. They are nil of several samples.
	Estimates []*imageio.Image
	// Method is the method with the settings used: SPGD with its step size filled in, or another.
	Method sampler.Sampler
	// Settings are those of SPGD; of another method they are zero.
	Settings Settings
	// Run has the records of the steps, the cost and the times. Its tensors are in the memory of Images
	// and Estimates.
	Run *sampler.Result
}

// Restore estimates the images behind a measurement. Each image of a batch gets what it gets
// alone under its index, and equal inputs give equal bytes on one machine. The errors wrap
// ErrSettings, ErrProblem or ErrDiverged where they apply; when ctx ends, it returns ctx.Err()
// after the network evaluation in progress.
//
// To restore several measurements, use a Restorer, which keeps its compiled programs.
func Restore(ctx context.Context, e *engine.Engine, d prior.Denoiser, m *measurement.Measurement, s Settings, o Options) (*Result, error) {
	r := NewRestorer(e, d)
	defer r.Close()
	return r.Restore(ctx, m, s, o)
}

// problemOf is what methods learn of a measurement.
func problemOf(m *measurement.Measurement) sampler.Problem {
	return sampler.Problem{Operator: m.Operator, SigmaY: m.Noise.Sigma}
}

// restoration is the method that the options name, and its settings if it is SPGD.
func restoration(m *measurement.Measurement, s Settings, o Options) (sampler.Sampler, Settings, error) {
	if o.Method != "" {
		method, err := sampler.New(o.Method, problemOf(m), o.Set)
		return method, Settings{}, err
	}
	if len(o.Set) > 0 {
		return nil, s, fmt.Errorf("spgd: %w: settings of a method that is not named", ErrSettings)
	}
	s = s.For(problemOf(m))
	return sampler.SPGD{Settings: s}, s, s.Validate()
}

// newResult is a run's result as images.
func newResult(method sampler.Sampler, s Settings, run *sampler.Result) (r *Result, err error) {
	r = &Result{Method: method, Settings: s, Run: run, Samples: run.Samples, Chosen: run.Chosen, Residuals: run.Scores}
	if r.Images, err = images(run.X); err != nil {
		return nil, err
	}
	if r.Estimates, err = images(run.X0hat); err != nil {
		return nil, err
	}
	r.Spread, err = images(run.Spread)
	return r, err
}

// images splits a tensor of [N,H,W,C], whose memory they share. Of nil there are none.
func images(t *tensors.Tensor) ([]*imageio.Image, error) {
	if t == nil {
		return nil, nil
	}
	d := t.Shape().Dimensions
	out := make([]*imageio.Image, d[0])
	err := t.ConstFlatData(func(flat any) {
		for i := range out {
			size := d[1] * d[2] * d[3]
			out[i] = &imageio.Image{Height: d[1], Width: d[2], Channels: d[3], Pix: flat.([]float32)[i*size:][:size:size]}
		}
	})
	if err != nil {
		return nil, fmt.Errorf("spgd: reading the result: %w", err)
	}
	return out, nil
}
