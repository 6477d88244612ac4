package xla_test

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/pkg/core/dtypes"
	"github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/shapes"
	"github.com/gomlx/gomlx/pkg/core/tensors"

	"github.com/seed-0f004ec9/spgd/engine"
	"github.com/seed-0f004ec9/spgd/engine/xla"
	"github.com/seed-0f004ec9/spgd/internal/pjrttest"
	"github.com/seed-0f004ec9/spgd/prior"
)

// openPlugin opens an engine on the plugin that works.
func openPlugin(t *testing.T) *engine.Engine {
	t.Helper()
	d, err := engine.ParseDevice("xla:" + pjrttest.Plugin(t, pjrttest.Works))
	if err != nil {
		t.Fatal(err)
	}
	e, err := engine.New(engine.Options{Device: d})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// TestDenoiserThroughPlugin compares the embedded prior and its VJP through the plugin with this program's
// CPU backend.
func TestDenoiserThroughPlugin(t *testing.T) {
	m, err := prior.Load("natural-small", prior.LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	accelerator := openPlugin(t)
	defer accelerator.Close()
	plain, err := engine.New(engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	x, sigma := random(0, 2, 32, 32, 3), tensors.FromFlatDataAndDimensions([]float32{0.5, 3}, 2)
	in := []shapes.Shape{x.Shape(), sigma.Shape()}
	for _, w := range m.Weights() {
		in = append(in, w.Shape())
	}
	var got [2][][]float32
	for i, e := range []*engine.Engine{accelerator, plain} {
		p, err := e.Compile("denoiser", in, func(a []*graph.Node) []*graph.Node {
			y := m.Denoise(a[2:], a[0], a[1])
			return []*graph.Node{y, graph.Gradient(graph.ReduceAllSum(graph.Mul(y, y)), a[0])[0]}
		})
		if err != nil {
			t.Fatal(err)
		}
		out, err := p.Run(append([]*tensors.Tensor{x, sigma}, m.Weights()...)...)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range out {
			got[i] = append(got[i], values(t, o))
		}
		p.Close()
	}
	for i := range got[0] {
		worst, scale := 0.0, 0.0
		for k, y := range got[0][i] {
			worst = max(worst, math.Abs(float64(y-got[1][i][k])))
			scale = max(scale, math.Abs(float64(got[1][i][k])))
		}
		if !(worst <= 1e-5*scale) {
			t.Errorf("output %d differs by %g of %g", i, worst, scale)
		}
	}
}

// TestBuffers checks that the engine lets go of every buffer on the device once: what a run donates, its
// results, and what is made of the host's memory.
func TestBuffers(t *testing.T) {
	e := openPlugin(t)
	defer e.Close()
	shape := shapes.Make(dtypes.Float32, 3)
	p, err := e.Compile("sum", []shapes.Shape{shape, shape, shapes.Make(dtypes.Float32)}, func(a []*graph.Node) []*graph.Node {
		return []*graph.Node{graph.Add(graph.Add(a[0], a[1]), a[2]), graph.Neg(a[0])}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	before := pjrttest.Alive()
	a, err := e.Make(func(v []float32) error { copy(v, []float32{1, 2, 3}); return nil }, 3)
	if err != nil {
		t.Fatal(err)
	}
	b, err := e.Borrow([]float32{10, 20, 30}, 3)
	if err != nil {
		t.Fatal(err)
	}
	out, err := p.RunDonating([]*tensors.Tensor{a, b, tensors.FromScalar(float32(100))}, []bool{true, false, true})
	if err != nil {
		t.Fatal(err)
	}
	if a.Ok() || !b.Ok() {
		t.Errorf("donated: %v, kept: %v", !a.Ok(), b.Ok())
	}
	for i, want := range [][]float32{{111, 122, 133}, {-1, -2, -3}} {
		err := e.View(out[i], func(v []float32) error {
			for k := range want {
				if v[k] != want[k] {
					t.Errorf("output %d is %v, want %v", i, v, want)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if n := pjrttest.Alive() - before; n != 3 { // b and the results
		t.Errorf("%d buffers on the device, want 3", n)
	}
	for _, x := range append(out, b) {
		if err := x.FinalizeAll(); err != nil {
			t.Fatal(err)
		}
	}
	if n := pjrttest.Alive() - before; n != 0 {
		t.Errorf("%d buffers are left", n)
	}
}

// TestErrors checks what the engine makes of a plugin's errors while a program runs, and that the process
// goes on.
func TestErrors(t *testing.T) {
	e := openPlugin(t)
	defer e.Close()
	p, err := e.Compile("neg", []shapes.Shape{shapes.Make(dtypes.Float32, 2)}, func(a []*graph.Node) []*graph.Node { return []*graph.Node{graph.Neg(a[0])} })
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for text, want := range map[string]error{
		"RESOURCE_EXHAUSTED: Out of memory while trying to allocate 17179869184 bytes.": xla.ErrMemory,
		"INTERNAL: CUDA_ERROR_LAUNCH_FAILED: unspecified launch failure":                xla.ErrLost,
	} {
		pjrttest.Fail = errors.New(text)
		_, err := p.Run(random(0, 2))
		pjrttest.Fail = nil
		if !errors.Is(err, want) || !strings.Contains(err.Error(), "neg: ") {
			t.Errorf("%q is said as %v", text, err)
		}
	}
	if _, err := p.Run(random(0, 2)); err != nil {
		t.Errorf("afterwards: %v", err)
	}
	_, err = e.Compile("unknown", []shapes.Shape{shapes.Make(dtypes.Float32, 2)}, func(a []*graph.Node) []*graph.Node { return []*graph.Node{graph.Erf(a[0])} })
	if err == nil || !strings.Contains(err.Error(), "PJRT status 13") {
		t.Errorf("a program that the plugin cannot compile: %v", err)
	}
}
