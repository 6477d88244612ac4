package sampler

import (
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/pkg/core/tensors"
	"gonum.org/v1/gonum/mat"

	"github.com/seed-0f004ec9/spgd/operator"
	"github.com/seed-0f004ec9/spgd/prior/checkpoint"
)

// timeless are records of a sample as those of a run alone, without the time that steps took.
func timeless(records []StepRecord, cost Cost) []StepRecord {
	records = slices.Clone(records)
	for i := range records {
		records[i].Elapsed, records[i].Sample, records[i].Cost = 0, 0, records[i].Cost.minus(cost)
	}
	return records
}

// Every sample is the run of its index alone, the first the run without samples, and mean and spread are
// theirs.
func TestSamples(t *testing.T) {
	const samples = 3
	op := someOperators(t)["sr:4"]
	h, w, c := op.MeasurementSize()
	y := normals(60, 0.3, 2, h, w, c)
	drivers := map[string]*Driver{"whole": newDriver(t, pixelwise{}, op), "tiles": newTiledDriver(t, pixelwise{}, op, smallTiles(0))}
	drivers["whole, two at once"], drivers["tiles, two at once"] = drivers["whole"], drivers["tiles"]
	for kind, driver := range drivers {
		together := strings.HasSuffix(kind, "at once")
		for _, name := range append(MethodNames(), "spgd"+FilterSuffix) {
			t.Run(kind+" "+name, func(t *testing.T) {
				m, err := smallMethod(t, name, Problem{op, 0.05})
				if errors.Is(err, ErrOperator) {
					t.Skip(err)
				}
				if err != nil {
					t.Fatal(err)
				}
				var each [][]float32
				var spent Cost
				job := Job{Y: y, Seed: 3, Images: []uint32{5, 2}}
				job.Samples.Number = samples
				if together {
					job.Samples.Batch = 2 // so that a place is left over
				}
				job.Samples.Each = func(i int, r *Result) error {
					alone := job
					alone.Samples, alone.Images = Samples{}, []uint32{SampleIndex(5, i), SampleIndex(2, i)}
					if i == 0 {
						alone.Images = job.Images
					}
					want := mustRun(t, driver, m, alone)
					if !slices.Equal(flat(t, r.X), flat(t, want.X)) || !slices.Equal(flat(t, r.X0hat), flat(t, want.X0hat)) {
						t.Errorf("sample %d is not what its index alone gives", i)
					}
					if r.Cost != want.Cost || !reflect.DeepEqual(timeless(r.Records, spent), timeless(want.Records, Cost{})) {
						t.Errorf("sample %d: cost %+v and records %+v, want %+v and %+v", i, r.Cost, r.Records, want.Cost, want.Records)
					}
					each = append(each, flat(t, r.X))
					spent = spent.plus(r.Cost)
					return nil
				}
				got := mustRun(t, driver, m, job)
				if len(each) != samples || got.Samples != samples || got.X0hat != nil || got.Cost != spent || len(got.Records) != samples*(len(m.Sigmas())-1) {
					t.Fatalf("%d samples, said to be %d, %d records, cost %+v of %+v, x0hat %v", len(each), got.Samples, len(got.Records), got.Cost, spent, got.X0hat)
				}
				for i, r := range got.Records {
					steps := len(m.Sigmas()) - 1
					if r.Sample != i/steps || r.K != i%steps || i > 0 && r.Elapsed < got.Records[i-1].Elapsed && !(together && r.K == 0) {
						t.Errorf("record %d is of sample %d at %v", i, r.Sample, r.Elapsed)
					}
				}
				checkMoments(t, flat(t, got.X), flat(t, got.Spread), each)
			})
		}
	}
}

