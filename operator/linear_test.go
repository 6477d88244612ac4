package operator

import (
	"fmt"
	"math"
	"slices"
	"testing"
)

func build(t testing.TB, task Task, h, w int) Operator {
	t.Helper()
	op, warnings, err := Build(task, h, w, 5, Files{})
	if err != nil {
		t.Fatal(err)
	}
	if len(warnings) > 0 {
		t.Errorf("%v: warnings %q", task, warnings)
	}
	return op
}

// randomKernel has no structure, so it is no product of two lines.
func randomKernel(t testing.TB, h, w int) *Kernel {
	weights := make([]float64, h*w)
	for i, v := range random(h*w, 77) {
		weights[i] = float64(v) + 1
	}
	return must(NewKernel(h, w, weights))(t)
}

// offCentre has weights in one quarter only, so that the image is read beyond two borders and not
// up to the other two.
func offCentre(t testing.TB, h, w int) *Kernel {
	k := randomKernel(t, h, w)
	for i := range k.Weights {
		if i/w <= h/2+1 || i%w >= w/2-1 {
			k.Weights[i] = 0
		}
	}
	return k
}

// linearOperators covers every linear operator, on images that are not square and whose sides are
// multiples of nothing.
func linearOperators(t testing.TB) []Operator {
	var ops []Operator
	for _, f := range []int{2, 3, 4, 8} {
		ops = append(ops, build(t, Task{Name: "sr", Scale: f}, 37, 46))
	}
	for _, mask := range []string{"random:0.8", "box:9"} {
		ops = append(ops, build(t, Task{Name: "inpaint", Mask: mask}, 21, 34))
	}
	for _, kernel := range []string{"gaussian:1.3", "gaussian:0.05", "motion:7:0", "motion:9:33", "motion:random:0.5"} {
		ops = append(ops, build(t, Task{Name: "deblur", Kernel: kernel}, 39, 46))
	}
	for _, sides := range [][2]int{{5, 5}, {4, 6}, {1, 9}, {13, 1}, {3, 41}, {20, 33}} {
		k := randomKernel(t, sides[0], sides[1])
		ops = append(ops, must[Operator](NewBlur("", 23, 42, k))(t))
	}
	return append(ops,
		must[Operator](NewSuperResolution(3, 5, 8))(t),
		must[Operator](NewBlur("", 11, 64, randomKernel(t, 3, 33)))(t),
		must[Operator](NewBlur("", 35, 24, randomKernel(t, 50, 31)))(t),
		must[Operator](NewBlur("", 40, 33, offCentre(t, 63, 40)))(t),
		must[Operator](NewBlur("", 19, 17, offCentre(t, 15, 12)))(t),
		build(t, Task{Name: "denoise"}, 7, 9),
		build(t, Task{Name: "colorize"}, 7, 9),
	)
}

// A is linear, its VJP is its adjoint, and no image of a batch knows of the others.
func TestLinear(t *testing.T) {
	for _, op := range linearOperators(t) {
		if !op.Linear() {
			t.Errorf("%s: not said to be linear", op.Name())
		}
		const n = 3
		h, w := op.ImageSize()
		mh, mw, mc := op.MeasurementSize()
		nx, ny := h*w*imageChannels, mh*mw*mc
		x, v := random(n*nx, 1), random(n*ny, 2)
		for i := range nx { // image 2 = 2 image 0 - image 1
			x[2*nx+i] = 2*x[i] - x[nx+i]
		}
		y, vjp := compile(t, op, n).run(x, v)
		one := compile(t, op, 1)
		for b := range n {
			xb, vb := x[b*nx:][:nx], v[b*ny:][:ny]
			yb, gb := y[b*ny:][:ny], vjp[b*nx:][:nx]
			ax, ag := inner(yb, vb), inner(xb, gb)
			if scale := math.Sqrt(inner(yb, yb) * inner(vb, vb)); math.Abs(ax-ag) > 1e-6*scale {
				t.Errorf("%s, image %d: <Ax,v> = %g, <x,A'v> = %g", op.Name(), b, ax, ag)
			}
			y1, g1 := one.run(slices.Clone(xb), slices.Clone(vb))
			if !slices.Equal(y1, yb) || !slices.Equal(g1, gb) {
				t.Errorf("%s, image %d: in a batch y differs by %g and the VJP by %g", op.Name(), b, relative(yb, y1), relative(gb, g1))
			}
		}
		want := make([]float64, ny)
		for i := range want {
			want[i] = 2*float64(y[i]) - float64(y[ny+i])
		}
		if e := relative(y[2*ny:], want); e > 2e-6 {
			t.Errorf("%s: A(2a-b) differs from 2A(a)-A(b) by %g", op.Name(), e)
		}
	}
}

