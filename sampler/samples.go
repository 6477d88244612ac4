package sampler

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/gomlx/gomlx/pkg/core/dtypes"
	"github.com/gomlx/gomlx/pkg/core/shapes"
	"github.com/gomlx/gomlx/pkg/core/tensors"

	"github.com/seed-0f004ec9/spgd/engine"
	"github.com/seed-0f004ec9/spgd/operator"
)

// MaxSamples is how many samples of an image have random streams of their own.
const MaxSamples = 1 << (32 - sampleShift)

// sampleShift is where the number of a sample begins in an image's index, below which are 2^24 images.
const sampleShift = 24

// SampleIndex is the image index whose random streams are those of sample i of an image, from 0: sample 0
// is the image's run without samples. A Job with that index alone gives what the sample is among others.
// image has to be below 2^24 and i below MaxSamples.
func SampleIndex(image uint32, i int) uint32 { return image + uint32(i)<<sampleShift }

// Samples asks for several restorations of every measurement, which differ in their random numbers alone. A run of
// a diffusion sampler is about one draw from the images that explain the measurement: the mean of several is
// nearer to the true one, and their spread is where the prior has chosen.
type Samples struct {
	// Number is how many there are; 0 counts as 1. A Deterministic method is run once.
	Number int
	// Batch is the most that are computed at once, as one batch with the measurements' images. It changes no
	// sample's result, on an accelerator up to rounding. 0 leaves it to the driver: one after the other on the
	// CPU, where a batch brings nothing and takes memory, and on an accelerator what fills it.
	Batch int
	// Each, if not nil, is called with every sample as it is complete, and number i from 0. Its result is
	// what a run with the index SampleIndex(image, i) alone gives, with Elapsed that of the sample, its share of
	// the time where several are computed at once. The tensors may be
	// read until it returns. An error ends the run. A run that was resumed calls it for the samples that
	// were not complete.
	Each func(i int, r *Result) error
	// Choose, if not nil, makes the result of every measurement the sample with the smallest number that Choose returns
	// for it, rather than the mean: the residual, say, of a problem with several solutions, of which a mean is none. x
	// is the sample, [N,H,W,C]. Of equal numbers the first counts.
	Choose func(x *tensors.Tensor) ([]float64, error)
}

// Deterministic is implemented by samplers some of whose runs do not depend on the random numbers.
type Deterministic interface {
	// Deterministic says whether every sample would be the same.
	Deterministic() bool
}

// IsDeterministic says whether runs of a method, with settings that know the problem, do not depend on the random numbers.
func IsDeterministic(s Sampler) bool {
	d, ok := s.(Deterministic)
	return ok && d.Deterministic()
}

// SamplesHeld is the number of bytes that several samples of n images take beside the run of one.
func SamplesHeld(samples, n int, op operator.Operator) int {
	if samples <= 1 {
		return 0
	}
	h, w := op.ImageSize()
	return 2 * n * int(shapes.Make(dtypes.Float32, h, w, imageChannels).Memory())
}

// imageChannels is the number of channels of an image, see NewDriver.
const imageChannels = 3

// Names of the state that samples leave to the next, in a checkpoint.
const (
	samplesMean    = "samples: mean"
	samplesSquares = "samples: squares" // sum of the squared deviations from the mean
	samplesBest    = "samples: best"
	samplesScores  = "samples: scores" // of the complete samples, [samples,N], by which the best is chosen
)

// together is how many samples of n images are computed at once, of a number, where the job does not say. With tiles
// it is these that fill an accelerator.
func (d *Driver) together(samples, n int) int {
	if samples == 1 || d.tiler != nil {
		return 1
	}
	h, w := d.operator.ImageSize()
	return fill(d.engine, d.denoiser, h, w, n)
}

// course is what the runs of a job, one for every batch of samples, hand on from one to the next.
type course struct {
	samples int // how many there will be
	batch   int // how many are computed at once, at most
	sample  int // the first one in progress, from 0
	// Of the samples that are complete, nil without any.
	mean, squares *tensors.Tensor
	best          *tensors.Tensor // instead, where one is chosen
	scores        []float32       // of all images of every sample
	y             *tensors.Tensor // the measurements, as often as there are samples in a batch

	form   Programs // ProgramsStep or ProgramsStage
	chosen Programs // form, once the sampler has run something for which there is a choice

	first   int          // the outer step to begin with
	stepped bool         // a step has been made
	problem *Inputs      // once hashed
	records []StepRecord // of complete samples
	cost    Cost
	start   time.Time
	compile time.Duration
	earlier time.Duration // before a checkpoint
}

