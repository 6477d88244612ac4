package html

import (
	"image/color"
	"math"
	"strings"
	"testing"

	"github.com/seed-0f004ec9/spgd/report"
)

// A page of several samples shows their spread on a scale, in steps of 8 bits, and the steps of the first
// alone.
func TestPageOfSamples(t *testing.T) {
	r := example()
	if text := write(t, r); strings.Contains(text, "Where the samples differ") || strings.Contains(text, "of the first sample") {
		t.Error("a page of one sample speaks of several")
	}
	r.Run.Samples = &report.Samples{Number: 7, First: 3}
	r.Spread = &Spread{Height: 64, Width: 96, Values: make([]float32, 64*96)}
	for i := range r.Spread.Values {
		r.Spread.Values[i] = float32(0.04 * float64(i%96) / 95)
	}
	r.Run.Spread = r.Spread.Summary()
	first := r.Run.Steps
	for i := range first {
		first[i].Sample = 3
	}
	one := strings.Count(write(t, r), "<tr>")
	for _, s := range first {
		s.Sample, s.NFE = 4, s.NFE+4321
		r.Run.Steps = append(r.Run.Steps, s)
	}
	text := write(t, r)
	for _, want := range []string{
		"mean of 7 samples", ">7<", "First sample", "at each noise level of the first sample, after its last likelihood step", "some of the steps of the first sample",
		"The mean over the picture is 2.55, the largest value 5.1.", ">3.19<", ">6.38 and more<", // 0.05 is the end of the scale
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing", want)
		}
	}
	if got := strings.Count(text, "<tr>"); got != one || strings.Contains(text, "4325") {
		t.Errorf("%d lines of steps, want the %d of the first sample", got, one)
	}
	s, err := r.spread()
	if err != nil {
		t.Fatal(err)
	}
	img := decodePNG(t, s.Map)
	for x := 0; x < 96; x += 19 {
		want := heat(0.04 / 0.05 * float64(x) / 95)
		if got := color.NRGBAModel.Convert(img.At(x, 40)); got != want {
			t.Errorf("column %d has the colour %v, want %v", x, got, want)
		}
	}
}

// A map with a side beyond what a page shows has points of several pixels.
func TestSpreadOfBlocks(t *testing.T) {
	r := example()
	r.Run.Samples = &report.Samples{Number: 2, First: 1}
	r.Spread = &Spread{Height: 4, Width: MaxSide + 2, Values: make([]float32, 4*(MaxSide+2))}
	for i := range r.Spread.Values {
		if i%2 == 0 {
			r.Spread.Values[i] = 0.1
		}
	}
	r.Run.Spread = r.Spread.Summary()
	s, err := r.spread()
	if err != nil {
		t.Fatal(err)
	}
	if want := "Each point is the root mean square of 2 × 2 pixels of the result."; s.Map.Image.Note != want {
		t.Errorf("the note is %q, want %q", s.Map.Image.Note, want)
	}
	img := decodePNG(t, s.Map)
	if b := img.Bounds(); b.Dx() != MaxSide/2+1 || b.Dy() != 2 || color.NRGBAModel.Convert(img.At(700, 1)) != heat(math.Sqrt(0.005)/0.2) {
		t.Errorf("the map has %v, colour %v, want %v", b, img.At(700, 1), heat(math.Sqrt(0.005)/0.2))
	}
}
