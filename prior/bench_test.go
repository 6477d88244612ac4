package prior

import (
	"testing"

	"github.com/gomlx/gomlx/pkg/core/dtypes"
	"github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/shapes"
	"github.com/gomlx/gomlx/pkg/core/tensors"
)

// BenchmarkDenoiser times the embedded prior at 256x256, alone and with its vector-Jacobian
// product. SPGD_CONV=direct does without Winograd's method.
func BenchmarkDenoiser(b *testing.B) {
	m, err := Load("natural-small", LoadOptions{})
	if err != nil {
		b.Fatal(err)
	}
	dims := []int{1, 256, 256, 3}
	x, cotangent := noise(1, dims...), noise(2, dims...)
	sigma := tensors.FromValue([]float32{1})
	for _, bc := range []struct {
		name string
		vjp  bool
	}{{"forward", false}, {"vjp", true}} {
		b.Run(bc.name, func(b *testing.B) {
			e := newEngine(b)
			in := []shapes.Shape{shapes.Make(dtypes.Float32, dims...), shapes.Make(dtypes.Float32, 1), shapes.Make(dtypes.Float32, dims...)}
			for _, w := range m.Weights() {
				in = append(in, w.Shape())
			}
			p, err := e.Compile(bc.name, in, func(in []*graph.Node) []*graph.Node {
				y := m.Denoise(in[3:], in[0], in[1])
				if !bc.vjp {
					return []*graph.Node{y}
				}
				return []*graph.Node{y, vjp(y, in[2], in[0])}
			})
			if err != nil {
				b.Fatal(err)
			}
			args := append([]*tensors.Tensor{x, sigma, cotangent}, m.Weights()...)
			run := func() {
				out, err := p.Run(args...)
				if err != nil {
					b.Fatal(err)
				}
				for _, t := range out {
					t.MustFinalizeAll()
				}
			}
			run() // packs the weights
			for b.Loop() {
				run()
			}
		})
	}
}
