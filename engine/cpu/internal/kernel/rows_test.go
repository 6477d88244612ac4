package kernel

import (
	"math"
	"testing"
)

func TestRows(t *testing.T) {
	eachISA(t, func(t *testing.T, is isa) {
		for _, c := range []int{1, 3, 6, 8, 15, 16, 17, 31, 32, 33, 48, 63, 64, 65, 96, 100, 128, 160, 203} {
			for _, pixels := range []int{1, 2, 7, 33} {
				r := newRand(uint64(c*100 + pixels))
				n := pixels * c
				a := guardedCopy(random(r, n))
				s, tt := guardedCopy(random(r, c)), guardedCopy(random(r, c))
				a[0], s[c-1] = float32(math.Inf(1)), float32(math.Copysign(0, -1))
				sum, product, both := newGuarded(n), newGuarded(n), newGuarded(n)
				addRow(is, sum.data, a, s)
				mulRow(is, product.data, a, s)
				mulAddRows(is, both.data, a, s, tt)
				inPlace := guardedCopy(a)
				mulAddRows(is, inPlace, inPlace, s, tt)
				for _, g := range []*guarded{sum, product, both} {
					g.check(t)
				}
				for i := range n {
					j := i % c
					if want := a[i] + s[j]; sum.data[i] != want {
						t.Fatalf("C=%d: %v + %v = %v", c, a[i], s[j], sum.data[i])
					}
					if want := a[i] * s[j]; math.Float32bits(product.data[i]) != math.Float32bits(want) && want == want {
						t.Fatalf("C=%d: %v * %v = %v", c, a[i], s[j], product.data[i])
					}
					want := float64(a[i])*float64(s[j]) + float64(tt[j])
					if got := both.data[i]; !(math.Abs(float64(got)-want) <= 2e-7) && got == got && !math.IsInf(want, 0) {
						t.Fatalf("C=%d: %v * %v + %v = %v", c, a[i], s[j], tt[j], got)
					}
				}
				if !sameBits(inPlace[1:], both.data[1:]) {
					t.Fatalf("C=%d: in place differs", c)
				}
			}
		}
	})
}

func TestColumns(t *testing.T) {
	eachISA(t, func(t *testing.T, is isa) {
		for _, c := range []int{1, 3, 8, 15, 16, 17, 32, 33, 48, 63, 64, 65, 96, 128, 200} {
			for _, pixels := range []int{0, 1, 2, 63, 64, 65, 1000} {
				r := newRand(uint64(c*10000 + pixels))
				x, y := guardedCopy(random(r, pixels*c)), guardedCopy(random(r, pixels*c))
				sums, dots := make([]float64, c), make([]float64, c)
				for j := range c {
					sums[j], dots[j] = 1, 2
				}
				colSum(is, sums, x)
				colDot(is, dots, x, y)
				for j := range c {
					want, wantDot := 1.0, 2.0
					for p := range pixels {
						want += float64(x[p*c+j])
						wantDot += float64(x[p*c+j]) * float64(y[p*c+j])
					}
					tol := 1e-6 * (1 + math.Sqrt(float64(pixels)))
					if !(math.Abs(sums[j]-want) <= tol) || !(math.Abs(dots[j]-wantDot) <= tol) {
						t.Fatalf("C=%d, %d pixels, column %d: %v and %v, want %v and %v", c, pixels, j, sums[j], dots[j], want, wantDot)
					}
				}
			}
		}
	})
}

func TestAccumulate(t *testing.T) {
	eachISA(t, func(t *testing.T, is isa) {
		for _, n := range vectorLengths {
			part := guardedCopy(specialAndRandom(41, n, 3))
			acc := make([]float64, n+2)
			for i := range acc {
				acc[i] = float64(i) / 3
			}
			accumulate(is, acc[1:], part)
			for i, got := range acc {
				want := float64(i) / 3
				if i > 0 && i <= n {
					want += float64(part[i-1])
				}
				if got != want && (got == got || want == want) {
					t.Fatalf("element %d of %d: %v, want %v", i-1, n, got, want)
				}
			}
		}
	})
}

func TestRowsPanics(t *testing.T) {
	x := make([]float32, 12)
	for name, f := range map[string]func(){
		"not a whole number": func() { AddRow(x, x, x[:5]) },
		"empty row":          func() { MulRow(x, x, nil) },
		"short argument":     func() { MulAddRows(x, x[:8], x[:4], x[:4]) },
		"short shift":        func() { MulAddRows(x, x, x[:4], x[:3:3]) },
		"columns":            func() { ColSum(make([]float64, 5), x) },
		"second":             func() { ColDot(make([]float64, 4), x, x[:8]) },
		"vectors":            func() { Add(x, x, x[:11:11]) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f()
		}()
	}
}
