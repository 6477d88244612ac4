package prior

import (
	"strconv"
	"testing"

	"github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/tensors"

	"github.com/seed-0f004ec9/spgd/engine"
	"github.com/seed-0f004ec9/spgd/engine/cpu"
	"github.com/seed-0f004ec9/spgd/internal/pjrttest"
	"github.com/seed-0f004ec9/spgd/prior/checkpoint"
)

// TestUNetGolden holds the network and its VJP to PyTorch, on two small networks that cover
// scale-shift norm or not, both ways of resampling, both attention orders, heads given by number
// and by width, and learned sigma or not.
func TestUNetGolden(t *testing.T) {
	eachConvolution(t, func(t *testing.T, _ string) { testUNetGolden(t, engine.Options{}, maxScores, 1e-5) })
}

// TestUNetGoldenBlocks is the same with attention in many blocks.
func TestUNetGoldenBlocks(t *testing.T) { testUNetGolden(t, engine.Options{}, 1<<16, 1e-5) }

// TestUNetGoldenBF16: some fifty values on the way through a network and back are rounded by up to
// 1/512 each, independently of one another. Winograd's method multiplies differences of rounded
// numbers, whose errors are several times as large.
func TestUNetGoldenBF16(t *testing.T) {
	tolerance := map[string]float64{"direct": 0.02, "winograd": 0.08}
	eachConvolution(t, func(t *testing.T, name string) {
		testUNetGolden(t, engine.Options{Precision: cpu.PrecisionBF16}, maxScores, tolerance[name])
	})
}

// eachConvolution runs a test with both ways to compute convolutions.
func eachConvolution(t *testing.T, test func(t *testing.T, name string)) {
	for _, name := range []string{"direct", "winograd"} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(cpu.EnvConvolution, name)
			test(t, name)
		})
	}
}

func testUNetGolden(t *testing.T, o engine.Options, scores int, tolerance float64) {
	for _, name := range []string{"unet_attention.safetensors", "unet_plain.safetensors"} {
		t.Run(name, func(t *testing.T) {
			f := golden(t, name)
			c, err := ParseConfig(f.Metadata["config"])
			if err != nil {
				t.Fatal(err)
			}
			weights := golden(t, name, checkpoint.Prefix("weights/"))
			if err := checkpoint.Check(weights, c.Tensors()); err != nil {
				t.Fatal(err)
			}
			p := c.plan()
			w := p.convert(c.OutChannels, func(layer []param) (data [][]float32) {
				for _, q := range layer {
					data = append(data, weights.Tensors[q.name].Data)
				}
				return data
			})
			timesteps := tensors.FromFlatDataAndDimensions(f.Tensors["t"].Data, f.Tensors["t"].Shape...)
			in := []*tensors.Tensor{channelsLast(f.Tensors["x"]), timesteps, channelsLast(f.Tensors["cotangent"])}
			out := run(t, newEngineOf(t, o), append(in, w.tensors...), func(in []*graph.Node) []*graph.Node {
				u := newUNet(p, w.names, in[3:])
				u.scores = scores
				y := u.forward(in[0], in[1])
				return []*graph.Node{y, vjp(y, in[2], in[0])}
			})
			for i, what := range []string{"out", "vjp"} {
				want := values(channelsLast(f.Tensors[what]))
				e := distance(out[i], want) / norm(want)
				t.Logf("%s: relative error %.2g", what, e)
				if !(e <= tolerance) {
					t.Errorf("%s: relative error %.2g, want at most %g", what, e, tolerance)
				}
			}
		})
	}
}

// TestGoldenOnDevice holds networks and priors to PyTorch on the device that SPGD_TEST_DEVICE names, or on that of
// the plugin for tests. It has a process's one precision, so it runs in float32 alone.
func TestGoldenOnDevice(t *testing.T) {
	d, err := engine.ParseDevice(pjrttest.Device(t))
	if err != nil {
		t.Fatal(err)
	}
	o := engine.Options{Device: d}
	t.Run("unet", func(t *testing.T) { testUNetGolden(t, o, maxScores, 1e-4) })
	t.Run("denoiser", func(t *testing.T) { testDenoiserGolden(t, o, 1e-4) })
}

// TestDenoiserGolden holds both priors and their VJPs to PyTorch. Errors are relative to the
// inputs, because x - sigma eps cancels at a high sigma.
func TestDenoiserGolden(t *testing.T) {
	eachConvolution(t, func(t *testing.T, _ string) { testDenoiserGolden(t, engine.Options{}, 2e-6) })
}

// TestDenoiserGoldenBF16: trained networks are less sensitive to rounding than random ones.
func TestDenoiserGoldenBF16(t *testing.T) {
	eachConvolution(t, func(t *testing.T, _ string) {
		testDenoiserGolden(t, engine.Options{Precision: cpu.PrecisionBF16}, 0.02)
	})
}

func testDenoiserGolden(t *testing.T, o engine.Options, tolerance float64) {
	f := golden(t, "denoiser.safetensors")
	e := newEngineOf(t, o)
	for _, spec := range []struct{ name, load string }{
		{"natural-small", "natural-small"},
		{"natural-medium", "../priors/natural-medium.safetensors"},
	} {
		m, err := Load(spec.load, LoadOptions{})
		if err != nil {
			t.Fatal(err)
		}
		run := denoiser(t, e, m, []int{1, 64, 64, 3})
		for _, sigma := range []string{"100", "10", "1", "0.1"} {
			get := func(what string) *tensors.Tensor {
				return channelsLast(f.Tensors[spec.name+"/"+sigma+"/"+what])
			}
			s, err := strconv.ParseFloat(sigma, 32)
			if err != nil {
				t.Fatal(err)
			}
			x0hat, gradient := run(get("x"), tensors.FromValue([]float32{float32(s)}), get("cotangent"))
			for _, c := range []struct {
				what, relativeTo string
				got              []float32
			}{{"x0hat", "x", x0hat}, {"vjp", "cotangent", gradient}} {
				e := distance(c.got, values(get(c.what))) / norm(values(get(c.relativeTo)))
				t.Logf("%s at sigma %s: %s error %.2g", spec.name, sigma, c.what, e)
				if !(e <= tolerance) {
					t.Errorf("%s at sigma %s: %s error %.2g, want at most %g", spec.name, sigma, c.what, e, tolerance)
				}
			}
		}
	}
}