// Blurs against the sum that defines them.
func TestBlurDefinition(t *testing.T) {
	for _, op := range linearOperators(t) {
		blur, ok := op.(*Blur)
		if !ok {
			continue
		}
		h, w := op.ImageSize()
		k := blur.Kernel()
		x := random(h*w*imageChannels, 3)
		y, _ := compile(t, op, 1).run(x, make([]float32, len(x)))
		want := make([]float64, len(x))
		for i := range want {
			row, col, c := i/imageChannels/w, i/imageChannels%w, i%imageChannels
			for a := range k.Height {
				for b := range k.Width {
					if weight := k.Weights[a*k.Width+b]; weight > 0 {
						from := reflect(row+a-k.Height/2, h)*w + reflect(col+b-k.Width/2, w)
						want[i] += weight * float64(x[from*imageChannels+c])
					}
				}
			}
		}
		if e := relative(y, want); !(e <= 1e-6) {
			t.Errorf("%s with %dx%d: relative error %g (applied as %T)", op.Name(), k.Height, k.Width, e, blur.form)
		}
	}
}

func TestKernelForms(t *testing.T) {
	for _, c := range []struct{ kernel, form string }{
		{"gaussian:3", "*operator.lines"},
		{"motion:15:0", "*operator.lines"},
		{"motion:15:90", "*operator.lines"},
		{"motion:15:30", "*operator.taps"},
		{"motion:random:0.5", "*operator.taps"},
	} {
		op := build(t, Task{Name: "deblur", Kernel: c.kernel}, 64, 64).(*Blur)
		if got := fmt.Sprintf("%T", op.form); got != c.form {
			t.Errorf("%s is applied as %s, want %s", c.kernel, got, c.form)
		}
	}
	// A Gaussian that went through float32 is still close enough to a product.
	op := must(NewBlur("", 64, 64, goldenKernel(t, readGolden(t)["kernel/gaussian"])))(t)
	if _, ok := op.form.(*lines); !ok {
		t.Errorf("the golden Gaussian is applied as %T, not as a product of lines", op.form)
	}
}

// The resizer keeps constants, and on a long line it is symmetric about the centre and shifts with
// the image; out sizes are rounded up.
func TestResizeMatrix(t *testing.T) {
	for _, f := range []int{2, 3, 4, 8} {
		for _, n := range []int{1, 2, 7, 8 * f, 8*f + 1} {
			m := resizeFilter(n, f).matrix()
			if want := int(math.Ceil(float64(n) / float64(f))); m.rows != want || m.cols != n {
				t.Errorf("factor %d of %d: %dx%d, want %d rows", f, n, m.rows, m.cols, want)
			}
			for i := range m.rows {
				sum := 0.0
				for _, w := range m.row(i) {
					sum += w
				}
				if math.Abs(sum-1) > 1e-14 {
					t.Errorf("factor %d of %d: row %d sums to %g", f, n, i, sum)
				}
			}
		}
		n := 16 * f
		m := resizeFilter(n, f).matrix()
		for i := range m.rows {
			for j := range n {
				if d := m.row(i)[j] - m.row(m.rows - 1 - i)[n-1-j]; math.Abs(d) > 1e-14 {
					t.Fatalf("factor %d: entry %d,%d differs from its mirror image by %g", f, i, j, d)
				}
			}
		}
		for j := range n - f {
			if d := m.row(8)[j+f] - m.row(7)[j]; math.Abs(d) > 1e-14 {
				t.Fatalf("factor %d: rows 7 and 8 are not the same filter", f)
			}
		}
	}
}

// The values of the published reference: column 0 of 64 uses inputs 5 4 3 2 1 0 0 1 ... 9 (folded), and
// an inner column has these 16 taps.
func TestResizeTaps(t *testing.T) {
	taps := []float64{-0.00171, -0.01099, -0.01831, -0.01196, 0.02271, 0.09741, 0.18188, 0.24097}
	row := resizeFilter(256, 4).matrix().row(10)
	for k, w := range taps {
		if math.Abs(row[34+k]-w) > 5e-6 || math.Abs(row[49-k]-w) > 5e-6 {
			t.Errorf("tap %d is %.5f and %.5f, want %.5f", k, row[34+k], row[49-k], w)
		}
	}
	for j, w := range row {
		if (j < 34 || j > 49) && w != 0 {
			t.Errorf("input %d has weight %g", j, w)
		}
	}
	// Column 0 is column 10 with its first inputs folded about the edge.
	first := resizeFilter(256, 4).matrix().row(0)
	for j := range 10 {
		want := row[40+j]
		if j <= 5 {
			want += row[39-j]
		}
		if math.Abs(first[j]-want) > 1e-14 {
			t.Errorf("input %d of column 0 has weight %g, want %g", j, first[j], want)
		}
	}
}
