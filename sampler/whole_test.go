package sampler

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/seed-0f004ec9/spgd/engine/xla"
	"github.com/seed-0f004ec9/spgd/internal/pjrttest"
	"github.com/seed-0f004ec9/spgd/operator"
)

// wholeSettings are settings of SPGD whose steps are different programs.
func wholeSettings(op operator.Operator) map[string]Sampler {
	published := quick().Settings
	published.ADM, published.Denoise, published.Warmup = ADMPixel, DenoiseStale, 3
	fresh := published
	fresh.ADM, fresh.Denoise = ADMGlobal, DenoiseFresh
	auto := DefaultSettings()
	auto.Steps, auto.Warmup, auto.StepSize = 4, 2, AutoStep
	auto = auto.For(Problem{op, 0.05})
	stale := auto
	stale.Denoise, stale.Warmup = DenoiseStale, 1
	return map[string]Sampler{
		"stale": SPGD{published}, "fresh": SPGD{fresh}, "auto": SPGD{auto}, "auto stale": SPGD{stale},
		"probed": Probe{SPGD{auto}}, "filtered": NewDiffStateGrad(SPGD{published}),
	}
}

// close64 says whether numbers are the same up to rounding of float32, relative to the largest.
func close64(a, b []float64, tolerance float64) bool {
	if len(a) != len(b) {
		return false
	}
	scale, worst := 1e-30, 0.0
	for i := range a {
		scale, worst = max(scale, b[i], -b[i]), max(worst, a[i]-b[i], b[i]-a[i])
	}
	return worst <= tolerance*scale
}

// numbersOf are all numbers of a record.
func numbersOf(r StepRecord) [][]float64 {
	all := [][]float64{r.Loss, r.GradientNorm, r.Angles.DenoiseLikelihood, r.Angles.LikelihoodTurn, r.Angles.DenoiseTurn}
	for _, e := range r.Evaluations {
		all = append(all, e.SquaredResidual, e.GradientNorm, e.DirectionNorm, e.Angles.DenoiseLikelihood, e.Angles.LikelihoodTurn, e.Angles.DenoiseTurn)
	}
	return append(all, r.Alpha...)
}

// compareRuns compares a run with another of the same job that rounds otherwise.
func compareRuns(t *testing.T, got, want *Result) {
	t.Helper()
	if e := relative(flat(t, got.X), double(flat(t, want.X))); e > 1e-5 {
		t.Errorf("x differs by %g", e)
	}
	if got.X0hat != nil {
		if e := relative(flat(t, got.X0hat), double(flat(t, want.X0hat))); e > 1e-5 {
			t.Errorf("x0hat differs by %g", e)
		}
	}
	if got.Cost != want.Cost || len(got.Records) != len(want.Records) {
		t.Fatalf("cost %+v and %d records, want %+v and %d", got.Cost, len(got.Records), want.Cost, len(want.Records))
	}
	for i, r := range got.Records {
		a, b := numbersOf(r), numbersOf(want.Records[i])
		if r.Cost != want.Records[i].Cost || !slices.EqualFunc(a, b, func(a, b []float64) bool { return close64(a, b, 1e-3) }) {
			t.Errorf("record %d is %+v, want %+v", i, r, want.Records[i])
		}
	}
}

