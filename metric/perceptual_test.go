package metric

import (
	"encoding/json"
	"errors"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/seed-0f004ec9/spgd/imageio"
)

// measures are those of perceptual.json.
var measures = map[string]func(a, b *imageio.Image) (float64, error){"ms_ssim": MSSSIM, "haarpsi": HaarPSI, "mdsi": MDSI}

// TestMeasures: the list's directions and names are right.
func TestMeasures(t *testing.T) {
	a, b := goldenCase{Distortion: "blur", Height: 180, Width: 190, Repeat: 1}.pair(t)
	worse := from8(180, 190, distort("blur", 180, 190, bytes8(b)))
	names := map[string]bool{}
	for _, m := range Measures() {
		x, err := m.Of(a, b)
		y, err2 := m.Of(a, worse)
		if err != nil || err2 != nil || (x > y) == m.Lower || names[m.Name] {
			t.Errorf("%s: %v, and %v for a worse image (%v, %v)", m.Name, x, y, err, err2)
		}
		names[m.Name] = true
	}
}

// goldenCase is a pair of pictures of testdata/make.py: a crop of the example photo, its pixels
// repeated, and a distortion of that.
type goldenCase struct {
	Name, Distortion      string
	Height, Width, Repeat int
	MSSSIM                *float64 `json:"ms_ssim"`
	HaarPSI, MDSI         float64
}

// bytes8 are the values of a picture as whole numbers from 0 to 255.
func bytes8(m *imageio.Image) []int {
	v := make([]int, len(m.Pix))
	for i, p := range m.Pix {
		v[i] = int(math.Round((float64(p) + 1) * 127.5))
	}
	return v
}

func from8(height, width int, v []int) *imageio.Image {
	m := imageio.New(height, width, len(v)/(height*width))
	for i, p := range v {
		m.Pix[i] = float32(float64(p)/127.5 - 1)
	}
	return m
}

func (c goldenCase) pair(t *testing.T) (a, b *imageio.Image) {
	t.Helper()
	photo, _, err := imageio.Read("../examples/coffee.png")
	if err != nil {
		t.Fatal(err)
	}
	h, w := c.Height*c.Repeat, c.Width*c.Repeat
	whole := bytes8(photo)
	v := make([]int, h*w*3)
	for i := range v {
		y, x := i/3/w/c.Repeat, i/3%w/c.Repeat
		v[i] = whole[(y*photo.Width+x)*3+i%3]
	}
	return from8(h, w, v), from8(h, w, distort(c.Distortion, h, w, v))
}

// distort repeats distort of testdata/make.py.
func distort(kind string, h, w int, a []int) []int {
	b := append([]int(nil), a...)
	for i := range b {
		y, x, c := i/3/w, i/3%w, i%3
		switch kind {
		case "noise":
			b[i] = min(max(a[i]+int(scramble(uint32(i))%81)-40, 0), 255)
		case "blur":
			sum := 0
			for dy := -2; dy <= 2; dy++ {
				for dx := -2; dx <= 2; dx++ {
					sum += a[(min(max(y+dy, 0), h-1)*w+min(max(x+dx, 0), w-1))*3+c]
				}
			}
			b[i] = sum / 25
		case "colour":
			b[i] = (3*a[i] + a[i-c+2-c]) / 4
		case "hole":
			if y >= h/4 && y < h/2 && x >= w/3 && x < w/2 {
				b[i] = 128
			}
		case "negative":
			b[i] = 255 - a[i]
		}
	}
	return b
}

func scramble(x uint32) uint32 {
	x = (x ^ x>>16) * 0x7FEB352D
	x = (x ^ x>>15) * 0x846CA68B
	return x ^ x>>16
}

