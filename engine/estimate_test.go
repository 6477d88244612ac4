package engine_test

import (
	"errors"
	"testing"

	"github.com/gomlx/gomlx/pkg/core/dtypes"
	"github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/shapes"

	"github.com/seed-0f004ec9/spgd/engine"
	"github.com/seed-0f004ec9/spgd/engine/cpu"
	"github.com/seed-0f004ec9/spgd/prior"
)

// TestEstimate counts what is alive in small graphs. Every array has 4 kB.
func TestEstimate(t *testing.T) {
	e, err := engine.New(engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	const kB = 32 * 32 * 4
	square := shapes.Make(dtypes.Float32, 32, 32)
	for name, c := range map[string]struct {
		build func(x *graph.Node) *graph.Node
		want  int // arrays
	}{
		"element by element":        {func(x *graph.Node) *graph.Node { return graph.Exp(graph.Neg(graph.Exp(x))) }, 1},
		"products, one after other": {func(x *graph.Node) *graph.Node { return graph.Dot(graph.Dot(graph.Dot(x, x), x), x) }, 2},
		"an operand is stored":      {func(x *graph.Node) *graph.Node { return graph.Dot(graph.Transpose(graph.Exp(x), 0, 1), x) }, 2},
		"a view is not":             {func(x *graph.Node) *graph.Node { return graph.Dot(graph.Transpose(x, 0, 1), x) }, 1},
		"kept for the end": {func(x *graph.Node) *graph.Node {
			a := graph.Dot(x, x)
			b := graph.Dot(a, x)
			return graph.Add(graph.Dot(graph.Dot(b, x), x), graph.Mul(a, b))
		}, 4},
		"read through others": {func(x *graph.Node) *graph.Node {
			a := graph.Dot(x, x)
			return graph.Dot(graph.Exp(graph.Neg(a)), x)
		}, 2},
	} {
		got, err := e.Estimate(name, []shapes.Shape{square}, func(in []*graph.Node) []*graph.Node { return []*graph.Node{c.build(in[0])} })
		if err != nil || got != c.want*kB {
			t.Errorf("%s: %d arrays and %d bytes, want %d, %v", name, got/kB, got%kB, c.want, err)
		}
	}
	if _, known := e.Room(); known {
		t.Error("the CPU has an accelerator's memory")
	}
}

// TestEstimateNarrow counts what is alive where convolutions between feature maps are computed from bfloat16 numbers.
func TestEstimateNarrow(t *testing.T) {
	e, err := engine.New(engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	const maps, kernel = 32 * 32 * 8 * 4, 3 * 3 * 8 * 8 * 4 // bytes in float32
	in := []shapes.Shape{shapes.Make(dtypes.Float32, 1, 32, 32, 8), shapes.Make(dtypes.Float32, 3, 3, 8, 8), shapes.Make(dtypes.Float32, 3, 3, 8, 3)}
	convolve := func(x, k *graph.Node) *graph.Node { return graph.Convolve(x, k).PadSame().Done() }
	for name, c := range map[string]struct {
		build     func(x, k, last *graph.Node) *graph.Node
		f32, bf16 int
	}{
		// Operand, kernel and result rounded, or the result rounded and as the output.
		"one": {func(x, k, _ *graph.Node) *graph.Node { return convolve(x, k) }, maps, maps/2 + maps},
		// The first result is what the second convolution reads.
		"two": {func(x, k, _ *graph.Node) *graph.Node {
			return graph.ReduceAllSum(convolve(convolve(x, k), k))
		}, 2 * maps, maps + kernel/2},
		// What is computed of a result, is rounded and read once, is stored once.
		"point by point": {func(x, k, _ *graph.Node) *graph.Node {
			return graph.ReduceAllSum(convolve(graph.Exp(convolve(x, k)), k))
		}, 2 * maps, maps + kernel/2},
		// What several read is stored as it is.
		"read twice": {func(x, k, _ *graph.Node) *graph.Node {
			y := graph.Exp(convolve(x, k))
			return graph.ReduceAllSum(graph.Mul(y, convolve(y, k)))
		}, 2 * maps, maps + 2*maps/2 + kernel/2},
		// To an image nothing is rounded.
		"to an image": {func(x, _, last *graph.Node) *graph.Node { return convolve(x, last) }, maps * 3 / 8, maps * 3 / 8},
		// The reversed kernel is the rounded one.
		"gradient": {func(x, k, _ *graph.Node) *graph.Node {
			y := convolve(x, k)
			return graph.ReduceAllSum(graph.Gradient(graph.ReduceAllSum(graph.Mul(y, y)), x)[0])
		}, 2 * maps, maps + kernel/2},
	} {
		for precision, want := range map[string]int{"f32": c.f32, "bf16": c.bf16} {
			got, err := e.EstimateAs(precision, in, func(in []*graph.Node) []*graph.Node { return []*graph.Node{c.build(in[0], in[1], in[2])} })
			if err != nil || got < want || got > want+16 { // some scalars
				t.Errorf("%s, %s: %d bytes, want %d, %v", name, precision, got, want, err)
			}
		}
	}
}

// TestEstimateOfNetwork holds the estimate of a network's VJP to what this program's own plan of it takes, which
// computes more values again and keeps more of them as bfloat16, and to its growth with the batch: beside the kernels, which
// bf16 rounds once, in proportion.
func TestEstimateOfNetwork(t *testing.T) {
	m, err := prior.Load("natural-small", prior.LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	e, err := engine.New(engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	kernels := 0
	for _, w := range m.Weights() {
		if w.Rank() == 4 {
			kernels += int(w.Shape().Memory())
		}
	}
	of := func(batch int) []shapes.Shape {
		in := []shapes.Shape{shapes.Make(dtypes.Float32, batch, 64, 64, 3), shapes.Make(dtypes.Float32, batch)}
		for _, w := range m.Weights() {
			in = append(in, w.Shape())
		}
		return in
	}
	build := func(in []*graph.Node) []*graph.Node {
		y := m.Denoise(in[2:], in[0], in[1])
		return graph.Gradient(graph.ReduceAllSum(graph.Mul(y, y)), in[0])
	}
	each := map[string]int{}
	for _, precision := range []string{"f32", "bf16"} {
		t.Run(precision, func(t *testing.T) {
			var bytes [5]int
			for _, batch := range []int{1, 2, 4} {
				if bytes[batch], err = e.EstimateAs(precision, of(batch), build); err != nil {
					t.Fatal(err)
				}
			}
			each[precision] = bytes[2] - bytes[1]
			if got, want := bytes[4]-bytes[2], 2*each[precision]; got < 39*want/40 || got > want {
				t.Errorf("%d bytes more for 4 images than for 2, want %d", got, want)
			}
			once, most := bytes[1]-each[precision], map[string]int{"f32": 0, "bf16": kernels / 2}[precision]
			if once < 9*most/10 || once > most+most/10+each[precision]/100 {
				t.Errorf("%d bytes for any number of images, want about %d", once, most)
			}
			own, err := engine.New(engine.Options{Precision: precision})
			if errors.Is(err, cpu.ErrNoBF16) {
				t.Skip(err)
			}
			if err != nil {
				t.Fatal(err)
			}
			defer own.Close()
			p, err := own.Compile("network", of(1), build)
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			memory, _ := p.Memory(nil)
			t.Logf("%d bytes an image and %d once, planned %d", each[precision], once, memory.Temporary)
			if each[precision] < memory.Temporary || each[precision] > 2*memory.Temporary {
				t.Errorf("%d bytes for a program that takes %d", each[precision], memory.Temporary)
			}
		})
	}
	if each["bf16"] >= each["f32"] {
		t.Errorf("an image takes %d bytes with bf16 and %d with f32", each["bf16"], each["f32"])
	}
}