// Steps that are one program give what their stages give one after the other, in far fewer runs of programs, and leave
// the same state in checkpoints.
func TestWholeSteps(t *testing.T) {
	p := newProblem(t, 2)
	p.job.XStart, p.job.Seed, p.job.Samples.Number, p.job.Samples.Batch = nil, 7, 2, 2
	for name, s := range wholeSettings(p.op) {
		t.Run(name, func(t *testing.T) {
			var drivers []*Driver
			var results []*Result
			var checkpoints [][]*Checkpoint
			for _, form := range []Programs{ProgramsStage, ProgramsStep} {
				d, err := NewDriver(newEngine(t), p.prior, p.op, WithPrograms(form))
				if err != nil {
					t.Fatal(err)
				}
				defer d.Close()
				var kept []*Checkpoint
				job := p.job
				job.Observers = []Observer{ObserverFunc(func(s *Snapshot) error {
					return s.Checkpoint(func(c *Checkpoint) error { kept = append(kept, c.Clone()); return nil })
				})}
				results = append(results, mustRun(t, d, s, job))
				drivers, checkpoints = append(drivers, d), append(checkpoints, kept)
			}
			compareRuns(t, results[1], results[0])
			if a, b := results[0].Programs, results[1].Programs; a != ProgramsStage || b != ProgramsStep {
				t.Errorf("the programs were of a %q and of a %q", a, b)
			}
			for i, c := range checkpoints[1] {
				want := checkpoints[0][i]
				for name, x := range c.State {
					if e := relative(x.Data, double(want.State[name].Data)); e > 1e-4 {
						t.Errorf("%q of checkpoint %d differs by %g", name, i, e)
					}
				}
				if len(c.State) != len(want.State) || !reflect.DeepEqual(c.Parameters, want.Parameters) {
					t.Errorf("checkpoint %d holds %d tensors, want %d", i, len(c.State), len(want.State))
				}
			}
			job := p.job
			job.Resume = checkpoints[1][2].Clone()
			if got := mustRun(t, drivers[1], s, job); !slices.Equal(flat(t, got.X), flat(t, results[1].X)) {
				t.Error("a run that goes on gives another result")
			}
			job.Resume = checkpoints[1][2].Clone()
			if _, err := drivers[0].Run(context.Background(), s, job); !errors.Is(err, ErrCheckpoint) || !strings.Contains(err.Error(), `programs are of a "stage" here and of a "step" there`) {
				t.Errorf("%v for a checkpoint of programs of steps, want ErrCheckpoint", err)
			}
			steps, evaluations := 0, 0
			for key, p := range drivers[1].programs {
				if p.whole != nil {
					steps++
				} else if key.stage != autoStart.Name && key.stage != autoAgree.Name {
					evaluations++
				}
			}
			if steps != 1 || evaluations != 0 {
				t.Errorf("there are %d programs of steps and %d of their stages, want one for all", steps, evaluations)
			}
		})
	}
}

