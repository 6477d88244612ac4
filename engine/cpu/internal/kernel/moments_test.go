package kernel

import (
	"math"
	"testing"
)

func TestColMoments(t *testing.T) {
	eachISA(t, func(t *testing.T, is isa) {
		for _, c := range []int{1, 3, 8, 15, 16, 17, 32, 33, 48, 63, 64, 65, 96, 128, 200} {
			for _, pixels := range []int{0, 1, 2, 63, 64, 65, 500} {
				r := newRand(uint64(c*10000 + pixels))
				x, pivot := guardedCopy(random(r, pixels*c)), guardedCopy(random(r, c))
				sum, square := make([]float64, c+1), make([]float64, c+1)
				for j := range sum {
					sum[j], square[j] = 1, 2
				}
				colMoments(is, sum[:c], square[:c], pivot, x)
				for j := range sum {
					want, wantSquare := 1.0, 2.0
					for p := range pixels {
						if j < c {
							d := float64(x[p*c+j]) - float64(pivot[j])
							want += d
							wantSquare += d * d
						}
					}
					tol := 1e-6 * (4 + wantSquare) // |d| is at most 2
					if !(math.Abs(sum[j]-want) <= tol) || !(math.Abs(square[j]-wantSquare) <= tol) {
						t.Fatalf("C=%d, %d pixels, column %d: %v and %v, want %v and %v", c, pixels, j, sum[j], square[j], want, wantSquare)
					}
				}
			}
		}
	})
}
