package kernel

// Functions over vectors write dst[i] for every i < len(dst). The other vectors must be at least
// as long. dst may be the same as an argument, but must not overlap it otherwise.

// Add computes dst = a + b.
func Add(dst, a, b []float32) { binary(active, opAdd, dst, a, b) }

// Sub computes dst = a - b.
func Sub(dst, a, b []float32) { binary(active, opSub, dst, a, b) }

// Mul computes dst = a * b.
func Mul(dst, a, b []float32) { binary(active, opMul, dst, a, b) }

// Div computes dst = a / b.
func Div(dst, a, b []float32) { binary(active, opDiv, dst, a, b) }

// Max computes the larger of a and b, or NaN if either is. Which zero is the larger is undefined.
func Max(dst, a, b []float32) { binary(active, opMax, dst, a, b) }

// Min computes the smaller of a and b, or NaN if either is. Which zero is the smaller is
// undefined.
func Min(dst, a, b []float32) { binary(active, opMin, dst, a, b) }

// AddScalar computes dst = a + s.
func AddScalar(dst, a []float32, s float32) { binaryScalar(active, opAdd, dst, a, s) }

// SubScalar computes dst = a - s.
func SubScalar(dst, a []float32, s float32) { binaryScalar(active, opSub, dst, a, s) }

// SubFromScalar computes dst = s - a.
func SubFromScalar(dst, a []float32, s float32) { scalarBinary(active, opSub, dst, s, a) }

// MulScalar computes dst = a * s.
func MulScalar(dst, a []float32, s float32) { binaryScalar(active, opMul, dst, a, s) }

// DivScalar computes dst = a / s.
func DivScalar(dst, a []float32, s float32) { binaryScalar(active, opDiv, dst, a, s) }

// DivIntoScalar computes dst = s / a.
func DivIntoScalar(dst, a []float32, s float32) { scalarBinary(active, opDiv, dst, s, a) }

// MaxScalar computes the larger of a and s, or NaN if either is.
func MaxScalar(dst, a []float32, s float32) { binaryScalar(active, opMax, dst, a, s) }

// MinScalar computes the smaller of a and s, or NaN if either is.
func MinScalar(dst, a []float32, s float32) { binaryScalar(active, opMin, dst, a, s) }

// MulAdd computes dst = a*b + c, fused where there is assembly.
func MulAdd(dst, a, b, c []float32) { mulAdd(active, dst, a, b, c) }

// AddMul computes dst += a*b, fused where there is assembly.
func AddMul(dst, a, b []float32) { mulAdd(active, dst, a, b, dst) }

// MulAddScalar computes dst = a*s + t, fused where there is assembly.
func MulAddScalar(dst, a []float32, s, t float32) { mulAddScalar(active, dst, a, s, t) }

// Neg computes dst = -a.
func Neg(dst, a []float32) { unary(active, opNeg, dst, a) }

// Abs computes the absolute value.
func Abs(dst, a []float32) { unary(active, opAbs, dst, a) }

// Sqrt computes the square root, NaN for negative numbers.
func Sqrt(dst, a []float32) { unary(active, opSqrt, dst, a) }

// Exp computes the exponential function to within 2 units in the last place.
func Exp(dst, a []float32) { unary(active, opExp, dst, a) }

// Logistic computes 1/(1+exp(-a)) to within 2 units in the last place.
func Logistic(dst, a []float32) { unary(active, opLogistic, dst, a) }

// SiLU computes a*Logistic(a), NaN for -Inf.
func SiLU(dst, a []float32) { unary(active, opSiLU, dst, a) }

// SiLUGrad computes the derivative of SiLU, L*(1 + a*(1-L)) with L = Logistic(a), NaN for -Inf
// and +Inf.
func SiLUGrad(dst, a []float32) { unary(active, opSiLUGrad, dst, a) }

// Sum returns the sum of a, accumulated in float64.
func Sum(a []float32) float64 { return sum(active, a) }

