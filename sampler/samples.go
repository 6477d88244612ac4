package sampler

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/gomlx/gomlx/pkg/core/dtypes"
	"github.com/gomlx/gomlx/pkg/core/shapes"
	"github.com/gomlx/gomlx/pkg/core/tensors"

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
	// Each, if not nil, is called with every sample as it is complete, and number i from 0. Its result is
	// what a run with the index SampleIndex(image, i) alone gives, with Elapsed that of the sample. The tensors may be
	// read until it returns. An error ends the run. A run that was resumed calls it for the samples that
	// were not complete.
	Each func(i int, r *Result) error
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
)

// course is what the runs of a job, one for every sample, hand on from one to the next.
type course struct {
	samples int // how many there will be
	sample  int // the one in progress, from 0
	// Of the samples that are complete, nil without any.
	mean, squares *tensors.Tensor

	first   int     // the outer step to begin with
	problem *Inputs // once hashed
	records []StepRecord
	cost    Cost
	start   time.Time
	compile time.Duration
	earlier time.Duration // before a checkpoint
}

// newCourse checks what a job says about samples.
func newCourse(s Sampler, j Job, batch int) (*course, error) {
	c := &course{samples: max(1, j.Samples.Number), start: time.Now()}
	if j.Samples.Number < 0 {
		return nil, fmt.Errorf("sampler: %w: %d samples, want at least 1", ErrProblem, j.Samples.Number)
	}
	if IsDeterministic(s) {
		c.samples = 1
	}
	for i := range batch {
		if most := MaxSamples - int(j.image(i)>>sampleShift); c.samples > most {
			return nil, fmt.Errorf("sampler: %w: %d samples of the image with index %d, want at most %d", ErrProblem, c.samples, j.image(i), most)
		}
	}
	if r := j.Resume; r != nil {
		if here, there := c.samples, max(1, r.Samples); here != there {
			return nil, fmt.Errorf("sampler: %w: the number of samples is %d here and %d there", ErrCheckpoint, here, there)
		}
		if r.Sample < 0 || r.Sample >= c.samples {
			return nil, fmt.Errorf("sampler: %w: it is of sample %d of %d", ErrCheckpoint, r.Sample+1, c.samples)
		}
		c.sample = r.Sample
	}
	return c, nil
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
	if c.mean == nil {
		return nil
	}
	return map[string]*tensors.Tensor{samplesMean: c.mean, samplesSquares: c.squares}
}

// take hands on a complete sample. The last one of one is the result.
func (c *course) take(r *Result, j Job) (*Result, error) {
	all := *r
	if before := c.sample * (len(c.records) / (c.sample + 1)); before > 0 {
		// What the sample alone came to.
		last := c.records[before-1]
		r.Records, r.Cost, r.Elapsed = r.Records[before:], r.Cost.minus(last.Cost), r.Elapsed-last.Elapsed
	}
	if j.Samples.Each != nil {
		if err := j.Samples.Each(c.sample, r); err != nil {
			return nil, err
		}
	}
	if c.samples == 1 {
		return &all, nil
	}
	if err := c.add(r.X); err != nil {
		return nil, err
	}
	free(r.X0hat)
	c.sample, c.first = c.sample+1, 0
	if c.sample < c.samples {
		return nil, nil
	}
	err := overwrite(c.squares, func(v []float32) {
		for i := range v {
			v[i] = float32(math.Sqrt(float64(v[i]) / float64(c.samples-1)))
		}
	})
	all.X, all.X0hat, all.Spread = c.mean, nil, c.squares
	return &all, err
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
