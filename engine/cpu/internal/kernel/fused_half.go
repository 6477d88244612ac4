package kernel

// The functions of this file read some of their arguments as bfloat16 numbers. The results are those
// of Widen and the function of float32 numbers, to the bit. dst may be the same as an argument of
// float32 numbers, but must not overlap any otherwise.

// Numbers are float32 numbers or, if Half is not nil, bfloat16 ones.
type Numbers struct {
	Wide []float32
	Half []uint16
}

// AddHalf computes dst = a + b.
func AddHalf(dst, a []float32, b []uint16) { addHalf(active, dst, a, b) }

// MulAddSiLUHalf computes dst = SiLU(a*b + c).
func MulAddSiLUHalf(dst []float32, a []uint16, b, c []float32) { mulAddSiLUHalf(active, dst, a, b, c) }

// MulAddSiLUGradHalf computes dst = d * SiLUGrad(a*b + c).
func MulAddSiLUGradHalf(dst []float32, a []uint16, b, c, d []float32) {
	mulAddSiLUGradHalf(active, dst, a, b, c, d)
}

// MulMulAddHalf computes dst = (a*b + c*d) + e.
func MulMulAddHalf(dst []float32, a Numbers, b []float32, c Numbers, d, e []float32) {
	mulMulAddHalf(active, dst, a, b, c, d, e)
}

// SubMulHalf computes dst = (a-b) * c.
func SubMulHalf(dst []float32, a []uint16, b, c []float32) { subMulHalf(active, dst, a, b, c) }

func addHalf(s isa, dst, a []float32, b []uint16) {
	n := len(dst)
	a, b = a[:n], b[:n]
	if n > 0 && s == isaAVX512 {
		addHalfAssembly(dst, a, b)
		return
	}
	var buf [stretch]float32
	for i := 0; i < n; i += stretch {
		end := min(n, i+stretch)
		binary(s, opAdd, dst[i:end], a[i:end], widened(s, &buf, b[i:end]))
	}
}

func mulAddSiLUHalf(s isa, dst []float32, a []uint16, b, c []float32) {
	n := len(dst)
	a, b, c = a[:n], b[:n], c[:n]
	if n > 0 && s == isaAVX512 {
		mulAddSiLUHalfAssembly(dst, a, b, c)
		return
	}
	var buf [stretch]float32
	for i := 0; i < n; i += stretch {
		end := min(n, i+stretch)
		mulAddSiLU(s, dst[i:end], widened(s, &buf, a[i:end]), b[i:end], c[i:end])
	}
}

func mulAddSiLUGradHalf(s isa, dst []float32, a []uint16, b, c, d []float32) {
	n := len(dst)
	a, b, c, d = a[:n], b[:n], c[:n], d[:n]
	if n > 0 && s == isaAVX512 {
		mulAddSiLUGradHalfAssembly(dst, a, b, c, d)
		return
	}
	var buf [stretch]float32
	for i := 0; i < n; i += stretch {
		end := min(n, i+stretch)
		mulAddSiLUGrad(s, dst[i:end], widened(s, &buf, a[i:end]), b[i:end], c[i:end], d[i:end])
	}
}

func mulMulAddHalf(s isa, dst []float32, a Numbers, b []float32, c Numbers, d, e []float32) {
	n := len(dst)
	a, b, c, d, e = a.first(n), b[:n], c.first(n), d[:n], e[:n]
	switch {
	case a.Half == nil && c.Half == nil:
		mulMulAdd(s, dst, a.Wide, b, c.Wide, d, e)
		return
	case n > 0 && s == isaAVX512:
		mulMulAddHalfAssembly(dst, a, b, c, d, e)
		return
	}
	var bufA, bufC [stretch]float32
	for i := 0; i < n; i += stretch {
		end := min(n, i+stretch)
		mulMulAdd(s, dst[i:end], a.wide(s, &bufA, i, end), b[i:end], c.wide(s, &bufC, i, end), d[i:end], e[i:end])
	}
}

func subMulHalf(s isa, dst []float32, a []uint16, b, c []float32) {
	n := len(dst)
	a, b, c = a[:n], b[:n], c[:n]
	if n > 0 && s == isaAVX512 {
		subMulHalfAssembly(dst, a, b, c)
		return
	}
	var buf [stretch]float32
	for i := 0; i < n; i += stretch {
		end := min(n, i+stretch)
		subMul(s, dst[i:end], widened(s, &buf, a[i:end]), b[i:end], c[i:end])
	}
}

// first is the first n numbers.
func (a Numbers) first(n int) Numbers {
	if a.Half != nil {
		return Numbers{Half: a.Half[:n]}
	}
	return Numbers{Wide: a.Wide[:n]}
}

// wide is numbers [i, end) as float32 numbers, in buf if they are not.
func (a Numbers) wide(s isa, buf *[stretch]float32, i, end int) []float32 {
	if a.Half != nil {
		return widened(s, buf, a.Half[i:end])
	}
	return a.Wide[i:end]
}

// widened is x, of up to stretch numbers, in buf.
func widened(s isa, buf *[stretch]float32, x []uint16) []float32 {
	widen(s, buf[:len(x)], x)
	return buf[:len(x)]
}
