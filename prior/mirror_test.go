package prior

import (
	"math"
	"testing"

	"github.com/gomlx/gomlx/pkg/core/dtypes"
	"github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/shapes"
	"github.com/gomlx/gomlx/pkg/core/tensors"

	"github.com/seed-0f004ec9/spgd/engine"
	"github.com/seed-0f004ec9/spgd/imageio"
)

// weighing is a linear denoiser for sizes that are multiples of 4: it multiplies every pixel of
// what it sees by a weight of the place, so that a mistake in the padding shows.
type weighing struct{ Denoiser }

func (weighing) SizeMultiple() int { return 4 }

func (weighing) Denoise(_ []*graph.Node, x, _ *graph.Node) *graph.Node {
	total := graph.ReduceAndKeep(graph.Mul(x, placeWeights(x)), graph.ReduceSum, 1, 2)
	return graph.Add(graph.Mul(x, placeWeights(x)), total)
}

func placeWeights(x *graph.Node) *graph.Node {
	g, d := x.Graph(), x.Shape().Dimensions
	one := shapes.Make(dtypes.Float32, 1, d[1], d[2], 1)
	return graph.AddScalar(graph.Add(graph.MulScalar(graph.Iota(g, one, 1), 0.1), graph.MulScalar(graph.Iota(g, one, 2), 0.01)), 1)
}

// TestAnySize compares AnySize with the denoiser on an image that package imageio has padded,
// and its vector-Jacobian product with the transpose of that linear map.
func TestAnySize(t *testing.T) {
	e, err := engine.New(engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	for _, size := range [][2]int{{4, 8}, {5, 7}, {1, 1}, {1, 6}, {3, 2}, {9, 4}} {
		h, w := size[0], size[1]
		img := imageio.New(h, w, 3)
		v := make([]float32, len(img.Pix))
		for i := range img.Pix {
			img.Pix[i] = float32(math.Sin(float64(3 * i)))
			v[i] = float32(math.Cos(float64(5 * i)))
		}
		padded, crop := imageio.PadToMultiple(img, 4)
		run := func(d Denoiser, m *imageio.Image, v []float32) (x0hat, vjp []float32) {
			shape := shapes.Make(dtypes.Float32, 1, m.Height, m.Width, 3)
			p, err := e.Compile("denoise", []shapes.Shape{shape, shape}, func(in []*graph.Node) []*graph.Node {
				o := d.Denoise(nil, in[0], nil)
				return []*graph.Node{o, graph.Gradient(graph.ReduceAllSum(graph.Mul(o, in[1])), in[0])[0]}
			})
			if err != nil {
				t.Fatal(err)
			}
			out, err := p.Run(tensors.FromFlatDataAndDimensions(m.Pix, shape.Dimensions...), tensors.FromFlatDataAndDimensions(v, shape.Dimensions...))
			if err != nil {
				t.Fatal(err)
			}
			return tensors.MustCopyFlatData[float32](out[0]), tensors.MustCopyFlatData[float32](out[1])
		}
		got, gotVJP := run(AnySize(weighing{}), img, v)

		// The cotangent of the padding is zero; what arrives at a mirrored pixel goes back to the
		// pixel that it shows.
		wide := make([]float32, len(padded.Pix))
		for y := range h {
			copy(wide[y*padded.Width*3:][:w*3], v[y*w*3:][:w*3])
		}
		full, fullVJP := run(weighing{}, padded, wide)
		want, err := crop.Apply(&imageio.Image{Height: padded.Height, Width: padded.Width, Channels: 3, Pix: full})
		if err != nil {
			t.Fatal(err)
		}
		wantVJP := make([]float32, len(v))
		for y := range padded.Height {
			for x := range padded.Width {
				for c := range 3 {
					wantVJP[(imageio.Mirror(y, h)*w+imageio.Mirror(x, w))*3+c] += fullVJP[(y*padded.Width+x)*3+c]
				}
			}
		}
		for i := range v {
			if math.Abs(float64(got[i]-want.Pix[i])) > 1e-5*(1+math.Abs(float64(want.Pix[i]))) {
				t.Fatalf("%dx%d: x0hat[%d] is %g, want %g", h, w, i, got[i], want.Pix[i])
			}
			if math.Abs(float64(gotVJP[i]-wantVJP[i])) > 1e-4*(1+math.Abs(float64(wantVJP[i]))) {
				t.Fatalf("%dx%d: vjp[%d] is %g, want %g", h, w, i, gotVJP[i], wantVJP[i])
			}
		}
	}
	if d := (weighing{}); AnySize(AnySize(d)).SizeMultiple() != 1 {
		t.Error("AnySize has a size multiple")
	}
}
