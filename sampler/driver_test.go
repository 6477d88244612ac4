package sampler

import (
	"context"
	"errors"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/tensors"
	"gonum.org/v1/gonum/mat"
)

var _ Sampler = SPGD{}

// quick is a short run with everything switched on.
func quick() SPGD {
	s := gaussianSettings()
	s.Steps, s.Warmup = 5, 2
	return SPGD{s}
}

func mustRun(t *testing.T, d *Driver, s Sampler, j Job) *Result {
	t.Helper()
	res, err := d.Run(context.Background(), s, j)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// slice returns image i of a batch as a batch of its own.
func slice(t *testing.T, x *tensors.Tensor, i int) *tensors.Tensor {
	t.Helper()
	d := slices.Clone(x.Shape().Dimensions)
	size := x.Size() / d[0]
	d[0] = 1
	return tensors.FromFlatDataAndDimensions(flat(t, x)[i*size:][:size], d...)
}

// An image's result is the same to the bit in any batch.
func TestBatchIndependence(t *testing.T) {
	const batch = 3
	p := newProblem(t, batch)
	driver := newDriver(t, p.prior, p.op)
	for _, adm := range []ADM{ADMPixel, ADMGlobal} {
		s := quick()
		s.ADM = adm
		all := mustRun(t, driver, s, Job{Y: p.job.Y, Seed: 7, Images: []uint32{4, 1, 9}})
		for i, image := range []uint32{4, 1, 9} {
			one := mustRun(t, driver, s, Job{Y: slice(t, p.job.Y, i), Seed: 7, Images: []uint32{image}})
			for name, pair := range map[string][2]*tensors.Tensor{"x": {one.X, all.X}, "x0hat": {one.X0hat, all.X0hat}} {
				if !slices.Equal(flat(t, pair[0]), flat(t, slice(t, pair[1], i))) {
					t.Errorf("%s: %s of image %d depends on its batch", adm, name, i)
				}
			}
			for k := range one.Records {
				if a, b := one.Records[k].Loss[0], all.Records[k].Loss[i]; a != b {
					t.Errorf("%s: loss of image %d at step %d is %g alone and %g in a batch", adm, i, k, a, b)
				}
				if a, b := one.Records[k].Alpha[0][0], all.Records[k].Alpha[0][i]; a != b {
					t.Errorf("%s: alpha of image %d at step %d is %g alone and %g in a batch", adm, i, k, a, b)
				}
			}
		}
	}
}

func TestSeeds(t *testing.T) {
	p := newProblem(t, 1)
	driver := newDriver(t, p.prior, p.op)
	run := func(seed uint64, image uint32) []float32 {
		return flat(t, mustRun(t, driver, quick(), Job{Y: p.job.Y, Seed: seed, Images: []uint32{image}}).X)
	}
	first := run(1, 0)
	if !slices.Equal(first, run(1, 0)) {
		t.Error("the same seed gives different images")
	}
	if !slices.Equal(first, flat(t, mustRun(t, newDriver(t, p.prior, p.op), quick(), Job{Y: p.job.Y, Seed: 1}).X)) {
		t.Error("the same seed gives different images in another driver")
	}
	if slices.Equal(first, run(2, 0)) {
		t.Error("another seed gives the same image")
	}
	if slices.Equal(first, run(1, 1)) {
		t.Error("another image index gives the same image")
	}
}

// The starting state has the first noise level.
func TestStartState(t *testing.T) {
	p := newProblem(t, 1)
	s := quick()
	var sumSq float64
	const seeds = 40
	for seed := range uint64(seeds) {
		r, err := newRun(context.Background(), newDriver(t, p.prior, p.op), s, Job{Y: p.job.Y, Seed: seed}, 1, &course{samples: 1, batch: 1})
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range flat(t, r.state[StateX]) {
			sumSq += float64(v) * float64(v)
		}
		r.release()
	}
	n := float64(seeds * gaussianSide * gaussianSide * 3)
	// The variance of n draws has the relative standard error sqrt(2/n), 0.032; allow 4 of them.
	if variance := sumSq / n / (s.SigmaMax * s.SigmaMax); math.Abs(variance-1) > 4*math.Sqrt(2/n) {
		t.Errorf("variance of x_start is %g sigma_max^2, want 1", variance)
	}
}

// mirroredGaussian is the Gaussian prior of gaussianSide x gaussianSide images applied to smaller
// ones through two matrices: one that mirrors them, with the edge repeated, and one that cuts.
type mirroredGaussian struct {
	*gaussian
	h, w         int
	mirrored     *tensors.Tensor // [h*w*3, side*side*3]
	cut          *tensors.Tensor // its shape transposed
	fewerWeights int
}

func newMirroredGaussian(g *gaussian, h, w int) mirroredGaussian {
	small, large := h*w*3, gaussianSide*gaussianSide*3
	m, c := make([]float32, small*large), make([]float32, large*small)
	at := func(i, n int) int { // reflection about the edge between i = n-1 and i = n
		if i %= 2 * n; i >= n {
			i = 2*n - 1 - i
		}
		return i
	}
	for y := range gaussianSide {
		for x := range gaussianSide {
			for k := range 3 {
				i, j := (at(y, h)*w+at(x, w))*3+k, (y*gaussianSide+x)*3+k
				m[i*large+j] = 1
				if y < h && x < w {
					c[j*small+i] = 1
				}
			}
		}
	}
	return mirroredGaussian{
		gaussian: g, h: h, w: w, fewerWeights: len(g.Weights()),
		mirrored: tensors.FromFlatDataAndDimensions(m, small, large),
		cut:      tensors.FromFlatDataAndDimensions(c, large, small),
	}
}

func (mirroredGaussian) SizeMultiple() int { return 1 }

func (m mirroredGaussian) Weights() []*tensors.Tensor {
	return append(slices.Clone(m.gaussian.Weights()), m.mirrored, m.cut)
}

func (m mirroredGaussian) Denoise(weights []*Node, x, sigma *Node) *Node {
	n, own := x.Shape().Dimensions[0], weights[m.fewerWeights:]
	x = graph.Dot(graph.Reshape(x, n, m.h*m.w*3), own[0])
	x = m.gaussian.Denoise(weights[:m.fewerWeights], graph.Reshape(x, n, gaussianSide, gaussianSide, 3), sigma)
	x = graph.Dot(graph.Reshape(x, n, gaussianSide*gaussianSide*3), own[1])
	return graph.Reshape(x, n, m.h, m.w, 3)
}

// An image of a size that the prior does not take is mirrored for it, and nothing else changes.
func TestImageOfAnySize(t *testing.T) {
	const m = 8
	for _, size := range [][2]int{{3, 2}, {1, 4}, {1, 1}} {
		h, w := size[0], size[1]
		g := newGaussian(t, gaussianSide*gaussianSide*3, gaussianSide)
		op := newMatrixOperator(h, w, m)
		job := Job{Y: normals(40, 1, 2, 1, m, 1), Seed: 3}
		got := mustRun(t, newDriver(t, g, op), quick(), job).X
		if want := []int{2, h, w, 3}; !slices.Equal(got.Shape().Dimensions, want) {
			t.Fatalf("the result has dimensions %v, want %v", got.Shape().Dimensions, want)
		}
		want := mustRun(t, newDriver(t, newMirroredGaussian(g, h, w), op), quick(), job).X
		if e := relative(flat(t, got), double(flat(t, want))); e > 1e-5 {
			t.Errorf("%dx%d: relative difference %g to the matrices, want at most 1e-5", h, w, e)
		}
	}
}

func TestCancellation(t *testing.T) {
	p := newProblem(t, 1)
	driver := newDriver(t, p.prior, p.op)
	for _, after := range []int{0, 1, 5} {
		ctx, cancel := context.WithCancel(context.Background())
		evaluations := 0
		if after == 0 {
			cancel()
		}
		job := p.job
		job.Progress = func(Progress) {
			if evaluations++; evaluations == after {
				cancel()
			}
		}
		res, err := driver.Run(ctx, quick(), job)
		if !errors.Is(err, context.Canceled) || res != nil {
			t.Errorf("cancelled after %d evaluations: result %v, error %v, want context.Canceled", after, res, err)
		}
		if evaluations != after {
			t.Errorf("cancelled after %d evaluations, it ran %d", after, evaluations)
		}
		cancel()
	}
}

func TestDivergence(t *testing.T) {
	p := newProblem(t, 1)
	driver := newDriver(t, p.prior, p.op)
	for _, step := range []float64{1e4, 1e30} {
		s := gaussianSettings()
		s.StepSize = step
		res, err := driver.Run(context.Background(), SPGD{s}, p.job)
		if !errors.Is(err, ErrDiverged) || res != nil {
			t.Fatalf("step size %g: result %v, error %v, want ErrDiverged", step, res, err)
		}
		for _, part := range []string{"step ", "of 30", "sigma ", "step size ", "--step-size", "image 0"} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("message %q does not say %q", err, part)
			}
		}
	}
}

