package engine

import (
	"errors"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/backends"
	_ "github.com/gomlx/gomlx/backends/simplego"
	"github.com/gomlx/gomlx/pkg/core/dtypes"
	"github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/shapes"
	"github.com/gomlx/gomlx/pkg/core/tensors"

	"github.com/seed-0f004ec9/spgd/engine/cpu"
)

// TestBackends runs one program on this program's backend and on another one of GoMLX's.
func TestBackends(t *testing.T) {
	own, err := New(Options{Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	other, err := backends.NewWithConfig("go")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range []*Engine{own, WithBackend(other)} {
		shape := shapes.Make(dtypes.Float32, 3)
		p, err := e.Compile("sum of squares", []shapes.Shape{shape}, func(in []*graph.Node) []*graph.Node {
			return []*graph.Node{graph.ReduceAllSum(graph.Mul(in[0], in[0]))}
		})
		if err != nil {
			t.Fatal(err)
		}
		x := tensors.FromFlatDataAndDimensions([]float32{1, 2, 3}, 3)
		out, err := p.Run(x)
		if err != nil {
			t.Fatal(err)
		}
		if got := tensors.ToScalar[float32](out[0]); got != 14 {
			t.Errorf("%s: sum of squares is %g, want 14", e.Backend().Name(), got)
		}
		if _, err := p.Run(); err == nil || !strings.Contains(err.Error(), "0 inputs, want 1") {
			t.Errorf("%s: without inputs: %v", e.Backend().Name(), err)
		}
		if _, err := p.Run(tensors.FromFlatDataAndDimensions([]float32{1, 2}, 2)); err == nil || !strings.Contains(err.Error(), "has shape") {
			t.Errorf("%s: with an input of another shape: %v", e.Backend().Name(), err)
		}
		p.Close()
		e.Close()
	}
}

func TestErrors(t *testing.T) {
	if _, err := New(Options{Threads: -1}); err == nil {
		t.Error("a negative number of threads is accepted")
	}
	if _, err := New(Options{Precision: "f16"}); !errors.Is(err, cpu.ErrPrecision) {
		t.Errorf("precision f16: %v, want cpu.ErrPrecision", err)
	}
	e, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	two, three := shapes.Make(dtypes.Float32, 2), shapes.Make(dtypes.Float32, 3)
	_, err = e.Compile("mismatch", []shapes.Shape{two, three}, func(in []*graph.Node) []*graph.Node {
		return []*graph.Node{graph.Add(in[0], in[1])}
	})
	if err == nil || !strings.Contains(err.Error(), "mismatch") {
		t.Errorf("adding shapes that do not match: %v", err)
	}
	// 4e15 bytes: more than any machine has.
	_, err = e.Compile("huge", []shapes.Shape{two}, func(in []*graph.Node) []*graph.Node {
		big := graph.Mul(graph.BroadcastToDims(graph.Reshape(in[0], 1, 2), 1<<49, 2), graph.BroadcastToDims(graph.Reshape(in[0], 1, 2), 1<<49, 2))
		return []*graph.Node{graph.Reverse(big, 0)}
	})
	if _, known := cpu.AvailableMemory(); known && !errors.Is(err, cpu.ErrMemory) {
		t.Errorf("a program that needs 4 PB: %v, want ErrMemory", err)
	}
}
