package resume_test

import (
	"context"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"sync"
	"testing"

	"github.com/gomlx/gomlx/pkg/core/tensors"

	"github.com/seed-0f004ec9/spgd/engine"
	"github.com/seed-0f004ec9/spgd/internal/rng"
	"github.com/seed-0f004ec9/spgd/operator"
	"github.com/seed-0f004ec9/spgd/prior"
	"github.com/seed-0f004ec9/spgd/resume"
	"github.com/seed-0f004ec9/spgd/sampler"
)

const side = 12

var sharedEngine = sync.OnceValues(func() (*engine.Engine, error) { return engine.New(engine.Options{Threads: 2}) })

func newEngine(t testing.TB) *engine.Engine {
	t.Helper()
	e, err := sharedEngine()
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// newDriver returns a driver of a Gaussian prior of the given variance.
func newDriver(t testing.TB, op operator.Operator, variance float64) *sampler.Driver {
	t.Helper()
	n := side * side * 3
	mean, v := make([]float64, n), make([]float64, n)
	for i := range v {
		mean[i], v[i] = float64(i)/float64(n)-0.5, variance*(1+float64(i%7))
	}
	p, err := prior.NewDiagonalGaussian(mean, v, side, side, 3)
	if err != nil {
		t.Fatal(err)
	}
	d, err := sampler.NewDriver(newEngine(t), p, op)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return d
}

func build(t testing.TB, task operator.Task) operator.Operator {
	t.Helper()
	op, _, err := operator.Build(task, side, side, 1, operator.Files{})
	if err != nil {
		t.Fatal(err)
	}
	return op
}

// measurement is noise of the right shape.
func measurement(op operator.Operator, n int) *tensors.Tensor {
	h, w, c := op.MeasurementSize()
	y := make([]float32, n*h*w*c)
	rng.New(9, 0, 0, rng.Diagnostic).FillNormal(y)
	for i := range y {
		y[i] *= 0.3
	}
	return tensors.FromFlatDataAndDimensions(y, n, h, w, c)
}

// method returns a method with few steps.
func method(t testing.TB, name string, op operator.Operator, more map[string]string) sampler.Sampler {
	t.Helper()
	p := sampler.Problem{Operator: op, SigmaY: 0.05}
	m, err := sampler.New(name, p, nil)
	if err != nil {
		t.Fatal(err)
	}
	set := map[string]string{}
	for _, q := range sampler.Parameters(m) {
		for key, v := range map[string]string{"steps": "4", "inner": "2", "ode-steps": "2", "warmup": "2", "purify-steps": "2"} {
			if q.Name == key {
				set[key] = v
			}
		}
	}
	for key, v := range more {
		set[key] = v
	}
	if m, err = sampler.New(name, p, set); err != nil {
		t.Fatal(err)
	}
	return m
}

func bits(t testing.TB, x *tensors.Tensor) (v []float32) {
	t.Helper()
	if err := x.ConstFlatData(func(flat any) { v = append(v, flat.([]float32)...) }); err != nil {
		t.Fatal(err)
	}
	return v
}

// timeless are records without the time that the steps took.
func timeless(records []sampler.StepRecord) []sampler.StepRecord {
	records = slices.Clone(records)
	for i := range records {
		records[i].Elapsed = 0
	}
	return records
}

// A run of any method that is interrupted after any of its steps and goes on from the file in another
// driver ends in the bits of an undisturbed one.
func TestEveryMethodResumes(t *testing.T) {
	e := newEngine(t)
	record := resume.Record(e)
	linear := build(t, operator.Task{Name: "sr", Scale: 4})
	ops := map[string]operator.Operator{"": linear, "nonlinear": build(t, operator.Task{Name: "hdr"})}
	type variant struct {
		name, op string
		set      map[string]string
	}
	var variants []variant
	for _, m := range sampler.Methods() {
		variants = append(variants, variant{name: m.Name})
		if m.Filter {
			variants = append(variants, variant{name: m.Name + sampler.FilterSuffix},
				variant{m.Name + sampler.FilterSuffix, "", map[string]string{"period": "3"}})
		}
	}
	variants = append(variants, variant{"red-diff", "nonlinear", nil}, variant{"spgd", "nonlinear", map[string]string{"denoise": "stale", "adm": "pixel"}},
		variant{"dsg", "", map[string]string{"interval": "2"}}, variant{"ddnm", "", map[string]string{"repeats": "2"}})
	for _, v := range variants {
		op := ops[v.op]
		t.Run(fmt.Sprint(v.name, v.op, v.set), func(t *testing.T) {
			m := method(t, v.name, op, v.set)
			job := sampler.Job{Y: measurement(op, 2), Seed: 3, Images: []uint32{5, 2}}
			dir := t.TempDir()
			path := func(k int) string { return filepath.Join(dir, fmt.Sprint(k)) }
			observed := job
			observed.Observers = []sampler.Observer{sampler.ObserverFunc(func(s *sampler.Snapshot) error {
				return s.Checkpoint(func(c *sampler.Checkpoint) error { return resume.Save(path(s.K), c, record) })
			})}
			want, err := newDriver(t, op, 0.1).Run(context.Background(), m, observed)
			if err != nil {
				t.Fatal(err)
			}
			for k := range want.Records {
				file, err := resume.Load(path(k))
				if err != nil {
					t.Fatal(err)
				}
				if err := file.Check(record); err != nil {
					t.Fatal(err)
				}
				again := job
				again.Resume = file.Run
				var steps []int
				again.Observers = []sampler.Observer{sampler.ObserverFunc(func(s *sampler.Snapshot) error {
					steps = append(steps, s.K)
					return nil
				})}
				got, err := newDriver(t, op, 0.1).Run(context.Background(), m, again)
				if err != nil {
					t.Fatal(err)
				}
				if !slices.Equal(bits(t, got.X), bits(t, want.X)) || !slices.Equal(bits(t, got.X0hat), bits(t, want.X0hat)) {
					t.Errorf("resumed after step %d the result is another", k)
				}
				if !reflect.DeepEqual(timeless(got.Records), timeless(want.Records)) || got.Cost != want.Cost {
					t.Errorf("resumed after step %d the records are others", k)
				}
				if len(steps) != len(want.Records)-k-1 || len(steps) > 0 && steps[0] != k+1 {
					t.Errorf("resumed after step %d it ran %v", k, steps)
				}
				if got.Elapsed < want.Records[k].Elapsed {
					t.Errorf("resumed after step %d it took %v in all, and %v before", k, got.Elapsed, want.Records[k].Elapsed)
				}
				if len(file.Run.State) != 0 {
					t.Errorf("the checkpoint still holds its state")
				}
			}
		})
	}
}