// Dot returns the sum of a*b, accumulated in float64. b must be at least as long as a.
func Dot(a, b []float32) float64 { return dot(active, a, b) }

// SumSquares returns the sum of a*a, accumulated in float64.
func SumSquares(a []float32) float64 { return dot(active, a, a) }

type binaryOp uint8

const (
	opAdd binaryOp = iota
	opSub
	opMul
	opDiv
	opMax
	opMin
)

type unaryOp uint8

const (
	opNeg unaryOp = iota
	opAbs
	opSqrt
	opExp
	opLogistic
	opSiLU
	opSiLUGrad
)

// chunk is the number of copies of a scalar that stand for a vector in portable code.
const chunk = 64

// splat holds copies of a scalar: as many as the widest register for assembly, which reads them
// again and again with a step of zero.
func splat(v float32) (s [chunk]float32) {
	for i := range s {
		s[i] = v
	}
	return s
}

func binary(s isa, op binaryOp, dst, a, b []float32) {
	n := len(dst)
	a, b = a[:n], b[:n]
	if n == 0 {
		return
	}
	if s == isaPortable {
		binaryPortable(op, dst, a, b)
	} else {
		binaryAssembly(s, op, &dst[0], &a[0], &b[0], n, 1, 1)
	}
}

func binaryScalar(s isa, op binaryOp, dst, a []float32, v float32) {
	n := len(dst)
	a = a[:n]
	if n == 0 {
		return
	}
	b := splat(v)
	if s != isaPortable {
		binaryAssembly(s, op, &dst[0], &a[0], &b[0], n, 1, 0)
		return
	}
	for i := 0; i < n; i += chunk {
		m := min(chunk, n-i)
		binaryPortable(op, dst[i:i+m], a[i:i+m], b[:m])
	}
}

func scalarBinary(s isa, op binaryOp, dst []float32, v float32, b []float32) {
	n := len(dst)
	b = b[:n]
	if n == 0 {
		return
	}
	a := splat(v)
	if s != isaPortable {
		binaryAssembly(s, op, &dst[0], &a[0], &b[0], n, 0, 1)
		return
	}
	for i := 0; i < n; i += chunk {
		m := min(chunk, n-i)
		binaryPortable(op, dst[i:i+m], a[:m], b[i:i+m])
	}
}

func mulAdd(s isa, dst, a, b, c []float32) {
	n := len(dst)
	a, b, c = a[:n], b[:n], c[:n]
	if n == 0 {
		return
	}
	if s == isaPortable {
		mulAddPortable(dst, a, b, c)
	} else {
		mulAddAssembly(s, &dst[0], &a[0], &b[0], &c[0], n, 1, 1)
	}
}

func mulAddScalar(s isa, dst, a []float32, v, t float32) {
	n := len(dst)
	a = a[:n]
	if n == 0 {
		return
	}
	b, c := splat(v), splat(t)
	if s != isaPortable {
		mulAddAssembly(s, &dst[0], &a[0], &b[0], &c[0], n, 0, 0)
		return
	}
	for i := 0; i < n; i += chunk {
		m := min(chunk, n-i)
		mulAddPortable(dst[i:i+m], a[i:i+m], b[:m], c[:m])
	}
}

func unary(s isa, op unaryOp, dst, a []float32) {
	n := len(dst)
	a = a[:n]
	if n == 0 {
		return
	}
	if s == isaPortable {
		unaryPortable(op, dst, a)
	} else {
		unaryAssembly(s, op, &dst[0], &a[0], n)
	}
}

func sum(s isa, a []float32) float64 {
	if len(a) == 0 {
		return 0
	}
	if s == isaPortable {
		return sumPortable(a)
	}
	return sumAssembly(s, &a[0], len(a))
}

func dot(s isa, a, b []float32) float64 {
	b = b[:len(a)]
	if len(a) == 0 {
		return 0
	}
	if s == isaPortable {
		return dotPortable(a, b)
	}
	return dotAssembly(s, &a[0], &b[0], len(a))
}
