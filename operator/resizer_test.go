package operator

import (
	"fmt"
	"math"
	"testing"
)

// Super-resolution and its adjoint are the products with the dense matrices of its two filters, also on
// images of which the filter reads several mirror images.
func TestResizerAgainstMatrix(t *testing.T) {
	for _, c := range []struct{ h, w, factor int }{{1, 1, 2}, {1, 1, 16}, {3, 2, 16}, {2, 40, 4}, {9, 7, 3}, {37, 64, 4}, {64, 33, 5}} {
		t.Run(fmt.Sprintf("%dx%d/%d", c.h, c.w, c.factor), func(t *testing.T) {
			op := must(NewSuperResolution(c.h, c.w, c.factor))(t)
			h, w, _ := op.MeasurementSize()
			x, v := random(c.h*c.w*imageChannels, 1), random(h*w*imageChannels, 2)
			y, vjp := compile(t, op, 1).run(x, v)
			left, right := resizeFilter(c.h, c.factor).matrix(), resizeFilter(c.w, c.factor).matrix()
			wantY, wantVJP := make([]float64, len(y)), make([]float64, len(x))
			for i := range h {
				for j := range w {
					for a, l := range left.row(i) {
						for b, r := range right.row(j) {
							for k := range imageChannels {
								at, from := (i*w+j)*imageChannels+k, (a*c.w+b)*imageChannels+k
								wantY[at] += l * r * float64(x[from])
								wantVJP[from] += l * r * float64(v[at])
							}
						}
					}
				}
			}
			ey, ev := relative(y, narrow(wantY)), relative(vjp, narrow(wantVJP))
			if !(ey < 1e-6 && ev < 1e-6) {
				t.Errorf("relative errors: y %g, VJP %g", ey, ev)
			}
		})
	}
}

func narrow(v []float64) []float32 {
	out := make([]float32, len(v))
	for i, x := range v {
		out[i] = float32(x)
	}
	return out
}

// The norm of a filter is the largest singular value of its matrix.
func TestFilterNorm(t *testing.T) {
	line := []float64{0, 0.1, 0.5, 0.3, 0.1, 0, 0}
	for name, f := range map[string]filter{
		"resize 1":  resizeFilter(1, 8),
		"resize 5":  resizeFilter(5, 16),
		"resize 50": resizeFilter(50, 3),
		"reflect":   reflectedFilter(line, 3, 5),
		"reflect 9": reflectedFilter(line, 3, 9),
	} {
		_, s, _ := f.matrix().factorize()
		if got, want := f.normSquared(), s[0]*s[0]; math.Abs(got-want) > 1e-6*want {
			t.Errorf("%s: %.9g, want %.9g", name, got, want)
		}
	}
}
