package sampler

import (
	"context"
	"errors"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/seed-0f004ec9/spgd/prior/checkpoint"
)

// checkpointAfter is the run's checkpoint after step k, and its result.
func checkpointAfter(t *testing.T, d *Driver, s Sampler, j Job, k int) (*Checkpoint, *Result) {
	t.Helper()
	var c *Checkpoint
	j.Observers = []Observer{ObserverFunc(func(s *Snapshot) error {
		if s.K != k {
			return nil
		}
		return s.Checkpoint(func(now *Checkpoint) error {
			c = now.Clone()
			return nil
		})
	})}
	res := mustRun(t, d, s, j)
	return c, res
}

// A run goes on from a clone of its checkpoint, without a file, however often it is interrupted.
func TestResume(t *testing.T) {
	p := newProblem(t, 2)
	driver := newDriver(t, p.prior, p.op)
	p.job.XStart = nil
	p.job.Seed = 5
	first, want := checkpointAfter(t, driver, quick(), p.job, 0)
	job := p.job
	job.Resume = first
	var progress []Progress
	job.Progress = func(p Progress) { progress = append(progress, p) }
	third, got := checkpointAfter(t, driver, quick(), job, 2)
	for _, res := range []*Result{got, func() *Result { job.Resume = third; return mustRun(t, driver, quick(), job) }()} {
		if !slices.Equal(flat(t, res.X), flat(t, want.X)) || !slices.Equal(flat(t, res.X0hat), flat(t, want.X0hat)) {
			t.Error("the result is another")
		}
		if len(res.Records) != 5 || res.Cost != want.Cost || !reflect.DeepEqual(res.Records[4].Angles, want.Records[4].Angles) {
			t.Errorf("records %+v, want %+v", res.Records, want.Records)
		}
	}
	if p := progress[0]; p.Step != 1 || p.Cost.NFE() != 4 {
		t.Errorf("the first progress is %+v", p)
	}
	if last := progress[len(progress)-1]; last.Done != last.Total {
		t.Errorf("the last progress is %+v", last)
	}
}

// A checkpoint of anything else is refused, with the first difference.
func TestResumeErrors(t *testing.T) {
	p := newProblem(t, 2)
	driver := newDriver(t, p.prior, p.op)
	p.job.Seed = 5
	good, _ := checkpointAfter(t, driver, quick(), p.job, 1)
	try := func(what, want string, d *Driver, s Sampler, j Job, change func(c *Checkpoint)) {
		t.Helper()
		j.Resume = good.Clone()
		if change != nil {
			change(j.Resume)
		}
		res, err := d.Run(context.Background(), s, j)
		if !errors.Is(err, ErrCheckpoint) || res != nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want ErrCheckpoint and %q", what, err, want)
		}
	}
	settings := func(change func(s *Settings)) Sampler { s := quick(); change(&s.Settings); return s }
	try("settings", "the setting beta is 0.5 here and 0.9 there", driver, settings(func(s *Settings) { s.Beta = 0.5 }), p.job, nil)
	try("schedule", "the setting steps is 6 here and 5 there", driver, settings(func(s *Settings) { s.Steps = 6 }), p.job, nil)
	try("method", "the method is dps here and spgd there", driver, DPS{vpRange(5), 1, 1, true}, p.job, nil)
	job := p.job
	job.Seed = 6
	try("seed", "the seed is 6 here and 5 there", driver, quick(), job, nil)
	job = p.job
	job.Images = []uint32{0, 2}
	try("images", "the list of image indices is [0 2] here and [0 1] there", driver, quick(), job, nil)
	job = p.job
	job.Y = normals(99, 1, p.job.Y.Shape().Dimensions...)
	try("measurement", "another measurement", driver, quick(), job, nil)
	other := newMatrixOperator(gaussianSide, gaussianSide, 20)
	other.a.Set(0, 0, 1)
	other.data.MustMutableFlatData(func(f any) { f.([]float32)[0] = 1 })
	try("operator", "another operator", newDriver(t, p.prior, other), quick(), p.job, nil)
	prior := newGaussian(t, gaussianSide*gaussianSide*3, 1)
	prior.weights[0].MustMutableFlatData(func(f any) { f.([]float32)[0]++ })
	try("prior", "another prior", newDriver(t, prior, p.op), quick(), p.job, nil)

	same := func(what, want string, change func(c *Checkpoint)) {
		t.Helper()
		try(what, want, driver, quick(), p.job, change)
	}
	same("noise levels", "its noise levels are others", func(c *Checkpoint) { c.Sigmas[2]++ })
	same("an extra setting", "only one of the two runs has the setting zeal", func(c *Checkpoint) { c.Parameters["zeal"] = "1" })
	same("no steps", "2 records after 0 of 5 steps", func(c *Checkpoint) { c.Step = 0 })
	same("too many steps", "2 records after 6 of 5 steps", func(c *Checkpoint) { c.Step = 6 })
	same("fewer records", "1 records after 2 of 5 steps", func(c *Checkpoint) { c.Records = c.Records[:1] })
	same("time", "negative", func(c *Checkpoint) { c.Elapsed = -1 })
	same("no x", `its state "x" is missing`, func(c *Checkpoint) { delete(c.State, "x") })
	same("shape", `its state "last push" is [2 4 4 1]`, func(c *Checkpoint) {
		c.State["last push"] = checkpoint.Tensor{Shape: []int{2, 4, 4, 1}, Data: make([]float32, 32)}
	})
	same("values", `its state "x" is [2 4 4 3] with 95 values`, func(c *Checkpoint) {
		c.State["x"] = checkpoint.Tensor{Shape: c.State["x"].Shape, Data: c.State["x"].Data[:95]}
	})
	same("unknown", `its state "y" is unknown`, func(c *Checkpoint) { c.State["y"] = c.State["x"] })
	same("NaN", `its state "x" holds NaN (element 3)`, func(c *Checkpoint) { c.State["x"].Data[3] = float32(math.NaN()) })
}

// With tiles a run keeps less, and is another one than without.
func TestResumeInTiles(t *testing.T) {
	op := someOperators(t)["sr:4"]
	h, w, c := op.MeasurementSize()
	job := Job{Y: normals(60, 0.3, 1, h, w, c), Seed: 3}
	tiled, whole := newTiledDriver(t, pixelwise{}, op, smallTiles(0)), newDriver(t, pixelwise{}, op)
	for _, name := range []string{"spgd", "spgd" + FilterSuffix, "adam-dps", "fps"} {
		m, err := smallMethod(t, name, Problem{op, 0.05})
		if err != nil {
			t.Fatal(err)
		}
		at, want := checkpointAfter(t, tiled, m, job, 0)
		if name == "spgd" && len(at.State) != 3 {
			t.Errorf("%d state tensors, want x, x0hat and the mean", len(at.State))
		}
		again := job
		again.Resume = at.Clone()
		if _, err := whole.Run(context.Background(), m, again); !errors.Is(err, ErrCheckpoint) || !strings.Contains(err.Error(), "other tiles (none here, 8x8 overlapping by 4 there)") {
			t.Errorf("%s: going on without tiles: %v", name, err)
		}
		again.Resume = at
		// The number of tiles that are evaluated at once is left to the next run.
		got := mustRun(t, newTiledDriver(t, pixelwise{}, op, smallTiles(3)), m, again)
		if !slices.Equal(flat(t, got.X), flat(t, want.X)) || !slices.Equal(flat(t, got.X0hat), flat(t, want.X0hat)) {
			t.Errorf("%s: the result is another", name)
		}
	}
}
