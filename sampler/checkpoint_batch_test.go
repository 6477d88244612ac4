package sampler

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/gomlx/gomlx/pkg/core/tensors"

	"github.com/seed-0f004ec9/spgd/prior/checkpoint"
)

// The images of a batch go on alone and in another batch, from every step of every sample, to the bits of the whole.
func TestSplitCheckpoints(t *testing.T) {
	const n = 3
	p := newProblem(t, n)
	driver := newDriver(t, p.prior, p.op)
	p.job.XStart, p.job.Seed, p.job.Images = nil, 5, []uint32{4, 0, 9}
	measured := flat(t, p.job.Y)
	size := len(measured) / n
	residual := func(x *tensors.Tensor) (scores []float64, err error) { // of no meaning, but of each image alone
		values := flat(t, x)
		for one := range slices.Chunk(values, gaussianSide*gaussianSide*3) {
			scores = append(scores, float64(one[0]*one[0]))
		}
		return scores, nil
	}
	// of is the job of some of the images, in an order of their own.
	of := func(job Job, list ...int) Job {
		var y []float32
		job.Images = nil
		for _, i := range list {
			y, job.Images = append(y, measured[i*size:][:size]...), append(job.Images, p.job.Images[i])
		}
		job.Y = tensors.FromFlatDataAndDimensions(y, len(list), 1, size, 1)
		return job
	}
	for _, samples := range []Samples{{}, {Number: 3, Batch: 1}, {Number: 3, Batch: 2}, {Number: 3, Batch: 2, Choose: residual}} {
		job := p.job
		job.Samples = samples
		var checkpoints []*Checkpoint
		observed := job
		observed.Observers = []Observer{ObserverFunc(func(s *Snapshot) error {
			return s.Checkpoint(func(c *Checkpoint) error {
				checkpoints = append(checkpoints, c.Clone())
				return nil
			})
		})}
		whole := mustRun(t, driver, quick(), observed)
		want, err := whole.Split(0)
		if err != nil {
			t.Fatal(err)
		}
		same := func(what string, k, i int, got *Result) {
			t.Helper()
			if !slices.Equal(flat(t, got.X), flat(t, want[i].X)) || got.Cost != want[i].Cost || !slices.Equal(got.Chosen, want[i].Chosen) {
				t.Errorf("%+v: image %d %s after checkpoint %d has another result", samples, i, what, k)
			}
			if got.Spread != nil && !slices.Equal(flat(t, got.Spread), flat(t, want[i].Spread)) {
				t.Errorf("%+v: image %d %s after checkpoint %d has another spread", samples, i, what, k)
			}
			if !reflect.DeepEqual(timeless(got.Records, Cost{}), timeless(want[i].Records, Cost{})) {
				t.Errorf("%+v: image %d %s after checkpoint %d has other records", samples, i, what, k)
			}
		}
		for k, c := range checkpoints {
			parts, err := c.Split()
			if err != nil {
				t.Fatal(err)
			}
			elapsed := time.Duration(0)
			for _, part := range parts {
				elapsed += part.Elapsed
			}
			if elapsed != c.Elapsed {
				t.Errorf("the images of checkpoint %d took %v, all together %v", k, elapsed, c.Elapsed)
			}
			again, err := JoinCheckpoints(parts)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(again, c) {
				t.Errorf("checkpoint %d is another one when its images are joined: %+v, want %+v", k, again, c)
			}
			alone := of(job, 1)
			alone.Resume = parts[1].Clone()
			same("alone", k, 1, mustRun(t, driver, quick(), alone))
			two, err := JoinCheckpoints([]*Checkpoint{parts[2], parts[0]})
			if err != nil {
				t.Fatal(err)
			}
			pair := of(job, 2, 0)
			pair.Resume = two
			results, err := mustRun(t, driver, quick(), pair).Split(0)
			if err != nil {
				t.Fatal(err)
			}
			same("with another", k, 2, results[0])
			same("with another", k, 0, results[1])
		}

		// Images that are not at the same place of the same run stay apart.
		first, _ := checkpoints[0].Split()
		later, _ := checkpoints[2].Split() // of two samples at once, each calls for one
		for what, change := range map[string]func(c *Checkpoint){
			"a later step":  func(c *Checkpoint) { *c = *later[1] },
			"another seed":  func(c *Checkpoint) { c.Seed++ },
			"more samples":  func(c *Checkpoint) { c.Samples += 2 },
			"another cost":  func(c *Checkpoint) { c.Cost.VJPs++ },
			"other levels":  func(c *Checkpoint) { c.Sigmas[0]++ },
			"another prior": func(c *Checkpoint) { c.Inputs.Prior = "" },
			"less state":    func(c *Checkpoint) { delete(c.State, StateX) },
			"other shapes": func(c *Checkpoint) {
				c.State[StateX] = checkpoint.Tensor{Shape: []int{1, 1, 1, 3}, Data: make([]float32, 3)}
			},
			"programs": func(c *Checkpoint) { c.Programs = ProgramsStep },
			"a batch":  func(c *Checkpoint) { *c = *checkpoints[0] },
		} {
			c := first[1].Clone()
			if !c.Beside(first[0]) {
				t.Fatal("the images of a batch are not beside each other")
			}
			change(c)
			if _, err := JoinCheckpoints([]*Checkpoint{first[0], c}); !errors.Is(err, ErrCheckpoint) || c.Beside(first[0]) {
				t.Errorf("%s: %v, want ErrCheckpoint", what, err)
			}
		}
		wrong := of(job, 1)
		wrong.Resume = first[0]
		wrong.Images = []uint32{4}
		if _, err := driver.Run(context.Background(), quick(), wrong); !errors.Is(err, ErrCheckpoint) {
			t.Errorf("image 1 from the checkpoint of image 0: %v, want ErrCheckpoint", err)
		}
	}
	if _, err := JoinCheckpoints(nil); !errors.Is(err, ErrCheckpoint) {
		t.Errorf("no checkpoints: %v", err)
	}
	broken := &Checkpoint{Images: []uint32{0, 1}, Inputs: Inputs{Measurement: "a"}}
	if _, err := broken.Split(); !errors.Is(err, ErrCheckpoint) {
		t.Errorf("two images of one measurement: %v", err)
	}
}
