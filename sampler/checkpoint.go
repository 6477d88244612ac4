package sampler

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
	"unsafe"

	"github.com/gomlx/gomlx/pkg/core/dtypes"
	"github.com/gomlx/gomlx/pkg/core/shapes"
	"github.com/gomlx/gomlx/pkg/core/tensors"

	"github.com/seed-0f004ec9/spgd/prior/checkpoint"
)

// ErrCheckpoint is wrapped by the errors of checkpoints that are of another run than the one that is
// to go on from them.
var ErrCheckpoint = errors.New("the checkpoint does not fit")

// Checkpoint is a run between two outer steps: what it takes to go on, and what tells whether it is
// the same run. Random numbers need no state, since those of every outer step have streams of their
// own. Package resume keeps checkpoints in files.
type Checkpoint struct {
	Sampler    string            `json:"sampler"`
	Parameters map[string]string `json:"parameters"` // settings of the sampler, see Parameters
	Sigmas     []float64         `json:"sigmas"`
	Seed       uint64            `json:"seed"`
	Images     []uint32          `json:"images"`             // of the samples in progress
	Samples    int               `json:"samples,omitempty"`  // how many there will be, if several
	Sample     int               `json:"sample,omitempty"`   // the first in progress, from 0
	Batch      int               `json:"batch,omitempty"`    // how many are computed at once at most, if several
	Choose     bool              `json:"choose,omitempty"`   // that one of them is chosen
	Tiles      string            `json:"tiles,omitempty"`    // how the denoiser's are cut, if they are
	Programs   Programs          `json:"programs,omitempty"` // see Result
	Inputs     Inputs            `json:"inputs"`

	Step    int           `json:"step"` // outer steps of the sample that are done, the index of the next
	Cost    Cost          `json:"cost"`
	Elapsed time.Duration `json:"elapsed_ns"`
	Compile time.Duration `json:"compile_ns"`
	Records []StepRecord  `json:"records"` // of all steps so far, sample by sample, complete ones included

	// State holds the state tensors, but for those that the sampler lists as Scratch, and what complete
	// samples have left.
	State map[string]checkpoint.Tensor `json:"-"`
}

// Inputs are the SHA-256 of what a run works on, in hexadecimal.
type Inputs struct {
	Measurement string `json:"measurement"` // of a batch those of its images, with spaces between them
	Operator    string `json:"operator"`    // its name, image size and arrays
	Prior       string `json:"prior"`       // its name and weights
}

// Scratcher is implemented by samplers with state tensors that no outer step reads before it has
// written them. A checkpoint leaves them out.
type Scratcher interface {
	// Scratch lists those tensors.
	Scratch() []string
}

// Clone returns a copy that shares nothing with the checkpoint.
func (c *Checkpoint) Clone() *Checkpoint {
	d := *c
	d.Parameters = maps.Clone(c.Parameters)
	d.Sigmas, d.Images, d.Records = slices.Clone(c.Sigmas), slices.Clone(c.Images), slices.Clone(c.Records)
	d.State = make(map[string]checkpoint.Tensor, len(c.State))
	for name, t := range c.State {
		d.State[name] = checkpoint.Tensor{Shape: slices.Clone(t.Shape), Data: slices.Clone(t.Data)}
	}
	return &d
}

// Checkpoint calls f with the run as it stands after the step. The arrays are not copied where the
// state lies in the host's memory: f must not change them, and keep only a Clone.
func (s *Snapshot) Checkpoint(f func(c *Checkpoint) error) error {
	r := s.run
	c, err := r.identity()
	if err != nil {
		return err
	}
	c.Step, c.Cost, c.Elapsed, c.Compile = r.k+1, r.cost, time.Since(r.start), r.compile
	c.Records = slices.Concat(r.records, slices.Concat(r.own...))
	c.State = map[string]checkpoint.Tensor{}
	values := r.tally()
	names := slices.Concat(r.kept(), slices.Sorted(maps.Keys(values)))
	var collect func(i int) error
	collect = func(i int) error {
		if i == len(names) {
			return f(c)
		}
		t, ok := values[names[i]]
		if !ok {
			t = r.state[names[i]]
		}
		return r.driver.engine.View(t, func(data []float32) error {
			c.State[names[i]] = checkpoint.Tensor{Shape: t.Shape().Dimensions, Data: data}
			return collect(i + 1)
		})
	}
	return collect(0)
}

// InProgress is how many samples the state is of.
func (c *Checkpoint) InProgress() int { return min(max(1, c.Batch), max(1, c.Samples)-c.Sample) }

// kept are the state tensors that the next outer step may read.
func (r *Run) kept() []string {
	names := slices.Concat([]string{StateX, StateX0hat}, r.sampler.State())
	if s, ok := r.sampler.(Scratcher); ok {
		scratch := s.Scratch()
		names = slices.DeleteFunc(names, func(name string) bool { return slices.Contains(scratch, name) })
	}
	return slices.DeleteFunc(names, func(name string) bool { return r.spared.state[name] })
}

