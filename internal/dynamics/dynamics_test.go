package dynamics

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/seed-0f004ec9/spgd/engine"
	"github.com/seed-0f004ec9/spgd/imageio"
	"github.com/seed-0f004ec9/spgd/internal/bench"
	"github.com/seed-0f004ec9/spgd/prior"
	"github.com/seed-0f004ec9/spgd/report"
	"github.com/seed-0f004ec9/spgd/sampler"
)

const side = 16

// study runs methods on a smooth picture with an exact Gaussian prior.
func study(t *testing.T, task string, seeds []uint64, methods ...string) *Study {
	t.Helper()
	e, err := engine.New(engine.Options{Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	n := side * side * 3
	variance := slices.Repeat([]float64{0.25}, n)
	d, err := prior.NewDiagonalGaussian(make([]float64, n), variance, side, side, 3)
	if err != nil {
		t.Fatal(err)
	}
	img := imageio.New(side, side, 3)
	for i := range img.Pix {
		img.Pix[i] = float32(0.6 * math.Sin(float64(i)/40))
	}
	parsed, err := bench.ParseTask(task)
	if err != nil {
		t.Fatal(err)
	}
	var list []bench.Method
	for _, text := range methods {
		m, err := bench.ParseMethod(text)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, m)
	}
	s := &Study{
		Schema: Schema, Task: parsed.Name, Noise: report.Noise{Model: "gaussian", Sigma: report.Number(parsed.Noise.Sigma)}, Seeds: seeds,
		Image: report.File{Path: "/folder/<b>.png", Width: side, Height: side, SHA256: strings.Repeat("12", 32)}, Prior: &report.Prior{Name: d.Name(), SHA256: strings.Repeat("34", 32)},
	}
	begun := 0
	r := Runner{Engine: e, Prior: d, Begin: func(string, uint64) { begun++ }}
	if err := r.Run(context.Background(), s, img, parsed, list); err != nil {
		t.Fatal(err)
	}
	if begun != len(methods)*len(seeds) || len(s.Runs) != begun || len(s.Methods) != len(methods) {
		t.Fatalf("%d runs begun, %d noted, %d methods", begun, len(s.Runs), len(s.Methods))
	}
	return s
}

// A study of an ablation: every evaluation has its point, the momentum is where there is one, and
// the whole is the same the next time.
func TestStudy(t *testing.T) {
	make := func() *Study {
		return study(t, "inpaint:random:0.5@0.05", []uint64{0, 1}, "spgd:steps=5,warmup=3", "spgd:steps=5,warmup=1,adm=off", "ddnm+:steps=5")
	}
	s := make()
	for _, r := range s.Runs {
		if r.Reason != "" || math.IsNaN(float64(r.PSNR)) || r.Residual <= 0 || r.after == nil || r.before == nil || len(r.trajectory) != 5 {
			t.Errorf("%s, seed %d: %s, PSNR %g, residual %g, %d estimates", r.Method, r.Seed, r.Reason, r.PSNR, r.Residual, len(r.trajectory))
		}
		if len(r.Points) != r.NFE {
			t.Errorf("%s: %d points of %d evaluations", r.Method, len(r.Points), r.NFE)
		}
		gradients, alphas := 0, 0
		for i, p := range r.Points {
			if !math.IsNaN(float64(p.GradientNorm)) {
				gradients++
			}
			if a := float64(p.Alpha); !math.IsNaN(a) {
				alphas++
				if a < -1e-6 || a > 1+1e-6 || p.Inner < 2 {
					t.Errorf("%s, point %d: alpha %g at evaluation %d of the step", r.Method, i, a, p.Inner)
				}
			}
			// Half of the pixels are kept, 384 values: the residual is the loss over them.
			if got, want := float64(p.ResidualRMS), math.Sqrt(float64(p.Loss)/384); math.Abs(got-want) > 1e-12 {
				t.Errorf("%s, point %d: residual %g, want %g", r.Method, i, got, want)
			}
			if i > 0 && p.Progress <= r.Points[i-1].Progress || p.Progress >= 100 {
				t.Errorf("%s, point %d: progress %g", r.Method, i, p.Progress)
			}
		}
		want := map[string][2]int{"spgd:steps=5,warmup=3": {15, 10}, "spgd:steps=5,warmup=1,adm=off": {5, 0}, "ddnm+:steps=5": {0, 0}}[r.Method]
		if gradients != want[0] || alphas != want[1] {
			t.Errorf("%s: %d gradients, %d alphas, want %v", r.Method, gradients, alphas, want)
		}
	}
	if s.Runs[0].Points[0].Loss == s.Runs[3].Points[0].Loss {
		t.Error("two seeds measure the same")
	}
	texts := func(s *Study) (list []string) {
		page, err := s.Page()
		if err != nil {
			t.Fatal(err)
		}
		figure, err := s.Figure()
		if err != nil {
			t.Fatal(err)
		}
		var a, b, c, d bytes.Buffer
		for _, err := range []error{s.WriteCSV(&a), s.WriteJSON(&b), page.Write(&c), figure.SVG(&d)} {
			if err != nil {
				t.Fatal(err)
			}
		}
		return []string{a.String(), b.String(), c.String(), d.String()}
	}
	first := texts(s)
	if again := texts(make()); !slices.Equal(first, again) {
		t.Error("the same study gives other files")
	}
	checkCSV(t, s, first[0])
	var back Study
	if err := json.Unmarshal([]byte(first[1]), &back); err != nil || len(back.Runs) != 6 || back.Runs[0].Points[3].Loss != s.Runs[0].Points[3].Loss {
		t.Errorf("the JSON reads back as %d runs (%v)", len(back.Runs), err)
	}
	if page := first[2]; strings.Contains(page, "/folder") || strings.Contains(page, "<b>") || strings.Count(page, `type="range"`) != 3 || !strings.Contains(page, "Residual and sizes") {
		t.Error("the page lacks a part or has one too many")
	}
	if n := strings.Count(first[3], ">degrees<"); n != 3 {
		t.Errorf("%d plots of angles, want one for each method", n)
	}
}

func checkCSV(t *testing.T, s *Study, text string) {
	t.Helper()
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	points := 0
	for _, r := range s.Runs {
		points += len(r.Points)
	}
	if len(rows) != points+1 {
		t.Fatalf("%d lines of %d points", len(rows), points)
	}
	column := func(row int, name string) string { return rows[row][slices.Index(rows[0], name)] }
	p := s.Runs[0].Points[1]
	for name, want := range map[string]report.Number{"loss": p.Loss, "alpha": p.Alpha, "angle_likelihood_turn_deg": p.LikelihoodTurn, "sigma_y": 0.05} {
		if got, err := strconv.ParseFloat(column(2, name), 64); err != nil || got != float64(want) {
			t.Errorf("%s is %q, want %g", name, column(2, name), want)
		}
	}
	if column(1, "alpha") != "" || column(1, "angle_likelihood_turn_deg") != "" || column(1, "angle_prior_likelihood_deg") == "" {
		t.Errorf("the first line is %v", rows[1])
	}
}

// A method that does not apply, or diverges, is noted, and the others go on.
func TestStudyWithFailures(t *testing.T) {
	s := study(t, "phase@0.05", []uint64{0}, "ddnm:steps=3", "spgd:steps=3,step-size=1e9", "dps:steps=3")
	if s.Runs[0].Reason == "" || s.Runs[1].Reason == "" || s.Runs[2].Reason != "" || s.Runs[2].before != nil {
		t.Errorf("%q, %q, %q", s.Runs[0].Reason, s.Runs[1].Reason, s.Runs[2].Reason)
	}
	if text := s.Text(); strings.Count(text, "\n") != 6 || !strings.Contains(text, "ddnm:steps=3, seed 0: ") {
		t.Errorf("the table is\n%s", text)
	}
	page, err := s.Page()
	if err != nil || len(page.Warnings) != 2 {
		t.Errorf("%d warnings, %v", len(page.Warnings), err)
	}
	if _, err := study(t, "phase", []uint64{0}, "ddnm:steps=3").Figure(); err == nil {
		t.Error("a figure of nothing")
	}
}

// The curve of several seeds is their median in a band from the smallest to the largest, and many
// evaluations are taken together.
func TestCurve(t *testing.T) {
	s := &Study{}
	for seed, v := range []float64{5, 1, 3} {
		r := Run{Method: "m", Seed: uint64(seed)}
		for i := range 4 {
			p := Point{Progress: report.Number(25 * i), Loss: report.Number(v * float64(i+1))}
			if i == 2 {
				p.Loss = report.Number(math.NaN())
			}
			r.Points = append(r.Points, p)
		}
		s.Runs = append(s.Runs, r)
	}
	loss := func(p Point) report.Number { return p.Loss }
	c := s.curve("m", "name", loss)
	if !slices.Equal(c.X, []float64{0, 25, 75}) || !slices.Equal(c.Y, []float64{3, 6, 12}) || !slices.Equal(c.Low, []float64{1, 2, 4}) || !slices.Equal(c.High, []float64{5, 10, 20}) {
		t.Errorf("%+v", c)
	}
	s.Runs = s.Runs[:1]
	if c := s.curve("m", "name", loss); c.Low != nil || len(c.Y) != 3 {
		t.Errorf("a band of one seed: %+v", c)
	}
	for i := range 10 * maxPoints {
		s.Runs[0].Points = append(s.Runs[0].Points, Point{Progress: report.Number(i), Loss: 1})
	}
	if c := s.curve("m", "name", loss); len(c.Y) > maxPoints || c.Low == nil {
		t.Errorf("%d points", len(c.Y))
	}
	if v := median([]float64{1, 2, 4, 8}); v != 3 {
		t.Errorf("median %g", v)
	}
}

// The probed run is the restoration: same cost, same place in the random streams.
func TestRunIsTheRestoration(t *testing.T) {
	s := study(t, "denoise@0.1", []uint64{3}, "spgd:preset=paper,steps=4,warmup=2")
	if want := 4 * (sampler.SPGD{Settings: sampler.Settings{Warmup: 2, Denoise: sampler.DenoiseFresh}}).StepCost().NFE(); s.Runs[0].NFE != want {
		t.Errorf("%d evaluations, want %d", s.Runs[0].NFE, want)
	}
}
