package spgd

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/seed-0f004ec9/spgd/engine"
	"github.com/seed-0f004ec9/spgd/imageio"
	"github.com/seed-0f004ec9/spgd/measurement"
	"github.com/seed-0f004ec9/spgd/operator"
	"github.com/seed-0f004ec9/spgd/sampler"
)

// TestRestorer: whatever a Restorer has done before, it gives what Restore gives, and it compiles
// nothing for an operator that it has seen among the last ones, nor for another mask.
func TestRestorer(t *testing.T) {
	ctx := context.Background()
	e, err := engine.New(engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	p, err := LoadPrior("natural-small")
	if err != nil {
		t.Fatal(err)
	}
	problem := func(task operator.Task, side int, seed uint64) *measurement.Measurement {
		img := imageio.New(side, side, 3)
		for i := range img.Pix {
			img.Pix[i] = float32(i%(17+int(seed)))/8 - 1
		}
		m, err := Degrade(ctx, e, task, img, measurement.Noise{Sigma: 0.05}, seed)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	masked := operator.Task{Name: operator.TaskInpaint, Mask: "random:0.5"}
	a := problem(masked, 16, 1)
	b := problem(masked, 16, 2) // another mask under the same name
	c := problem(operator.Task{Name: operator.TaskDenoise}, 24, 3)
	d := problem(masked, 24, 1)
	s := DefaultSettings()
	s.Steps, s.Warmup, s.SigmaMax = 2, 1, 1
	want := map[*measurement.Measurement][]float32{}
	for _, m := range []*measurement.Measurement{a, b, c, d} {
		res, err := Restore(ctx, e, p, m, s, Options{Seed: 9})
		if err != nil {
			t.Fatal(err)
		}
		want[m] = res.Images[0].Pix
	}
	if slices.Equal(want[a], want[b]) {
		t.Fatal("the two masks make no difference, so that there is nothing to test")
	}
	r := NewRestorer(e, p)
	defer r.Close()
	drivers := map[any]bool{}
	for i, step := range []struct {
		m       *measurement.Measurement
		drivers int // that were made in all
	}{{a, 1}, {a, 1}, {b, 1}, {a, 1}, {c, 2}, {b, 2}, {a, 2}, {d, 3}, {b, 3}, {c, 4}, {d, 5}, {c, 5}} {
		res, err := r.Restore(ctx, step.m, s, Options{Seed: 9})
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(res.Images[0].Pix, want[step.m]) {
			t.Errorf("restoration %d differs from that of Restore", i)
		}
		drivers[r.drivers[len(r.drivers)-1].Driver] = true
		if len(drivers) != step.drivers || len(r.drivers) > keptDrivers {
			t.Errorf("restoration %d: %d drivers made and %d kept, want %d made", i, len(drivers), len(r.drivers), step.drivers)
		}
	}
	for _, form := range []sampler.Programs{sampler.ProgramsStep, sampler.ProgramsStage} {
		if res, err := r.Restore(ctx, a, s, Options{Seed: 9, Programs: form}); err != nil || res.Run.Programs != form {
			t.Errorf("programs of a %s: %+v, %v", form, res, err)
		}
	}
	if _, err := r.Restore(ctx, a, s, Options{Programs: "level"}); !errors.Is(err, ErrSettings) {
		t.Errorf("programs of a level: %v, want ErrSettings", err)
	}
}
