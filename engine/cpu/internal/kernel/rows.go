package kernel

import (
	"fmt"
	"math"
)

// The functions of this file take arrays of rows of channels, [pixels, channels], and combine
// every row with the same vector or add the rows up. dst may be the same as the argument a.

// AddRow adds v to every row of a: dst[p*C+c] = a[p*C+c] + v[c], with C = len(v).
func AddRow(dst, a, v []float32) { addRow(active, dst, a, v) }

// MulRow multiplies every row of a by v: dst[p*C+c] = a[p*C+c] * v[c], with C = len(v).
func MulRow(dst, a, v []float32) { mulRow(active, dst, a, v) }

// MulAddRows computes dst[p*C+c] = a[p*C+c]*s[c] + t[c], with C = len(s), fused where there is
// assembly. t must be as long as s.
func MulAddRows(dst, a, s, t []float32) { mulAddRows(active, dst, a, s, t) }

// ColSum adds up the rows of x: acc[c] += sum over p of x[p*C+c], with C = len(acc). Short
// stretches are summed in float32, these sums in float64.
func ColSum(acc []float64, x []float32) { colSum(active, acc, x) }

// ColDot adds up the rows of x*y: acc[c] += sum over p of x[p*C+c]*y[p*C+c], with C = len(acc).
// Short stretches are summed in float32, these sums in float64. y must be as long as x.
func ColDot(acc []float64, x, y []float32) { colDot(active, acc, x, y) }

func addRow(s isa, dst, a, v []float32) {
	if !startRows(dst, a, v) {
		return
	}
	if s == isaPortable {
		for c := len(v); len(dst) > 0; dst, a = dst[c:], a[c:] {
			binaryPortable(opAdd, dst[:c], a, v)
		}
		return
	}
	one := splat(1) // a*1 + v is exact
	mulAddRowsAssembly(s, &dst[0], &a[0], &one[0], &v[0], len(dst)/len(v), len(v), 0, 1)
}

func mulRow(s isa, dst, a, v []float32) {
	if !startRows(dst, a, v) {
		return
	}
	if s == isaPortable {
		for c := len(v); len(dst) > 0; dst, a = dst[c:], a[c:] {
			binaryPortable(opMul, dst[:c], a, v)
		}
		return
	}
	zero := splat(float32(math.Copysign(0, -1))) // x + -0 is x, also for -0
	mulAddRowsAssembly(s, &dst[0], &a[0], &v[0], &zero[0], len(dst)/len(v), len(v), 1, 0)
}

func mulAddRows(is isa, dst, a, s, t []float32) {
	t = t[:len(s)]
	if !startRows(dst, a, s) {
		return
	}
	if is == isaPortable {
		for c := len(s); len(dst) > 0; dst, a = dst[c:], a[c:] {
			mulAddPortable(dst[:c], a, s, t)
		}
		return
	}
	mulAddRowsAssembly(is, &dst[0], &a[0], &s[0], &t[0], len(dst)/len(s), len(s), 1, 1)
}

// startRows checks the arguments and reports whether there is anything to do.
func startRows(dst, a, v []float32) bool {
	if len(dst) == 0 {
		return false
	}
	checkRows(len(dst), len(v))
	need("a", len(a), len(dst))
	return true
}

func checkRows(n, channels int) {
	if channels == 0 || n%channels != 0 {
		panic(fmt.Sprintf("kernel: %d elements are not a whole number of rows of %d", n, channels))
	}
}

const (
	// colRows is the number of rows that are added up in float32.
	colRows = 64
	// colWidth is the largest number of columns of one call of an assembly function.
	colWidth = 64
)

func colSum(s isa, acc []float64, x []float32) {
	if len(x) == 0 {
		return
	}
	c := len(acc)
	checkRows(len(x), c)
	var buf [colWidth]float32
	for p := 0; p < len(x); p += colRows * c {
		n := min(colRows, (len(x)-p)/c)
		for j := 0; j < c; j += colWidth {
			part := buf[:min(colWidth, c-j)]
			if s == isaPortable {
				colSumPortable(part, x[p+j:], n, c)
			} else {
				colSumAssembly(s, &part[0], &x[p+j], n, c, len(part))
			}
			accumulate(s, acc[j:], part)
		}
	}
}

func colDot(s isa, acc []float64, x, y []float32) {
	if len(x) == 0 {
		return
	}
	c := len(acc)
	checkRows(len(x), c)
	need("y", len(y), len(x))
	var buf [colWidth]float32
	for p := 0; p < len(x); p += colRows * c {
		n := min(colRows, (len(x)-p)/c)
		for j := 0; j < c; j += colWidth {
			part := buf[:min(colWidth, c-j)]
			if s == isaPortable {
				colDotPortable(part, x[p+j:], y[p+j:], n, c)
			} else {
				colDotAssembly(s, &part[0], &x[p+j], &y[p+j], n, c, len(part))
			}
			accumulate(s, acc[j:], part)
		}
	}
}

// accumulate adds part to acc.
func accumulate(s isa, acc []float64, part []float32) {
	acc = acc[:len(part)]
	switch {
	case len(part) == 0:
	case s == isaPortable:
		accumulatePortable(acc, part)
	default:
		accumulateAssembly(s, acc, part)
	}
}
