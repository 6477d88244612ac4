package spgd

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/seed-0f004ec9/spgd/engine"
	"github.com/seed-0f004ec9/spgd/imageio"
	"github.com/seed-0f004ec9/spgd/internal/pjrttest"
	"github.com/seed-0f004ec9/spgd/measurement"
	"github.com/seed-0f004ec9/spgd/operator"
	"github.com/seed-0f004ec9/spgd/sampler"
)

// allOf are measurements of two operators and three noise levels, in no order. With the highest, runs end earlier.
func allOf(t *testing.T, e *engine.Engine) (ms []*measurement.Measurement) {
	t.Helper()
	for i, c := range []struct {
		mask  string
		sigma float64
	}{{"random:0.5", 0.05}, {"box:4", 0.05}, {"random:0.5", 0.05}, {"random:0.5", 0.1}, {"box:4", 0.05}, {"random:0.5", 0.02}} {
		img := imageio.New(16, 16, 3)
		for k := range img.Pix {
			img.Pix[k] = float32(k%(17+i))/8 - 1
		}
		task := operator.Task{Name: operator.TaskInpaint, Mask: c.mask}
		m, err := Degrade(context.Background(), e, task, img, measurement.Noise{Sigma: c.sigma}, 1)
		if err != nil {
			t.Fatal(err)
		}
		ms = append(ms, m)
	}
	return ms
}

// Measurements in batches are restored to the bits that each gives alone.
func TestRestoreAll(t *testing.T) {
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
	ms := allOf(t, e)
	s := DefaultSettings()
	s.Steps, s.Warmup = 2, 1
	r := NewRestorer(e, p)
	defer r.Close()
	indices := []uint32{0, 3, 1, 0, 0, 7}
	for _, batch := range []int{0, 2, 5} {
		var largest int
		o := Options{Seed: 4, Images: indices, Samples: 2, SampleBatch: 1}
		o.Progress = func(p sampler.Progress) { largest = max(largest, p.Batch) }
		got, err := r.RestoreAll(ctx, ms, s, o, batch)
		if err != nil {
			t.Fatal(err)
		}
		for i, m := range ms {
			want, err := r.Restore(ctx, m, s, Options{Seed: 4, Images: indices[i : i+1], Samples: 2})
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got[i].Images[0].Pix, want.Images[0].Pix) || !slices.Equal(got[i].Spread[0].Pix, want.Spread[0].Pix) || len(got[i].Images) != 1 {
				t.Errorf("batches of %d: measurement %d is restored otherwise than alone", batch, i)
			}
			for k, rec := range got[i].Run.Records {
				w := want.Run.Records[k]
				if !slices.Equal(rec.Loss, w.Loss) || rec.Cost != w.Cost || !slices.Equal(rec.GradientNorm, w.GradientNorm) {
					t.Errorf("batches of %d: record %d of measurement %d is %+v, want %+v", batch, k, i, rec, w)
				}
			}
			if got[i].Run.Cost != want.Run.Cost || got[i].Settings != want.Settings {
				t.Errorf("batches of %d: measurement %d costs %+v, want %+v", batch, i, got[i].Run.Cost, want.Run.Cost)
			}
		}
	}
	for want, call := range map[error]func() error{
		ErrSettings: func() error {
			_, err := r.RestoreAll(ctx, ms, s, Options{Resume: &sampler.Checkpoint{}}, 0)
			return err
		},
		ErrProblem: func() error { _, err := r.RestoreAll(ctx, ms, s, Options{Images: []uint32{1}}, 0); return err },
	} {
		if err := call(); !errors.Is(err, want) {
			t.Errorf("%v, want %v", err, want)
		}
	}
	for want, call := range map[error]func() error{
		ErrSettings: func() error {
			_, err := r.RestoreBatch(ctx, ms[:1], s, Options{Resume: &sampler.Checkpoint{}}, Batch{})
			return err
		},
		ErrCheckpoint: func() error {
			_, err := r.RestoreBatch(ctx, ms[:1], s, Options{}, Batch{Resume: []*sampler.Checkpoint{{}}})
			return err
		},
		ErrProblem: func() error {
			_, err := r.RestoreBatch(ctx, ms[:2], s, Options{}, Batch{}) // of two masks
			return err
		},
	} {
		if err := call(); !errors.Is(err, want) {
			t.Errorf("%v, want %v", err, want)
		}
	}
	if _, err := r.RestoreBatch(ctx, nil, s, Options{}, Batch{}); !errors.Is(err, ErrProblem) {
		t.Errorf("a batch of none: %v, want ErrProblem", err)
	}
	// Places that are left over change nothing.
	single, err := r.Restore(ctx, ms[0], s, Options{Seed: 4})
	if err != nil {
		t.Fatal(err)
	}
	padded, err := r.RestoreBatch(ctx, ms[:1], s, Options{Seed: 4}, Batch{Size: 2})
	if err != nil || len(padded) != 1 || !slices.Equal(padded[0].Images[0].Pix, single.Images[0].Pix) {
		t.Errorf("one in a batch of two: %d results, %v, another than alone", len(padded), err)
	}
	// Of another noise they are the same up to rounding, if the levels are.
	mixed, err := r.RestoreBatch(ctx, []*measurement.Measurement{ms[0], ms[5]}, s, Options{Seed: 4}, Batch{})
	if err != nil {
		t.Fatal(err)
	}
	other, err := r.Restore(ctx, ms[5], s, Options{Seed: 4})
	if err != nil {
		t.Fatal(err)
	}
	wrong := *ms[5]
	wrong.Noise = ms[0].Noise
	if as, err := r.Restore(ctx, &wrong, s, Options{Seed: 4}); err != nil || apart(as, other) < 1e-2 {
		t.Fatalf("the noise is of no matter, %v", err)
	}
	for i, want := range []*Result{single, other} {
		if worst := apart(mixed[i], want); worst > 1e-4 || mixed[i].Settings != want.Settings {
			t.Errorf("measurement %d of two with other noise differs by %g, settings %+v, want %+v", i, worst, mixed[i].Settings, want.Settings)
		}
	}
	if Together(ms[0], ms[3], s, Options{}) || Together(ms[0], ms[5], s, Options{Tile: 16}) || Together(ms[0], ms[5], s, Options{Method: "dps"}) || Together(ms[0], ms[1], s, Options{}) {
		t.Error("measurements are together that have other levels, tiles, another method or operator")
	}
	two := *ms[0]
	two.Y = append(slices.Clone(two.Y), two.Y...)
	if _, err := r.RestoreAll(ctx, []*measurement.Measurement{&two}, s, Options{}, 0); !errors.Is(err, ErrProblem) {
		t.Errorf("%v, want ErrProblem", err)
	}
}

