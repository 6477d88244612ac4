package cpu

import (
	"runtime"
	"testing"
	"weak"

	"github.com/gomlx/gomlx/pkg/core/dtypes"
	. "github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/shapes"
	"github.com/gomlx/gomlx/pkg/core/tensors"
)

// compilePlan compiles a graph of one parameter for b, and returns its plan and what runs it on ones.
func compilePlan(b *Backend, dims []int, build func(x *Node) []*Node) (p *plan, run func()) {
	compile := b.compile
	b.compile = func(bd *Builder, outputs []*node) (runner, error) {
		r, err := compile(bd, outputs)
		p, _ = r.(*plan)
		return r, err
	}
	defer func() { b.compile = compile }()
	g := NewGraph(b, "")
	g.Compile(build(Parameter(g, "x", shapes.Make(dtypes.Float32, dims...)))...)
	return p, func() { g.Run(tensors.FromScalarAndDimensions(float32(1), dims...)) }
}

// storedTwice needs n floats of the arena, and more.
func storedTwice(x *Node) []*Node {
	y := Exp(x)
	return []*Node{Add(Reverse(y, 0), Reverse(Exp(Neg(y)), 0))}
}

// TestArena: programs that are compiled before the first one runs share one arena, and one that grows
// leaves nothing of the old one behind.
func TestArena(t *testing.T) {
	b := newTestBackend(t, 2)
	_, small := compilePlan(b, []int{1 << 12}, storedTwice)
	large, runLarge := compilePlan(b, []int{1 << 16}, storedTwice)
	small()
	if n := len(b.arena); n < large.arenaBytes || n < 4<<16 {
		t.Errorf("an arena of %d bytes where %d will be needed", n, large.arenaBytes)
	}
	first := weak.Make(&b.arena[0])
	runLarge()
	if first.Value() != &b.arena[0] {
		t.Error("another arena than the first program's")
	}
	_, runLarger := compilePlan(b, []int{1 << 18}, storedTwice)
	runLarger()
	runtime.GC()
	if first.Value() != nil {
		t.Error("the arena that was replaced is kept")
	}
	small()
	runLarge()
}

// blocksOf cuts x [T,D] into blocks of rows.
func blocksOf(x *Node, rows int) (blocks []*Node) {
	for at := 0; at < x.Shape().Dimensions[0]; at += rows {
		blocks = append(blocks, SliceAxis(x, 0, AxisRange(at, at+rows)))
	}
	return blocks
}

// TestPlanFreesInTime: what is made block by block does not pile up.
func TestPlanFreesInTime(t *testing.T) {
	const positions, channels, rows = 2048, 48, 64
	for _, test := range []struct {
		name  string
		build func(x *Node) *Node
		limit int // floats of the arena
	}{
		// All products could wait for their sum.
		{"sum of products", func(x *Node) *Node {
			var sum *Node
			for i, y := range blocksOf(x, rows) {
				z := DotGeneral(y, []int{0}, nil, y, []int{0}, nil)
				if i == 0 {
					sum = z
				} else {
					sum = Add(sum, z)
				}
			}
			return sum
		}, 5 * channels * channels},
		// The weights of each block could wait for their sums, of which the last step has need.
		{"attention", func(x *Node) *Node {
			var out []*Node
			for _, y := range blocksOf(x, rows) {
				weights := Exp(DotGeneral(y, []int{1}, nil, x, []int{1}, nil))
				sums := ReduceAndKeep(weights, ReduceSum, -1)
				out = append(out, Div(Dot(weights, x), sums))
			}
			return Concatenate(out, 0)
		}, 3 * rows * positions},
		// The terms of a sum could wait for its end: one lies beside its successor and the sum.
		{"unrolled iteration", func(x *Node) *Node {
			sum, p := ZerosLike(x), x
			for range 12 {
				shifted := Concatenate([]*Node{SliceAxis(p, 0, AxisRange(1)), SliceAxis(p, 0, AxisRange(0, 1))}, 0)
				size, overlap := ReduceAllSum(Mul(p, p)), ReduceAllSum(Mul(p, shifted))
				sum = Add(sum, Mul(overlap, p))
				p = Sub(shifted, Mul(Div(overlap, size), p))
			}
			return ReduceAndKeep(sum, ReduceSum, -1)
		}, 3 * positions * (channels + 1)},
	} {
		p, run := compilePlan(newTestBackend(t, 2), []int{positions, channels}, func(x *Node) []*Node { return []*Node{test.build(x)} })
		run()
		if p.arenaBytes > 4*test.limit {
			t.Errorf("%s: an arena of %d bytes, want at most %d", test.name, p.arenaBytes, 4*test.limit)
		}
	}
}
