package metric

import (
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/seed-0f004ec9/spgd/imageio"
	"github.com/seed-0f004ec9/spgd/prior/checkpoint"
)

// The golden pairs and values were computed with scikit-image; the values are those of the file
// in full precision (the reader returns float32).
func TestGolden(t *testing.T) {
	f, err := checkpoint.Open("testdata/metrics.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	load := func(name string) *imageio.Image {
		x, ok := f.Tensors[name]
		if !ok {
			t.Fatalf("no %s in the file", name)
		}
		m := &imageio.Image{Height: x.Shape[0], Width: x.Shape[1], Channels: x.Shape[2]}
		for _, v := range x.Data {
			m.Pix = append(m.Pix, 2*v-1)
		}
		return m
	}
	a := load("a")
	for _, c := range []struct {
		name       string
		psnr, ssim float64
	}{
		{"noisy", 20.689457029171393, 0.4403347880969093},
		{"blurred", 24.053551322069254, 0.8182226525412973},
	} {
		b := load(c.name)
		if d := math.Abs(c.psnr - float64(f.Tensors[c.name+"/psnr"].Data[0])); d > 2e-6 {
			t.Errorf("%s: the file's PSNR differs by %g", c.name, d)
		}
		psnr, err := PSNR(a, b)
		if err != nil {
			t.Fatal(err)
		}
		ssim, err := SSIM(a, b)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: PSNR off by %.2g dB, SSIM by %.2g", c.name, psnr-c.psnr, ssim-c.ssim)
		if math.Abs(psnr-c.psnr) > 1e-6 || math.Abs(ssim-c.ssim) > 1e-6 {
			t.Errorf("%s: PSNR %v, SSIM %v; want %v, %v", c.name, psnr, ssim, c.psnr, c.ssim)
		}
	}
}

func random(seed uint64, h, w, c int) *imageio.Image {
	r := rand.New(rand.NewPCG(seed, 1))
	m := imageio.New(h, w, c)
	for i := range m.Pix {
		m.Pix[i] = float32(2.4*r.Float64() - 1.2)
	}
	return m
}

// SSIM by its definition, window by window, on an odd non-square image that needs clipping.
func TestSSIMDefinition(t *testing.T) {
	const h, w = 14, 19
	a, b := random(1, h, w, 3), random(2, h, w, 3)
	for i := range b.Pix {
		b.Pix[i] = 0.7*a.Pix[i] + 0.3*b.Pix[i]
	}
	clip := func(v float32) float64 { return math.Min(math.Max((float64(v)+1)/2, 0), 1) }
	var total float64
	for c := range 3 {
		for y := 5; y < h-5; y++ {
			for x := 5; x < w-5; x++ {
				var sum, ma, mb, va, vb, vab float64
				each := func(f func(weight, p, q float64)) {
					for dy := -5; dy <= 5; dy++ {
						for dx := -5; dx <= 5; dx++ {
							i := ((y+dy)*w+x+dx)*3 + c
							f(math.Exp(-float64(dy*dy+dx*dx)/4.5), clip(a.Pix[i]), clip(b.Pix[i]))
						}
					}
				}
				each(func(g, p, q float64) { sum, ma, mb = sum+g, ma+g*p, mb+g*q })
				ma, mb = ma/sum, mb/sum
				each(func(g, p, q float64) {
					va, vb, vab = va+g*(p-ma)*(p-ma)/sum, vb+g*(q-mb)*(q-mb)/sum, vab+g*(p-ma)*(q-mb)/sum
				})
				total += (2*ma*mb + 1e-4) * (2*vab + 9e-4) / ((ma*ma + mb*mb + 1e-4) * (va + vb + 9e-4))
			}
		}
	}
	want := total / float64(3*(h-10)*(w-10))
	if got, err := SSIM(a, b); err != nil || math.Abs(got-want) > 1e-12 {
		t.Errorf("SSIM %v (%v), want %v", got, err, want)
	}
}

func TestClosedForms(t *testing.T) {
	a := random(3, 12, 13, 3)
	if v, err := PSNR(a, a); err != nil || !math.IsInf(v, 1) {
		t.Errorf("PSNR of identical images: %v, %v", v, err)
	}
	if v, err := SSIM(a, a); err != nil || math.Abs(v-1) > 1e-12 {
		t.Errorf("SSIM of identical images: %v, %v", v, err)
	}
	grey, shifted := imageio.New(11, 11, 1), imageio.New(11, 11, 3)
	for i := range shifted.Pix {
		shifted.Pix[i] = 0.25 // 0.125 on [0,1]
	}
	if v, err := PSNR(grey, shifted); err != nil || math.Abs(v-20*math.Log10(8)) > 1e-12 {
		t.Errorf("PSNR of a shift: %v, %v", v, err)
	}
	want := (2*0.5*0.625 + 1e-4) / (0.5*0.5 + 0.625*0.625 + 1e-4)
	if v, err := SSIM(grey, shifted); err != nil || math.Abs(v-want) > 1e-12 {
		t.Errorf("SSIM of a shift: %v, %v, want %v", v, err, want)
	}
	// Values beyond the range count as black or white.
	over := imageio.New(11, 11, 1)
	white := imageio.New(11, 11, 1)
	for i := range over.Pix {
		over.Pix[i], white.Pix[i] = 3, 1
	}
	if v, err := PSNR(over, white); err != nil || !math.IsInf(v, 1) {
		t.Errorf("PSNR of clipped images: %v, %v", v, err)
	}
}

func TestErrors(t *testing.T) {
	nan := random(4, 12, 12, 3)
	nan.Pix[5] = float32(math.NaN())
	for _, c := range []struct {
		name     string
		a, b     *imageio.Image
		ssimOnly bool
		is       error
		text     string
	}{
		{"sizes", imageio.New(12, 16, 3), imageio.New(16, 12, 3), false, ErrSize, "16x12 pixels against 12x16"},
		{"nan", random(5, 12, 12, 3), nan, false, imageio.ErrNotFinite, "second"},
		{"empty", imageio.New(0, 0, 3), imageio.New(0, 0, 3), false, nil, "not positive"},
		{"small", imageio.New(10, 40, 3), imageio.New(10, 40, 3), true, ErrSize, "at least 11x11"},
	} {
		for name, f := range map[string]func(a, b *imageio.Image) (float64, error){"PSNR": PSNR, "SSIM": SSIM} {
			_, err := f(c.a, c.b)
			if c.ssimOnly && name == "PSNR" {
				if err != nil {
					t.Errorf("%s, %s: %v", c.name, name, err)
				}
				continue
			}
			if err == nil || c.is != nil && !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.text) {
				t.Errorf("%s, %s: error %v", c.name, name, err)
			}
		}
	}
}
