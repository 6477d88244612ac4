package prior

import (
	"slices"
	"testing"

	"github.com/gomlx/gomlx/pkg/core/dtypes"
	"github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/shapes"
	"github.com/gomlx/gomlx/pkg/core/tensors"

	"github.com/seed-0f004ec9/spgd/engine"
	"github.com/seed-0f004ec9/spgd/internal/rng"
)

// TestNetworkInBatches: the estimate of an image and its VJP are the same to the bit in every batch.
func TestNetworkInBatches(t *testing.T) {
	e, err := engine.New(engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	m, err := Load("natural-small", LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	const side, most = 16, 4
	x := make([]float32, most*side*side*3)
	rng.New(1, 0, 0, rng.Diagnostic).FillNormal(x)
	evaluate := func(n int) (results [][]float32) {
		image := shapes.Make(dtypes.Float32, n, side, side, 3)
		in := []shapes.Shape{image, shapes.Make(dtypes.Float32, n)}
		for _, w := range m.Weights() {
			in = append(in, w.Shape())
		}
		p, err := e.Compile("batch", in, func(a []*graph.Node) []*graph.Node {
			y := m.Denoise(a[2:], a[0], a[1])
			return []*graph.Node{y, graph.Gradient(graph.ReduceAllSum(graph.Mul(y, y)), a[0])[0]}
		})
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		sigma := tensors.FromFlatDataAndDimensions([]float32{0.7, 0.1, 3, 20}[:n], n)
		out, err := p.Run(append([]*tensors.Tensor{tensors.FromFlatDataAndDimensions(x[:image.Size()], image.Dimensions...), sigma}, m.Weights()...)...)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range out {
			if err := e.View(o, func(v []float32) error { results = append(results, slices.Clone(v)); return nil }); err != nil {
				t.Fatal(err)
			}
		}
		return results
	}
	whole := evaluate(most)
	for n := 1; n < most; n++ {
		for i, got := range evaluate(n) {
			if !slices.Equal(got, whole[i][:len(got)]) {
				t.Errorf("output %d of the first %d of %d images is another in a batch of their own", i, n, most)
			}
		}
	}
}