func TestJobErrors(t *testing.T) {
	p := newProblem(t, 2)
	driver := newDriver(t, p.prior, p.op)
	nan := normals(1, 1, 2, 1, 20, 1)
	nan.MustMutableFlatData(func(f any) { f.([]float32)[7] = float32(math.NaN()) })
	for name, change := range map[string]func(j *Job){
		"no measurement":     func(j *Job) { j.Y = nil },
		"rank":               func(j *Job) { j.Y = normals(1, 1, 20) },
		"measurement's size": func(j *Job) { j.Y = normals(1, 1, 2, 1, 19, 1) },
		"type":               func(j *Job) { j.Y = tensors.FromFlatDataAndDimensions(make([]float64, 40), 2, 1, 20, 1) },
		"NaN":                func(j *Job) { j.Y = nan },
		"image indices":      func(j *Job) { j.Images = []uint32{1} },
		"starting state":     func(j *Job) { j.XStart = normals(1, 1, 1, 4, 4, 3) },
	} {
		job := p.job
		change(&job)
		if _, err := driver.Run(context.Background(), quick(), job); !errors.Is(err, ErrProblem) {
			t.Errorf("%s: %v, want ErrProblem", name, err)
		}
	}
	if _, err := driver.Run(context.Background(), SPGD{}, p.job); !errors.Is(err, ErrSettings) {
		t.Errorf("zero settings: %v, want ErrSettings", err)
	}
	if _, err := NewDriver(newEngine(t), grey{p.prior}, p.op); !errors.Is(err, ErrProblem) {
		t.Errorf("a prior of grey images: %v, want ErrProblem", err)
	}
}

