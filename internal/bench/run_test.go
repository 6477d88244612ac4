package bench

import (
	"context"
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/seed-0f004ec9/spgd/engine"
	"github.com/seed-0f004ec9/spgd/imageio"
	"github.com/seed-0f004ec9/spgd/metric"
	"github.com/seed-0f004ec9/spgd/prior"
	"github.com/seed-0f004ec9/spgd/report"
	"github.com/seed-0f004ec9/spgd/sampler"
)

const side = 16

// runner has a normal prior of grey images.
func runner(t *testing.T) *Runner {
	t.Helper()
	e, err := engine.New(engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	mean, variance := make([]float64, side*side*3), make([]float64, side*side*3)
	for i := range variance {
		variance[i] = 0.3
	}
	d, err := prior.NewDiagonalGaussian(mean, variance, side, side, 3)
	if err != nil {
		t.Fatal(err)
	}
	return &Runner{Engine: e, Prior: d, Measures: metric.Measures(), Journal: open(t, "")}
}

func plan(t *testing.T, tasks []string, methods ...string) *Plan {
	t.Helper()
	s := Spec{Images: []string{"doc.go", "cell.go"}, Size: side, Tasks: tasks, Seeds: Seeds{0, 1}, NFE: 16}
	for _, text := range methods {
		m, err := ParseMethod(text)
		if err != nil {
			t.Fatal(err)
		}
		s.Methods = append(s.Methods, m)
	}
	p, err := NewPlan(s, func(path string) (*imageio.Image, error) { return photo(side, side, len(path)), nil })
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// kept runs a plan and returns its cells in order.
func kept(t *testing.T, r *Runner, p *Plan) []Cell {
	t.Helper()
	if err := r.Run(context.Background(), p); err != nil {
		t.Fatal(err)
	}
	var list []Cell
	err := p.places(func(at place) error {
		c, err := at.start(r.Base)
		if err != nil {
			return err
		}
		c, ok := r.Journal.Cell(c.Key)
		if !ok {
			t.Errorf("no cell %d", at.n)
		}
		list = append(list, c)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// TestRun: methods share what is drawn, images and seeds do not, and a cell does not depend on what
// is computed beside it.
func TestRun(t *testing.T) {
	r := runner(t)
	p := plan(t, []string{"inpaint:random:0.5@0.1", "denoise@0.1", "hdr@0.1"}, "spgd", "ddnm+", "spgd:step-size=1e20")
	list := kept(t, r, p)
	if len(list) != 36 || r.Journal.Len() != 36 {
		t.Fatalf("%d cells, %d kept", len(list), r.Journal.Len())
	}
	drawn := map[string]bool{}
	for i := 0; i < 12; i += 3 {
		a, b := list[i], list[i+1]
		if a.Drawn != b.Drawn || a.Draw != b.Draw || drawn[a.Drawn] {
			t.Errorf("cells %d: drawn %s and %s", i, a.Drawn, b.Drawn)
		}
		drawn[a.Drawn] = true
		if a.Status != Finished || b.Status != Finished || list[i+2].Status != Diverged || list[i+2].Reason == "" {
			t.Errorf("cells %d: %s, %s, %s", i, a.Status, b.Status, list[i+2].Status)
		}
		if a.NFE != 16 || b.NFE != 16 || !(a.Values["psnr"] > 5) || a.Values["ms-ssim"] != 0 || !(a.Residual > 0) || !(a.Seconds > 0) {
			t.Errorf("cell %d: %+v", i, a)
		}
	}
	if c := list[25]; c.Status != Inapplicable || c.Values != nil {
		t.Errorf("DDNM+ on hdr: %+v", c)
	}
	alone := kept(t, &Runner{Engine: r.Engine, Prior: r.Prior, Measures: r.Measures, Journal: open(t, "")}, plan(t, []string{"denoise@0.1"}, "ddnm+"))
	for i, c := range alone {
		if other := list[13+3*i]; c.Key != other.Key || c.Residual != other.Residual || c.Values["psnr"] != other.Values["psnr"] {
			t.Errorf("cell %d alone is %+v, beside others %+v", i, c, other)
		}
	}
	// Nothing is missing, and nothing is computed again.
	if n, err := r.Missing(p); n != 0 || err != nil {
		t.Errorf("%d cells are missing (%v)", n, err)
	}
	r.Begin = func(int, Cell) { t.Error("a cell is computed again") }
	kept(t, r, p)
}

// TestStarts: the best of several starts by its residual, the first being the only one's.
func TestStarts(t *testing.T) {
	r := runner(t)
	one := kept(t, r, plan(t, []string{"phase@0.05"}, "spgd"))
	three := kept(t, r, plan(t, []string{"phase@0.05*3"}, "spgd"))
	for i, c := range three {
		if len(c.Residuals) != 3 || c.Residuals[0] != one[i].Residual || c.Residual != slices.Min(c.Residuals) || c.NFE != 3*one[i].NFE {
			t.Errorf("%+v, with one start %+v", c, one[i])
		}
		if c.Residuals[0] == c.Residuals[1] || c.Key == one[i].Key {
			t.Errorf("starts are the same: %+v", c)
		}
		chosen := slices.Index(c.Residuals, c.Residual)
		if c.Symmetry != halfTurn || len(c.PSNRs) != 3 || c.PSNRs[chosen] != c.Values["psnr"] {
			t.Errorf("start %d by its residual, values %v, of the starts %v", chosen, c.Values, c.PSNRs)
		}
	}
}

// A task with a symmetry is judged by the image or its turn, whichever is nearer to the true one, and nothing else is.
func TestResolve(t *testing.T) {
	img := photo(side, side, 3)
	for _, turned := range []bool{false, true} {
		m := img.Clone()
		if turned {
			m = img.HalfTurn()
		}
		m.Pix[0] += 0.25 // one of side^2 x 3, from -1 to 1
		got, was, psnr, err := resolve(img, m)
		if err != nil || was != turned || math.Abs(psnr-10*math.Log10(side*side*3/(0.125*0.125))) > 1e-4 {
			t.Errorf("turned %v: taken as turned %v, %g dB (%v)", turned, was, psnr, err)
		}
		if d, err := metric.PSNR(img, got); err != nil || d != psnr {
			t.Errorf("the resolved image has %g dB, want %g (%v)", d, psnr, err)
		}
	}
	r := runner(t)
	pictures := map[string]*imageio.Image{}
	r.Keep = func(c Cell, img *imageio.Image) error { pictures[c.Key] = img; return nil }
	p := plan(t, []string{"phase@0.05*2", "hdr@0.05"}, "spgd")
	turns := 0
	for i, c := range kept(t, r, p) {
		v, err := metric.PSNR(p.Images[i/2%2].Pixels, pictures[c.Key])
		if err != nil || report.Number(v) != c.Values["psnr"] {
			t.Errorf("cell %d: the kept picture has %g dB, the cell %v (%v)", i, v, c.Values["psnr"], err)
		}
		if (c.Symmetry != "") != (i < 4) || i >= 4 && (c.Turned || c.PSNRs != nil) {
			t.Errorf("cell %d: %+v", i, c)
		}
		if c.Turned {
			turns++
		}
	}
	if turns == 0 {
		t.Error("no result is turned: the test does not see it")
	}
}

// With noise=auto a method is told the estimate, as from a task with that noise, and the residual stays in units of the true one.
func TestEstimatedNoise(t *testing.T) {
	r := runner(t)
	p := plan(t, []string{"denoise@0.1", "sr:4@0.1", "denoise@poisson:0.1"}, "spgd", "spgd:noise=auto")
	list := kept(t, r, p)
	for i := 0; i < len(list); i += 2 {
		told, auto := list[i], list[i+1]
		if told.Estimated != nil || told.Status != Finished || told.Key == auto.Key {
			t.Errorf("told the noise: %+v", told)
		}
		if i >= 8 { // too few squares, or another model
			if auto.Status != Inapplicable || auto.Reason == "" {
				t.Errorf("%s: %+v", auto.Causes.Task, auto)
			}
			continue
		}
		if auto.Status != Finished || auto.Estimated == nil || *auto.Estimated == 0.1 || auto.Residual == told.Residual {
			t.Errorf("estimated noise %v: %+v", auto.Estimated, auto)
			continue
		}
		at := place{image: p.Images[i/4], task: p.Tasks[0], method: p.Methods[0][0], seed: p.Spec.Seeds[i/2%2]}
		b := &workbench{}
		defer b.close()
		if err := b.prepare(context.Background(), r, at, auto.Draw); err != nil {
			t.Fatal(err)
		}
		found, err := b.measurement.EstimateNoise()
		if err != nil || report.Number(found[0].Sigma) != *auto.Estimated || auto.Settings["sigma-max"] != found[0].Sigma {
			t.Errorf("the measurement's noise is %v (%v), the cell's %v, settings %v", found, err, *auto.Estimated, auto.Settings)
		}
	}
	bad := Spec{Images: []string{"doc.go"}, Size: side, Tasks: []string{"denoise@0.1"}, Methods: []Method{{"x", "spgd", map[string]string{"noise": "0.1"}}}}
	if _, err := NewPlan(bad, func(string) (*imageio.Image, error) { return photo(side, side, 1), nil }); !errors.Is(err, ErrSpec) {
		t.Errorf("noise=0.1: %v, want ErrSpec", err)
	}
}

// TestMeanOf: the mean of several samples is a method of its own, of a cost of its own.
func TestMeanOf(t *testing.T) {
	r := runner(t)
	task := []string{"inpaint:random:0.5@0.1"}
	pictures := map[string]*imageio.Image{}
	r.Keep = func(c Cell, img *imageio.Image) error { pictures[c.Key] = img; return nil }
	p := plan(t, task, "ddnm+", "ddnm+:mean-of=1", "ddnm+:mean-of=2")
	p.Methods[0][2].Set["steps"] = "16" // as the others have
	list := kept(t, r, p)
	for i := 0; i < len(list); i += 3 {
		one, same, two := list[i], list[i+1], list[i+2]
		if one.Residual != same.Residual || one.NFE != 16 || same.NFE != 16 || two.NFE != 32 || one.Key == same.Key || one.Key == two.Key {
			t.Errorf("one run %+v, the mean of one %+v, of two %+v", one, same, two)
		}
		if _, set := one.Settings["mean-of"]; set || two.Settings["mean-of"] != 2 {
			t.Errorf("settings %v, of the mean %v", one.Settings, two.Settings)
		}
		at := place{image: p.Images[i/6], task: p.Tasks[0], method: p.Methods[0][0], seed: p.Spec.Seeds[i/3%2]}
		b := &workbench{}
		defer b.close()
		if err := b.prepare(context.Background(), r, at, one.Draw); err != nil {
			t.Fatal(err)
		}
		m, err := at.method.Sampler(sampler.Problem{Operator: b.operator, SigmaY: at.task.Noise.Sigma})
		if err != nil {
			t.Fatal(err)
		}
		second, err := b.driver.Run(context.Background(), m, sampler.Job{Y: b.measurement.Tensor(), Seed: one.Draw, Images: []uint32{sampler.SampleIndex(0, 1)}})
		if err != nil {
			t.Fatal(err)
		}
		other, err := imageOf(second.X)
		if err != nil {
			t.Fatal(err)
		}
		for k, v := range pictures[two.Key].Pix {
			if want := (float64(pictures[one.Key].Pix[k]) + float64(other.Pix[k])) / 2; math.Abs(float64(v)-want) > 1e-6 {
				t.Fatalf("value %d is %g, want %g", k, v, want)
			}
		}
	}
	// An equal number of evaluations is that of all samples.
	if list := kept(t, r, plan(t, task, "ddnm+:mean-of=4")); list[0].NFE != 16 || list[0].Settings["steps"] != 4 {
		t.Errorf("the mean of four at 16 evaluations: %+v", list[0])
	}
	// Denoising by SPGD is one run, however many samples are asked for.
	single := plan(t, []string{"denoise@0.1"}, "spgd:mean-of=4")
	if list := kept(t, r, single); list[0].NFE != 1 {
		t.Errorf("denoising: %+v", list[0])
	}
	for _, text := range []string{"spgd:mean-of=0", "spgd:mean-of=257", "spgd:mean-of=x"} {
		m, err := ParseMethod(text)
		if err != nil {
			t.Fatal(err)
		}
		if err := m.check(problem(t)); !errors.Is(err, ErrSpec) {
			t.Errorf("%s: %v, want ErrSpec", text, err)
		}
	}
}

// TestKeys: cells of an earlier version are known again.
func TestKeys(t *testing.T) {
	c := Causes{
		Image: "ab", Task: "sr:4@0.01", Method: "spgd", Set: map[string]string{"steps": "7"}, Seed: 3, Prior: "cd", Measures: []string{"psnr"},
		Program: "1", Platform: "linux/amd64", Engine: "spgd", ISA: "avx512", Precision: "f32",
	}
	key, err := c.key()
	if want := "ce1f153a6e0da93cbd453241e1196185b7ea63678dd995c7f75705a12732a375"; err != nil || key != want {
		t.Errorf("the key is %s (%v), want %s", key, err, want)
	}
}

// TestRunStops: with the context, and on an error that is no result, with what is done kept.
func TestRunStops(t *testing.T) {
	r := runner(t)
	p := plan(t, []string{"denoise@0.1"}, "spgd")
	ctx, cancel := context.WithCancel(context.Background())
	r.Done = func(n int, c Cell) {
		if n == 1 {
			cancel()
		}
	}
	if err := r.Run(ctx, p); !errors.Is(err, context.Canceled) || r.Journal.Len() != 2 {
		t.Errorf("error %v, %d cells", err, r.Journal.Len())
	}
	r.Done = nil
	failing := errors.New("no such thing")
	r.Measures = []metric.Measure{{Name: "x", Of: func(_, _ *imageio.Image) (float64, error) { return 0, failing }}}
	if err := r.Run(context.Background(), p); !errors.Is(err, failing) || r.Journal.Len() != 2 {
		t.Errorf("error %v, %d cells", err, r.Journal.Len())
	}
	r.Measures = []metric.Measure{{Name: "x", Of: func(_, _ *imageio.Image) (float64, error) { return math.Inf(1), nil }}}
	if c := kept(t, r, p)[3]; c.Values["x"] != report.Number(math.Inf(1)) {
		t.Errorf("values %v", c.Values)
	}
}
