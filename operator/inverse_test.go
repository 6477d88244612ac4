package operator

import (
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/gomlx/gomlx/pkg/core/dtypes"
	"github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/shapes"
	"github.com/gomlx/gomlx/pkg/core/tensors"
)

// inverted is what an operator's inverse makes of a measurement y and an image z.
type inverted struct {
	adjoint, solve, pinv, prox []float32
	// With factors only:
	again     []float32 // A^+ A A^+ y
	projected []float32 // A A^+ A z - A z
	left      []float32 // U U^T y
}

const testRho = 0.02

func invert(t *testing.T, op Operator, n int, y, z []float32) inverted {
	t.Helper()
	e, err := sharedEngine()
	if err != nil {
		t.Fatal(err)
	}
	inv, err := NewInverse(op)
	if err != nil {
		t.Fatal(err)
	}
	h, w := op.ImageSize()
	mh, mw, mc := op.MeasurementSize()
	in := []shapes.Shape{shapes.Make(dtypes.Float32, n, mh, mw, mc), shapes.Make(dtypes.Float32, n, h, w, imageChannels)}
	arrays := slices.Concat(op.Data(), inv.Data())
	for _, a := range arrays {
		in = append(in, a.Shape())
	}
	p, err := e.Compile(op.Name()+" inverse", in, func(in []*graph.Node) []*graph.Node {
		y, z, data, own := in[0], in[1], in[2:2+len(op.Data())], in[2+len(op.Data()):]
		b := inv.Bind(data, own)
		rho := graph.Scalar(y.Graph(), y.DType(), testRho)
		pinv := b.PseudoInverse(y)
		az := op.Apply(data, z)
		out := []*graph.Node{b.Adjoint(y), b.Solve(y, rho), pinv, b.Prox(y, z, rho)}
		if inv.Factored() {
			out = append(out,
				b.PseudoInverse(op.Apply(data, pinv)),
				graph.Sub(op.Apply(data, b.PseudoInverse(az)), az),
				inv.factors.LeftBack(own, b.Spectrum().Left(y)))
		}
		return out
	})
	if err != nil {
		t.Fatalf("%s: %v", op.Name(), err)
	}
	defer p.Close()
	out, err := p.Run(append([]*tensors.Tensor{
		tensors.FromFlatDataAndDimensions(y, n, mh, mw, mc), tensors.FromFlatDataAndDimensions(z, n, h, w, imageChannels),
	}, arrays...)...)
	if err != nil {
		t.Fatal(err)
	}
	v := inverted{adjoint: flat(t, out[0]), solve: flat(t, out[1]), pinv: flat(t, out[2]), prox: flat(t, out[3])}
	if inv.Factored() {
		v.again, v.projected, v.left = flat(t, out[4]), flat(t, out[5]), flat(t, out[6])
	}
	return v
}

