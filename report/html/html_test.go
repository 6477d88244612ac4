package html

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"image"
	_ "image/jpeg"
	"image/png"
	"math"
	"regexp"
	"strings"
	"testing"

	"github.com/seed-0f004ec9/spgd/imageio"
	"github.com/seed-0f004ec9/spgd/report"
)

// hostile is a name that is markup, script and a style at once.
const hostile = `"><script>alert(1)</script><img src=x onerror=alert(2)>' onload='alert(3)' </style></title>{{.}}`

// filled is an image of one colour.
func filled(height, width int, rgb ...float32) *imageio.Image {
	m := imageio.New(height, width, len(rgb))
	for i := range m.Pix {
		m.Pix[i] = rgb[i%len(rgb)]
	}
	return m
}

// example is a restoration with every part that a page can have.
func example() *Restoration {
	run := report.New("restore")
	run.Task, run.Operator, run.Seed = "inpaint", "inpaint:mask", math.MaxUint64
	run.Noise = report.Noise{Model: "gaussian", Sigma: 0.05}
	run.Image = report.Size{Width: 96, Height: 64, Channels: 3}
	run.Input = &report.File{Path: "/home/someone/folder/" + strings.ReplaceAll(hostile, "/", "-") + ".png", Format: "png", Width: 96, Height: 64, SHA256: strings.Repeat("ab", 32)}
	run.Output = &report.File{Path: "/home/someone/out.png", Format: "png", Profile: hostile}
	run.Prior = &report.Prior{Name: "/home/someone/" + strings.ReplaceAll(hostile, "/", "-"), SHA256: strings.Repeat("0f", 32), Parameters: 6167299}
	run.Engine = report.Engine{Name: "spgd", ISA: "avx512", Precision: "f32", Threads: 2}
	run.Sampler = &report.Sampler{Name: "spgd", Preset: "default", Steps: 12, Warmup: 3, Beta: 0.9, ADM: "global", Denoise: "fresh", StepSizeRule: hostile}
	run.Cost = &report.Cost{Forwards: 12, VJPs: 36, NFE: 48}
	run.DataFit = report.NewDataFit(0.05*0.05*1000, 1000, 0.05)
	run.Timings = &report.Timings{Total: 12.34}
	run.Warnings = []string{hostile}
	angle := report.Number(88)
	for k := range 12 {
		run.Steps = append(run.Steps, report.Step{
			K: k, Sigma: report.Number(10 / (1 + float64(k))), StepSize: 2, Loss: report.Number(3 / (1 + float64(k))), GradientNorm: 4, NFE: 4 * (k + 1),
			Alpha: report.Numbers([]float64{0.4, 0.8}), AngleDenoiseLikelihood: &angle,
		})
	}
	residual := NewResidual(64, 96, 3, 0.05, true)
	for i := range 64 * 96 * 3 / 2 {
		residual.Add(i, 0.05*math.Sin(float64(i)))
	}
	return &Restoration{
		Run: run, Before: filled(64, 96, 1, -1, -1), After: filled(64, 96, -1, -1, 1), Residual: residual,
		Trajectory: []Estimate{{1, 10, filled(64, 96, 0, 0, 0)}, {12, 0.1, filled(64, 96, -1, -1, 1)}},
	}
}

func write(t *testing.T, r *Restoration) string {
	t.Helper()
	p, err := r.Page()
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := p.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestPage(t *testing.T) {
	text := write(t, example())
	if again := write(t, example()); again != text {
		t.Error("equal restorations give different bytes")
	}
	for _, want := range []string{
		"1.00 σ", "18446744073709551615", "6 167 299", "What the measurement still says", "How the picture came about",
		"Step by step", "All steps in numbers", "Settings", "12.3 s", "abababababababab…", "Grey pixels are those that the mask drops",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing", want)
		}
	}
	if strings.Contains(text, "/home/someone") {
		t.Error("the page tells folders")
	}
}

// Nothing from outside becomes markup: the only elements and handlers are those of the template.
func TestHostileNames(t *testing.T) {
	text := write(t, example())
	plain := example()
	plain.Run.Input.Path, plain.Run.Output.Profile, plain.Run.Prior.Name = "a.png", "b", "c"
	plain.Run.Sampler.StepSizeRule, plain.Run.Warnings = "d", []string{"e"}
	tags := regexp.MustCompile(`<[a-zA-Z/!][^>]*>`)
	a, b := tags.FindAllString(text, -1), tags.FindAllString(write(t, plain), -1)
	if len(a) != len(b) {
		t.Fatalf("%d tags with hostile names, %d without", len(a), len(b))
	}
	for i := range a {
		if a[i] != b[i] {
			t.Errorf("tag %q with hostile names, %q without", a[i], b[i])
		}
	}
	if n := strings.Count(text, "alert(1)"); n < 5 {
		t.Errorf("the name is shown %d times, want at least 5", n)
	}
}