// grey is a prior of one-channel images.
type grey struct{ *gaussian }

func (grey) Channels() int { return 1 }

func TestProgressAndRecords(t *testing.T) {
	p := newProblem(t, 2)
	driver := newDriver(t, p.prior, p.op)
	for _, denoise := range []DenoiseFrom{DenoiseFresh, DenoiseStale} {
		s := quick()
		s.Denoise = denoise
		var seen []Progress
		job := p.job
		job.Progress = func(p Progress) { seen = append(seen, p) }
		var observed []StepRecord
		job.Observers = []Observer{ObserverFunc(func(s *Snapshot) error {
			observed = append(observed, s.StepRecord)
			return nil
		})}
		res := mustRun(t, driver, s, job)

		want := Cost{VJPs: 10}
		if denoise == DenoiseFresh {
			want.Forwards = 5
		}
		if res.Cost != want || len(seen) != want.NFE() {
			t.Errorf("%s: cost %+v in %d progress calls, want %+v", denoise, res.Cost, len(seen), want)
		}
		for i, pr := range seen {
			if i > 0 && pr.Done <= seen[i-1].Done || pr.Total != want.Work() || pr.Steps != 5 {
				t.Errorf("%s: progress %d is %+v", denoise, i, pr)
			}
		}
		if last := seen[len(seen)-1]; last.Done != last.Total || last.Step != 4 {
			t.Errorf("%s: the last progress is %+v, want all done", denoise, last)
		}
		if !reflect.DeepEqual(observed, res.Records) || len(observed) != 5 {
			t.Errorf("%s: observers saw other records than the result has", denoise)
		}
		sigmas := Poly7(5, 100, 0.1)
		for k, r := range res.Records {
			step := s.StepSize * (1 - 0.99*float64(k)/5)
			if r.K != k || r.Steps != 5 || r.Sigma != sigmas[k] || r.SigmaNext != sigmas[k+1] || math.Abs(r.StepSize-step) > 1e-12 {
				t.Errorf("%s: record %d is %+v", denoise, k, r)
			}
			if len(r.Loss) != 2 || len(r.GradientNorm) != 2 || len(r.Alpha) != 1 || len(r.Alpha[0]) != 2 || len(r.Angles.DenoiseLikelihood) != 2 {
				t.Errorf("%s: record %d lacks values: %+v", denoise, k, r)
			}
		}
	}
}