// checkMoments compares mean and spread with those of the samples, in float64.
func checkMoments(t *testing.T, mean, spread []float32, samples [][]float32) {
	t.Helper()
	worst := 0.0
	for p := range mean {
		var v []float64
		size := 0.0
		for _, s := range samples {
			v = append(v, float64(s[p]))
			size = max(size, math.Abs(float64(s[p])))
		}
		m, variance, _ := moments(v)
		worst = max(worst, math.Abs(float64(mean[p])-m)/size, math.Abs(float64(spread[p])-math.Sqrt(variance))/size)
	}
	if worst > 1e-6 {
		t.Errorf("mean or spread differ by %g of the values", worst)
	}
}

// One sample is the run as ever, and samples that are all the same are one.
func TestOneSample(t *testing.T) {
	p := newProblem(t, 2)
	p.job.XStart, p.job.Seed = nil, 4
	driver := newDriver(t, p.prior, p.op)
	want := mustRun(t, driver, quick(), p.job)
	p.job.Samples.Number = 1
	got := mustRun(t, driver, quick(), p.job)
	if got.Samples != 1 || got.Spread != nil || !slices.Equal(flat(t, got.X), flat(t, want.X)) || !slices.Equal(flat(t, got.X0hat), flat(t, want.X0hat)) {
		t.Error("one sample is another run")
	}

	op, err := operator.NewDenoise(gaussianSide, gaussianSide)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		noise float64
		same  bool
	}{{"spgd", 0.1, true}, {"spgd" + FilterSuffix, 0.1, true}, {"spgd", 0, false}, {"ddrm", 0.1, false}} {
		m, err := smallMethod(t, c.name, Problem{op, c.noise})
		if err != nil {
			t.Fatal(err)
		}
		calls := 0
		job := Job{Y: normals(3, 0.3, 1, gaussianSide, gaussianSide, 3), Samples: Samples{Number: 3, Each: func(int, *Result) error { calls++; return nil }}}
		d := newDriver(t, p.prior, op)
		got := mustRun(t, d, m, job)
		if IsDeterministic(m) != c.same || (got.Samples == 1) != c.same || (got.Spread == nil) != c.same || calls != got.Samples {
			t.Errorf("%s with noise %g: %d samples, of which %d were seen", c.name, c.noise, got.Samples, calls)
		}
		// What is said to be the same must be: two seeds tell.
		job.Samples, job.Seed = Samples{}, 77
		if other := mustRun(t, d, m, job); c.same && !slices.Equal(flat(t, other.X), flat(t, got.X)) {
			t.Errorf("%s with noise %g depends on the seed", c.name, c.noise)
		}
	}
}

