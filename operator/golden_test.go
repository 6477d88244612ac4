package operator

import (
	"math"
	"testing"

	"github.com/seed-0f004ec9/spgd/prior/checkpoint"
)

func readGolden(t testing.TB) map[string]checkpoint.Tensor {
	t.Helper()
	f, err := checkpoint.Open("testdata/golden.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	return f.Tensors
}

// nhwc reorders the golden files' [N,C,H,W].
func nhwc(x checkpoint.Tensor) []float32 {
	n, c, h, w := x.Shape[0], x.Shape[1], x.Shape[2], x.Shape[3]
	out := make([]float32, 0, len(x.Data))
	for b := range n {
		for i := range h * w {
			for ch := range c {
				out = append(out, x.Data[(b*c+ch)*h*w+i])
			}
		}
	}
	return out
}

func goldenKernel(t testing.TB, x checkpoint.Tensor) *Kernel {
	w := make([]float64, len(x.Data))
	for i, v := range x.Data {
		w[i] = float64(v)
	}
	return must(NewKernel(x.Shape[0], x.Shape[1], w))(t)
}

// Every operator against PyTorch: the measurement and the VJP.
func TestGolden(t *testing.T) {
	golden := readGolden(t)
	keep := func(name string) []bool {
		k := make([]bool, len(golden[name].Data))
		for i, v := range golden[name].Data {
			k[i] = v != 0
		}
		return k
	}
	gauss := must(GaussianKernel(3))(t)
	operators := map[string]func() (Operator, error){
		"super_resolution_x4": func() (Operator, error) { return NewSuperResolution(64, 64, 4) },
		"inpaint_random":      func() (Operator, error) { return NewInpaint("", 64, 64, keep("mask/random")) },
		"inpaint_box":         func() (Operator, error) { return NewInpaint("", 64, 64, keep("mask/box")) },
		"gaussian_blur":       func() (Operator, error) { return NewBlur("", 64, 64, gauss) },
		"motion_blur":         func() (Operator, error) { return NewBlur("", 64, 64, goldenKernel(t, golden["kernel/motion"])) },
		"phase_retrieval":     func() (Operator, error) { return NewPhaseRetrieval(64, 64) },
		"high_dynamic_range":  func() (Operator, error) { return NewHighDynamicRange(64, 64) },
	}
	x := nhwc(golden["image"])
	for name, make := range operators {
		t.Run(name, func(t *testing.T) {
			op := must(make())(t)
			y, vjp := compile(t, op, 1).run(x, nhwc(golden[name+"/cotangent"]))
			ey, ev := relative(y, nhwc(golden[name+"/y"])), relative(vjp, nhwc(golden[name+"/vjp"]))
			t.Logf("relative error: y %.1e, VJP %.1e", ey, ev)
			if !(ey <= 1e-5 && ev <= 1e-5) {
				t.Errorf("relative error above 1e-5: y %g, VJP %g", ey, ev)
			}
		})
	}
}

func TestGoldenResizeMatrix(t *testing.T) {
	want := readGolden(t)["resize_matrix_64_to_16"]
	got := resizeFilter(64, 4).matrix()
	if got.rows != want.Shape[0] || got.cols != want.Shape[1] {
		t.Fatalf("resize matrix is %dx%d, want %v", got.rows, got.cols, want.Shape)
	}
	for i, w := range want.Data {
		if math.Abs(got.v[i]-float64(w)) > 1e-7 {
			t.Errorf("entry %d,%d is %g, want %g", i/64, i%64, got.v[i], w)
		}
	}
}

func TestGoldenGaussianKernel(t *testing.T) {
	want := readGolden(t)["kernel/gaussian"]
	got := must(GaussianKernel(3))(t)
	if got.Height != 25 || got.Width != 25 {
		t.Fatalf("the Gaussian of standard deviation 3 is %dx%d, want 25x25", got.Width, got.Height)
	}
	for i, w := range want.Data {
		y, x := i/61-18, i%61-18
		g := 0.0
		if y >= 0 && y < 25 && x >= 0 && x < 25 {
			g = got.Weights[y*25+x]
		}
		if math.Abs(g-float64(w)) > 1e-8 {
			t.Fatalf("weight at %d,%d is %g, want %g", y-12, x-12, g, w)
		}
	}
}