// identity is what a checkpoint of the run has in common with every other one of it.
func (r *Run) identity() (*Checkpoint, error) {
	if r.problem == nil {
		in, err := r.hashInputs()
		if err != nil {
			return nil, err
		}
		r.problem = in
	}
	c := &Checkpoint{
		Sampler: r.sampler.Name(), Parameters: map[string]string{}, Sigmas: r.sigmas,
		Seed: r.job.Seed, Sample: r.sample, Programs: r.chosen, Inputs: *r.problem,
	}
	if r.samples > 1 {
		c.Samples, c.Choose = r.samples, r.job.Samples.Choose != nil
	}
	if r.course.batch > 1 {
		c.Batch = r.course.batch
	}
	if t := r.driver.Tiling(); t != nil {
		c.Tiles = fmt.Sprintf("%dx%d overlapping by %d", t.TileWidth, t.TileHeight, t.Overlap)
	}
	for _, p := range Parameters(r.sampler) {
		_, c.Parameters[p.Name], _ = strings.Cut(p.String(), "=")
	}
	for i := range r.batch {
		c.Images = append(c.Images, r.imageIndex(i))
	}
	return c, nil
}

// hashInputs hashes the measurement, the operator and the prior.
func (r *Run) hashInputs() (*Inputs, error) {
	hash := func(name string, ts ...*tensors.Tensor) (string, error) {
		h := sha256.New()
		fmt.Fprintf(h, "%q", name)
		for _, t := range ts {
			if err := r.driver.engine.View(t, func(data []float32) error {
				addToHash(h, t.Shape(), data)
				return nil
			}); err != nil {
				return "", fmt.Errorf("sampler: hashing %s: %w", name, err)
			}
		}
		return hex.EncodeToString(h.Sum(nil)), nil
	}
	var in Inputs
	var err error
	if in.Measurement, err = r.hashMeasurements(); err != nil {
		return nil, err
	}
	op := r.driver.operator
	height, width := op.ImageSize()
	if in.Operator, err = hash(fmt.Sprint(op.Name(), height, width), op.Data()...); err != nil {
		return nil, err
	}
	in.Prior, err = hash(r.driver.denoiser.Name(), r.driver.denoiser.Weights()...)
	return &in, err
}

// hashMeasurements hashes the measurement of every image for itself, so that it is the same in any batch.
func (r *Run) hashMeasurements() (string, error) {
	shape := r.driver.measurementShape(1)
	var list []string
	err := r.driver.engine.View(r.job.Y, func(data []float32) error {
		for one := range slices.Chunk(data, shape.Size()) {
			h := sha256.New()
			fmt.Fprintf(h, "%q", "measurement")
			addToHash(h, shape, one)
			list = append(list, hex.EncodeToString(h.Sum(nil)))
		}
		return nil
	})
	if err != nil {
		return "", fmt.Errorf("sampler: hashing measurement: %w", err)
	}
	return strings.Join(list, " "), nil
}

// addToHash hashes the bytes of an array as they lie: a checkpoint belongs to one kind of machine.
func addToHash(h io.Writer, shape shapes.Shape, data []float32) {
	fmt.Fprint(h, shape)
	_, _ = h.Write(unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(data))), 4*len(data))) // a hash takes all
}

