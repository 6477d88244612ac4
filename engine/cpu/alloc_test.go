//go:build !race

package cpu

import (
	"testing"

	"github.com/gomlx/gomlx/backends"
	"github.com/gomlx/gomlx/pkg/core/dtypes"
	. "github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/shapes"
)

// allocationBlock is a part of a network that has every kind of float32 step: products of parameters, of
// values and in batches, convolutions of both kinds that fill, finish and sum rows, reductions of
// long and short groups, of blocks and to a maximum, a concatenation and element-wise values.
func allocationBlock(x, w, narrow, dense *Node) *Node {
	h := Concatenate([]*Node{normalised(x, w, w), Exp(Neg(x))}, 3)
	h = Convolve(h, narrow).Done()
	down := ReduceSum(Reshape(h, 2, 16, 2, 16, 2, 16), 2, 4)
	t := Reshape(down, 2, 256, 16)
	scores := DotGeneral(t, []int{2}, []int{0}, t, []int{2}, []int{0})
	scores = Sub(scores, ReduceAndKeep(scores, ReduceMax, 2))
	t = DotGeneral(Exp(scores), []int{2}, []int{0}, t, []int{1}, []int{0})
	t = Dot(Reshape(t, 512, 16), dense)
	t = Dot(t, Dot(TransposeAllAxes(t, 1, 0), t))
	up := Reshape(BroadcastToDims(Reshape(t, 2, 16, 1, 16, 1, 16), 2, 16, 2, 16, 2, 16), 2, 32, 32, 16)
	return Add(MulScalar(up, 1e-3), x)
}

// A run of a plan allocates its outputs and a few words, however many steps it has. (The race detector
// has sync.Pool forget what it holds.)
func TestExecuteAllocates(t *testing.T) {
	const outputs = 2
	allocations := func(threads, blocks int) float64 {
		b := newTestBackend(t, threads)
		g := NewGraph(b, "")
		dims := [][]int{{2, 32, 32, 16}, {3, 3, 16, 16}, {1, 1, 32, 16}, {16, 16}}
		var in []*Node
		var buffers []backends.Buffer
		for i, d := range dims {
			s := shapes.Make(dtypes.Float32, d...)
			in = append(in, Parameter(g, string(rune('a'+i)), s))
			buf, err := b.BufferFromFlatData(0, make([]float32, s.Size()), s)
			if err != nil {
				t.Fatal(err)
			}
			buffers = append(buffers, buf)
		}
		var program *Executable
		compile := b.compile
		b.compile = func(bd *Builder, outputs []*node) (runner, error) {
			r, err := compile(bd, outputs)
			program = &Executable{backend: b, parameters: bd.parameters, outputs: outputs, runner: r}
			return r, err
		}
		h := in[0]
		for range blocks {
			h = allocationBlock(h, in[1], in[2], in[3])
		}
		g.Compile(h, ReduceAllSum(h))
		return testing.AllocsPerRun(20, func() {
			if _, err := program.Execute(buffers, nil, 0); err != nil {
				t.Fatal(err)
			}
		})
	}
	for _, threads := range []int{1, 3} {
		for _, blocks := range []int{1, 4} {
			// An output is a buffer, its data and the slice of it; beside them, lists of inputs and outputs.
			if n := allocations(threads, blocks); n > 3*outputs+3 {
				t.Errorf("%d blocks, %d threads: a run makes %v allocations", blocks, threads, n)
			}
		}
	}
}