// Samples go on from every step of every one of them.
func TestResumeSamples(t *testing.T) {
	p := newProblem(t, 2)
	driver := newDriver(t, p.prior, p.op)
	p.job.XStart, p.job.Seed = nil, 5
	p.job.Samples.Number = 3
	const steps = 5
	run := func(batch int) (want *Result, checkpoints []*Checkpoint) {
		job := p.job
		job.Samples.Batch = batch
		of := 0
		job.Observers = []Observer{ObserverFunc(func(s *Snapshot) error {
			of++
			if s.Last() != (of > 3*steps-3+s.First) || s.Samples != 3 {
				t.Errorf("step %d of sample %d of %d: last is %v", s.K, s.Sample, s.Samples, s.Last())
			}
			return s.Checkpoint(func(c *Checkpoint) error {
				checkpoints = append(checkpoints, c.Clone())
				return nil
			})
		})}
		return mustRun(t, driver, quick(), job), checkpoints
	}
	want, checkpoints := run(1)
	_, together := run(2)
	for k, c := range slices.Concat(checkpoints, together) {
		if k >= len(checkpoints) && c.Batch != 2 {
			t.Errorf("a checkpoint of batches of two says %d", c.Batch)
		}
		var seen []int
		var first *Progress
		job := p.job
		job.Resume = c.Clone()
		job.Samples.Each = func(i int, _ *Result) error { seen = append(seen, i); return nil }
		job.Progress = func(p Progress) {
			if first == nil {
				first = &p
			}
		}
		got := mustRun(t, driver, quick(), job)
		if !slices.Equal(flat(t, got.X), flat(t, want.X)) || !slices.Equal(flat(t, got.Spread), flat(t, want.Spread)) {
			t.Errorf("resumed from checkpoint %d the result is another", k)
		}
		if got.Cost != want.Cost || !reflect.DeepEqual(timeless(got.Records, Cost{}), timeless(want.Records, Cost{})) {
			t.Errorf("resumed from checkpoint %d the records are others", k)
		}
		if missing := []int{0, 1, 2}[c.Sample:]; !slices.Equal(seen, missing) {
			t.Errorf("resumed from checkpoint %d it made the samples %v, want %v", k, seen, missing)
		}
		sample, step := c.Sample, c.Step
		if step == steps {
			sample, step = sample+c.InProgress(), 0
		}
		if first != nil && (first.Sample != sample || first.Step != step || first.Samples != 3 || first.Total != want.Cost.Work()) {
			t.Errorf("resumed from checkpoint %d the first progress is %+v", k, first)
		}
	}

	for what, c := range map[string]struct {
		want   string
		change func(j *Job)
	}{
		"another number": {"the number of samples is 4 here and 3 there", func(j *Job) { j.Samples.Number = 4 }},
		"without any":    {"the number of samples is 1 here and 3 there", func(j *Job) { j.Samples.Number = 0 }},
		"sample beyond":  {"it is of sample 4 of 3", func(j *Job) { j.Resume.Sample = 3 }},
		"other sample":   {"image indices is [0 1] here and [16777216 16777217] there", func(j *Job) { j.Resume.Sample = 0 }},
		"no mean":        {`its state "samples: mean" is missing`, func(j *Job) { delete(j.Resume.State, "samples: mean") }},
		"batch beyond":   {"it is of batches of 4 samples of 3", func(j *Job) { j.Resume.Batch = 4 }},
		"records":        {"6 records after 2 of 5 steps of sample 2", func(j *Job) { j.Resume.Records = j.Resume.Records[1:] }},
		"bad squares": {`its state "samples: squares" holds +Inf (element 2)`, func(j *Job) {
			j.Resume.State["samples: squares"].Data[2] = float32(math.Inf(1))
		}},
	} {
		job := p.job
		job.Resume = checkpoints[6].Clone()
		c.change(&job)
		if _, err := driver.Run(context.Background(), quick(), job); !errors.Is(err, ErrCheckpoint) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want ErrCheckpoint and %q", what, err, c.want)
		}
	}
}

