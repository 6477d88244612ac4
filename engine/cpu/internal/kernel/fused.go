package kernel

// The functions of this file do several operations in one pass. Every operation rounds as it does
// by itself, so that the result is the same to the bit. dst may be the same as an argument, but must
// not overlap it otherwise.

// MulAddSiLU computes dst = SiLU(a*b + c), a*b + c as MulAdd does.
func MulAddSiLU(dst, a, b, c []float32) { mulAddSiLU(active, dst, a, b, c) }

// MulAddSiLUGrad computes dst = d * SiLUGrad(a*b + c), a*b + c as MulAdd does.
func MulAddSiLUGrad(dst, a, b, c, d []float32) { mulAddSiLUGrad(active, dst, a, b, c, d) }

// MulMulAdd computes dst = (a*b + c*d) + e, with c*d rounded and the rest as MulAdd and Add do.
func MulMulAdd(dst, a, b, c, d, e []float32) { mulMulAdd(active, dst, a, b, c, d, e) }

// SubMul computes dst = (a-b) * c.
func SubMul(dst, a, b, c []float32) { subMul(active, dst, a, b, c) }

// SubSquare computes dst = (a-b) * (a-b).
func SubSquare(dst, a, b []float32) { subSquare(active, dst, a, b) }

// stretch is how many elements are taken at a time where one operation comes after the other: dst
// may be an argument that is still needed.
const stretch = 256

func mulAddSiLU(s isa, dst, a, b, c []float32) {
	n := len(dst)
	a, b, c = a[:n], b[:n], c[:n]
	i := mulAddSiLUAssembly(s, dst, a, b, c)
	mulAdd(s, dst[i:], a[i:], b[i:], c[i:])
	unary(s, opSiLU, dst[i:], dst[i:])
}

func mulAddSiLUGrad(s isa, dst, a, b, c, d []float32) {
	n := len(dst)
	a, b, c, d = a[:n], b[:n], c[:n], d[:n]
	i := mulAddSiLUGradAssembly(s, dst, a, b, c, d)
	if i == n {
		return
	}
	var buf [stretch]float32
	for i < n {
		end := min(n, i+stretch)
		t := buf[:end-i]
		mulAdd(s, t, a[i:end], b[i:end], c[i:end])
		unary(s, opSiLUGrad, t, t)
		binary(s, opMul, dst[i:end], t, d[i:end])
		i = end
	}
}

func mulMulAdd(s isa, dst, a, b, c, d, e []float32) {
	n := len(dst)
	a, b, c, d, e = a[:n], b[:n], c[:n], d[:n], e[:n]
	i := mulMulAddAssembly(s, dst, a, b, c, d, e)
	if i == n {
		return
	}
	var buf [stretch]float32
	for i < n {
		end := min(n, i+stretch)
		t := buf[:end-i]
		binary(s, opMul, t, c[i:end], d[i:end])
		mulAdd(s, t, a[i:end], b[i:end], t)
		binary(s, opAdd, dst[i:end], t, e[i:end])
		i = end
	}
}

func subMul(s isa, dst, a, b, c []float32) {
	n := len(dst)
	a, b, c = a[:n], b[:n], c[:n]
	i := subMulAssembly(s, dst, a, b, c)
	if i == n {
		return
	}
	var buf [stretch]float32
	for i < n {
		end := min(n, i+stretch)
		t := buf[:end-i]
		binary(s, opSub, t, a[i:end], b[i:end])
		binary(s, opMul, dst[i:end], t, c[i:end])
		i = end
	}
}

func subSquare(s isa, dst, a, b []float32) {
	n := len(dst)
	a, b = a[:n], b[:n]
	i := subSquareAssembly(s, dst, a, b)
	binary(s, opSub, dst[i:], a[i:], b[i:])
	binary(s, opMul, dst[i:], dst[i:], dst[i:])
}
