package sampler

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/seed-0f004ec9/spgd/prior/checkpoint"
)

// The images of a batch have nothing in common but the schedule, so that its checkpoint is those of its images side by
// side: an image can go on alone, or in another batch.

// images is how many images the run is of.
func (c *Checkpoint) images() int { return len(c.Images) / max(1, c.Batch) }

// rows is how often a tensor of the state has all images one after the other: once for every sample that it is of.
func (c *Checkpoint) rows(name string) int {
	switch name {
	case samplesMean, samplesSquares, samplesBest:
		return 1
	case samplesScores:
		return c.Sample
	}
	return max(1, c.Batch)
}

// Split returns the checkpoint of each image of a batch, from which a run of it alone goes on. What the batch took, in
// time and in compiling, is divided among them. The arrays are not copied where an image's lie side by side.
func (c *Checkpoint) Split() ([]*Checkpoint, error) {
	n := c.images()
	measurements := strings.Fields(c.Inputs.Measurement)
	if n == 0 || len(measurements) != n {
		return nil, fmt.Errorf("sampler: %w: it is of %d images and %d measurements", ErrCheckpoint, n, len(measurements))
	}
	out := make([]*Checkpoint, n)
	for i := range out {
		one := *c
		one.Inputs.Measurement = measurements[i]
		one.Elapsed, one.Compile = share(c.Elapsed, i, n), share(c.Compile, i, n)
		one.Images = nil
		for k := i; k < len(c.Images); k += n {
			one.Images = append(one.Images, c.Images[k])
		}
		one.Records = make([]StepRecord, len(c.Records))
		for k := range c.Records {
			one.Records[k] = c.Records[k].alone(i, n)
		}
		one.State = make(map[string]checkpoint.Tensor, len(c.State))
		for name, t := range c.State {
			rows := c.rows(name)
			if len(t.Shape) < 2 || rows == 0 || len(t.Data)%(rows*n) != 0 {
				return nil, fmt.Errorf("sampler: %w: its state %q is %v, of %d images", ErrCheckpoint, name, t.Shape, n)
			}
			own := checkpoint.Tensor{Shape: slices.Clone(t.Shape)}
			if name == samplesScores {
				own.Shape[1] = 1
			} else {
				own.Shape[0] /= n
			}
			size := len(t.Data) / (rows * n)
			if rows == 1 {
				own.Data = t.Data[i*size:][:size:size]
			} else {
				for k := range rows {
					own.Data = append(own.Data, t.Data[(k*n+i)*size:][:size]...)
				}
			}
			one.State[name] = own
		}
		out[i] = &one
	}
	return out, nil
}

// Beside says whether two images have come to the same place of the same restoration, so that they can go on as a batch.
func (c *Checkpoint) Beside(other *Checkpoint) bool { return c.beside(other) == nil }

// beside says what keeps two images from going on as a batch.
func (c *Checkpoint) beside(other *Checkpoint) error {
	want := *other
	want.Images, want.Inputs.Measurement = c.Images, c.Inputs.Measurement
	if err := c.check(&want); err != nil {
		return err
	}
	if c.images() != 1 || c.Step != want.Step || c.Sample != want.Sample || c.Samples != want.Samples || c.Batch != want.Batch || c.Choose != want.Choose || c.Cost != want.Cost {
		return fmt.Errorf("sampler: %w: one image is after step %d%s, another after step %d%s", ErrCheckpoint, c.Step, c.ofSample(), want.Step, want.ofSample())
	}
	if !maps.EqualFunc(c.State, other.State, func(a, b checkpoint.Tensor) bool {
		return slices.Equal(a.Shape, b.Shape) && len(a.Data) == len(b.Data)
	}) {
		return fmt.Errorf("sampler: %w: the images have other state", ErrCheckpoint)
	}
	return nil
}

// JoinCheckpoints returns the checkpoint of a batch of images, each of which has come to the same place of the same
// restoration, as Snapshot.Checkpoint and Split return them; those of others are an ErrCheckpoint. What they took is
// added up. Arrays are copied.
func JoinCheckpoints(parts []*Checkpoint) (*Checkpoint, error) {
	n := len(parts)
	if n == 0 {
		return nil, fmt.Errorf("sampler: %w: a batch of none", ErrCheckpoint)
	}
	all := *parts[0]
	var measurements []string
	all.Elapsed, all.Compile, all.Images = 0, 0, nil
	for i, c := range parts {
		if err := c.beside(parts[0]); err != nil {
			return nil, fmt.Errorf("%w (images %d and 0 of a batch)", err, i)
		}
		measurements = append(measurements, c.Inputs.Measurement)
		all.Elapsed, all.Compile = all.Elapsed+c.Elapsed, all.Compile+c.Compile
	}
	all.Inputs.Measurement = strings.Join(measurements, " ")
	for k := range parts[0].Images { // one for every sample in progress
		for _, c := range parts {
			all.Images = append(all.Images, c.Images[k])
		}
	}
	all.Records = make([]StepRecord, len(parts[0].Records))
	for k := range all.Records {
		records := make([]*StepRecord, n)
		for i, c := range parts {
			records[i] = &c.Records[k]
		}
		all.Records[k] = joinRecords(records)
	}
	all.State = map[string]checkpoint.Tensor{}
	for name, first := range parts[0].State {
		rows := all.rows(name)
		joined := checkpoint.Tensor{Shape: slices.Clone(first.Shape), Data: make([]float32, 0, n*len(first.Data))}
		if len(first.Shape) < 2 || rows == 0 || len(first.Data)%rows != 0 {
			return nil, fmt.Errorf("sampler: %w: its state %q is %v", ErrCheckpoint, name, first.Shape)
		}
		if name == samplesScores {
			joined.Shape[1] *= n
		} else {
			joined.Shape[0] *= n
		}
		size := len(first.Data) / rows
		for k := range rows {
			for _, c := range parts {
				joined.Data = append(joined.Data, c.State[name].Data[k*size:][:size]...)
			}
		}
		all.State[name] = joined
	}
	return &all, nil
}
