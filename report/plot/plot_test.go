package plot

import (
	"bytes"
	"encoding/xml"
	"errors"
	"image"
	"image/png"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

func simple() *Plot {
	return &Plot{
		Title: "A <b> & \"c\"", X: Axis{Label: "step", Integer: true}, Y: Axis{Label: "1 < 2"},
		Series: []Series{{Name: "one & two", X: []float64{1, 2, 3}, Y: []float64{0, 10, 5}}},
	}
}

func svgOf(t *testing.T, p *Plot) string {
	t.Helper()
	var b bytes.Buffer
	if err := p.SVG(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestTicks(t *testing.T) {
	for _, test := range []struct {
		axis   Axis
		values []float64
		want   string
		lo, hi float64
	}{
		{Axis{}, []float64{0, 10}, "0 2 4 6 8 10", 0, 10},
		{Axis{}, []float64{0.013, 0.041}, "0.01 0.02 0.03 0.04 0.05", 0.01, 0.05},
		{Axis{}, []float64{-3, 3}, "-4 -2 0 2 4", -4, 4},
		{Axis{Min: 0, Max: 180, Step: 45}, []float64{90}, "0 45 90 135 180", 0, 180},
		{Axis{}, []float64{5}, "4.4 4.6 4.8 5.0 5.2 5.4 5.6", 4.4, 5.6},
		{Axis{}, []float64{0}, "-1.0 -0.5 0 0.5 1.0", -1, 1},
		{Axis{Step: 2.5}, []float64{-5, 5}, "-5.0 -2.5 0 2.5 5.0", -5, 5},
		{Axis{Integer: true}, []float64{0, 2}, "0 1 2", 0, 2},
		{Axis{}, []float64{0, 2e7}, "0 5e+06 1e+07 1.5e+07 2e+07", 0, 2e7},
		{Axis{}, []float64{0, 2e-6}, "0 5e-07 1e-06 1.5e-06 2e-06", 0, 2e-6},
		{Axis{Log: true}, []float64{0.003, 40}, "0.01 0.1 1 10", -2.698970, 1.698970},
		{Axis{Log: true}, []float64{3, 40}, "2 5 10 20 50", 0.301030, 1.698970},
		{Axis{Log: true}, []float64{10}, "1 2 5 10 20 50 100", 0, 2},
		{Axis{Log: true}, []float64{1e-12, 1, 0, -4}, "1e-12 1e-10 1e-08 1e-06 0.0001 0.01 1", -12, 0},
	} {
		s := test.axis.scale(test.values, 5, true)
		var labels []string
		for _, k := range s.ticks {
			labels = append(labels, k.label)
			if at := s.at(k.value); at < -1e-9 || at > 1+1e-9 {
				t.Errorf("%v of %v: tick %s is outside", test.axis, test.values, k.label)
			}
		}
		if got := strings.Join(labels, " "); got != test.want {
			t.Errorf("%+v of %v: ticks %s, want %s", test.axis, test.values, got, test.want)
		}
		if math.Abs(s.min-test.lo) > 1e-6 || math.Abs(s.max-test.hi) > 1e-6 {
			t.Errorf("%+v of %v: from %g to %g, want %g to %g", test.axis, test.values, s.min, s.max, test.lo, test.hi)
		}
	}
}

// Every kind of text is escaped, and the file is well-formed XML.
func TestSVGIsXML(t *testing.T) {
	text := svgOf(t, simple())
	d := xml.NewDecoder(strings.NewReader(text))
	var words []string
	for {
		token, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if c, ok := token.(xml.CharData); ok {
			words = append(words, string(c))
		}
	}
	all := strings.Join(words, "")
	for _, want := range []string{`A <b> & "c"`, "one & two", "1 < 2", "step"} {
		if !strings.Contains(all, want) {
			t.Errorf("the text %q is missing", want)
		}
	}
	if strings.Contains(text, "style=") {
		t.Error("a style attribute, which the page's policy would refuse")
	}
	if svgOf(t, simple()) != text {
		t.Error("equal plots give different bytes")
	}
}

// The points of a curve stand where the ticks say: 0, 10 and 5 at the bottom, at the top and in the
// middle of an axis from 0 to 10.
func TestCurveAgainstAxis(t *testing.T) {
	text := svgOf(t, simple())
	m := regexp.MustCompile(`<path class="s1 line" d="M([\d.]+) ([\d.]+)L([\d.]+) ([\d.]+)L([\d.]+) ([\d.]+)"`).FindAllStringSubmatch(text, -1)
	if len(m) != 1 {
		t.Fatalf("%d curves of three points", len(m))
	}
	var v [6]float64
	for i := range v {
		v[i], _ = strconv.ParseFloat(m[0][i+1], 64)
	}
	if v[2]-v[0] != v[4]-v[2] || v[0] != marginLeft || v[4] != Width-marginRight {
		t.Errorf("steps 1, 2, 3 are at %g, %g, %g", v[0], v[2], v[4])
	}
	if v[1] != Height-marginBottom || math.Abs(v[5]-(v[1]+v[3])/2) > 0.011 || v[3] >= v[5] {
		t.Errorf("0, 10, 5 are at %g, %g, %g", v[1], v[3], v[5])
	}
}

// Values that are not finite, or not positive on a logarithmic axis, interrupt a curve; a point on
// its own is a dot.
func TestGaps(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	p := &Plot{Y: Axis{Log: true}, Series: []Series{{X: []float64{1, 2, 3, 4, 5, 6, 7}, Y: []float64{1, 2, nan, 3, 0, 4, 5}}}}
	text := svgOf(t, p)
	if n := strings.Count(text, `class="s1 line"`); n != 2 {
		t.Errorf("%d stretches, want 2", n)
	}
	if n := strings.Count(text, "<circle"); n != 1 {
		t.Errorf("%d dots, want 1", n)
	}
	for _, y := range [][]float64{nil, {nan}, {inf}, {-1}} {
		p := &Plot{Title: "empty", Y: Axis{Log: true}, Series: []Series{{X: make([]float64, len(y)), Y: y}}}
		if err := p.SVG(io.Discard); !errors.Is(err, ErrEmpty) {
			t.Errorf("%v: %v", y, err)
		}
	}
	p = simple()
	p.Series[0].Low = []float64{1}
	if err := p.SVG(io.Discard); err == nil || errors.Is(err, ErrEmpty) {
		t.Errorf("a band of another length: %v", err)
	}
}

func TestBandAndReference(t *testing.T) {
	p := simple()
	p.Series[0].Low, p.Series[0].High = []float64{-1, 9, 4}, []float64{1, 30, 6}
	p.References = []Reference{{"limit", -20}}
	text := svgOf(t, p)
	if !strings.Contains(text, `class="s1 band"`) || !strings.Contains(text, `class="ref line"`) || !strings.Contains(text, ">limit<") {
		t.Error("band, reference or its name is missing")
	}
	if !strings.Contains(text, ">30<") && !strings.Contains(text, ">40<") || !strings.Contains(text, ">-20<") {
		t.Error("the axis does not cover band and reference")
	}
}

func picture(t *testing.T, p *Plot, scale float64) image.Image {
	t.Helper()
	var b bytes.Buffer
	if err := p.PNG(&b, scale); err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(&b)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// The PNG shows the curve where the SVG has it: at the middle point of a horizontal line the pixel
// has the colour of the series, and far from it that of the page.
func TestPNG(t *testing.T) {
	p := &Plot{Title: "t", Y: Axis{Min: 0, Max: 10}, Series: []Series{{X: []float64{0, 1, 2}, Y: []float64{5, 5, 5}}}}
	text := svgOf(t, p)
	m := regexp.MustCompile(`s1 line" d="M[\d.]+ ([\d.]+)L([\d.]+) `).FindStringSubmatch(text)
	if m == nil {
		t.Fatal("no curve")
	}
	y, _ := strconv.ParseFloat(m[1], 64)
	x, _ := strconv.ParseFloat(m[2], 64)
	for _, scale := range []float64{1, 2, 3} {
		img := picture(t, p, scale)
		if b := img.Bounds(); b.Dx() != int(Width*scale) || b.Dy() != int(Height*scale) {
			t.Fatalf("scale %g: %v", scale, b)
		}
		at := func(x, y float64) [3]uint32 {
			r, g, b, _ := img.At(int(x*scale), int(y*scale)).RGBA()
			return [3]uint32{r >> 8, g >> 8, b >> 8}
		}
		c := palette[colour]
		if got := at(x+20, y); got != [3]uint32{uint32(c.R), uint32(c.G), uint32(c.B)} {
			t.Errorf("scale %g: the curve has the colour %v, want %v", scale, got, c)
		}
		if got := at(x+20, y+9); got != [3]uint32{255, 255, 255} {
			t.Errorf("scale %g: beside the curve is %v", scale, got)
		}
	}
	for _, scale := range []float64{0, -1, math.NaN(), 17} {
		if err := p.PNG(io.Discard, scale); err == nil {
			t.Errorf("scale %g: no error", scale)
		}
	}
}

// Overlapping pieces of a stroke do not cancel: a curve that turns back on itself stays covered.
func TestStrokeOverlap(t *testing.T) {
	p := &Plot{Y: Axis{Min: 0, Max: 10}, Series: []Series{{X: []float64{0, 2, 0, 2}, Y: []float64{5, 5, 5, 5}}}}
	q := &Plot{Y: Axis{Min: 0, Max: 10}, Series: []Series{{X: []float64{0, 2}, Y: []float64{5, 5}}}}
	a, b := picture(t, p, 2), picture(t, q, 2)
	for y := range 2 * Height {
		if x := int(Width); a.At(x, y) != b.At(x, y) {
			t.Fatalf("row %d: %v and %v", y, a.At(x, y), b.At(x, y))
		}
	}
}

func TestDashes(t *testing.T) {
	parts := dashes([]float64{0, 0, 10, 0, 10, 10}, 6, 4)
	want := [][]float64{{0, 0, 6, 0}, {10, 0, 10, 6}}
	if len(parts) != len(want) {
		t.Fatalf("%v, want %v", parts, want)
	}
	for i := range want {
		for k := range want[i] {
			if len(parts[i]) != len(want[i]) || math.Abs(parts[i][k]-want[i][k]) > 1e-9 {
				t.Fatalf("%v, want %v", parts, want)
			}
		}
	}
}

func TestGrid(t *testing.T) {
	g := &Grid{Plots: []*Plot{simple(), simple(), simple()}, Columns: 2}
	var b bytes.Buffer
	if err := g.SVG(&b); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(b.String(), `class="s1 line"`); n != 6 { // with those of the legends
		t.Errorf("%d lines, want 6", n)
	}
	b.Reset()
	if err := g.PNG(&b, 1); err != nil {
		t.Fatal(err)
	}
	c, err := png.DecodeConfig(&b)
	if err != nil || c.Width != 2*Width+3*gap || c.Height != 2*Height+3*gap {
		t.Errorf("%v, %v", c, err)
	}
	if err := (&Grid{Plots: []*Plot{{Title: "empty"}}}).SVG(io.Discard); !errors.Is(err, ErrEmpty) {
		t.Errorf("an empty plot: %v", err)
	}
}
