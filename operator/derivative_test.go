package operator

import (
	"math"
	"slices"
	"testing"

	"github.com/gomlx/gomlx/pkg/core/dtypes"
	"github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/shapes"
	"github.com/gomlx/gomlx/pkg/core/tensors"
)

// curve is an operator as a caller may have it: a tone curve, then the mean of neighbouring rows.
type curve struct{ *Denoise }

func (o curve) Name() string { return "curve" }
func (o curve) Linear() bool { return false }
func (o curve) MeasurementSize() (height, width, channels int) {
	return o.height - 1, o.width, imageChannels
}

func (o curve) Apply(_ []*graph.Node, x *graph.Node) *graph.Node {
	z := graph.Tanh(graph.MulScalar(x, 1.5))
	return graph.Add(graph.SliceAxis(z, 1, graph.AxisRange(1)), graph.SliceAxis(z, 1, graph.AxisRange(0, -1)))
}

// The derivative is the transpose of the adjoint, which finite differences hold elsewhere, and SolveNormal
// solves.
func TestDerivative(t *testing.T) {
	const h, w, n, rho, steps = 6, 8, 2, 0.3, 40
	ops := []Operator{curve{must(NewDenoise(h, w))(t)}}
	for _, task := range []Task{{Name: "hdr"}, {Name: "phase"}, {Name: "colorize"}, {Name: "sr", Scale: 2}, {Name: "deblur", Kernel: "motion:3:30"}} {
		ops = append(ops, build(t, task, h, w))
	}
	e, err := sharedEngine()
	if err != nil {
		t.Fatal(err)
	}
	for _, op := range ops {
		mh, mw, mc := op.MeasurementSize()
		image, measured := shapes.Make(dtypes.Float32, n, h, w, imageChannels), shapes.Make(dtypes.Float32, n, mh, mw, mc)
		p, err := e.Compile(op.Name()+" derivative", append([]shapes.Shape{image, image, measured}, DataShapes(op)...), func(in []*graph.Node) []*graph.Node {
			x, direction, v, data := in[0], in[1], in[2], in[3:]
			d := NewDerivative(op, data, graph.StopGradient(x))
			solved := d.SolveNormal(v, graph.Scalar(x.Graph(), x.DType(), rho), steps)
			again := graph.Add(d.Adjoint(d.Apply(solved)), graph.MulScalar(solved, rho))
			return []*graph.Node{d.Apply(direction), d.Adjoint(v), again, d.Apply(graph.ZerosLike(x))}
		})
		if err != nil {
			t.Fatalf("%s: %v", op.Name(), err)
		}
		defer p.Close()
		x, direction, v := random(image.Size(), 1), random(image.Size(), 2), random(measured.Size(), 3)
		for i := range x { // away from the kinks of saturation
			if d := math.Abs(float64(x[i])) - 0.5; math.Abs(d) < 0.05 {
				x[i] *= 0.7
			}
		}
		out, err := p.Run(append([]*tensors.Tensor{
			tensors.FromFlatDataAndDimensions(x, image.Dimensions...), tensors.FromFlatDataAndDimensions(direction, image.Dimensions...),
			tensors.FromFlatDataAndDimensions(v, measured.Dimensions...),
		}, op.Data()...)...)
		if err != nil {
			t.Fatalf("%s: %v", op.Name(), err)
		}
		moved, pulled, again, still := flat(t, out[0]), flat(t, out[1]), flat(t, out[2]), flat(t, out[3])
		left, right := inner(v, moved), inner(pulled, direction)
		if scale := math.Sqrt(inner(v, v) * inner(moved, moved)); !(math.Abs(left-right) <= 1e-3*scale) || scale == 0 {
			t.Errorf("%s: <v, A'w> = %g, <A'^T v, w> = %g", op.Name(), left, right)
		}
		if e := relative(again, pulled); !(e < 2e-3) {
			t.Errorf("%s: the solution's residual is %.3g of A'^T y", op.Name(), e)
		}
		if inner(still, still) != 0 {
			t.Errorf("%s: a step of length 0 moves the measurement", op.Name())
		}
	}
}

// Where saturation clipped nothing, the estimate is the image.
func TestEstimateHDR(t *testing.T) {
	op := must(NewHighDynamicRange(1, 4))(t)
	e, err := sharedEngine()
	if err != nil {
		t.Fatal(err)
	}
	p, err := e.Compile("estimate", []shapes.Shape{shapes.Make(dtypes.Float32, 1, 1, 4, imageChannels)}, func(in []*graph.Node) []*graph.Node {
		return []*graph.Node{op.Estimate(nil, in[0])}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	out, err := p.Run(tensors.FromFlatDataAndDimensions([]float32{-1.5, -1, -0.5, 0, 0.25, 0.5, 1, 1.01, 9, 0.125, -0.125, -9}, 1, 1, 4, imageChannels))
	if err != nil {
		t.Fatal(err)
	}
	want := []float32{-0.5, -0.5, -0.25, 0, 0.125, 0.25, 0.5, 0.5, 0.5, 0.0625, -0.0625, -0.5}
	if got := flat(t, out[0]); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
