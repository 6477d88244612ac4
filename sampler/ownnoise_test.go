package sampler

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/gomlx/gomlx/pkg/core/tensors"

	"github.com/seed-0f004ec9/spgd/engine"
	"github.com/seed-0f004ec9/spgd/operator"
	"github.com/seed-0f004ec9/spgd/prior"
)

// Images of one batch that differ in their noise are restored as each is alone up to rounding, which little noise
// amplifies, whatever the operator and the programs, and one goes on alone from the checkpoint of the batch.
func TestOwnNoise(t *testing.T) { testOwnNoise(t, newEngine(t), ProgramsStage, ProgramsStep) }

// So they are on a device.
func TestOwnNoiseOnDevice(t *testing.T) { testOwnNoise(t, openPlugin(t), ProgramsAuto) }

func testOwnNoise(t *testing.T, e *engine.Engine, forms ...Programs) {
	const side = 16
	keep := make([]bool, side*side)
	for i := range keep {
		keep[i] = i*7%5 < 2
	}
	masked, err := operator.NewInpaint("inpaint", side, side, keep)
	if err != nil {
		t.Fatal(err)
	}
	k, err := operator.GaussianKernel(1.5)
	if err != nil {
		t.Fatal(err)
	}
	blurred, err := operator.NewBlur("blur", side, side, k)
	if err != nil {
		t.Fatal(err)
	}
	saturated, err := operator.NewHighDynamicRange(side, side)
	if err != nil {
		t.Fatal(err)
	}
	smooth, err := prior.Load("natural-small", prior.LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	noise := []float64{0.02, 0.05, 0} // the last counts as 0.001
	cpu := newEngine(t)
	for name, op := range map[string]operator.Operator{"mask": masked, "blur": blurred, "saturation": saturated} {
		t.Run(name, func(t *testing.T) {
			h, w, c := op.MeasurementSize()
			y := flat(t, normals(5, 0.3, len(noise), h, w, c))
			of := func(list ...int) Job {
				job := Job{Seed: 3}
				var own []float32
				for _, i := range list {
					own, job.Images = append(own, y[i*h*w*c:][:h*w*c]...), append(job.Images, uint32(4+i))
				}
				job.Y = tensors.FromFlatDataAndDimensions(own, len(list), h, w, c)
				return job
			}
			settings := func(sigma float64) SPGD { return SPGD{autoSettings(Problem{op, sigma}, 4, 2)} }
			driver := func(e *engine.Engine, form Programs) *Driver {
				d, err := NewDriver(e, smooth, op, WithPrograms(form))
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(d.Close)
				return d
			}
			d := driver(cpu, ProgramsAuto)
			var want []*Result
			for i, sigma := range noise {
				want = append(want, mustRun(t, d, settings(sigma), of(i)))
			}
			// What is compared depends on the noise.
			if e := relative(flat(t, mustRun(t, d, settings(noise[1]), of(0)).X), double(flat(t, want[0].X))); e < 1e-3 {
				t.Fatalf("another noise makes a difference of %g", e)
			}
			for _, form := range forms {
				d := driver(e, form)
				job := of(0, 1, 2)
				job.SigmaY = noise
				job.Samples = Samples{Number: 2, Batch: 2}
				var kept []*Checkpoint
				job.Observers = []Observer{ObserverFunc(func(s *Snapshot) error {
					return s.Checkpoint(func(c *Checkpoint) (err error) {
						if c.Step == 2 && s.Sample == 0 {
							kept, err = c.Clone().Split()
						}
						return err
					})
				})}
				var first []*Result
				job.Samples.Each = func(i int, r *Result) (err error) {
					if i == 0 {
						first, err = r.Split(0)
					}
					return err
				}
				all, err := mustRun(t, d, settings(noise[0]), job).Split(0)
				if err != nil {
					t.Fatal(err)
				}
				for i, r := range first {
					if e := relative(flat(t, r.X), double(flat(t, want[i].X))); e > 1e-4 || r.Cost != want[i].Cost {
						t.Errorf("%s: image %d differs by %g, cost %+v, want %+v", form, i, e, r.Cost, want[i].Cost)
					}
					for k, record := range r.Records {
						if !close64(record.Loss, want[i].Records[k].Loss, 1e-2) || !close64(record.GradientNorm, want[i].Records[k].GradientNorm, 1e-2) {
							t.Errorf("%s: record %d of image %d is %+v, want %+v", form, k, i, record, want[i].Records[k])
						}
					}
					alone := of(i)
					alone.Samples, alone.Resume = Samples{Number: 2, Batch: 2}, kept[i]
					got := mustRun(t, d, settings(noise[i]), alone)
					if e := relative(flat(t, got.X), double(flat(t, all[i].X))); e > 1e-4 {
						t.Errorf("%s: image %d goes on alone to a mean that differs by %g", form, i, e)
					}
				}
			}
		})
	}
}

// Settings of several problems have the same levels or not, and measurements that have not are refused.
func TestSameLevels(t *testing.T) {
	op, err := operator.NewSuperResolution(16, 16, 2)
	if err != nil {
		t.Fatal(err)
	}
	same, err := operator.NewDenoise(16, 16)
	if err != nil {
		t.Fatal(err)
	}
	of := func(op operator.Operator, sigma float64) Settings { return autoSettings(Problem{op, sigma}, 4, 2) }
	for i, c := range []struct {
		a, b Settings
		want bool
	}{
		{of(op, 0.01), of(op, 0.02), true},
		{of(op, 0.01), of(op, 0.2), false}, // which ends higher
		{of(same, 0.01), of(same, 0.02), false},
		{of(op, 0.01), autoSettings(Problem{op, 0.01}, 4, 3), false},
		{PaperSettings().For(Problem{op, 0.01}), PaperSettings().For(Problem{op, 0.02}), true}, // which know of no noise
	} {
		if got := SameLevels(c.a, c.b); got != c.want || SameLevels(c.b, c.a) != c.want {
			t.Errorf("%d: %v, want %v", i, got, c.want)
		}
	}
	p := newProblem(t, 2)
	auto, d := SPGD{autoSettings(Problem{p.op, p.sigmaY}, 2, 1)}, newDriver(t, p.prior, p.op)
	for what, c := range map[string]struct {
		s     Sampler
		noise []float64
	}{
		"one noise of two": {auto, []float64{0.01}},
		"negative":         {auto, []float64{0.01, -1}},
		"too high":         {auto, []float64{0.01, 100}},
		"another method":   {Probe{auto}, []float64{0.01, 0.02}},
		"another step":     {quick(), []float64{0.01, 0.02}},
	} {
		job := p.job
		job.SigmaY = c.noise
		if _, err := d.Run(context.Background(), c.s, job); !errors.Is(err, ErrProblem) {
			t.Errorf("%s: %v, want ErrProblem", what, err)
		}
	}
	// Equal noise is no matter.
	job := p.job
	job.SigmaY = []float64{p.sigmaY, p.sigmaY}
	if e := relative(flat(t, mustRun(t, d, auto, job).X), double(slices.Clone(flat(t, mustRun(t, d, auto, p.job).X)))); e > 1e-6 {
		t.Errorf("equal noise makes a difference of %g", e)
	}
}