// The sample with the smallest score is the result, image by image, and a run that goes on from any step chooses the
// same.
func TestChoose(t *testing.T) {
	p := newProblem(t, 2)
	driver := newDriver(t, p.prior, p.op)
	p.job.XStart, p.job.Seed = nil, 5
	var each [][]float32
	job := p.job
	job.Samples = Samples{Number: 3, Each: func(_ int, r *Result) error { each = append(each, flat(t, r.X)); return nil }}
	mustRun(t, driver, quick(), job)
	half := len(each[0]) / 2
	scores := map[float32][]float64{} // by the first value, which tells samples apart
	for s, list := range [][]float64{{0.5, 0.25}, {0.5, 0.125}, {0.25, 0.125}} {
		scores[each[s][0]] = list
	}
	job.Samples.Choose = func(x *tensors.Tensor) ([]float64, error) { return scores[flat(t, x)[0]], nil }
	var checkpoints []*Checkpoint
	job.Observers = []Observer{ObserverFunc(func(s *Snapshot) error {
		return s.Checkpoint(func(c *Checkpoint) error { checkpoints = append(checkpoints, c.Clone()); return nil })
	})}
	check := func(what string, got *Result) {
		t.Helper()
		x := flat(t, got.X)
		if !slices.Equal(x[:half], each[2][:half]) || !slices.Equal(x[half:], each[1][half:]) {
			t.Errorf("%s: the result is not the third sample of the first image and the second of the second", what)
		}
		if !slices.Equal(got.Chosen, []int{2, 1}) || !reflect.DeepEqual(got.Scores, [][]float64{{0.5, 0.25}, {0.5, 0.125}, {0.25, 0.125}}) || got.Spread != nil || got.X0hat != nil || got.Samples != 3 {
			t.Errorf("%s: chosen %v by %v, %d samples", what, got.Chosen, got.Scores, got.Samples)
		}
		ones, err := got.Split(0)
		if err != nil {
			t.Fatal(err)
		}
		if second := ones[1]; !slices.Equal(flat(t, second.X), x[half:]) || !slices.Equal(second.Chosen, []int{1}) || !reflect.DeepEqual(second.Scores, [][]float64{{0.25}, {0.125}, {0.125}}) {
			t.Errorf("%s: of the second image alone chosen %v by %v", what, second.Chosen, second.Scores)
		}
	}
	check("undisturbed", mustRun(t, driver, quick(), job))
	job.Observers = nil
	for k, c := range checkpoints {
		job.Resume = c.Clone()
		check(fmt.Sprintf("resumed after step %d", k), mustRun(t, driver, quick(), job))
	}

	for want, change := range map[string]func(j *Job){
		"only one of the two runs chooses among its samples": func(j *Job) { j.Samples.Choose = nil },
		`its state "samples: scores" is [1 1] with 1 values, want [1 2]`: func(j *Job) {
			j.Resume.State[samplesScores] = checkpoint.Tensor{Shape: []int{1, 1}, Data: []float32{1}}
		},
		`its state "samples: best" is missing`: func(j *Job) { delete(j.Resume.State, samplesBest) },
	} {
		j := job
		j.Resume = checkpoints[6].Clone()
		change(&j)
		if _, err := driver.Run(context.Background(), quick(), j); !errors.Is(err, ErrCheckpoint) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want ErrCheckpoint and %q", err, want)
		}
	}
	job.Resume = nil
	for want, list := range map[string][]float64{"1 scores of 2 images": {1}, "the score NaN": {1, math.NaN()}} {
		job.Samples.Choose = func(*tensors.Tensor) ([]float64, error) { return list, nil }
		if _, err := driver.Run(context.Background(), quick(), job); !errors.Is(err, ErrProblem) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want ErrProblem and %q", err, want)
		}
	}
}

