package engine

import (
	"errors"
	"slices"
	"testing"

	"github.com/gomlx/gomlx/backends"
	"github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/shapes"
	"github.com/gomlx/gomlx/pkg/core/tensors"
)

// TestMakeAndView writes a tensor, runs a program on it and reads the result, on this program's
// backend and on another one of GoMLX's.
func TestMakeAndView(t *testing.T) {
	own, err := New(Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	other, err := backends.NewWithConfig("go")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range []*Engine{own, WithBackend(other)} {
		name := e.Backend().Name()
		view := func(x *tensors.Tensor) (got []float32) {
			t.Helper()
			if err := e.View(x, func(data []float32) error { got = slices.Clone(data); return nil }); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			return got
		}
		x, err := e.Make(func(data []float32) error { copy(data, []float32{1, 2, 3, 4}); return nil }, 2, 2)
		if err != nil {
			t.Fatal(err)
		}
		p, err := e.Compile("double", []shapes.Shape{x.Shape()}, func(in []*graph.Node) []*graph.Node {
			return []*graph.Node{graph.MulScalar(in[0], 2)}
		})
		if err != nil {
			t.Fatal(err)
		}
		out, err := p.Run(x)
		if err != nil {
			t.Fatal(err)
		}
		if got := view(out[0]); !slices.Equal(got, []float32{2, 4, 6, 8}) {
			t.Errorf("%s: twice the tensor is %v", name, got)
		}
		if got := view(x); !slices.Equal(got, []float32{1, 2, 3, 4}) {
			t.Errorf("%s: the tensor is %v", name, got)
		}
		if x.HasLocal() || out[0].HasLocal() {
			t.Errorf("%s: reading left a copy behind", name)
		}
		if got := view(tensors.FromFlatDataAndDimensions([]float32{5, 6}, 2)); !slices.Equal(got, []float32{5, 6}) {
			t.Errorf("%s: a tensor of the host is %v", name, got)
		}

		broken := errors.New("broken")
		if _, err := e.Make(func([]float32) error { return broken }, 2); !errors.Is(err, broken) {
			t.Errorf("%s: the error of fill is lost: %v", name, err)
		}
		if err := e.View(x, func([]float32) error { return broken }); !errors.Is(err, broken) {
			t.Errorf("%s: the error of f is lost: %v", name, err)
		}
		x.MustFinalizeAll()
		if e.View(x, func([]float32) error { return nil }) == nil {
			t.Errorf("%s: a finalized tensor can be read", name)
		}
		if e.View(tensors.FromScalar(1.0), func([]float32) error { return nil }) == nil {
			t.Errorf("%s: a float64 can be read as float32", name)
		}
		p.Close()
		e.Close()
	}
}

// TestMakeIsTheTensorsMemory: on the CPU backend nothing is copied.
func TestMakeIsTheTensorsMemory(t *testing.T) {
	e, err := New(Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	var written []float32
	x, err := e.Make(func(data []float32) error { written = data; clear(data); return nil }, 3)
	if err != nil {
		t.Fatal(err)
	}
	err = e.View(x, func(data []float32) error {
		if &data[0] != &written[0] {
			t.Error("the tensor is a copy")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
