package resume_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"github.com/seed-0f004ec9/spgd/operator"
	"github.com/seed-0f004ec9/spgd/resume"
	"github.com/seed-0f004ec9/spgd/sampler"
)

// Samples that are stopped after every single step, the last ones of samples among them, and go on from
// the file end in the bits of undisturbed ones.
func TestSamplesStopAfterEveryStep(t *testing.T) {
	const samples, steps = 3, 4
	op := build(t, operator.Task{Name: "sr", Scale: 4})
	for _, name := range []string{"spgd", "ddnm+"} {
		m := method(t, name, op, nil)
		job := sampler.Job{Y: measurement(op, 2), Seed: 3, Samples: sampler.Samples{Number: samples}}
		want, err := newDriver(t, op, 0.1).Run(context.Background(), m, job)
		if err != nil {
			t.Fatal(err)
		}
		stop := make(chan struct{})
		close(stop)
		path := filepath.Join(t.TempDir(), "a")
		var seen []int
		job.Samples.Each = func(i int, _ *sampler.Result) error { seen = append(seen, i); return nil }
		var got *sampler.Result
		for n := range samples * steps {
			job.Observers = []sampler.Observer{&resume.Keeper{Path: path, Record: resume.Record(newEngine(t)), Stop: stop}}
			if got, err = newDriver(t, op, 0.1).Run(context.Background(), m, job); n == samples*steps-1 {
				break
			}
			text := fmt.Sprintf("resume: stopped after step %d of 4 of sample %d of 3", n%steps+1, n/steps+1)
			if !errors.Is(err, resume.ErrStopped) || err.Error() != text {
				t.Fatalf("%s: %v, want %q", name, err, text)
			}
			f, err := resume.Load(path)
			if err != nil {
				t.Fatal(err)
			}
			if f.Run.Sample != n/steps || f.Run.Step != n%steps+1 {
				t.Errorf("%s: after %d steps the file is of step %d of sample %d", name, n+1, f.Run.Step, f.Run.Sample)
			}
			job.Resume = f.Run
		}
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(bits(t, got.X), bits(t, want.X)) || !slices.Equal(bits(t, got.Spread), bits(t, want.Spread)) || got.Cost != want.Cost {
			t.Errorf("%s: the result is another", name)
		}
		if !slices.Equal(seen, []int{0, 1, 2}) {
			t.Errorf("%s: the samples %v were complete, want each once", name, seen)
		}
	}
}