// Solutions satisfy their equations, the proximal point its optimality condition, and the
// pseudo-inverse the equations of Moore and Penrose, whatever form they have.
func TestInverse(t *testing.T) {
	for _, op := range linearOperators(t) {
		inv := must(NewInverse(op))(t)
		if blur, ok := op.(*Blur); ok && !inv.Factored() && len(blur.Kernel().Weights) > 30 && blur.Kernel().Height != 9 {
			continue // conjugate gradients take long to compile: a few blurs will do
		}
		const n = 2
		h, w := op.ImageSize()
		mh, mw, mc := op.MeasurementSize()
		nx, ny := h*w*imageChannels, mh*mw*mc
		y, z := random(n*ny, 4), random(n*nx, 5)
		got := invert(t, op, n, y, z)
		a := compile(t, op, n)
		_, _, lambda := DefaultStepSize(op)
		solveBound, proxBound := 2e-5, 5e-5
		if !inv.Factored() {
			solveBound, proxBound = 2e-3, 2e-2 // a fixed number of conjugate-gradient steps
		}

		_, adjoint := a.run(z, y)
		if e := relative(got.adjoint, adjoint); e > 1e-6 {
			t.Errorf("%s: the adjoint differs from the VJP by %g", op.Name(), e)
		}
		// A A^T u + rho u = y
		_, atu := a.run(z, got.solve)
		aatu, _ := a.run(atu, y)
		back := make([]float32, len(y))
		for i := range back {
			back[i] = aatu[i] + testRho*got.solve[i]
		}
		if e := relative(back, y); e > solveBound {
			t.Errorf("%s: (A A^T + rho) u differs from y by %g", op.Name(), e)
		}
		// A^T (A x - y) + rho (x - z) = 0
		ax, _ := a.run(got.prox, y)
		for i := range ax {
			ax[i] -= y[i]
		}
		_, gradient := a.run(z, ax)
		var off, scale float64
		for i, g := range gradient {
			off += math.Pow(float64(g)+testRho*float64(got.prox[i]-z[i]), 2)
			scale += float64(g) * float64(g)
		}
		if e := math.Sqrt(off / scale); e > proxBound {
			t.Errorf("%s: the proximal point misses its optimality condition by %g", op.Name(), e)
		}

		if !inv.Factored() {
			continue
		}
		if e := relative(got.again, got.pinv); e > 1e-4 {
			t.Errorf("%s: A+ A A+ differs from A+ by %g", op.Name(), e)
		}
		if e := relative(got.left, y); e > 1e-5 {
			t.Errorf("%s: U U^T differs from the identity by %g", op.Name(), e)
		}
		// What A A^+ A leaves of A belongs to the dropped singular values.
		az, _ := a.run(z, y)
		bound := 2e-5 * math.Sqrt(inner(az, az))
		if _, blur := op.(*Blur); blur {
			bound += Cutoff * math.Sqrt(lambda*inner(z, z))
		}
		if e := math.Sqrt(inner(got.projected, got.projected)); e > bound {
			t.Errorf("%s: A A+ A z differs from A z by %g, want at most %g", op.Name(), e, bound)
		}
	}
}

// Conjugate gradients give what the closed forms give, and each image gets what it gets alone.
func TestConjugateGradients(t *testing.T) {
	for _, op := range []Operator{
		build(t, Task{Name: "sr", Scale: 4}, 18, 21), build(t, Task{Name: "inpaint", Mask: "random:0.8"}, 9, 8),
		build(t, Task{Name: "deblur", Kernel: "gaussian:1.3"}, 13, 16), build(t, Task{Name: "colorize"}, 7, 9),
	} {
		h, w := op.ImageSize()
		mh, mw, mc := op.MeasurementSize()
		nx, ny := h*w*imageChannels, mh*mw*mc
		y, z := random(2*ny, 4), random(2*nx, 5)
		closed, cg := invert(t, op, 2, y, z), invert(t, undecomposed{op}, 2, y, z)
		if e := relative(cg.prox, closed.prox); e > 2e-3 {
			t.Errorf("%s: the proximal points of the two forms differ by %g", op.Name(), e)
		}
		if e := relative(cg.solve, closed.solve); e > 2e-3 {
			t.Errorf("%s: the solutions of the two forms differ by %g", op.Name(), e)
		}
		for i := range 2 {
			one := invert(t, undecomposed{op}, 1, slices.Clone(y[i*ny:][:ny]), slices.Clone(z[i*nx:][:nx]))
			if !slices.Equal(one.prox, cg.prox[i*nx:][:nx]) || !slices.Equal(one.pinv, cg.pinv[i*nx:][:nx]) {
				t.Errorf("%s: image %d depends on its batch", op.Name(), i)
			}
		}
	}
}

// undecomposed hides an operator's factors.
type undecomposed struct{ Operator }

func TestNoInverse(t *testing.T) {
	for _, name := range []string{"phase", "hdr"} {
		if _, err := NewInverse(build(t, Task{Name: name}, 8, 8)); !errors.Is(err, ErrNonlinear) {
			t.Errorf("%s: %v, want ErrNonlinear", name, err)
		}
	}
}
