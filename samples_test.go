package spgd_test

import (
	"context"
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/seed-0f004ec9/spgd"
	"github.com/seed-0f004ec9/spgd/measurement"
	"github.com/seed-0f004ec9/spgd/operator"
	"github.com/seed-0f004ec9/spgd/sampler"
)

// Samples of a measurement: each can be made alone, and mean and spread are theirs.
func TestRestoreSamples(t *testing.T) {
	ctx, e, p := context.Background(), newEngine(t), whitePrior(t)
	m, err := spgd.Degrade(ctx, e, operator.Task{Name: operator.TaskInpaint, Mask: "random:0.5"}, gradient(side, side), measurement.Noise{Sigma: 0.1}, 3)
	if err != nil {
		t.Fatal(err)
	}
	s := spgd.DefaultSettings()
	s.Steps = 4
	var each [][]float32
	res, err := spgd.Restore(ctx, e, p, m, s, spgd.Options{Seed: 5, Samples: 3, EachSample: func(i int, r *spgd.Result) error {
		alone, err := spgd.Restore(ctx, e, p, m, s, spgd.Options{Seed: 5, Images: []uint32{sampler.SampleIndex(0, i)}})
		if err != nil {
			return err
		}
		if !slices.Equal(r.Images[0].Pix, alone.Images[0].Pix) || !slices.Equal(r.Estimates[0].Pix, alone.Estimates[0].Pix) || r.Method == nil {
			t.Errorf("sample %d is another image than alone", i)
		}
		each = append(each, slices.Clone(r.Images[0].Pix))
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	if len(each) != 3 || res.Samples != 3 || res.Estimates != nil || len(res.Spread) != 1 {
		t.Fatalf("%d samples, said to be %d, %d estimates and %d spreads, want 3, 3, 0 and 1", len(each), res.Samples, len(res.Estimates), len(res.Spread))
	}
	for i, mean := range res.Images[0].Pix {
		a, b, c := float64(each[0][i]), float64(each[1][i]), float64(each[2][i])
		want := (a + b + c) / 3
		spread := math.Sqrt(((a-want)*(a-want) + (b-want)*(b-want) + (c-want)*(c-want)) / 2)
		if math.Abs(float64(mean)-want) > 1e-6 || math.Abs(float64(res.Spread[0].Pix[i])-spread) > 1e-6 {
			t.Errorf("value %d has mean %g and spread %g, want %g and %g", i, mean, res.Spread[0].Pix[i], want, spread)
		}
	}
	// Where the mask drops the pixel, the posterior is the prior, which is wide.
	keep := m.Operator.(*operator.Inpaint).Mask()
	var kept, dropped []float64
	for i, v := range res.Spread[0].Pix {
		if keep[i/3] {
			kept = append(kept, float64(v))
		} else {
			dropped = append(dropped, float64(v))
		}
	}
	if mean(kept) > mean(dropped)/2 {
		t.Errorf("the spread is %g at pixels that are known and %g at others", mean(kept), mean(dropped))
	}

	stop := errors.New("stop")
	if _, err := spgd.Restore(ctx, e, p, m, s, spgd.Options{Samples: 2, EachSample: func(int, *spgd.Result) error { return stop }}); err != stop {
		t.Errorf("%v, want that of EachSample", err)
	}
	if _, err := spgd.Restore(ctx, e, p, m, s, spgd.Options{Samples: -1}); !errors.Is(err, spgd.ErrProblem) {
		t.Errorf("-1 samples: %v, want ErrProblem", err)
	}
}

func mean(v []float64) float64 {
	sum := 0.0
	for _, x := range v {
		sum += x
	}
	return sum / float64(len(v))
}

// What samples take more than one restoration is the mean and the squares, however many they are.
func TestFitSamples(t *testing.T) {
	ctx, e, p := context.Background(), newEngine(t), whitePrior(t)
	r := spgd.NewRestorer(e, p)
	defer r.Close()
	for _, c := range []struct {
		task operator.Task
		more int // images
	}{{operator.Task{Name: operator.TaskInpaint, Mask: "random:0.5"}, 2}, {operator.Task{Name: operator.TaskDenoise}, 0}} {
		m, err := spgd.Degrade(ctx, e, c.task, gradient(side, side), measurement.Noise{Sigma: 0.1}, 3)
		if err != nil {
			t.Fatal(err)
		}
		takes := func(samples, budget int) (int, error) {
			_, bytes, err := r.Fit(m, spgd.DefaultSettings(), spgd.Options{Samples: samples}, budget)
			return bytes, err
		}
		one, err := takes(1, math.MaxInt)
		if err != nil {
			t.Fatal(err)
		}
		for _, samples := range []int{2, 64} {
			several, err := takes(samples, math.MaxInt)
			if want := one + 4*c.more*side*side*3; err != nil || several != want {
				t.Errorf("%s: %d samples take %d bytes (%v), want %d", c.task.Name, samples, several, err, want)
			}
			if c.more == 0 {
				continue
			}
			var b *sampler.BudgetError
			if _, err := takes(samples, several-1); !errors.As(err, &b) || b.Least != several || b.Budget != several-1 {
				t.Errorf("%s: %d samples in %d bytes: %v", c.task.Name, samples, several-1, err)
			}
		}
	}
}

// Of several starts the one with the smallest residual is the result, each being what its index alone gives.
func TestRestoreStarts(t *testing.T) {
	ctx, e, p := context.Background(), newEngine(t), whitePrior(t)
	m, err := spgd.Degrade(ctx, e, operator.Task{Name: operator.TaskPhase}, gradient(side, side), measurement.Noise{Sigma: 0.05}, 3)
	if err != nil {
		t.Fatal(err)
	}
	s := spgd.DefaultSettings()
	s.Steps = 4
	res, err := spgd.Restore(ctx, e, p, m, s, spgd.Options{Seed: 5, Starts: 3})
	if err != nil {
		t.Fatal(err)
	}
	if res.Samples != 3 || len(res.Chosen) != 1 || len(res.Residuals) != 3 || res.Spread != nil || res.Estimates != nil {
		t.Fatalf("%d samples, chosen %v of %v", res.Samples, res.Chosen, res.Residuals)
	}
	least := math.Inf(1)
	for i, r := range res.Residuals {
		alone, err := spgd.Restore(ctx, e, p, m, s, spgd.Options{Seed: 5, Images: []uint32{sampler.SampleIndex(0, i)}})
		if err != nil {
			t.Fatal(err)
		}
		sums, entries, err := spgd.Residual(ctx, e, m, alone.Images)
		if err != nil {
			t.Fatal(err)
		}
		if want := math.Sqrt(sums[0] / float64(entries)); math.Abs(r[0]-want) > 1e-6*want {
			t.Errorf("start %d has the residual %g, alone %g", i, r[0], want)
		}
		if same := slices.Equal(alone.Images[0].Pix, res.Images[0].Pix); same != (i == res.Chosen[0]) {
			t.Errorf("the result is start %d: %v, said to be %d", i, same, res.Chosen[0])
		}
		if r[0] < least {
			least = r[0]
		}
	}
	if res.Residuals[res.Chosen[0]][0] != least {
		t.Errorf("start %d was chosen of %v", res.Chosen[0], res.Residuals)
	}
	if _, err := spgd.Restore(ctx, e, p, m, s, spgd.Options{Starts: 2, Samples: 2}); !errors.Is(err, spgd.ErrSettings) {
		t.Errorf("samples and starts: %v, want ErrSettings", err)
	}
	if _, err := spgd.Restore(ctx, e, p, m, s, spgd.Options{Starts: -2}); !errors.Is(err, spgd.ErrProblem) {
		t.Errorf("-2 starts: %v, want ErrProblem", err)
	}
}
