package kernel

import (
	"fmt"
	"math"
	"testing"
)

// vectorLengths are around the widths of registers and unrolled loops.
var vectorLengths = []int{0, 1, 2, 3, 4, 5, 7, 8, 9, 12, 15, 16, 17, 20, 23, 31, 32, 33, 47, 48, 63, 64, 65, 100, 127, 130, 1000}

// special are the values where the kernels may differ from plain arithmetic.
var special = func() []float32 {
	inf := math.Inf(1)
	values := []float32{0, 1, 0.5, 2, 1e-45, 1.1754942e-38, 1.1754944e-38, math.MaxFloat32, float32(inf), float32(math.NaN()),
		87, 88, 88.72283, 88.72284, 88.8, 89, 103, 103.2, 103.9, 103.98, 104, 200, 1e-8, 1e30, 16, 17}
	for _, v := range values {
		values = append(values, -v)
	}
	return values
}()

// specialAndRandom returns n values, the first ones special.
func specialAndRandom(seed uint64, n, shift int) []float32 {
	x := random(newRand(seed), n)
	for i := range x {
		x[i] *= 20
	}
	for i := range min(n, len(special)) {
		x[i] = special[(i*shift)%len(special)]
	}
	return x
}

// ulps is the distance of got from the exact want in units in the last place of a float32.
func ulps(got float32, want float64) float64 {
	switch {
	case math.IsNaN(want):
		if got != got {
			return 0
		}
		return math.Inf(1)
	case math.Float32bits(float32(want)) == math.Float32bits(got):
		return 0
	case math.IsInf(float64(got), 0) || math.IsInf(want, 0) || got != got:
		return math.Inf(1)
	}
	_, e := math.Frexp(want)
	return math.Abs(float64(got)-want) / math.Ldexp(1, max(e-24, -149))
}

func maxNaN(a, b float64) float64 { return math.Max(a, b) }

func nanFirst(f func(a, b float64) float64) func(a, b float64) float64 {
	return func(a, b float64) float64 {
		if math.IsNaN(a) || math.IsNaN(b) { // math.Max(+Inf, NaN) is +Inf
			return math.NaN()
		}
		return f(a, b)
	}
}

var binaryTests = []struct {
	name string
	op   binaryOp
	f    func(a, b float64) float64
}{
	{"add", opAdd, func(a, b float64) float64 { return a + b }},
	{"sub", opSub, func(a, b float64) float64 { return a - b }},
	{"mul", opMul, func(a, b float64) float64 { return a * b }},
	{"div", opDiv, func(a, b float64) float64 { return a / b }},
	{"max", opMax, nanFirst(maxNaN)},
	{"min", opMin, nanFirst(math.Min)},
}

// exactly reports whether got is the correctly rounded result, up to the sign of zero.
func exactly(got float32, want float64) bool {
	return got == float32(want) || got != got && math.IsNaN(want)
}

func TestBinary(t *testing.T) {
	eachISA(t, func(t *testing.T, s isa) {
		for _, test := range binaryTests {
			for _, n := range vectorLengths {
				a, b := specialAndRandom(1, n, 1), specialAndRandom(2, n, 7)
				a, b = guardedCopy(a), guardedCopy(b)
				const v = -1.75
				got, right, left := newGuarded(n), newGuarded(n), newGuarded(n)
				binary(s, test.op, got.data, a, b)
				binaryScalar(s, test.op, right.data, a, v)
				scalarBinary(s, test.op, left.data, v, b)
				inPlace := guardedCopy(a)
				binary(s, test.op, inPlace, inPlace, b)
				got.check(t)
				right.check(t)
				left.check(t)
				for i := range n {
					for _, c := range []struct {
						mode string
						got  float32
						want float64
					}{
						{"vectors", got.data[i], test.f(float64(a[i]), float64(b[i]))},
						{"in place", inPlace[i], test.f(float64(a[i]), float64(b[i]))},
						{"scalar right", right.data[i], test.f(float64(a[i]), v)},
						{"scalar left", left.data[i], test.f(v, float64(b[i]))},
					} {
						if !exactly(c.got, c.want) {
							t.Fatalf("%s %s of %v and %v: %v, want %v", test.name, c.mode, a[i], b[i], c.got, c.want)
						}
					}
				}
			}
		}
	})
}