// apart is how far the first images of two results are apart.
func apart(a, b *Result) (worst float32) {
	for k, v := range a.Images[0].Pix {
		worst = max(worst, v-b.Images[0].Pix[k], b.Images[0].Pix[k]-v)
	}
	return worst
}

// On a device they are one batch for each operator and levels, smaller for want of memory, and the CPU's results up
// to rounding.
func TestRestoreAllOnDevice(t *testing.T) {
	ctx := context.Background()
	device, err := engine.ParseDevice("xla:" + pjrttest.Plugin(t, pjrttest.Works))
	if err != nil {
		t.Fatal(err)
	}
	var results [][]*Result
	s := DefaultSettings()
	s.Steps, s.Warmup = 2, 1
	weights := 0
	for i, d := range []engine.Device{{}, device, device} {
		e, err := engine.New(engine.Options{Device: d})
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		p, err := LoadPrior("natural-small")
		if err != nil {
			t.Fatal(err)
		}
		if i == 2 { // for two images, of some 15 arrays in and out of a step, but not for three
			for _, w := range p.Weights() {
				weights += int(w.Shape().Memory())
			}
			pjrttest.Limit = weights + 36*4*16*16*3
			defer func() { pjrttest.Limit = 0 }()
		}
		r := NewRestorer(e, p)
		defer r.Close()
		before := pjrttest.Runs()
		all, err := r.RestoreAll(ctx, allOf(t, e), s, Options{Seed: 4}, 0)
		if err != nil {
			t.Fatal(err)
		}
		// Three groups, of which each has a start, two steps and an end.
		if runs := pjrttest.Runs() - before; i == 1 && runs > 3*4+6 {
			t.Errorf("programs were run %d times", runs)
		}
		results = append(results, all)
	}
	for _, got := range results[1:] {
		for i, want := range results[0] {
			if worst := apart(got[i], want); worst > 1e-3 {
				t.Errorf("measurement %d differs by %g", i, worst)
			}
		}
	}
}
