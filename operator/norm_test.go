package operator

import (
	"math"
	"testing"

	"github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/tensors"
)

// mixer is an operator with nothing but a graph: scale times the first columns of Walsh and Hadamard's transform of every
// four neighbours in a row, of which the last is dropped.
type mixer struct {
	size
	scale float64
	data  *tensors.Tensor
}

func newMixer(height, width int, scale float64) *mixer {
	return &mixer{size{height, width}, scale, tensors.FromFlatDataAndDimensions([]float32{
		0.5, 0.5, 0.5,
		0.5, -0.5, 0.5,
		0.5, 0.5, -0.5,
		0.5, -0.5, -0.5,
	}, 4, 3)}
}

func (o *mixer) Name() string                   { return "mixer" }
func (o *mixer) Linear() bool                   { return true }
func (o *mixer) Data() []*tensors.Tensor        { return []*tensors.Tensor{o.data} }
func (o *mixer) MeasurementSize() (h, w, c int) { return o.height, o.width / 4 * 3, imageChannels }

func (o *mixer) Apply(data []*graph.Node, x *graph.Node) *graph.Node {
	n := x.Shape().Dimensions[0]
	x = graph.TransposeAllAxes(graph.Reshape(x, n*o.height*o.width/4, 4, imageChannels), 0, 2, 1)
	y := graph.Dot(graph.Reshape(x, -1, 4), data[0])
	y = graph.TransposeAllAxes(graph.Reshape(y, -1, imageChannels, 3), 0, 2, 1)
	return graph.MulScalar(graph.Reshape(y, n, o.height, o.width/4*3, imageChannels), o.scale)
}

// The norm of an operator that does not tell it is measured, and adjoint, solution, pseudo-inverse and proximal map without
// closed forms agree with what A A^T = scale^2 I makes of them.
func TestForeign(t *testing.T) {
	const h, w, n = 6, 8, 2
	for _, scale := range []float64{7, 0.02} {
		op, square := newMixer(h, w, scale), scale*scale
		for range 2 { // the second time from what is kept
			if got := NormSquared(op); math.Abs(got-square) > 1e-4*square {
				t.Errorf("scale %g: the largest eigenvalue is measured as %g, is %g", scale, got, square)
			}
		}
		if size, c, lambda := DefaultStepSize(op); c != 1 || lambda != NormSquared(op) || size != 1/lambda {
			t.Errorf("scale %g: step size %g = %g / %g", scale, size, c, lambda)
		}
		mh, mw, mc := op.MeasurementSize()
		y, z := random(n*mh*mw*mc, 3), random(n*h*w*imageChannels, 4)
		v := invert(t, op, n, y, z)
		a := compile(t, op, n)
		az, aty := a.run(z, y)
		scaled := func(x []float32, by float64) []float64 {
			out := make([]float64, len(x))
			for i, v := range x {
				out[i] = by * float64(v)
			}
			return out
		}
		if e := relative(v.adjoint, scaled(aty, 1)); e > 1e-6 {
			t.Errorf("scale %g: the adjoint is off by %g", scale, e)
		}
		if e := relative(v.solve, scaled(y, 1/(square+testRho))); e > 1e-5 {
			t.Errorf("scale %g: the solution is off by %g", scale, e)
		}
		if e := relative(v.pinv, scaled(aty, 1/(square*(1+Cutoff*Cutoff/9)))); e > 1e-4 {
			t.Errorf("scale %g: the pseudo-inverse is off by %g", scale, e)
		}
		r := make([]float32, len(y))
		for i := range r {
			r[i] = y[i] - az[i]
		}
		_, atr := a.run(z, r)
		want := scaled(atr, 1/(square+testRho))
		for i := range want {
			want[i] += float64(z[i])
		}
		if e := relative(v.prox, want); e > 1e-5 {
			t.Errorf("scale %g: the proximal map is off by %g", scale, e)
		}
	}
	// More operators than are kept.
	for i := range 2 * keptNorms {
		scale := float64(i + 1)
		if got := NormSquared(newMixer(2, 4, scale)); math.Abs(got-scale*scale) > 1e-4*scale*scale {
			t.Errorf("scale %g: %g", scale, got)
		}
	}
}

// The norms that operators of this package tell are those that would be measured, or bounds.
func TestNormSquared(t *testing.T) {
	for _, task := range []Task{{Name: "sr", Scale: 2}, {Name: "inpaint", Mask: "random:0.5"}, {Name: "denoise"}, {Name: "colorize"}, {Name: "deblur", Kernel: "gaussian:1"}, {Name: "hdr"}, {Name: "phase"}} {
		op := build(t, task, 16, 12)
		told := NormSquared(op)
		measured, err := measureNorm(op)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %.6g, measured %.6g", op.Name(), told, measured)
		if measured > 1.001*told || op.Linear() && measured < 0.999*told {
			t.Errorf("%s: the norm is said to be %g, measured %g", op.Name(), told, measured)
		}
	}
}