// newCourse checks what a job of n measurements says about samples.
func newCourse(d *Driver, s Sampler, j Job, n int) (*course, error) {
	c := &course{samples: max(1, j.Samples.Number), start: time.Now()}
	if j.Samples.Number < 0 {
		return nil, fmt.Errorf("sampler: %w: %d samples, want at least 1", ErrProblem, j.Samples.Number)
	}
	if j.Samples.Batch < 0 {
		return nil, fmt.Errorf("sampler: %w: batches of %d samples, want at least 1", ErrProblem, j.Samples.Batch)
	}
	if IsDeterministic(s) {
		c.samples = 1
	}
	for i := range n {
		if most := MaxSamples - int(j.image(i)>>sampleShift); c.samples > most {
			return nil, fmt.Errorf("sampler: %w: %d samples of the image with index %d, want at most %d", ErrProblem, c.samples, j.image(i), most)
		}
	}
	c.divide(cmp.Or(j.Samples.Batch, d.together(c.samples, n)))
	if r := j.Resume; r != nil {
		if here, there := c.samples, max(1, r.Samples); here != there {
			return nil, fmt.Errorf("sampler: %w: the number of samples is %d here and %d there", ErrCheckpoint, here, there)
		}
		if r.Sample < 0 || r.Sample >= c.samples {
			return nil, fmt.Errorf("sampler: %w: it is of sample %d of %d", ErrCheckpoint, r.Sample+1, c.samples)
		}
		if r.Choose != (c.samples > 1 && j.Samples.Choose != nil) {
			return nil, fmt.Errorf("sampler: %w: only one of the two runs chooses among its samples", ErrCheckpoint)
		}
		if r.Batch < 0 || r.Batch > c.samples {
			return nil, fmt.Errorf("sampler: %w: it is of batches of %d samples of %d", ErrCheckpoint, r.Batch, c.samples)
		}
		c.sample, c.batch = r.Sample, max(1, r.Batch)
	}
	c.form = d.formFor(n * c.batch)
	if r := j.Resume; r != nil && d.form == ProgramsAuto && (r.Programs == ProgramsStep || r.Programs == ProgramsStage) {
		c.form = r.Programs
	}
	return c, nil
}

// divide sets how many samples are computed at once, at most a number.
func (c *course) divide(most int) { c.batch = Evenly(c.samples-c.sample, most) }

// Evenly is the size of the batches into which a number of images is divided, each of most at most: all of one size,
// since they take the time of the largest, and of one size there is one program.
func Evenly(number, most int) int {
	batches := (number-1)/max(1, most) + 1
	return (number-1)/batches + 1
}

// inProgress is how many samples are computed now.
func (c *course) inProgress() int { return min(c.batch, c.samples-c.sample) }

// measured returns the measurements for a batch of samples: y itself if that is one.
func (c *course) measured(e *engine.Engine, y *tensors.Tensor) (*tensors.Tensor, error) {
	if c.batch == 1 {
		return y, nil
	}
	dims := slices.Clone(y.Shape().Dimensions)
	dims[0] *= c.batch
	return e.Make(func(to []float32) error {
		return e.View(y, func(from []float32) error {
			for i := range c.batch {
				copy(to[i*len(from):], from)
			}
			return nil
		})
	}, dims...)
}

// image names the random streams of image i of a job.
func (j *Job) image(i int) uint32 {
	if j.Images != nil {
		return j.Images[i]
	}
	return uint32(i)
}

// tally are the tensors that complete samples leave behind.
func (c *course) tally() map[string]*tensors.Tensor {
	if c.best != nil {
		n := c.best.Shape().Dimensions[0]
		return map[string]*tensors.Tensor{samplesBest: c.best, samplesScores: tensors.FromFlatDataAndDimensions(slices.Clone(c.scores), len(c.scores)/n, n)}
	}
	if c.mean == nil {
		return nil
	}
	return map[string]*tensors.Tensor{samplesMean: c.mean, samplesSquares: c.squares}
}

