package operator

import (
	"math"
	"math/cmplx"
	"testing"
)

// plainPhase is phase retrieval by its definition, with explicit sums over both axes.
func plainPhase(x []float32, h, w int) []float64 {
	ph, pw := h+2*(h/4), w+2*(w/4)
	line := func(in []complex128) []complex128 { // centred, orthonormal
		n := len(in)
		out := make([]complex128, n)
		for k := range out {
			for j, v := range in {
				out[k] += v * cmplx.Rect(1/math.Sqrt(float64(n)), -2*math.Pi*float64((k-n/2)*(j-n/2))/float64(n))
			}
		}
		return out
	}
	y := make([]float64, ph*pw*imageChannels)
	for c := range imageChannels {
		rows := make([][]complex128, ph)
		for i := range rows {
			rows[i] = make([]complex128, pw)
			if a := i - h/4; a >= 0 && a < h {
				for b := range w {
					rows[i][b+w/4] = complex(float64(x[(a*w+b)*imageChannels+c])/2+0.5, 0)
				}
			}
			rows[i] = line(rows[i])
		}
		for j := range pw {
			column := make([]complex128, ph)
			for i := range column {
				column[i] = rows[i][j]
			}
			for i, z := range line(column) {
				y[(i*pw+j)*imageChannels+c] = cmplx.Abs(z)
			}
		}
	}
	return y
}

func TestPhaseDefinition(t *testing.T) {
	for _, s := range [][2]int{{8, 8}, {9, 14}, {6, 5}, {1, 7}, {3, 2}, {13, 16}} {
		h, w := s[0], s[1]
		op := must(NewPhaseRetrieval(h, w))(t)
		mh, mw, mc := op.MeasurementSize()
		const n = 2
		x := random(n*h*w*imageChannels, 4)
		y, _ := compile(t, op, n).run(x, make([]float32, n*mh*mw*mc))
		for b := range n {
			want := plainPhase(x[b*h*w*imageChannels:], h, w)
			if e := relative(y[b*len(want):][:len(want)], want); !(e < 1e-6) {
				t.Errorf("%dx%d, image %d: relative error %g", h, w, b, e)
			}
		}
	}
}

// The VJP of phase retrieval against central differences of the float64 definition.
func TestPhaseGradient(t *testing.T) {
	for _, s := range [][2]int{{8, 8}, {9, 6}} {
		h, w := s[0], s[1]
		op := must(NewPhaseRetrieval(h, w))(t)
		mh, mw, mc := op.MeasurementSize()
		x, v := random(h*w*imageChannels, 5), random(mh*mw*mc, 6)
		_, vjp := compile(t, op, 1).run(x, v)
		const step = 1.0 / 1024 // exact in float32 beside numbers in [-1,1)
		want := make([]float64, len(x))
		for i := range x {
			for _, sign := range []float32{1, -1} {
				moved := append([]float32(nil), x...)
				moved[i] += sign * step
				for j, y := range plainPhase(moved, h, w) {
					want[i] += float64(sign) * y * float64(v[j])
				}
			}
			want[i] /= 2 * step
		}
		if e := relative(vjp, want); !(e < 1e-4) {
			t.Errorf("%dx%d: relative error %g", h, w, e)
		}
	}
}

// Black everywhere is the zero transform: measurement and gradient are zero, not NaN.
func TestPhaseAtZero(t *testing.T) {
	op := must(NewPhaseRetrieval(8, 12))(t)
	x := make([]float32, 8*12*imageChannels)
	for i := range x {
		x[i] = -1
	}
	mh, mw, mc := op.MeasurementSize()
	y, vjp := compile(t, op, 1).run(x, random(mh*mw*mc, 7))
	for i, v := range y {
		if v != 0 {
			t.Fatalf("magnitude %d is %g", i, v)
		}
	}
	for i, v := range vjp {
		if v != 0 {
			t.Fatalf("gradient %d is %g", i, v)
		}
	}
	// A NaN must not pass for a zero.
	x[5] = float32(math.NaN())
	if y, _ := compile(t, op, 1).run(x, make([]float32, mh*mw*mc)); y[2] == y[2] && y[1] == y[1] {
		t.Error("a NaN in the image does not reach the measurement")
	}
}