func TestMulAdd(t *testing.T) {
	eachISA(t, func(t *testing.T, s isa) {
		for _, n := range vectorLengths {
			a, b, c := specialAndRandom(1, n, 1), specialAndRandom(2, n, 7), specialAndRandom(3, n, 11)
			a, b, c = guardedCopy(a), guardedCopy(b), guardedCopy(c)
			got, scalar := newGuarded(n), newGuarded(n)
			mulAdd(s, got.data, a, b, c)
			mulAddScalar(s, scalar.data, a, 1.5, -0.25)
			inPlace := guardedCopy(c)
			mulAdd(s, inPlace, a, b, inPlace)
			got.check(t)
			scalar.check(t)
			if !sameBits(inPlace, got.data) {
				t.Fatal("in place differs")
			}
			check := func(got float32, a, b, c float64) {
				t.Helper()
				if s == isaPortable && exactly(got, float64(float32(a*b))+c) {
					return // two roundings
				}
				// One rounding. (The float64 one can tip a tie the other way.)
				if want := math.FMA(a, b, c); !(ulps(got, want) <= 0.50000001) {
					t.Fatalf("%v*%v+%v: %v, want %v", a, b, c, got, want)
				}
			}
			for i := range n {
				check(got.data[i], float64(a[i]), float64(b[i]), float64(c[i]))
				check(scalar.data[i], float64(a[i]), 1.5, -0.25)
			}
		}
	})
}

func logistic(x float64) float64 {
	if x < 0 {
		return math.Exp(x) / (1 + math.Exp(x))
	}
	return 1 / (1 + math.Exp(-x))
}

var unaryTests = []struct {
	name string
	op   unaryOp
	f    func(x float64) float64
	ulps float64
	// abs is an absolute error that is good enough in any case.
	abs float64
}{
	{"neg", opNeg, func(x float64) float64 { return -x }, 0, 0},
	{"abs", opAbs, math.Abs, 0, 0},
	{"sqrt", opSqrt, math.Sqrt, 0.5, 0},
	{"exp", opExp, math.Exp, 2, 0},
	{"logistic", opLogistic, logistic, 2, 0},
	{"silu", opSiLU, func(x float64) float64 { return x * logistic(x) }, 3, 110 * math.SmallestNonzeroFloat32}, // the logistic function is subnormal,
}

func TestUnary(t *testing.T) {
	eachISA(t, func(t *testing.T, s isa) {
		for _, test := range unaryTests {
			for _, n := range vectorLengths {
				a := guardedCopy(specialAndRandom(4, n, 1))
				got := newGuarded(n)
				unary(s, test.op, got.data, a)
				got.check(t)
				inPlace := guardedCopy(a)
				unary(s, test.op, inPlace, inPlace)
				for i, v := range got.data {
					want := test.f(float64(a[i]))
					if d := ulps(v, want); !(d <= test.ulps || math.Abs(float64(v)-want) <= test.abs) {
						t.Fatalf("%s(%v) = %v, want %v (%.2f ulp)", test.name, a[i], v, want, d)
					}
					if math.Float32bits(inPlace[i]) != math.Float32bits(v) && v == v {
						t.Fatalf("%s(%v) in place is %v, not %v", test.name, a[i], inPlace[i], v)
					}
				}
			}
		}
	})
}

// TestUnaryAcrossISA checks that instruction sets with fused multiply-add agree to the bit.
func TestUnaryAcrossISA(t *testing.T) {
	if !isaAVX512.supported() {
		t.Skip("this processor has only one of them")
	}
	x := specialAndRandom(9, 3001, 1)
	a, b := make([]float32, len(x)), make([]float32, len(x))
	for op := opNeg; op <= opSiLUGrad; op++ {
		unary(isaAVX2, op, a, x)
		unary(isaAVX512, op, b, x)
		for i := range a {
			if math.Float32bits(a[i]) != math.Float32bits(b[i]) && (a[i] == a[i] || b[i] == b[i]) {
				t.Fatalf("operation %d of %v: %v and %v", op, x[i], a[i], b[i])
			}
		}
	}
}