// A step that is one program ends with the same errors.
func TestWholeStepErrors(t *testing.T) {
	p := newProblem(t, 1)
	d, err := NewDriver(newEngine(t), p.prior, p.op, WithPrograms(ProgramsStep))
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	s := quick()
	s.StepSize = 1e6
	if _, err := d.Run(context.Background(), s, p.job); !errors.Is(err, ErrDiverged) {
		t.Errorf("%v, want ErrDiverged", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	job, calls := p.job, 0
	job.Progress = func(Progress) { calls++; cancel() }
	if _, err := d.Run(ctx, quick(), job); err != context.Canceled {
		t.Errorf("%v, want that of the context", err)
	}
	if want := quick().StepCost().NFE(); calls != want {
		t.Errorf("%d evaluations before the end, want the %d of a step", calls, want)
	}
	for _, c := range []struct {
		stage, want string
	}{{"none", `sampler: spgd has no stage "none"`}, {"warm-up, first", `sampler: warm-up, first runs without its scalar "sigma"`}} {
		if _, err := d.Run(context.Background(), sendsTo{quick(), c.stage}, p.job); err == nil || err.Error() != c.want {
			t.Errorf("%v, want %s", err, c.want)
		}
	}
}

// sendsTo is a sampler that runs a stage without scalars.
type sendsTo struct {
	SPGD
	stage string
}

func (s sendsTo) Step(r *Run) error { return r.Then(s.stage, nil, nil) }

// On a device steps are one program unless that is turned off, with the same results, and every buffer is let go of.
func TestWholeStepsOnDevice(t *testing.T) {
	e := openPlugin(t)
	device, cpu, job := deviceProblem(t, e)
	s := DefaultSettings().For(Problem{device.operator, 0.05})
	s.Steps, s.Warmup = 3, 2
	want := mustRun(t, cpu, SPGD{s}, job)
	var runs []int
	for _, stages := range []bool{false, true} {
		d := device
		if stages {
			var err error
			if d, err = NewDriver(e, device.denoiser, device.operator, WithPrograms(ProgramsStage)); err != nil {
				t.Fatal(err)
			}
			defer d.Close()
		}
		of := onHost(t, job)
		defer of.Y.FinalizeAll()   // not by the garbage collector, in the midst of the next run's count
		mustRun(t, d, SPGD{s}, of) // which leaves the weights and the measurement on the device
		alive, before := pjrttest.Alive(), pjrttest.Runs()
		compareRuns(t, mustRun(t, d, SPGD{s}, of), want)
		runs = append(runs, pjrttest.Runs()-before)
		if n := pjrttest.Alive() - alive; n != 0 {
			t.Errorf("a run leaves %d buffers behind", n)
		}
	}
	// The start, the steps and the last one's agreement with y.
	if want := []int{1 + s.Steps + 1, 1 + 3*s.Steps + 1}; !slices.Equal(runs, want) {
		t.Errorf("programs were run %v times, want %v", runs, want)
	}
}

// A step that finds no memory to be compiled is computed stage by stage, unless one program was asked for. The driver
// remembers it, and a run goes on from its checkpoint as it began.
func TestStagesOnDevice(t *testing.T) {
	e := openPlugin(t)
	auto, _, job := deviceProblem(t, e)
	s := DefaultSettings().For(Problem{auto.operator, 0.05})
	s.Steps, s.Warmup = 3, 3
	with := func(p Programs) *Driver {
		d, err := NewDriver(e, auto.denoiser, auto.operator, WithPrograms(p))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(d.Close)
		return d
	}
	before := len(pjrttest.Programs())
	want := mustRun(t, with(ProgramsStage), SPGD{s}, onHost(t, job))
	pjrttest.Convolutions = pjrttest.CountConvolutions(pjrttest.Programs()[before:])
	defer func() { pjrttest.Convolutions = 0 }()
	if _, err := with(ProgramsStep).Run(context.Background(), SPGD{s}, onHost(t, job)); !errors.Is(err, xla.ErrMemory) {
		t.Errorf("%v, want ErrMemory", err)
	}
	var kept *Checkpoint
	observed := onHost(t, job)
	observed.Observers = []Observer{ObserverFunc(func(s *Snapshot) error {
		return s.Checkpoint(func(c *Checkpoint) error {
			if c.Step == 2 {
				kept = c.Clone()
			}
			return nil
		})
	})}
	for i := range 2 {
		before := len(pjrttest.Programs())
		if got := mustRun(t, auto, SPGD{s}, observed); got.Programs != ProgramsStage || !slices.Equal(flat(t, got.X), flat(t, want.X)) || got.Cost != want.Cost {
			t.Errorf("run %d by programs of a %q differs from one of stages", i, got.Programs)
		}
		if n := len(pjrttest.Programs()) - before; i > 0 && n > 0 {
			t.Errorf("the driver has compiled %d programs more", n)
		}
	}
	pjrttest.Convolutions = 0
	observed.Observers, observed.Resume = nil, kept
	if got := mustRun(t, with(ProgramsAuto), SPGD{s}, observed); got.Programs != ProgramsStage || !slices.Equal(flat(t, got.X), flat(t, want.X)) {
		t.Errorf("the run goes on by programs of a %q, want stages", got.Programs)
	}
}

// What is one program is a step, a stage, or left to the driver.
func TestProgramsOf(t *testing.T) {
	p := newProblem(t, 1)
	_, err := NewDriver(newEngine(t), p.prior, p.op, WithPrograms("level"))
	if !errors.Is(err, ErrSettings) || err.Error() != `sampler: invalid sampler settings: programs of a "level", want step or stage` {
		t.Errorf("%v, want ErrSettings", err)
	}
}
