package measurement

import (
	"errors"
	"math"
	"path/filepath"
	"testing"

	"github.com/seed-0f004ec9/spgd/imageio"
	"github.com/seed-0f004ec9/spgd/internal/rng"
	"github.com/seed-0f004ec9/spgd/operator"
)

// textured is a picture of a smooth colour and a grey texture as fine as the pixels.
func textured(h, w int, texture float64) *imageio.Image {
	img := imageio.New(h, w, 3)
	s := rng.New(8, 0, 0, rng.Diagnostic)
	for i := range h * w {
		x, y, grain := float64(i%w)/float64(w), float64(i/w)/float64(h), texture*s.Normal()
		for c, v := range []float64{0.5 * math.Sin(5*x), 0.4 * math.Cos(4*y), 0.6*x*y - 0.2} {
			img.Pix[3*i+c] = float32(v + grain)
		}
	}
	return img
}

// The estimate is the noise that was added, whatever the task shows of the picture, and grey texture,
// though stronger than the noise, does not count.
func TestEstimateNoise(t *testing.T) {
	img := textured(96, 128, 0.04)
	for _, task := range []operator.Task{
		{Name: "denoise"}, {Name: "sr", Scale: 2}, {Name: "deblur", Kernel: "gaussian:2"}, {Name: "inpaint", Mask: "box:40"},
		{Name: "inpaint", Mask: "random:0.5"}, {Name: "hdr"}, {Name: "phase"},
	} {
		for i, sigma := range []float64{0.02, 0.05, 0.2} {
			m := simulate(t, task, Noise{Sigma: sigma}, uint64(i), img, img)
			got, err := m.EstimateNoise()
			if err != nil {
				t.Fatal(err)
			}
			tolerance := 0.05
			if task.Mask == "random:0.5" || task.Name == "sr" || task.Name == "hdr" {
				tolerance = 0.15 // by few squares, and where one colour is clipped
			}
			for k, e := range got {
				if !(math.Abs(e.Sigma/sigma-1) < tolerance) || e.Correlated {
					t.Errorf("%s, image %d: noise of %g is estimated as %+v", m.Operator.Name(), k, sigma, e)
				}
			}
			if got[0] == got[1] {
				t.Errorf("%s: two draws of noise have one estimate", m.Operator.Name())
			}
		}
	}
}

// In a grey picture texture cannot be told from noise; rounding to 8 bits and clipping do not matter.
func TestEstimateNoisePictures(t *testing.T) {
	const sigma = 0.1
	noisy := func(img *imageio.Image) *imageio.Image {
		if err := (Noise{Sigma: sigma}).Add(img.Pix, buildTask(t, operator.Task{Name: "denoise"}, img.Height, img.Width, 0), 5, 0); err != nil {
			t.Fatal(err)
		}
		return img
	}
	grey := &imageio.Image{Height: 64, Width: 64, Channels: 1, Pix: make([]float32, 64*64)}
	bright := constant(64, 64, 0.95) // a third is clipped
	path := filepath.Join(t.TempDir(), "noisy.jpg")
	if err := imageio.Write(path, noisy(textured(96, 128, 0)), imageio.WriteOptions{Quality: 90}); err != nil {
		t.Fatal(err)
	}
	lossy, _, err := imageio.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name       string
		img        *imageio.Image
		low, high  float64
		correlated bool
	}{
		{"grey", noisy(grey), 0.095, 0.105, false},
		{"clipped", clip(noisy(bright)), 0.06, 0.105, false}, // what is left of the noise is less
		{"flat", constant(64, 64, 0.3), 0.002, 0.003, false}, // rounding
		{"JPEG", lossy, 0.05, 0.12, true},
	} {
		m, _, err := FromImage(operator.Task{Name: "denoise"}, c.img, Noise{Estimated: true}, 0, operator.Files{})
		if err != nil {
			t.Fatal(err)
		}
		e, err := m.EstimateNoise()
		if err != nil {
			t.Fatal(err)
		}
		if !(e[0].Sigma > c.low && e[0].Sigma < c.high) || e[0].Correlated != c.correlated {
			t.Errorf("%s: %+v, want %g to %g", c.name, e[0], c.low, c.high)
		}
	}
}

func clip(img *imageio.Image) *imageio.Image {
	for i, v := range img.Pix {
		img.Pix[i] = min(max(v, -1), 1)
	}
	return img
}

// The size that is enough is the one that EstimateNoise accepts.
func TestCanEstimateNoise(t *testing.T) {
	for _, size := range [][2]int{{1, 200}, {2, 100}, {2, 101}, {10, 12}, {11, 11}, {11, 10}, {64, 64}} {
		h, w := size[0], size[1]
		_, err := simulate(t, operator.Task{Name: "denoise"}, Noise{Sigma: 0.1}, 0, constant(h, w, 0)).EstimateNoise()
		if can := CanEstimateNoise(h, w); can != (err == nil) {
			t.Errorf("%dx%d: said to be possible: %v; %v", w, h, can, err)
		}
	}
}

func TestEstimateNoiseErrors(t *testing.T) {
	for name, m := range map[string]*Measurement{
		"small":     simulate(t, operator.Task{Name: "denoise"}, Noise{Sigma: 0.1}, 0, constant(5, 5, 0)),
		"scattered": simulate(t, operator.Task{Name: "inpaint", Mask: "random:0.95"}, Noise{Sigma: 0.1}, 0, constant(64, 64, 0)),
		"poisson":   simulate(t, operator.Task{Name: "denoise"}, Noise{Model: Poisson, Sigma: 0.1}, 0, constant(64, 64, 0)),
	} {
		if _, err := m.EstimateNoise(); !errors.Is(err, ErrNoise) {
			t.Errorf("%s: %v, want ErrNoise", name, err)
		}
	}
}
