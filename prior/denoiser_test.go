package prior

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/pkg/core/dtypes"
	"github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/shapes"
	"github.com/gomlx/gomlx/pkg/core/tensors"

	"github.com/seed-0f004ec9/spgd/prior/checkpoint"
)

// TestTimestep holds the network's noise input to golden values from sigma 0.01 to 100.
func TestTimestep(t *testing.T) {
	f, err := checkpoint.Open("../sampler/testdata/schedule.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	sigma, want := f.Tensors["c_noise/sigma"].Data, f.Tensors["c_noise/value"].Data
	in := []*tensors.Tensor{tensors.FromFlatDataAndDimensions(sigma, len(sigma))}
	got := run(t, newEngine(t), in, func(in []*graph.Node) []*graph.Node { return []*graph.Node{timestep(in[0])} })[0]
	for i := range want {
		if e := (got[i] - want[i]) / want[i]; !(e < 1e-6 && e > -1e-6) {
			t.Errorf("sigma %g: timestep %g, want %g (relative error %.2g)", sigma[i], got[i], want[i], e)
		}
	}
}

// tinyModel has attention at both levels, on non-square images too.
func tinyModel(t *testing.T, transposed bool) *Model {
	t.Helper()
	c, weights := tinyWeights(t)
	return newModel("tiny", c, func(layer []param) (data [][]float32) {
		for _, p := range layer {
			src := weights[p.name].Data
			if transposed && len(p.shape) == 4 && p.shape[2] == 3 {
				dst := make([]float32, len(src))
				for i := range src {
					dst[i/9*9+i%3*3+i%9/3] = src[i]
				}
				src = dst
			}
			data = append(data, src)
		}
		return data
	})
}

func noise(seed uint64, dims ...int) *tensors.Tensor {
	rng := rand.New(rand.NewPCG(seed, 0))
	data := make([]float32, size(dims))
	for i := range data {
		data[i] = float32(rng.NormFloat64())
	}
	return tensors.FromFlatDataAndDimensions(data, dims...)
}

// TestNonSquare runs a network on an image, and the network with transposed kernels on the
// transposed image: one must give the transpose of the other, and its VJP too.
func TestNonSquare(t *testing.T) {
	const h, w = 6, 16
	transpose := func(x []float32) []float32 {
		y := make([]float32, len(x))
		for i := range h {
			for j := range w {
				copy(y[(j*h+i)*3:][:3], x[(i*w+j)*3:][:3])
			}
		}
		return y
	}
	e := newEngine(t)
	x, v, sigma := noise(1, 1, h, w, 3), noise(2, 1, h, w, 3), tensors.FromValue([]float32{0.7})
	x0hat, gradient := denoise(t, e, tinyModel(t, false), x, sigma, v)
	x2, v2 := tensors.FromFlatDataAndDimensions(transpose(values(x)), 1, w, h, 3), tensors.FromFlatDataAndDimensions(transpose(values(v)), 1, w, h, 3)
	x0hat2, gradient2 := denoise(t, e, tinyModel(t, true), x2, sigma, v2)
	if e := distance(transpose(x0hat), x0hat2) / norm(x0hat2); !(e < 1e-5) {
		t.Errorf("x0hat differs from that of the transposed problem by %.2g", e)
	}
	if e := distance(transpose(gradient), gradient2) / norm(gradient2); !(e < 1e-5) {
		t.Errorf("the VJP differs from that of the transposed problem by %.2g", e)
	}
}

// TestBatch checks that an image's result does not depend on what else is in the batch, to the bit.
func TestBatch(t *testing.T) {
	const h, w = 8, 6
	m, e := tinyModel(t, false), newEngine(t)
	x, v, sigma := noise(1, 2, h, w, 3), noise(2, 2, h, w, 3), []float32{0.5, 30}
	both, bothVJP := denoise(t, e, m, x, tensors.FromValue(sigma), v)
	one := func(x *tensors.Tensor, i int) *tensors.Tensor {
		return tensors.FromFlatDataAndDimensions(values(x)[i*h*w*3:(i+1)*h*w*3], 1, h, w, 3)
	}
	for i := range sigma {
		x0hat, gradient := denoise(t, e, m, one(x, i), tensors.FromValue(sigma[i:i+1]), one(v, i))
		part := func(y []float32) []float32 { return y[i*len(x0hat) : (i+1)*len(x0hat)] }
		if e := distance(part(both), x0hat); e != 0 {
			t.Errorf("image %d: x0hat in a batch differs by %.2g", i, e/norm(x0hat))
		}
		if e := distance(part(bothVJP), gradient); e != 0 {
			t.Errorf("image %d: VJP in a batch differs by %.2g", i, e/norm(gradient))
		}
	}
}

// TestLearnedSigmaIsDropped compares the model of a network that also predicts variances with the
// first channels of that network.
func TestLearnedSigmaIsDropped(t *testing.T) {
	c, weights := tinyWeights(t)
	p := c.plan()
	in, e := []*tensors.Tensor{noise(1, 1, 8, 8, 3), tensors.FromValue([]float32{123.4})}, newEngine(t)
	output := func(channels int) []float32 {
		w := p.convert(channels, func(layer []param) (data [][]float32) {
			for _, q := range layer {
				data = append(data, weights[q.name].Data)
			}
			return data
		})
		return run(t, e, append(in[:2:2], w.tensors...), func(in []*graph.Node) []*graph.Node {
			return []*graph.Node{newUNet(p, w.names, in[2:]).forward(in[0], in[1])}
		})[0]
	}
	all, eps := output(6), output(3)
	for i := range eps {
		if want := all[i/3*6+i%3]; eps[i]-want > 1e-6 || want-eps[i] > 1e-6 {
			t.Fatalf("value %d is %g, want %g", i, eps[i], want)
		}
	}
}

// TestIdentityAttention checks that attention whose output projection is zero is left out, and
// that this changes nothing: a projection of 1e-30 keeps the block.
func TestIdentityAttention(t *testing.T) {
	c, weights := tinyWeights(t)
	proj := func(value float32) (*Model, []float32) {
		m := newModel("tiny", c, func(layer []param) (data [][]float32) {
			for _, p := range layer {
				w := weights[p.name].Data
				if strings.HasPrefix(p.name, "middle_block.1.proj_out.") {
					w = make([]float32, len(w))
					w[len(w)-1] = value
				}
				data = append(data, w)
			}
			return data
		})
		x0hat, _ := denoise(t, newEngine(t), m, noise(1, 1, 8, 8, 3), tensors.FromValue([]float32{1}), noise(2, 1, 8, 8, 3))
		return m, x0hat
	}
	out, with := proj(0)
	kept, without := proj(1e-30)
	if n := len(kept.Weights()) - len(out.Weights()); n != 6 {
		t.Errorf("%d weights are left out, want the 6 of one attention block", n)
	}
	if e := distance(with, without) / norm(with); !(e < 1e-6) {
		t.Errorf("leaving it out moves the result by %.2g", e)
	}
}

func TestDenoiseShapeErrors(t *testing.T) {
	m, e := tinyModel(t, false), newEngine(t)
	g, err := NewDiagonalGaussian(make([]float64, 48), make([]float64, 48), 4, 4, 3)
	if err != nil {
		t.Fatal(err)
	}
	f32 := func(dims ...int) shapes.Shape { return shapes.Make(dtypes.Float32, dims...) }
	for _, tt := range []struct {
		prior    Denoiser
		x, sigma shapes.Shape
		drop     int // weights left out
		want     string
	}{
		{m, f32(1, 7, 8, 3), f32(1), 0, "7x8: both sides must be multiples of 2"},
		{m, f32(1, 8, 8, 4), f32(1), 0, "want [N,H,W,3]"},
		{m, f32(8, 8, 3), f32(1), 0, "want [N,H,W,3]"},
		{m, f32(2, 8, 8, 3), f32(1), 0, "one value for each of 2 images"},
		{m, f32(1, 8, 8, 3), f32(), 0, "one value for each of 1 images"},
		{m, f32(1, 8, 8, 3), f32(1), 1, fmt.Sprintf("%d weights, want %d", len(m.Weights())-1, len(m.Weights()))},
		{g, f32(1, 4, 8, 3), f32(1), 0, "this distribution is over 4x4"},
		{g, f32(1, 4, 4, 3), f32(1), 1, "1 weights, want 2"},
	} {
		in := []shapes.Shape{tt.x, tt.sigma}
		for _, w := range tt.prior.Weights()[tt.drop:] {
			in = append(in, w.Shape())
		}
		_, err := e.Compile("shapes", in, func(in []*graph.Node) []*graph.Node {
			return []*graph.Node{tt.prior.Denoise(in[2:], in[0], in[1])}
		})
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("error %v, want one with %q", err, tt.want)
		}
	}
}