// resume sets the run to a checkpoint and empties it, so that its memory is free while the run goes
// on.
func (r *Run) resume(c *Checkpoint) error {
	want, err := r.identity()
	if err != nil {
		return err
	}
	if c.Programs != "" {
		want.Programs = r.form
	}
	if err := c.check(want); err != nil {
		return err
	}
	kept := r.kept()
	names := slices.Clone(kept)
	switch {
	case r.sample > 0 && c.Choose:
		names = append(names, samplesBest, samplesScores)
	case r.sample > 0:
		names = append(names, samplesMean, samplesSquares)
	}
	for _, name := range names {
		t, ok := c.State[name]
		i := slices.IndexFunc(t.Data, func(v float32) bool { return v-v != 0 })
		shape := r.driver.stateShape(r.images)
		if slices.Contains(kept, name) {
			shape = r.driver.shapeOf(r.sampler, name, r.batch)
		}
		if name == samplesScores {
			shape = shapes.Make(dtypes.Float32, r.sample, r.images)
		}
		switch {
		case !ok:
			return fmt.Errorf("sampler: %w: its state %q is missing", ErrCheckpoint, name)
		case !slices.Equal(t.Shape, shape.Dimensions) || len(t.Data) != shape.Size():
			return fmt.Errorf("sampler: %w: its state %q is %v with %d values, want %v", ErrCheckpoint, name, t.Shape, len(t.Data), shape.Dimensions)
		case i >= 0:
			return fmt.Errorf("sampler: %w: its state %q holds %g (element %d)", ErrCheckpoint, name, t.Data[i], i)
		}
	}
	for name := range c.State {
		if !slices.Contains(names, name) {
			return fmt.Errorf("sampler: %w: its state %q is unknown", ErrCheckpoint, name)
		}
	}
	if r.sample > 0 {
		host := func(name string) *tensors.Tensor {
			t := c.State[name]
			delete(c.State, name)
			return tensors.FromFlatDataAndDimensions(t.Data, t.Shape...)
		}
		if c.Choose {
			r.scores = c.State[samplesScores].Data
			delete(c.State, samplesScores)
			r.best = host(samplesBest)
		} else {
			r.mean, r.squares = host(samplesMean), host(samplesSquares)
		}
	}
	for _, name := range kept {
		t, err := r.driver.engine.Make(func(data []float32) error { copy(data, c.State[name].Data); return nil }, c.State[name].Shape...)
		if err != nil {
			return fmt.Errorf("sampler: resuming: %w", err)
		}
		r.set(name, t)
		delete(c.State, name)
	}
	done := c.Sample * r.steps()
	r.records = slices.Clone(c.Records[:done])
	for i := range r.own {
		r.own[i] = slices.Clone(c.Records[done+i*c.Step:][:c.Step])
	}
	if done > 0 {
		r.began = r.records[done-1].Elapsed
	}
	r.first, r.cost, r.spent = c.Step, c.Cost, r.each.times(c.Sample)
	r.earlier, r.start, r.compile = c.Elapsed, r.start.Add(-c.Elapsed), r.compile+c.Compile
	return nil
}

// ofSample says in an error which sample is in progress, if there are several.
func (c *Checkpoint) ofSample() string {
	if c.Samples <= 1 {
		return ""
	}
	return fmt.Sprintf(" of sample %d", c.Sample+1)
}

// check compares a checkpoint with the run that is to go on from it, of which want is the identity. It
// names the first difference.
func (c *Checkpoint) check(want *Checkpoint) error {
	differs := func(what string, here, there any) error {
		return fmt.Errorf("sampler: %w: %s is %v here and %v there", ErrCheckpoint, what, here, there)
	}
	switch {
	case c.Sampler != want.Sampler:
		return differs("the method", want.Sampler, c.Sampler)
	case c.Seed != want.Seed:
		return differs("the seed", want.Seed, c.Seed)
	case !slices.Equal(c.Images, want.Images):
		return differs("the list of image indices", want.Images, c.Images)
	case c.Tiles != want.Tiles:
		return fmt.Errorf("sampler: %w: it is of a run with other tiles (%s here, %s there)", ErrCheckpoint, cmp.Or(want.Tiles, "none"), cmp.Or(c.Tiles, "none"))
	case c.Programs != want.Programs:
		return fmt.Errorf("sampler: %w: programs are of a %q here and of a %q there", ErrCheckpoint, want.Programs, c.Programs)
	}
	all := maps.Clone(want.Parameters)
	maps.Copy(all, c.Parameters)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		here, ok := want.Parameters[name]
		there, also := c.Parameters[name]
		if !ok || !also {
			return fmt.Errorf("sampler: %w: only one of the two runs has the setting %s", ErrCheckpoint, name)
		}
		if here != there {
			return differs("the setting "+name, here, there)
		}
	}
	switch {
	case !slices.Equal(c.Sigmas, want.Sigmas):
		return fmt.Errorf("sampler: %w: its noise levels are others", ErrCheckpoint)
	case c.Inputs.Measurement != want.Inputs.Measurement:
		return fmt.Errorf("sampler: %w: it is of another measurement", ErrCheckpoint)
	case c.Inputs.Operator != want.Inputs.Operator:
		return fmt.Errorf("sampler: %w: it is of another operator (mask, kernel or size)", ErrCheckpoint)
	case c.Inputs.Prior != want.Inputs.Prior:
		return fmt.Errorf("sampler: %w: it is of another prior", ErrCheckpoint)
	case c.Step < 1 || c.Step >= len(c.Sigmas) || len(c.Records) != c.Sample*(len(c.Sigmas)-1)+c.Step*c.InProgress():
		return fmt.Errorf("sampler: %w: it has %d records after %d of %d steps%s", ErrCheckpoint, len(c.Records), c.Step, len(c.Sigmas)-1, c.ofSample())
	case c.Elapsed < 0 || c.Compile < 0 || c.Cost.Forwards < 0 || c.Cost.VJPs < 0:
		return fmt.Errorf("sampler: %w: its times or costs are negative", ErrCheckpoint)
	}
	return nil
}