// TestExpEverywhere goes through all exponents with a sample of mantissas.
func TestExpEverywhere(t *testing.T) {
	const block = 1 << 12
	var x, y [block]float32
	eachISA(t, func(t *testing.T, s isa) {
		for _, test := range unaryTests[3:] {
			worst, at := 0.0, float32(0)
			const step = 1003
			for bits := uint64(0); bits < 1<<32; bits += block * step {
				for i := range x {
					x[i] = math.Float32frombits(uint32(bits) + uint32(i*step))
				}
				unary(s, test.op, y[:], x[:])
				for i, v := range y {
					want := test.f(float64(x[i]))
					if d := ulps(v, want); d > worst && !(math.Abs(float64(v)-want) <= test.abs) {
						worst, at = d, x[i]
					}
				}
			}
			t.Logf("%s: largest error %.3f ulp at %v", test.name, worst, at)
			if worst > test.ulps {
				t.Errorf("%s: error of %v ulp at %v", test.name, worst, at)
			}
		}
	})
}

func TestSiLUGrad(t *testing.T) {
	eachISA(t, func(t *testing.T, s isa) {
		for _, n := range vectorLengths {
			a := guardedCopy(specialAndRandom(4, n, 1))
			got := newGuarded(n)
			unary(s, opSiLUGrad, got.data, a)
			got.check(t)
			for i, v := range got.data {
				x := float64(a[i])
				l, r := logistic(x), logistic(-x)
				want := l + l*x*r
				// It crosses zero at -1.28, where only the absolute error is small.
				if d := math.Abs(float64(v) - want); d > 3e-7 && d > 1e-6*math.Abs(want) || (v != v) != math.IsNaN(want) {
					t.Fatalf("SiLUGrad(%v) = %v, want %v", a[i], v, want)
				}
			}
		}
	})
}

func TestReductions(t *testing.T) {
	eachISA(t, func(t *testing.T, s isa) {
		for _, n := range append(vectorLengths, 1000003) {
			r := newRand(uint64(n))
			a, b := guardedCopy(random(r, n)), guardedCopy(random(r, n))
			var want, wantDot, scale, scaleDot float64
			for i := range n {
				a[i] += 1
				want += float64(a[i])
				wantDot += float64(a[i]) * float64(b[i])
				scale += math.Abs(float64(a[i]))
				scaleDot += math.Abs(float64(a[i]) * float64(b[i]))
			}
			if got := sum(s, a); math.Abs(got-want) > 1e-12*scale {
				t.Errorf("sum of %d: %v, want %v", n, got, want)
			}
			if got := dot(s, a, b); math.Abs(got-wantDot) > 1e-12*scaleDot {
				t.Errorf("dot of %d: %v, want %v", n, got, wantDot)
			}
			if n > 0 {
				a[n-1] = float32(math.NaN())
				if got := sum(s, a); got == got {
					t.Errorf("sum of %d with NaN is %v", n, got)
				}
				a[n-1] = float32(math.Inf(-1))
				if got := dot(s, a, a); !math.IsInf(got, 1) {
					t.Errorf("dot of %d with infinity is %v", n, got)
				}
			}
		}
	})
}

