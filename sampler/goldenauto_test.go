package sampler

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/seed-0f004ec9/spgd/imageio"
	"github.com/seed-0f004ec9/spgd/measurement"
	"github.com/seed-0f004ec9/spgd/operator"
	"github.com/seed-0f004ec9/spgd/prior"
	"github.com/seed-0f004ec9/spgd/prior/checkpoint"
)

// goldenNetwork is one of the small networks of random weights that package prior is held to PyTorch by, as a prior.
func goldenNetwork(t *testing.T, name string) prior.Denoiser {
	t.Helper()
	f, err := checkpoint.Open("../prior/testdata/"+name, checkpoint.Prefix("weights/"))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), name)
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := checkpoint.Write(file, f.Tensors, map[string]string{"config": f.Metadata["config"]}); err != nil {
		t.Fatal(err)
	}
	m, err := prior.Load(path, prior.LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// Steps from the problem do not diverge with networks that know nothing of images, at the settings of all others: results are
// finite and explain the measurement better than a grey picture does.
func TestAutoWithGoldenNetworks(t *testing.T) {
	const side, sigma = 32, 0.05
	img := imageio.New(side, side, 3)
	for i := range img.Pix {
		x, y := float64(i/3%side)/side, float64(i/3/side)/side
		img.Pix[i] = float32(0.6*math.Sin(9*x+float64(i%3)) - 0.4*y)
	}
	e := newEngine(t)
	for _, network := range []string{"unet_plain.safetensors", "unet_attention.safetensors"} {
		d := goldenNetwork(t, network)
		for _, task := range []operator.Task{
			{Name: "sr", Scale: 4}, {Name: "inpaint", Mask: "random:0.7"}, {Name: "deblur", Kernel: "gaussian:1"},
			{Name: "colorize"}, {Name: "denoise"}, {Name: "hdr"}, {Name: "phase"},
		} {
			op, _, err := operator.Build(task, side, side, 1, operator.Files{})
			if err != nil {
				t.Fatal(err)
			}
			m, err := measurement.Simulate(context.Background(), e, []*imageio.Image{img}, op, task, measurement.Noise{Sigma: sigma}, 2)
			if err != nil {
				t.Fatal(err)
			}
			s := DefaultSettings()
			s.Steps = 5
			s = s.For(Problem{op, sigma})
			res, err := newDriver(t, d, op).Run(context.Background(), SPGD{s}, Job{Y: m.Tensor(), Seed: 3})
			if err != nil {
				t.Errorf("%s, %s: %v", network, op.Name(), err)
				continue
			}
			residual := func(x []float32) float64 {
				sums, entries, err := m.Residual(context.Background(), e, []*imageio.Image{{Height: side, Width: side, Channels: 3, Pix: x}})
				if err != nil {
					t.Fatal(err)
				}
				return math.Sqrt(sums[0] / float64(entries))
			}
			x := flat(t, res.X)
			for i, v := range x {
				if v-v != 0 {
					t.Fatalf("%s, %s: value %d is %g", network, op.Name(), i, v)
				}
			}
			before, after := residual(make([]float32, len(x))), residual(x)
			t.Logf("%s, %s: residual %.3g, of grey %.3g", network, op.Name(), after, before)
			if !(after < 0.9*before) {
				t.Errorf("%s, %s: the residual is %g, of a grey picture %g", network, op.Name(), after, before)
			}
		}
	}
}