// The page asks for nothing: no address but those of its own data, and none in the style.
func TestSelfContained(t *testing.T) {
	text := write(t, example())
	for _, m := range regexp.MustCompile(`(?:src|href|srcset|action|data|poster)="([^"]*)"`).FindAllStringSubmatch(text, -1) {
		if !strings.HasPrefix(m[1], "data:image/") {
			t.Errorf("the page refers to %.40s", m[1])
		}
	}
	for _, word := range []string{"url(", "@import", "http://", "https://"} {
		if i := strings.Index(strings.ReplaceAll(text, "http://www.w3.org/2000/svg", ""), word); i >= 0 {
			t.Errorf("the page holds %q", word)
		}
	}
	if !strings.Contains(text, "default-src &#39;none&#39;; img-src data:;") {
		t.Error("no policy")
	}
}

// A photograph keeps its pixels if it is small, and its shape if it is large.
func TestEmbed(t *testing.T) {
	small := filled(20, 30, 0.5, -0.25, 1)
	small.Pix[0] = -1
	large := filled(1000, 3000, 0.5, -0.25, 1)
	for _, test := range []struct {
		m             *imageio.Image
		side          int
		format        string
		width, height int // of the pixels
		shownWidth    int
		note          string
	}{
		{small, MaxSide, "png", 30, 20, 30 * 21, ""},
		{large, MaxSide, "jpeg", 2048, 683, showWidth, "shown in 2048 × 683 of 3000 × 1000 pixels"},
		{large, ThumbnailSide, "jpeg", 256, 85, 512, "shown in 256 × 85 of 3000 × 1000 pixels"},
		{filled(5000, 1, 0), MaxSide, "png", 1, 2048, 1, "shown in 1 × 2048 of 1 × 5000 pixels"},
		{filled(1, 1, 0), MaxSide, "png", 1, 1, 640, ""},
	} {
		e, err := Embed(test.m, test.side, "")
		if err != nil {
			t.Fatal(err)
		}
		prefix := "data:image/" + test.format + ";base64,"
		data, ok := strings.CutPrefix(string(e.Source), prefix)
		if !ok {
			t.Errorf("%dx%d: %.30s, want %s", test.m.Width, test.m.Height, e.Source, prefix)
			continue
		}
		raw, err := base64.StdEncoding.DecodeString(data)
		if err != nil {
			t.Fatal(err)
		}
		img, _, err := image.Decode(bytes.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		if b := img.Bounds(); b.Dx() != test.width || b.Dy() != test.height {
			t.Errorf("%dx%d: embedded in %dx%d, want %dx%d", test.m.Width, test.m.Height, b.Dx(), b.Dy(), test.width, test.height)
		}
		if e.Width != test.shownWidth || e.Note != test.note || e.Width > showWidth || e.Height > showHeight {
			t.Errorf("%dx%d: shown in %dx%d, %q", test.m.Width, test.m.Height, e.Width, e.Height, e.Note)
		}
		if test.m == small {
			r, g, b, _ := img.At(0, 0).RGBA()
			if r != 0 || g>>8 != 96 || b>>8 != 255 {
				t.Errorf("pixel %d %d %d, want 0 96 255", r>>8, g>>8, b>>8)
			}
		}
	}
	if _, err := Embed(filled(2, 2, float32(math.NaN())), MaxSide, ""); err == nil {
		t.Error("NaN: no error")
	}
}

func decodeMap(t *testing.T, r *Residual) (image.Image, *Map) {
	t.Helper()
	m, err := r.Map()
	if err != nil {
		t.Fatal(err)
	}
	return decodePNG(t, m), m
}

// decodePNG decodes the picture of a map.
func decodePNG(t *testing.T, m *Map) image.Image {
	t.Helper()
	data, _ := strings.CutPrefix(string(m.Image.Source), "data:image/png;base64,")
	raw, err := base64.StdEncoding.DecodeString(data)
	if err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// A pixel of the map has the colour of the root mean square over its channels, a dropped one none.
func TestResidualMap(t *testing.T) {
	r := NewResidual(2, 3, 3, 0.1, true)
	for c, d := range []float64{0.1, -0.2, 0.2} {
		r.Add(3*4+c, d) // row 1, column 1: sqrt((1+4+4)/3) sigma
	}
	r.Add(0, 0)
	img, m := decodeMap(t, r)
	if got, want := img.At(1, 1), heat(math.Sqrt(3)/4); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("colour %v, want %v", got, want)
	}
	if got := img.At(0, 0); fmt.Sprint(got) != fmt.Sprint(heat(0)) {
		t.Errorf("no residual has the colour %v", got)
	}
	if _, _, _, a := img.At(2, 1).RGBA(); a != 0 {
		t.Error("a pixel without entries has a colour")
	}
	if m.High != "4 σ and more" || m.Middle != "2 σ" || !r.Partial() || r.Beyond() != 0 {
		t.Errorf("%q, %q, %v, %g", m.High, m.Middle, r.Partial(), r.Beyond())
	}
	// A larger residual widens the scale.
	r = NewResidual(10, 10, 1, 0.1, true)
	for i := range 100 {
		r.Add(i, 1.5)
	}
	if _, m = decodeMap(t, r); m.High != "16 σ and more" || r.Partial() || r.Beyond() != 1 {
		t.Errorf("%q, %v, %g", m.High, r.Partial(), r.Beyond())
	}
	// A large measurement is shown in blocks: 5000 columns in blocks of 3.
	r = NewResidual(7, 5000, 1, 0, true)
	for i := range 7 * 5000 {
		r.Add(i, float64(i/5000)/255)
	}
	img, m = decodeMap(t, r)
	if b := img.Bounds(); b.Dx() != 1667 || b.Dy() != 3 {
		t.Errorf("blocks of 3: %v", b)
	}
	if !strings.Contains(m.Image.Note, "3 × 3") || !strings.Contains(m.High, "1/255") {
		t.Errorf("%q, %q", m.Image.Note, m.High)
	}
	// Rows 0 to 2 are 0, 1/2, 1 step of 1/255: their root mean square is sqrt(5/12).
	if got, want := fmt.Sprint(img.At(9, 0)), fmt.Sprint(heat(math.Sqrt(5.0/12)/4)); got != want {
		t.Errorf("block %v, want %v", got, want)
	}
}

// The distribution of noise is that of the normal curve beside it, and its area is 1.
func TestResidualDistribution(t *testing.T) {
	for _, scale := range []float64{1, 30} {
		r := NewResidual(100, 1000, 1, 0.5, true)
		for i := range 100 * 1000 { // quantiles of the normal distribution
			r.Add(i, scale*0.5*math.Sqrt2*math.Erfinv(2*(float64(i)+0.5)/1e5-1))
		}
		p := r.distribution()
		if len(p.Series) != 2 {
			t.Fatal("no curve of the noise")
		}
		got, noise := p.Series[0], p.Series[1]
		area, width := 0.0, got.X[1]-got.X[0]
		for k := range got.X {
			area += got.Y[k] * width
			if scale == 1 && math.Abs(got.Y[k]-noise.Y[k]) > 2e-3 {
				t.Errorf("density %g at %g, want %g", got.Y[k], got.X[k], noise.Y[k])
			}
		}
		if math.Abs(area-1) > 1e-9 {
			t.Errorf("scale %g: area %g", scale, area)
		}
		if reach := -p.X.Min; reach != map[float64]float64{1: 4, 30: 64}[scale] {
			t.Errorf("scale %g: the axis ends at %g", scale, reach)
		}
		if scale == 1 && math.Abs(r.Beyond()-0.0027) > 1e-5 {
			t.Errorf("%g of the noise is beyond 3 sigma", r.Beyond())
		}
	}
}

// A method that reports nothing, an amplitude that is no picture, a run without steps.
func TestPartialRestorations(t *testing.T) {
	r := example()
	r.Before, r.Residual, r.Trajectory = nil, nil, nil
	for i := range r.Run.Steps {
		s := &r.Run.Steps[i]
		s.Loss, s.GradientNorm, s.StepSize, s.Alpha, s.AngleDenoiseLikelihood = report.Number(math.NaN()), report.Number(math.NaN()), 0, nil, nil
	}
	text := write(t, r)
	if n := strings.Count(text, `<svg xmlns`); n != 1 {
		t.Errorf("%d plots, want that of the noise level alone", n)
	}
	if strings.Contains(text, "NaN") || strings.Contains(text, `type="range"`) {
		t.Error("NaN, or a slider with nothing to compare")
	}
	r.Run = report.New("restore")
	if text = write(t, r); strings.Contains(text, "Step by step") {
		t.Error("steps of a run without any")
	}
}

// Of many steps eight are shown, of few all, the first and the last among them.
func TestShownEstimates(t *testing.T) {
	for _, steps := range []int{1, 2, 5, 8, 9, 20, 1000} {
		count := 0
		for k := range steps {
			if Shown(k, steps) {
				count++
			}
		}
		if count != min(steps, 8) || !Shown(0, steps) || !Shown(steps-1, steps) {
			t.Errorf("%d of %d steps", count, steps)
		}
	}
}