// take hands on a complete sample. The last one of one is the result.
func (c *course) take(r *Result, j Job) (*Result, error) {
	if j.Samples.Each != nil {
		if err := j.Samples.Each(c.sample, r); err != nil {
			return nil, err
		}
	}
	c.records = append(c.records, r.Records...)
	all := &Result{X: r.X, X0hat: r.X0hat, Samples: c.samples, Records: c.records, Cost: c.cost, Compile: c.compile, Programs: c.chosen}
	if c.samples > 1 {
		fold := c.add
		if j.Samples.Choose != nil {
			fold = func(x *tensors.Tensor) error { return c.choose(x, j.Samples.Choose) }
		}
		if err := fold(r.X); err != nil {
			return nil, err
		}
		free(r.X0hat)
	}
	c.sample, c.first = c.sample+1, 0
	if c.sample < c.samples {
		return nil, nil
	}
	if c.best != nil {
		all.X, all.X0hat, all.Chosen, all.Scores = c.best, nil, c.leaders(), c.scoreTable()
	} else if c.samples > 1 {
		err := overwrite(c.squares, func(v []float32) {
			for i := range v {
				v[i] = float32(math.Sqrt(float64(v[i]) / float64(c.samples-1)))
			}
		})
		if err != nil {
			return nil, err
		}
		all.X, all.X0hat, all.Spread = c.mean, nil, c.squares
	}
	all.Elapsed = time.Since(c.start)
	return all, nil
}

// choose keeps the images of the next sample that have smaller scores than those before, in float32 as a checkpoint
// keeps them. x becomes the course's.
func (c *course) choose(x *tensors.Tensor, score func(x *tensors.Tensor) ([]float64, error)) error {
	n := x.Shape().Dimensions[0]
	scores, err := score(x)
	if err != nil {
		return err
	}
	if len(scores) != n {
		return fmt.Errorf("sampler: %w: %d scores of %d images", ErrProblem, len(scores), n)
	}
	for i, v := range scores {
		if v-v != 0 {
			return fmt.Errorf("sampler: %w: sample %d of image %d has the score %g", ErrProblem, c.sample+1, i, v)
		}
		c.scores = append(c.scores, float32(v))
	}
	if c.best == nil {
		c.best = x
		return nil
	}
	defer free(x)
	var failed error
	err = x.ConstFlatData(func(flat any) {
		failed = overwrite(c.best, func(best []float32) {
			size := len(best) / n
			for i, leader := range c.leaders() {
				if leader == c.sample {
					copy(best[i*size:][:size], flat.([]float32)[i*size:])
				}
			}
		})
	})
	if err = errors.Join(err, failed); err != nil {
		return fmt.Errorf("sampler: choosing a sample: %w", err)
	}
	return nil
}

// scoreTable are the scores by sample and image.
func (c *course) scoreTable() [][]float64 {
	n := c.best.Shape().Dimensions[0]
	table := make([][]float64, len(c.scores)/n)
	for s := range table {
		table[s] = make([]float64, n)
		for i := range table[s] {
			table[s][i] = float64(c.scores[s*n+i])
		}
	}
	return table
}

// leaders are the samples with the smallest scores, by image.
func (c *course) leaders() []int {
	list := make([]int, c.best.Shape().Dimensions[0])
	for s, row := range c.scoreTable() {
		for i, v := range row {
			if v < float64(c.scores[list[i]*len(list)+i]) {
				list[i] = s
			}
		}
	}
	return list
}

// add takes the next sample into mean and squared deviations (Welford, Technometrics 4, 1962), both kept in
// float32 as a checkpoint keeps them. x becomes the course's.
func (c *course) add(x *tensors.Tensor) error {
	if c.mean == nil {
		c.mean, c.squares = x, tensors.FromShape(x.Shape())
		return nil
	}
	defer free(x)
	n := float64(c.sample + 1)
	var failed error
	err := x.ConstFlatData(func(flat any) {
		failed = overwrite(c.mean, func(mean []float32) {
			failed = overwrite(c.squares, func(squares []float32) {
				for i, v := range flat.([]float32) {
					d := float64(v) - float64(mean[i])
					m := float32(float64(mean[i]) + d/n)
					squares[i] = float32(float64(squares[i]) + float64(d*(float64(v)-float64(m))))
					mean[i] = m
				}
			})
		})
	})
	if err = errors.Join(err, failed); err != nil {
		return fmt.Errorf("sampler: adding a sample: %w", err)
	}
	return nil
}

// overwrite calls f with the values of a tensor of the host, for it to change.
func overwrite(t *tensors.Tensor, f func(v []float32)) error {
	return t.MutableFlatData(func(flat any) { f(flat.([]float32)) })
}
