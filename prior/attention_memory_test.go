//go:build !race

package prior

import (
	"runtime"
	"testing"

	"github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/shapes"
)

// TestAttentionMemory: memory does not grow with the square of the positions. (The race detector
// empties pools of scratch memory, which are then allocated again.)
func TestAttentionMemory(t *testing.T) {
	const side, heads, d, scores = 64, 2, 8, 1 << 18
	qkv, g := noise(5, 1, side, side, 3*heads*d), noise(6, 1, side, side, heads*d)
	e := newEngine(t)
	p, err := e.Compile("attention", []shapes.Shape{qkv.Shape(), g.Shape()}, func(in []*graph.Node) []*graph.Node {
		y := attend(in[0], heads, scores)
		return []*graph.Node{y, vjp(y, in[1], in[0])}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	allocated := func() int {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int(m.TotalAlloc)
	}
	before := allocated()
	if _, err := p.Run(qkv, g); err != nil {
		t.Fatal(err)
	}
	// Weights and the cotangents of scores of one block, what is packed of them, and some values of
	// the size of qkv; the scores of all would take 134 MB, twice.
	if took, limit := allocated()-before, 4*4*scores+10*4*qkv.Size(); took > limit {
		t.Errorf("%d bytes, want at most %d", took, limit)
	}
}