// TestPerceptualGolden holds the measures to values that testdata/make.py computed from the papers'
// definitions, and that the HaarPSI of its authors and piq 0.8's MDSI and (for even sizes) MS-SSIM
// give to 4e-15 in float64. Pixels are float32 here, which leaves 1e-7.
func TestPerceptualGolden(t *testing.T) {
	data, err := os.ReadFile("testdata/perceptual.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []goldenCase
	if err := json.Unmarshal(data, &cases); err != nil {
		t.Fatal(err)
	}
	if len(cases) != 9 {
		t.Fatalf("%d cases", len(cases))
	}
	worst := map[string]float64{}
	for _, c := range cases {
		a, b := c.pair(t)
		want := map[string]float64{"haarpsi": c.HaarPSI, "mdsi": c.MDSI}
		if c.MSSSIM != nil {
			want["ms_ssim"] = *c.MSSSIM
		}
		for name, v := range want {
			got, err := measures[name](a, b)
			if err != nil {
				t.Fatalf("%s of %s: %v", name, c.Name, err)
			}
			worst[name] = max(worst[name], math.Abs(got-v))
			if math.Abs(got-v) > 1e-7 {
				t.Errorf("%s of %s is %.10f, want %.10f", name, c.Name, got, v)
			}
		}
	}
	t.Logf("largest differences %v", worst)
}

// TestPerceptualIdentical: identical images are as good as can be, exactly so for MDSI, whose fourth
// roots make much of rounding.
func TestPerceptualIdentical(t *testing.T) {
	a := random(6, 180, 177, 3)
	grey := random(7, 180, 177, 1)
	for name, f := range measures {
		for _, m := range []*imageio.Image{a, grey, imageio.New(180, 180, 3), solid(-1), solid(1)} {
			want := 1.0
			if name == "mdsi" {
				want = 0
			}
			v, err := f(m, m)
			if err != nil || math.Abs(v-want) > 1e-9 || name == "mdsi" && v != 0 {
				t.Errorf("%s of an image of %d channels with itself is %v (%v)", name, m.Channels, v, err)
			}
		}
		// A grey image is the colour image of three equal channels, where colour is asked for.
		b := random(8, 180, 177, 3)
		x, err := f(grey, b)
		y, err2 := f(grey.RGB(), b)
		if err != nil || err2 != nil || x != y {
			t.Errorf("%s of grey against colour: %v and %v (%v, %v)", name, x, y, err, err2)
		}
	}
}

func solid(v float32) *imageio.Image {
	m := imageio.New(180, 180, 3)
	for i := range m.Pix {
		m.Pix[i] = v
	}
	return m
}

// TestPerceptualSymmetry: the order of the images matters to MDSI alone.
func TestPerceptualSymmetry(t *testing.T) {
	a, b := goldenCase{Distortion: "blur", Height: 180, Width: 190, Repeat: 1}.pair(t)
	for name, f := range measures {
		x, err := f(a, b)
		y, err2 := f(b, a)
		if err != nil || err2 != nil {
			t.Fatal(err, err2)
		}
		if same := math.Abs(x-y) < 1e-12; same == (name == "mdsi") {
			t.Errorf("%s: %v and, exchanged, %v", name, x, y)
		}
	}
}

// TestPerceptualErrors: sizes that do not fit, and values that are not finite.
func TestPerceptualErrors(t *testing.T) {
	nan := random(4, 180, 180, 3)
	nan.Pix[5] = float32(math.NaN())
	for name, f := range measures {
		if _, err := f(random(1, 180, 180, 3), nan); !errors.Is(err, imageio.ErrNotFinite) {
			t.Errorf("%s of NaN: %v", name, err)
		}
		if _, err := f(random(1, 180, 180, 3), random(1, 180, 181, 3)); !errors.Is(err, ErrSize) {
			t.Errorf("%s of two sizes: %v", name, err)
		}
		small := random(9, 175, 300, 3)
		_, err := f(small, small)
		if name == "ms_ssim" {
			if !errors.Is(err, ErrSize) || !strings.Contains(err.Error(), "at least 176x176") {
				t.Errorf("%s of 175 rows: %v", name, err)
			}
		} else if err != nil {
			t.Errorf("%s of 175 rows: %v", name, err)
		}
		// One pixel is an image too.
		one := random(10, 1, 1, 3)
		if v, err := f(one, one); name != "ms_ssim" && (err != nil || math.IsNaN(v)) {
			t.Errorf("%s of one pixel: %v, %v", name, v, err)
		}
	}
}