func TestHDR(t *testing.T) {
	op := must(NewHighDynamicRange(2, 3))(t)
	x := []float32{-2, -0.75, -0.5, -0.4999, -0.25, 0, 0.125, 0.4999, 0.5, 0.5001, 0.75, 9, -0.5001, 0.3, -0.3, 0.1, -0.1, 0.2}
	v := random(len(x), 8)
	y, vjp := compile(t, op, 1).run(x, v)
	for i, z := range x {
		wantY, wantV := min(max(2*z, -1), 1), 2*v[i]
		if z < -0.5 || z > 0.5 { // at equality the gradient passes
			wantV = 0
		}
		if y[i] != wantY || vjp[i] != wantV {
			t.Errorf("x = %g: y = %g, VJP %g, want %g and %g", z, y[i], vjp[i], wantY, wantV)
		}
	}
}

func TestColorize(t *testing.T) {
	op := must(NewColorize(1, 2))(t)
	y, vjp := compile(t, op, 1).run([]float32{1, -1, 0.5, 0.25, 0.25, 0.25}, []float32{2, -1})
	if want := []float64{0.299 - 0.587 + 0.057, 0.25}; relative(y, want) > 1e-6 {
		t.Errorf("y = %v, want %v", y, want)
	}
	if want := []float64{0.598, 1.174, 0.228, -0.299, -0.587, -0.114}; relative(vjp, want) > 1e-6 {
		t.Errorf("VJP = %v, want %v", vjp, want)
	}
}

func TestNonlinear(t *testing.T) {
	for _, name := range []string{"phase", "hdr"} {
		if build(t, Task{Name: name}, 8, 8).Linear() {
			t.Errorf("%s is said to be linear", name)
		}
	}
}

// Which symmetries operators have: phase retrieval the turn by 180 degrees, but no mirror image and no shift.
func TestHalfTurn(t *testing.T) {
	const h, w = 12, 10
	at := func(i, j, c int) int { return (i*w+j)*imageChannels + c }
	moved := func(x []float32, to func(i, j int) (int, int)) []float32 {
		m := make([]float32, len(x))
		for i := range h {
			for j := range w {
				a, b := to(i, j)
				copy(m[at(a, b, 0):][:imageChannels], x[at(i, j, 0):])
			}
		}
		return m
	}
	x := random(h*w*imageChannels, 12)
	ops := []Operator{must(NewPhaseRetrieval(h, w))(t), must(NewHighDynamicRange(h, w))(t), must(NewDenoise(h, w))(t)}
	for _, op := range ops {
		mh, mw, mc := op.MeasurementSize()
		a, v := compile(t, op, 1), make([]float32, mh*mw*mc)
		y, _ := a.run(x, v)
		turned, _ := a.run(moved(x, func(i, j int) (int, int) { return h - 1 - i, w - 1 - j }), v)
		if e := relative(turned, y); (e < 1e-6) != HalfTurn(op) {
			t.Errorf("%s: turned by 180 degrees the measurement is off by %g, HalfTurn is %v", op.Name(), e, HalfTurn(op))
		}
		mirrored, _ := a.run(moved(x, func(i, j int) (int, int) { return i, w - 1 - j }), v)
		shifted, _ := a.run(moved(x, func(i, j int) (int, int) { return (i + 1) % h, j }), v)
		if e := min(relative(mirrored, y), relative(shifted, y)); e < 1e-3 {
			t.Errorf("%s: a mirror image or a shift moves the measurement by %g only", op.Name(), e)
		}
	}
}