func TestObserverError(t *testing.T) {
	p := newProblem(t, 1)
	driver := newDriver(t, p.prior, p.op)
	stop := errors.New("disk full")
	job := p.job
	steps := 0
	job.Observers = []Observer{ObserverFunc(func(*Snapshot) error {
		if steps++; steps == 2 {
			return stop
		}
		return nil
	})}
	if _, err := driver.Run(context.Background(), quick(), job); !errors.Is(err, stop) || steps != 2 {
		t.Errorf("error %v after %d steps, want the observer's after 2", err, steps)
	}
}

// ancestor is a second method, to hold the driver to what it offers to all: an Euler sampler of
// the prior, without a likelihood.
type ancestor struct {
	SPGD
	stage Stage
}

func (ancestor) Name() string      { return "euler" }
func (ancestor) State() []string   { return nil }
func (ancestor) StepCost() Cost    { return Cost{Forwards: 1} }
func (a ancestor) Stages() []Stage { return []Stage{a.stage} }
func (a ancestor) Step(r *Run) error {
	_, err := r.Exec("step", Scalars{"sigma": r.Sigma(), "next": r.SigmaNext()})
	return err
}

func TestOtherSampler(t *testing.T) {
	p := newProblem(t, 1)
	euler := Stage{
		Name: "step", State: []string{StateX}, Scalars: []string{"sigma", "next"}, Cost: Cost{Forwards: 1},
		Build: func(b *Builder) {
			x, sigma, next := b.State(StateX), b.Scalar("sigma"), b.Scalar("next")
			x0hat := b.Denoise(x, sigma)
			b.SetState(StateX0hat, x0hat)
			b.SetState(StateX, graph.Add(x0hat, graph.Mul(graph.Div(next, sigma), graph.Sub(x, x0hat))))
		},
	}
	res := mustRun(t, newDriver(t, p.prior, p.op), ancestor{quick(), euler}, p.job)
	x := mat.NewVecDense(48, double(flat(t, p.job.XStart)))
	sigmas := quick().Sigmas()
	for k, sigma := range sigmas[:len(sigmas)-1] {
		x0hat := p.prior.denoiser(sigma).apply(x)
		x.SubVec(x, x0hat)
		x.AddScaledVec(x0hat, sigmas[k+1]/sigma, x)
	}
	if e := relative(flat(t, res.X), x.RawVector().Data); e > 1e-5 {
		t.Errorf("relative error %g, want at most 1e-5", e)
	}

	for name, broken := range map[string]Stage{
		"reads an undeclared state":  {Name: "step", Build: func(b *Builder) { b.State("y") }},
		"reads an undeclared scalar": {Name: "step", Build: func(b *Builder) { b.Scalar("y") }},
		"declares an unknown state":  {Name: "step", State: []string{"y"}, Build: euler.Build},
		"runs without a scalar":      {Name: "step", State: []string{StateX}, Scalars: []string{"sigma", "next", "y"}, Build: euler.Build},
		"is not declared":            {Name: "other", Build: euler.Build},
	} {
		if _, err := newDriver(t, p.prior, p.op).Run(context.Background(), ancestor{quick(), broken}, p.job); err == nil {
			t.Errorf("a stage that %s: no error", name)
		}
	}
}
