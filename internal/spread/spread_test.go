package spread

import (
	"bytes"
	"math"
	"testing"

	"github.com/seed-0f004ec9/spgd/imageio"
)

func TestMap(t *testing.T) {
	img := imageio.New(1, 2, 3)
	copy(img.Pix, []float32{0.3, 0, 0.4, 0.1, 0.1, 0.1})
	m := Of(img)
	for i, want := range []float64{math.Sqrt(0.25 / 3), 0.1} {
		if math.Abs(float64(m.Values[i])-want) > 1e-7 {
			t.Errorf("pixel %d is %g, want %g", i, m.Values[i], want)
		}
	}
	s := m.Summary()
	if math.Abs(float64(s.Mean)-(math.Sqrt(0.25/3)+0.1)/2) > 1e-7 || math.Abs(float64(s.Max)-math.Sqrt(0.25/3)) > 1e-7 {
		t.Errorf("summary %+v", s)
	}
	if grey := Of(&imageio.Image{Height: 1, Width: 1, Channels: 1, Pix: []float32{0.25}}); grey.Values[0] != 0.25 {
		t.Errorf("a grey pixel is %g, want 0.25", grey.Values[0])
	}
}

// The scale ends at a round number that leaves out one pixel of 200 at most.
func TestTop(t *testing.T) {
	values := func(outliers int) []float32 {
		v := make([]float32, 400)
		for i := range v {
			v[i] = 0.03
		}
		for i := range outliers {
			v[i] = 7
		}
		return v
	}
	for _, c := range []struct {
		values []float32
		want   float64
	}{
		{[]float32{0}, 0.001}, {[]float32{0.001}, 0.002}, {[]float32{0.0009}, 0.001}, {[]float32{0.03}, 0.05}, {[]float32{0.5}, 0.5}, {[]float32{1.5}, 2},
		{[]float32{37}, 50}, {[]float32{0.01, 0.3}, 0.5}, {values(2), 0.05}, {values(3), 10},
	} {
		if got := (&Map{1, len(c.values), c.values}).Top(); got != c.want {
			t.Errorf("the scale of %v ends at %g, want %g", c.values[:min(3, len(c.values))], got, c.want)
		}
	}
}

// A 16-bit picture gives the values back through its scale.
func TestPicture(t *testing.T) {
	m := &Map{1, 5, []float32{0, 0.05, 0.0123, 0.049, 0.2}}
	var file bytes.Buffer
	if err := imageio.Encode(&file, m.Picture(0.05), imageio.PNG, imageio.WriteOptions{Depth: 16}); err != nil {
		t.Fatal(err)
	}
	img, info, err := imageio.Decode(&file)
	if err != nil {
		t.Fatal(err)
	}
	if !info.Gray || info.BitDepth != 16 {
		t.Errorf("the file is %+v", info)
	}
	for i, want := range []float64{0, 0.05, 0.0123, 0.049, 0.05} {
		if got := (float64(img.Grey().Pix[i]) + 1) / 2 * 0.05; math.Abs(got-want) > 0.05/65535 {
			t.Errorf("pixel %d comes back as %g, want %g", i, got, want)
		}
	}
}
