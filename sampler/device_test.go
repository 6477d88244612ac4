package sampler

import (
	"slices"
	"testing"

	"github.com/gomlx/gomlx/pkg/core/tensors"

	"github.com/seed-0f004ec9/spgd/engine"
	"github.com/seed-0f004ec9/spgd/internal/pjrttest"
	"github.com/seed-0f004ec9/spgd/operator"
	"github.com/seed-0f004ec9/spgd/prior"
)

// openPlugin opens an engine on the plugin for tests.
func openPlugin(t *testing.T) *engine.Engine {
	t.Helper()
	d, err := engine.ParseDevice("xla:" + pjrttest.Plugin(t, pjrttest.Works))
	if err != nil {
		t.Fatal(err)
	}
	e, err := engine.New(engine.Options{Device: d})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e
}

// deviceProblem is a small restoration with a network for a device and for the CPU.
func deviceProblem(t *testing.T, e *engine.Engine, options ...Option) (device, cpu *Driver, job Job) {
	t.Helper()
	op, err := operator.NewSuperResolution(32, 32, 2)
	if err != nil {
		t.Fatal(err)
	}
	denoiser, err := prior.Load("natural-small", prior.LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var drivers []*Driver
	for _, e := range []*engine.Engine{e, newEngine(t)} {
		d, err := NewDriver(e, denoiser, op, options...)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(d.Close)
		drivers = append(drivers, d)
	}
	h, w, c := op.MeasurementSize()
	return drivers[0], drivers[1], Job{Y: normals(5, 0.3, 1, h, w, c), Seed: 2}
}

// onHost is a job whose measurements are on no engine yet.
func onHost(t *testing.T, j Job) Job {
	j.Y = tensors.FromFlatDataAndDimensions(flat(t, j.Y), j.Y.Shape().Dimensions...)
	return j
}

// Samples on a device are one batch, computed by programs of steps, or for want of memory of stages, and is halved until the
// memory suffices for these; they are those of the CPU up to rounding.
func TestSamplesOnDevice(t *testing.T) {
	e := openPlugin(t)
	device, cpu, job := deviceProblem(t, e)
	job.Samples.Number = 4
	s := DefaultSettings().For(Problem{device.operator, 0.05})
	s.Steps, s.Warmup = 2, 2
	var want [][]float32
	alone := job
	alone.Samples.Each = func(_ int, r *Result) error { want = append(want, flat(t, r.X)); return nil }
	whole := mustRun(t, cpu, SPGD{s}, alone)

	weights := 0
	for _, w := range device.denoiser.Weights() {
		weights += int(w.Shape().Memory())
	}
	for name, c := range map[string]struct {
		limit, batch int
		programs     Programs
	}{
		"as many as there are":         {0, 4, ProgramsStep},
		"not for a step of four":       {weights + 50*4*32*32*3, 4, ProgramsStage}, // of some 15 arrays in and out of a step, and 11 of a stage
		"for steps of two":             {weights + 35*4*32*32*3, 2, ProgramsStep},
		"for no step of more than one": {weights + 25*4*32*32*3, 2, ProgramsStage},
	} {
		t.Run(name, func(t *testing.T) {
			pjrttest.Limit = c.limit
			defer func() { pjrttest.Limit = 0 }()
			var batches []int
			n := 0
			job := onHost(t, job)
			job.Progress = func(p Progress) { batches = append(batches, p.Batch) }
			job.Samples.Each = func(i int, r *Result) error {
				if e := relative(flat(t, r.X), double(want[i])); e > 1e-4 || i != n {
					t.Errorf("sample %d, after %d, differs by %g", i, n, e)
				}
				n++
				return nil
			}
			device, err := NewDriver(e, device.denoiser, device.operator) // which knows of no want of memory
			if err != nil {
				t.Fatal(err)
			}
			defer device.Close()
			got := mustRun(t, device, SPGD{s}, job)
			if e := relative(flat(t, got.X), double(flat(t, whole.X))); e > 1e-4 || got.Cost != whole.Cost || n != 4 {
				t.Errorf("the mean of %d samples differs by %g, cost %+v, want %+v", n, e, got.Cost, whole.Cost)
			}
			if batches = slices.Compact(batches); !slices.Equal(batches, []int{c.batch}) || got.Programs != c.programs {
				t.Errorf("samples were computed in batches of %v by programs of a %s, want %d and %s", batches, got.Programs, c.batch, c.programs)
			}
		})
	}
}

// Tiles on a device are evaluated several at once, fewer for want of memory.
func TestTilesOnDevice(t *testing.T) {
	e := openPlugin(t)
	device, cpu, job := deviceProblem(t, e, WithTiles(Tiles{Side: 16, Overlap: 4}))
	s := DefaultSettings().For(Problem{device.operator, 0.05})
	s.Steps, s.Warmup = 2, 1
	want := flat(t, mustRun(t, cpu, SPGD{s}, job).X)
	if n := device.tiler.batch; n != device.tiler.tiling.Tiles() || cpu.tiler.batch != 1 {
		t.Errorf("%d and %d tiles at once, want %d and 1", n, cpu.tiler.batch, device.tiler.tiling.Tiles())
	}
	weights := 0
	for _, w := range device.denoiser.Weights() {
		weights += int(w.Shape().Memory())
	}
	for _, limit := range []int{0, weights + 4*4*16*16*3*3} {
		pjrttest.Limit = limit
		got := flat(t, mustRun(t, device, SPGD{s}, onHost(t, job)).X)
		pjrttest.Limit = 0
		if e := relative(got, double(want)); e > 1e-4 {
			t.Errorf("with %d bytes the result differs by %g", limit, e)
		}
	}
	if n := device.tiler.batch; n > 4 {
		t.Errorf("%d tiles at once do not fit", n)
	}
}

// The first tiles are chosen for which a device has room, and the last for want of it.
func TestFitRoom(t *testing.T) {
	e := newEngine(t)
	denoiser, err := prior.Load("natural-small", prior.LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	op, err := operator.NewSuperResolution(128, 96, 2)
	if err != nil {
		t.Fatal(err)
	}
	from := []Tiles{{}, {Side: 64}, {Side: 4}, {Side: 32}}
	need := func(h, w int) int {
		weights, images, err := evaluationMemory(e, denoiser, h, w, 1)
		if err != nil {
			t.Fatal(err)
		}
		return int(float64(weights+images) / roomShare)
	}
	whole, half := need(128, 96), need(64, 64)
	if half >= whole {
		t.Fatalf("a tile takes %d bytes, the image %d", half, whole)
	}
	for _, c := range []struct{ room, side int }{{whole + 10, 0}, {whole - 10, 64}, {half + 10, 64}, {half - 10, 32}, {0, 32}} {
		got, err := fitRoom(e, denoiser, op, 1, c.room, from)
		if err != nil || got.Side != c.side {
			t.Errorf("with room for %d bytes: tiles of %d, want %d, %v", c.room, got.Side, c.side, err)
		}
	}
	weights, images, err := evaluationMemory(e, denoiser, 64, 64, 1)
	if err != nil {
		t.Fatal(err)
	}
	if n := fitting(e, denoiser, 64, 64, 1, int((float64(weights)+3.5*float64(images))/roomShare)); n != 3 {
		t.Errorf("%d tiles in the room of three and a half", n)
	}
}
