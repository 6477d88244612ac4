package kernel

import (
	"math"
	"math/cmplx"
	"testing"
)

// TestFFTPass composes passes and compares with the sum that defines the transform, with other
// numbers in every lane.
func TestFFTPass(t *testing.T) {
	for _, factors := range [][]int{{1}, {2}, {3}, {4}, {5}, {7}, {2, 2}, {3, 5}, {5, 3}, {4, 2, 3}, {3, 4, 4}, {5, 5, 4}, {2, 7, 3}, {11, 2}, {4, 4, 4, 2, 3}} {
		n := 1
		for _, f := range factors {
			n *= f
		}
		r := newRand(41)
		input := make([]FFTBlock, n)
		for i := range input {
			for l := range input[i] {
				input[i][l] = 2*r.Float64() - 1
			}
		}
		eachISA(t, func(t *testing.T, is isa) {
			x, y := append([]FFTBlock(nil), input...), make([]FFTBlock, n)
			stride := 1
			for _, f := range factors {
				if f > 1 {
					p := NewFFTPass(n, f, stride)
					p.run(is, y, x)
					x, y = y, x
				}
				stride *= f
			}
			for k := range x {
				for l := range FFTLanes {
					var want complex128
					for j, a := range input {
						want += complex(a[l], a[l+FFTLanes]) * cmplx.Rect(1, -2*math.Pi*float64(j*k%n)/float64(n))
					}
					if d := cmplx.Abs(complex(x[k][l], x[k][l+FFTLanes]) - want); d > 1e-14*float64(n+10) {
						t.Fatalf("factors %v: element %d of lane %d is off by %g", factors, k, l, d)
					}
				}
			}
		})
	}
}

func TestFFTMove(t *testing.T) {
	const n, stride = 5, 21
	x := guardedCopy(random(newRand(42), (n-1)*stride+2*FFTLanes))
	eachISA(t, func(t *testing.T, is isa) {
		for _, exchange := range []bool{false, true} {
			z := make([]FFTBlock, n)
			fftLoad(is, z, x, stride, exchange)
			re, im := fftParts(exchange)
			for k := range z {
				for l := range FFTLanes {
					if v := x[k*stride+2*l:]; z[k][re+l] != float64(v[0]) || z[k][im+l] != float64(v[1]) {
						t.Fatalf("block %d, lane %d: (%g,%g), want %v", k, l, z[k][re+l], z[k][im+l], v[:2])
					}
				}
			}
			dst := newGuarded(len(x))
			fftStore(is, dst.data, stride, z, 0.5, exchange)
			dst.check(t)
			for i, v := range dst.data {
				if i%stride < 2*FFTLanes && v != 0.5*x[i] || i%stride >= 2*FFTLanes && v == v {
					t.Fatalf("element %d is %g, that stored %g", i, v, x[i])
				}
			}
		}
	})
}

func BenchmarkFFTPass(b *testing.B) {
	for _, radix := range []int{2, 3, 4, 5} {
		n := 384 / radix * radix
		p := NewFFTPass(n, radix, 1)
		x, y := make([]FFTBlock, n), make([]FFTBlock, n)
		b.Run(string(rune('0'+radix)), func(b *testing.B) {
			for b.Loop() {
				p.Run(y, x)
			}
		})
	}
}