// TestPublicVectors checks that the exported functions call what they should.
func TestPublicVectors(t *testing.T) {
	a, b, c := []float32{1, -2, 9}, []float32{4, 5, -3}, []float32{0.5, 0, 1}
	for name, test := range map[string]struct {
		f    func(dst []float32)
		want [3]float64
	}{
		"Add":           {func(d []float32) { Add(d, a, b) }, [3]float64{5, 3, 6}},
		"Sub":           {func(d []float32) { Sub(d, a, b) }, [3]float64{-3, -7, 12}},
		"Mul":           {func(d []float32) { Mul(d, a, b) }, [3]float64{4, -10, -27}},
		"Div":           {func(d []float32) { Div(d, a, b) }, [3]float64{0.25, -0.4, -3}},
		"Max":           {func(d []float32) { Max(d, a, b) }, [3]float64{4, 5, 9}},
		"Min":           {func(d []float32) { Min(d, a, b) }, [3]float64{1, -2, -3}},
		"AddScalar":     {func(d []float32) { AddScalar(d, a, 2) }, [3]float64{3, 0, 11}},
		"SubScalar":     {func(d []float32) { SubScalar(d, a, 2) }, [3]float64{-1, -4, 7}},
		"SubFromScalar": {func(d []float32) { SubFromScalar(d, a, 2) }, [3]float64{1, 4, -7}},
		"MulScalar":     {func(d []float32) { MulScalar(d, a, 2) }, [3]float64{2, -4, 18}},
		"DivScalar":     {func(d []float32) { DivScalar(d, a, 2) }, [3]float64{0.5, -1, 4.5}},
		"DivIntoScalar": {func(d []float32) { DivIntoScalar(d, a, 2) }, [3]float64{2, -1, 2. / 9}},
		"MaxScalar":     {func(d []float32) { MaxScalar(d, a, 2) }, [3]float64{2, 2, 9}},
		"MinScalar":     {func(d []float32) { MinScalar(d, a, 2) }, [3]float64{1, -2, 2}},
		"MulAdd":        {func(d []float32) { MulAdd(d, a, b, c) }, [3]float64{4.5, -10, -26}},
		"MulAddScalar":  {func(d []float32) { MulAddScalar(d, a, 2, 1) }, [3]float64{3, -3, 19}},
		"AddMul":        {func(d []float32) { copy(d, c); AddMul(d, a, b) }, [3]float64{4.5, -10, -26}},
		"Neg":           {func(d []float32) { Neg(d, a) }, [3]float64{-1, 2, -9}},
		"Abs":           {func(d []float32) { Abs(d, a) }, [3]float64{1, 2, 9}},
		"Sqrt":          {func(d []float32) { Abs(d, a); Sqrt(d, d) }, [3]float64{1, math.Sqrt2, 3}},
		"Exp":           {func(d []float32) { Exp(d, a) }, [3]float64{math.E, math.Exp(-2), math.Exp(9)}},
		"Logistic":      {func(d []float32) { Logistic(d, a) }, [3]float64{logistic(1), logistic(-2), logistic(9)}},
		"SiLU":          {func(d []float32) { SiLU(d, a) }, [3]float64{logistic(1), -2 * logistic(-2), 9 * logistic(9)}},
		"SiLUGrad": {func(d []float32) { SiLUGrad(d, a) }, [3]float64{logistic(1) * (1 + logistic(-1)),
			logistic(-2) * (1 - 2*logistic(2)), logistic(9) * (1 + 9*logistic(-9))}},
		"reductions": {func(d []float32) { d[0], d[1], d[2] = float32(Sum(a)), float32(Dot(a, b)), float32(SumSquares(b)) },
			[3]float64{8, -33, 50}},
		"rows": {func(d []float32) {
			AddRow(d, a, b)
			MulRow(d, d, c)
			MulAddRows(d, d, b, a)
		}, [3]float64{11, -2, -9}},
		"columns": {func(d []float32) {
			acc := make([]float64, 3)
			ColSum(acc, a)
			ColDot(acc, a, b)
			for i := range acc {
				d[i] = float32(acc[i])
			}
		}, [3]float64{5, -12, -18}},
	} {
		dst := make([]float32, 3)
		test.f(dst)
		for i, v := range dst {
			if math.Abs(float64(v)-test.want[i]) > 1e-6*math.Abs(test.want[i]) {
				t.Errorf("%s: %v, want %v", name, dst, test.want)
				break
			}
		}
	}
}

func BenchmarkVector(b *testing.B) {
	const n = 1 << 13 // 96 KB for three vectors: second-level cache
	r := newRand(1)
	x, y, dst := random(r, n), random(r, n), make([]float32, n)
	for name, f := range map[string]func(){
		"add":      func() { Add(dst, x, y) },
		"muladd":   func() { MulAdd(dst, x, y, x) },
		"exp":      func() { Exp(dst, x) },
		"silu":     func() { SiLU(dst, x) },
		"silugrad": func() { SiLUGrad(dst, x) },
		"sum":      func() { Sum(x) },
		"rows32":   func() { MulAddRows(dst, x, y[:32], y[32:64]) },
		"rows64":   func() { MulAddRows(dst, x, y[:64], y[64:128]) },
	} {
		b.Run(fmt.Sprintf("%s/%s", name, ISA()), func(b *testing.B) {
			for b.Loop() {
				f()
			}
			b.ReportMetric(b.Elapsed().Seconds()*1e9/float64(b.N)/n, "ns/element")
		})
	}
}
