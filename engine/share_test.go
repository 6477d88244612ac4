package engine

import (
	"fmt"
	"runtime"
	"slices"
	"testing"

	"github.com/gomlx/gomlx/backends"
	"github.com/gomlx/gomlx/pkg/core/dtypes"
	"github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/shapes"
	"github.com/gomlx/gomlx/pkg/core/tensors"
)

// A tensor serves several engines, at once and after the first has closed.
func TestTensorOnSeveralEngines(t *testing.T) {
	x := tensors.FromFlatDataAndDimensions([]float32{1, 2, 3}, 3)
	double := func(e *Engine) []float32 {
		t.Helper()
		p, err := e.Compile("double", []shapes.Shape{x.Shape()}, func(in []*graph.Node) []*graph.Node {
			return []*graph.Node{graph.MulScalar(in[0], 2)}
		})
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		var got []float32
		for range 2 {
			out, err := p.Run(x)
			if err != nil {
				t.Fatal(err)
			}
			got = nil
			out[0].MustConstFlatData(func(f any) { got = append(got, f.([]float32)...) })
		}
		return got
	}
	open := func() *Engine {
		t.Helper()
		e, err := New(Options{Threads: 1})
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	first, second := open(), open()
	engines := map[string]*Engine{"first": first, "second": second}
	for name, e := range engines {
		if got := double(e); len(got) != 3 || got[0] != 2 || got[2] != 6 {
			t.Errorf("%s engine: %v, want [2 4 6]", name, got)
		}
	}
	first.Close()
	second.Close()
	third := open()
	defer third.Close()
	if got := double(third); len(got) != 3 || got[0] != 2 || got[2] != 6 {
		t.Errorf("after the others have closed: %v, want [2 4 6]", got)
	}
}

// shared is a tensor that reads from data, which stays the test's to write to.
func shared(t *testing.T, dims ...int) (x *tensors.Tensor, data []float32) {
	t.Helper()
	x = tensors.FromShape(shapes.Make(dtypes.Float32, dims...))
	x.MustConstFlatData(func(flat any) { data = flat.([]float32) })
	return x, data
}

// product compiles x w, in which the engine packs w and keeps what it has packed.
func product(t *testing.T, e *Engine, x, w *tensors.Tensor) func() ([]float32, error) {
	t.Helper()
	p, err := e.Compile("product", []shapes.Shape{x.Shape(), w.Shape()}, func(in []*graph.Node) []*graph.Node {
		return []*graph.Node{graph.Dot(in[0], in[1])}
	})
	if err != nil {
		t.Fatal(err)
	}
	return func() ([]float32, error) {
		out, err := p.Run(x, w)
		if err != nil {
			return nil, err
		}
		return tensors.MustCopyFlatData[float32](out[0]), nil
	}
}

// TestShare: engines read shared weights where they are, at once, in several programs, and after one
// of them has closed or let the tensor's buffer go.
func TestShare(t *testing.T) {
	open := func() *Engine {
		t.Helper()
		e, err := New(Options{Threads: 1})
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	w, data := shared(t, 2, 2)
	x := tensors.FromFlatDataAndDimensions([]float32{1, 10}, 1, 2)
	first, second := open(), open()
	defer second.Close()
	for _, e := range []*Engine{first, second, first} {
		if err := e.Share(w); err != nil {
			t.Fatal(err)
		}
	}
	copy(data, []float32{1, 2, 3, 4}) // seen by both if, and only if, neither has copied
	check := func(what string, run func() ([]float32, error)) {
		t.Helper()
		got, err := run()
		if err != nil || !slices.Equal(got, []float32{31, 42}) {
			t.Errorf("%s: %v, error %v, want [31 42]", what, got, err)
		}
	}
	runs := []func() ([]float32, error){product(t, first, x, w), product(t, first, x, w), product(t, second, x, w)}
	for range 2 {
		for i, run := range runs {
			check(fmt.Sprintf("program %d", i), run)
		}
	}
	if _, err := w.Backend(); err == nil {
		t.Error("the shared tensor itself was uploaded")
	}
	first.Close()
	if _, err := runs[0](); err == nil {
		t.Error("a program of a closed engine runs")
	}
	check("after the first engine has closed", runs[2])
	third := open()
	defer third.Close()
	if err := third.Share(w); err != nil {
		t.Fatal(err)
	}
	check("on an engine opened later", product(t, third, x, w))
	fourth := open() // which is not told to share
	defer fourth.Close()
	check("on an engine that does not share", product(t, fourth, x, w))
	check("beside one that does not share", runs[2])
	if !slices.Equal(data, []float32{1, 2, 3, 4}) {
		t.Errorf("the weights have become %v", data)
	}
}

// TestShareWhatCannotBe: results of programs, finalized tensors and other backends are no errors of
// Share.
func TestShareWhatCannotBe(t *testing.T) {
	e, err := New(Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	x := tensors.FromFlatDataAndDimensions([]float32{2}, 1, 1)
	square := product(t, e, x, x)
	out, err := square()
	if err != nil || out[0] != 4 {
		t.Fatalf("%v, error %v, want 4", out, err)
	}
	p, err := e.Compile("negation", []shapes.Shape{x.Shape()}, func(in []*graph.Node) []*graph.Node {
		return []*graph.Node{graph.Neg(in[0])}
	})
	if err != nil {
		t.Fatal(err)
	}
	results, err := p.Run(x)
	if err != nil {
		t.Fatal(err)
	}
	gone := tensors.FromFlatDataAndDimensions([]float32{2}, 1, 1)
	gone.MustFinalizeAll()
	if err := e.Share(results[0], gone); err != nil {
		t.Errorf("a result and a finalized tensor: %v", err)
	}
	if out, err := product(t, e, results[0], x)(); err != nil || out[0] != -4 {
		t.Errorf("a result as an input: %v, error %v, want -4", out, err)
	}
	if _, err := p.Run(gone); err == nil {
		t.Error("a finalized tensor is taken as an input")
	}

	// A tensor that the engine has uploaded already may still be shared, and one that is shared
	// finalized: the engine keeps the memory as long as it needs it.
	if err := e.Share(x); err != nil {
		t.Fatal(err)
	}
	if out, err := square(); err != nil || out[0] != 4 {
		t.Errorf("after sharing: %v, error %v, want 4", out, err)
	}

	other, err := backends.NewWithConfig("go")
	if err != nil {
		t.Fatal(err)
	}
	foreign := WithBackend(other)
	defer foreign.Close()
	y := tensors.FromFlatDataAndDimensions([]float32{3}, 1, 1)
	if err := foreign.Share(y); err != nil {
		t.Errorf("another backend: %v", err)
	}
	if out, err := product(t, foreign, y, y)(); err != nil || out[0] != 9 {
		t.Errorf("another backend: %v, error %v, want 9", out, err)
	}
}

// TestShareEnds: an engine forgets tensors that nobody has any more.
func TestShareEnds(t *testing.T) {
	e, err := New(Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	func() {
		w, _ := shared(t, 2, 2)
		if err := e.Share(w); err != nil {
			t.Fatal(err)
		}
		if len(e.standIns) != 1 {
			t.Errorf("%d tensors are shared, want 1", len(e.standIns))
		}
	}()
	runtime.GC()
	if err := e.Share(); err != nil {
		t.Fatal(err)
	}
	if len(e.standIns) != 0 {
		t.Errorf("%d tensors are kept after the last one has gone", len(e.standIns))
	}
}
