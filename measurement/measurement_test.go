package measurement

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/seed-0f004ec9/spgd/engine"
	"github.com/seed-0f004ec9/spgd/imageio"
	"github.com/seed-0f004ec9/spgd/internal/rng"
	"github.com/seed-0f004ec9/spgd/operator"
)

var sharedEngine = sync.OnceValues(func() (*engine.Engine, error) {
	return engine.New(engine.Options{Threads: 2})
})

func newEngine(t testing.TB) *engine.Engine {
	t.Helper()
	e, err := sharedEngine()
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func randomImage(h, w, c int, index uint32) *imageio.Image {
	s := rng.New(4, index, 0, rng.Diagnostic)
	img := imageio.New(h, w, c)
	for i := range img.Pix {
		img.Pix[i] = float32(s.Between(-1, 1))
	}
	return img
}

func constant(h, w int, v float32) *imageio.Image {
	img := imageio.New(h, w, 3)
	for i := range img.Pix {
		img.Pix[i] = v
	}
	return img
}

func buildTask(t testing.TB, task operator.Task, h, w int, seed uint64) operator.Operator {
	t.Helper()
	op, _, err := operator.Build(task, h, w, seed, operator.Files{})
	if err != nil {
		t.Fatal(err)
	}
	return op
}

func simulate(t testing.TB, task operator.Task, noise Noise, seed uint64, images ...*imageio.Image) *Measurement {
	t.Helper()
	op := buildTask(t, task, images[0].Height, images[0].Width, seed)
	m, err := Simulate(context.Background(), newEngine(t), images, op, task, noise, seed)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// deviation returns mean and standard deviation of y - want.
func deviation(y []float32, want float64) (mean, std float64) {
	n := float64(len(y))
	for _, v := range y {
		mean += (float64(v) - want) / n
	}
	for _, v := range y {
		d := float64(v) - want - mean
		std += d * d / n
	}
	return mean, math.Sqrt(std)
}

func TestSimulateNoiseless(t *testing.T) {
	img := randomImage(6, 8, 3, 1)
	m := simulate(t, operator.Task{Name: "denoise"}, Noise{}, 1, img)
	if m.Len() != 1 || !slices.Equal(m.Y, img.Pix) {
		t.Error("the identity without noise changes the image")
	}
	m = simulate(t, operator.Task{Name: "inpaint", Mask: "random:0.5"}, Noise{}, 1, img)
	for i, keep := range m.Operator.(*operator.Inpaint).Mask() {
		for c := range 3 {
			want := img.Pix[3*i+c]
			if !keep {
				want = 0
			}
			if m.Y[3*i+c] != want {
				t.Fatalf("pixel %d, kept %v: %g, image %g", i, keep, m.Y[3*i+c], img.Pix[3*i+c])
			}
		}
	}
	// A grey image counts as three equal channels.
	grey := randomImage(6, 8, 1, 2)
	m = simulate(t, operator.Task{Name: "colorize"}, Noise{}, 1, grey)
	for i, v := range grey.Pix {
		if math.Abs(float64(m.Y[i]-v)) > 1e-6 {
			t.Fatalf("grey pixel %d measures %g, want %g", i, m.Y[i], v)
		}
	}
}

func TestGaussianNoise(t *testing.T) {
	img := constant(100, 100, 0.25)
	for _, model := range []string{"", Gaussian} {
		m := simulate(t, operator.Task{Name: "denoise"}, Noise{Model: model, Sigma: 0.3}, 7, img)
		mean, std := deviation(m.Y, 0.25)
		if math.Abs(mean) > 5*0.3/math.Sqrt(3e4) || math.Abs(std-0.3) > 5*0.3/math.Sqrt(6e4) {
			t.Errorf("noise has mean %g and deviation %g, want 0 and 0.3", mean, std)
		}
		if slices.Min(m.Y) > -0.5 {
			t.Error("the noise looks clipped")
		}
	}
	// Dropped pixels hold noise too.
	m := simulate(t, operator.Task{Name: "inpaint", Mask: "random:0.9"}, Noise{Model: Gaussian, Sigma: 0.1}, 7, img)
	var holes []float32
	for i, keep := range m.Operator.(*operator.Inpaint).Mask() {
		if !keep {
			holes = append(holes, m.Y[3*i])
		}
	}
	if _, std := deviation(holes, 0); math.Abs(std-0.1) > 0.006 {
		t.Errorf("dropped pixels have the deviation %g, want 0.1", std)
	}
}

func TestPoissonNoise(t *testing.T) {
	for _, sigma := range []float64{0.02, 0.3} {
		for _, v := range []float32{-1, -0.5, 0, 0.7, 1, 1.5} {
			m := simulate(t, operator.Task{Name: "denoise"}, Noise{Model: Poisson, Sigma: sigma}, 7, constant(100, 100, v))
			mean, std := deviation(m.Y, float64(v))
			want := sigma * math.Sqrt((float64(v)+1)/2)
			if math.Abs(mean) > 5*want/math.Sqrt(3e4)+1e-7 || math.Abs(std-want) > 8*want/math.Sqrt(6e4)+1e-7 {
				t.Errorf("sigma %g at %g: mean error %g, deviation %g, want 0 and %g", sigma, v, mean, std, want)
			}
		}
		// Below black there is no light.
		m := simulate(t, operator.Task{Name: "denoise"}, Noise{Model: Poisson, Sigma: sigma}, 7, constant(4, 4, -1.5))
		if slices.Max(m.Y) != -1 || slices.Min(m.Y) != -1 {
			t.Errorf("sigma %g below black: %v", sigma, m.Y[:4])
		}
	}
	// Amplitudes count from 0: sigma at amplitude 1, nothing at 0.
	op := buildTask(t, operator.Task{Name: "phase"}, 8, 8, 0)
	y := make([]float32, 40000)
	for i := range 20000 {
		y[i] = 1
	}
	if err := (Noise{Model: Poisson, Sigma: 0.2}).Add(y, op, 3, 0); err != nil {
		t.Fatal(err)
	}
	if mean, std := deviation(y[:20000], 1); math.Abs(mean) > 0.008 || math.Abs(std-0.2) > 0.008 {
		t.Errorf("amplitude 1: mean error %g, deviation %g, want 0 and 0.2", mean, std)
	}
	if slices.Max(y[20000:]) != 0 || slices.Min(y[20000:]) != 0 {
		t.Error("amplitude 0 gets noise")
	}
	// A sigma beyond float32 changes nothing.
	y = []float32{0.5}
	if err := (Noise{Model: Poisson, Sigma: 1e-200}).Add(y, op, 3, 0); err != nil || y[0] != 0.5 {
		t.Errorf("sigma 1e-200: %v, error %v", y, err)
	}
}

// Same seed, same bytes; another seed or place in the batch, other noise; what an image gets
// does not depend on what is behind it.
func TestNoiseStreams(t *testing.T) {
	a, b := randomImage(5, 6, 3, 1), randomImage(5, 6, 3, 2)
	task := operator.Task{Name: "denoise"}
	for _, noise := range []Noise{{Model: Gaussian, Sigma: 0.1}, {Model: Poisson, Sigma: 0.1}} {
		m := simulate(t, task, noise, 1, a, a, b)
		if m.Len() != 3 {
			t.Fatalf("%d images", m.Len())
		}
		n := len(m.Y) / 3
		if !slices.Equal(m.Y, simulate(t, task, noise, 1, a, a, b).Y) {
			t.Errorf("%s: one seed gives two measurements", noise.Model)
		}
		if !slices.Equal(m.Y[:n], simulate(t, task, noise, 1, a).Y) {
			t.Errorf("%s: an image's noise depends on its batch", noise.Model)
		}
		if slices.Equal(m.Y[:n], m.Y[n:2*n]) {
			t.Errorf("%s: two images get the same noise", noise.Model)
		}
		if slices.Equal(m.Y[:n], simulate(t, task, noise, 2, a).Y) {
			t.Errorf("%s: two seeds give the same noise", noise.Model)
		}
	}
}

func TestSimulateErrors(t *testing.T) {
	e := newEngine(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	good, task := randomImage(6, 6, 3, 1), operator.Task{Name: "denoise"}
	op := buildTask(t, task, 6, 6, 0)
	for name, c := range map[string]struct {
		ctx    context.Context
		images []*imageio.Image
		noise  Noise
		want   error
	}{
		"negative sigma": {context.Background(), []*imageio.Image{good}, Noise{Model: Gaussian, Sigma: -0.1}, ErrNoise},
		"NaN sigma":      {context.Background(), []*imageio.Image{good}, Noise{Model: Poisson, Sigma: math.NaN()}, ErrNoise},
		"huge sigma":     {context.Background(), []*imageio.Image{good}, Noise{Model: Gaussian, Sigma: 1e39}, ErrNoise},
		"infinite sigma": {context.Background(), []*imageio.Image{good}, Noise{Model: "", Sigma: math.Inf(1)}, ErrNoise},
		"unknown model":  {context.Background(), []*imageio.Image{good}, Noise{Model: "salt", Sigma: 0.1}, ErrNoise},
		"no image":       {context.Background(), nil, Noise{}, ErrPicture},
		"two channels":   {context.Background(), []*imageio.Image{imageio.New(6, 6, 2)}, Noise{}, ErrPicture},
		"pixels missing": {context.Background(), []*imageio.Image{{Height: 6, Width: 6, Channels: 3}}, Noise{}, ErrPicture},
		"another size":   {context.Background(), []*imageio.Image{good, imageio.New(6, 7, 3)}, Noise{}, operator.ErrSize},
		"cancelled":      {ctx, []*imageio.Image{good}, Noise{}, context.Canceled},
	} {
		if m, err := Simulate(c.ctx, e, c.images, op, task, c.noise, 0); !errors.Is(err, c.want) || m != nil {
			t.Errorf("%s: measurement %v, error %v, want one that is %q", name, m, err, c.want)
		}
	}
}

func TestFromImage(t *testing.T) {
	img := randomImage(12, 10, 3, 5)
	noise := Noise{Model: Gaussian, Sigma: 0.05}
	for _, c := range []struct {
		task operator.Task
		h, w int
	}{
		{operator.Task{Name: "sr", Scale: 4}, 48, 40},
		{operator.Task{Name: "sr", Scale: 3}, 36, 30},
		{operator.Task{Name: "deblur", Kernel: "motion:5:20"}, 12, 10},
		{operator.Task{Name: "denoise"}, 12, 10},
		{operator.Task{Name: "hdr"}, 12, 10},
	} {
		m, warnings, err := FromImage(c.task, img, noise, 9, operator.Files{})
		if err != nil || len(warnings) > 0 {
			t.Fatalf("%+v: warnings %q, error %v", c.task, warnings, err)
		}
		if h, w := m.Operator.ImageSize(); h != c.h || w != c.w {
			t.Errorf("%+v: image of %dx%d, want %dx%d", c.task, w, h, c.w, c.h)
		}
		if h, w := ImageSize(c.task, 12, 10); h != c.h || w != c.w {
			t.Errorf("%+v: ImageSize gives %dx%d, want %dx%d", c.task, w, h, c.w, c.h)
		}
		if !slices.Equal(m.Y, img.Pix) || m.Len() != 1 || m.Noise != noise || m.Seed != 9 || m.Task != c.task {
			t.Errorf("%+v: the measurement is not what was given", c.task)
		}
		back, err := m.Picture(0)
		if err != nil || !slices.Equal(back.Pix, img.Pix) || back.Height != 12 || back.Width != 10 {
			t.Errorf("%+v: Picture gives %v, %v", c.task, back, err)
		}
	}
}

// What degrade draws restore draws again from the seed; dropped pixels are set to zero.
func TestFromImageInpaint(t *testing.T) {
	task := operator.Task{Name: "inpaint", Mask: "random:0.7"}
	img := randomImage(12, 10, 3, 5)
	made := simulate(t, task, Noise{}, 11, img)
	degraded, err := made.Picture(0)
	if err != nil {
		t.Fatal(err)
	}
	for i := range degraded.Pix {
		if degraded.Pix[i] == 0 {
			degraded.Pix[i] = -1 // holes shown black
		}
	}
	m, _, err := FromImage(task, degraded, Noise{}, 11, operator.Files{})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(m.Y, made.Y) {
		t.Error("the measurement is not the simulated one")
	}
	// The mask as a file says the same.
	m, _, err = FromImage(operator.Task{Name: "inpaint", Mask: "y.mask.png"}, degraded, Noise{}, 0, operator.Files{Mask: made.Mask()})
	if err != nil || !slices.Equal(m.Y, made.Y) {
		t.Errorf("with the mask as a picture the measurement is another; error %v", err)
	}
	if m.Kernel() != nil {
		t.Error("inpainting has a kernel")
	}
}

func TestFromImageGrey(t *testing.T) {
	grey := randomImage(4, 5, 1, 6)
	three := imageio.New(4, 5, 3)
	for i, v := range grey.Pix {
		copy(three.Pix[3*i:], []float32{v, v, v})
	}
	for _, img := range []*imageio.Image{grey, three} {
		m, warnings, err := FromImage(operator.Task{Name: "colorize"}, img, Noise{}, 0, operator.Files{})
		if err != nil || len(warnings) > 0 || !slices.Equal(m.Y, grey.Pix) {
			t.Errorf("%d channels: warnings %q, error %v, y %v", img.Channels, warnings, err, m)
		}
	}
	m, warnings, err := FromImage(operator.Task{Name: "colorize"}, randomImage(4, 5, 3, 7), Noise{}, 0, operator.Files{})
	if err != nil || len(warnings) != 1 || len(m.Y) != 20 {
		t.Errorf("a colour picture: warnings %q, error %v", warnings, err)
	}
	m, _, err = FromImage(operator.Task{Name: "denoise"}, grey, Noise{}, 0, operator.Files{})
	if err != nil || !slices.Equal(m.Y, three.Pix) {
		t.Errorf("a grey picture for denoising: error %v", err)
	}
}

func TestFromImageErrors(t *testing.T) {
	img := randomImage(12, 10, 3, 5)
	for name, c := range map[string]struct {
		task  operator.Task
		img   *imageio.Image
		noise Noise
		files operator.Files
		want  error
		says  string
	}{
		"phase":        {operator.Task{Name: "phase"}, img, Noise{}, operator.Files{}, ErrPicture, ".safetensors"},
		"no task":      {operator.Task{}, img, Noise{}, operator.Files{}, operator.ErrTask, "no task"},
		"bad sigma":    {operator.Task{Name: "denoise"}, img, Noise{Model: "", Sigma: -1}, operator.Files{}, ErrNoise, "-1"},
		"alpha":        {operator.Task{Name: "denoise"}, imageio.New(3, 3, 4), Noise{}, operator.Files{}, ErrPicture, "4 channels"},
		"empty":        {operator.Task{Name: "denoise"}, &imageio.Image{}, Noise{}, operator.Files{}, ErrPicture, "0x0"},
		"mask's size":  {operator.Task{Name: "inpaint", Mask: "m.png"}, img, Noise{}, operator.Files{Mask: imageio.New(10, 12, 1)}, operator.ErrSize, "12x10 pixels for an image of 10x12"},
		"kernel large": {operator.Task{Name: "deblur", Kernel: "gaussian:3"}, img, Noise{}, operator.Files{}, operator.ErrSize, "12 pixels across"},
		"image large":  {operator.Task{Name: "sr", Scale: 16}, imageio.New(1, 1025, 3), Noise{}, operator.Files{}, operator.ErrSize, "16400x16"},
	} {
		m, _, err := FromImage(c.task, c.img, c.noise, 0, c.files)
		if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) || m != nil {
			t.Errorf("%s: measurement %v, error %v, want one that is %q and says %q", name, m, err, c.want, c.says)
		}
	}
}