func TestSamplesErrors(t *testing.T) {
	p := newProblem(t, 2)
	driver := newDriver(t, p.prior, p.op)
	for want, change := range map[string]func(j *Job){
		"-1 samples, want at least 1":                             func(j *Job) { j.Samples.Number = -1 },
		"batches of -2 samples, want at least 1":                  func(j *Job) { j.Samples.Batch = -2 },
		"257 samples of the image with index 0, want at most 256": func(j *Job) { j.Samples.Number = 257 },
		"3 samples of the image with index 4261412865, want at most 2": func(j *Job) {
			j.Samples.Number, j.Images = 3, []uint32{0, SampleIndex(1, 254)}
		},
	} {
		job := p.job
		change(&job)
		if _, err := driver.Run(context.Background(), quick(), job); !errors.Is(err, ErrProblem) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want ErrProblem and %q", err, want)
		}
	}
	stop := errors.New("enough")
	job := p.job
	job.Samples = Samples{Number: 3, Each: func(i int, _ *Result) error {
		if i == 1 {
			return stop
		}
		return nil
	}}
	if _, err := driver.Run(context.Background(), quick(), job); err != stop {
		t.Errorf("%v, want that of Each", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	job.Samples.Each = func(int, *Result) error { cancel(); return nil }
	if _, err := driver.Run(ctx, quick(), job); err != context.Canceled {
		t.Errorf("%v, want that of the context", err)
	}
}

// Under a Gaussian prior a run without momentum maps its starting noise n to F n + c: its samples are
// normal with the mean c and the covariance sigma_0^2 F F^T. Mean and spread of many have to be theirs, and
// the mean's error what one sample's is divided by their number.
func TestSamplesOfKnownDistribution(t *testing.T) {
	const batch, samples, dim = 2, 200, limitDim
	p := newProblem(t, batch)
	p.job.XStart, p.job.Seed, p.job.Samples.Number = nil, 6, samples
	s := gaussianSettings()
	s.ADM, s.Steps, s.Warmup, s.SigmaMax = ADMOff, 3, 1, 1
	res := mustRun(t, newDriver(t, p.prior, p.op), SPGD{s}, p.job)
	mean, spread := double(flat(t, res.X)), double(flat(t, res.Spread))
	within := func(what string, got, want, deviation float64) {
		t.Helper()
		t.Logf("%s %.4g, want %.4g +- %.2g", what, got, want, deviation)
		if math.Abs(got-want) > 4*deviation {
			t.Errorf("%s is %g, %.1f standard deviations from %g", what, got, (got-want)/deviation, want)
		}
	}
	for i := range batch {
		var end affine
		p.affineRun(s, i, func(_ int, x, _ affine) { end = x })
		var cov, square, off, whole mat.Dense
		cov.Mul(end.m, end.m.T())
		cov.Scale(s.SigmaMax*s.SigmaMax, &cov)
		square.Mul(&cov, &cov)
		off.Sub(mat.NewVecDense(dim, mean[i*dim:][:dim]), end.c)
		if err := whole.Solve(&cov, &off); err != nil {
			t.Fatal(err)
		}
		distance, err := 0.0, 0.0 // Mahalanobis and Euclidean, of the mean
		variance := 0.0
		for k := range dim {
			distance += samples * off.At(k, 0) * whole.At(k, 0)
			err += off.At(k, 0) * off.At(k, 0)
			variance += math.Pow(spread[i*dim+k], 2)
		}
		within("the mean's squared distance in units of its covariance", distance, dim, math.Sqrt(2*dim))
		within("the mean's squared error times the number of samples", samples*err, mat.Trace(&cov), math.Sqrt(2*mat.Trace(&square)))
		within("the sum of the squared spread", variance, mat.Trace(&cov), math.Sqrt(2*mat.Trace(&square)/(samples-1)))
	}
}

// DAPS claims the posterior. Where that is N(y, tau^2/2) for every pixel (see TestDAPSPosterior) the mean of K
// samples is y up to tau^2/(2K), and the squared spread is tau^2/2, unbiased whatever K.
func TestSamplesOfPosterior(t *testing.T) {
	const batch, samples, tau = 16, 4, 0.2
	op, err := operator.NewDenoise(gaussianSide, gaussianSide)
	if err != nil {
		t.Fatal(err)
	}
	y := normals(70, 0.5, batch, gaussianSide, gaussianSide, 3)
	res := mustRun(t, newDriver(t, white(t, 0, 400), op), DAPS{Levels{12, 1, 0.1}, 3, 150, 1e-3, tau}, Job{Y: y, Seed: 8, Samples: Samples{Number: samples}})
	n := float64(batch * limitDim)
	var squares, variance float64
	spread, truth := flat(t, res.Spread), flat(t, y)
	for i, v := range flat(t, res.X) {
		squares += math.Pow(float64(v-truth[i]), 2) / n
		variance += math.Pow(float64(spread[i]), 2) / n
	}
	const want = tau * tau / 2
	t.Logf("squared error of the mean times %d: %.4g, squared spread %.4g, want %.4g", samples, samples*squares, variance, want)
	if e := math.Abs(samples*squares - want); e > (4*math.Sqrt(2/n)+0.03)*want {
		t.Errorf("the mean's squared error times %d is %g, want %g", samples, samples*squares, want)
	}
	if e := math.Abs(variance - want); e > (4*math.Sqrt(2/(n*(samples-1)))+0.03)*want {
		t.Errorf("the squared spread is %g, want %g", variance, want)
	}
}
