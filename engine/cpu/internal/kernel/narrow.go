package kernel

import "math"

// A bfloat16 number is the upper half of a float32: its sign, its exponent and seven bits of its
// fraction. Arrays that would otherwise be limited by memory are kept that way.

// Narrow rounds src to bfloat16, to the nearest and to even in a tie. NaN stays NaN. src must be at
// least as long as dst.
func Narrow(dst []uint16, src []float32) { narrow(active, dst, src) }

// Widen computes the values of bfloat16 numbers. src must be at least as long as dst.
func Widen(dst []float32, src []uint16) { widen(active, dst, src) }

// WidenRows is Widen for rows of n numbers, which lie one after the other in src and pitch elements
// apart in dst.
func WidenRows(dst []float32, src []uint16, rows, n, pitch int) {
	widenRows(active, dst, src, rows, n, pitch)
}

// narrowStep is the number of elements that one round of the assembly takes.
const narrowStep = 32

func narrow(s isa, dst []uint16, src []float32) {
	n := len(dst)
	src = src[:n]
	if m := n / narrowStep * narrowStep; m > 0 && haveNarrow && s != isaPortable {
		narrowAssembly(s, &dst[0], &src[0], m)
		dst, src = dst[m:], src[m:]
	}
	narrowPortable(dst, src)
}

func widen(s isa, dst []float32, src []uint16) {
	n := len(dst)
	src = src[:n]
	if m := n / narrowStep * narrowStep; m > 0 && haveNarrow && s != isaPortable {
		widenAssembly(s, &dst[0], &src[0], m)
		dst, src = dst[m:], src[m:]
	}
	widenPortable(dst, src)
}

func widenRows(s isa, dst []float32, src []uint16, rows, n, pitch int) {
	if s == isaAVX512 && rows > 0 && n > 0 && n%narrowStep == 0 {
		need("dst", len(dst), (rows-1)*pitch+n)
		need("src", len(src), rows*n)
		widenRowsAssembly(&dst[0], &src[0], rows, n, pitch)
		return
	}
	for r := range rows {
		widen(s, dst[r*pitch:][:n], src[r*n:])
	}
}

func narrowPortable(dst []uint16, src []float32) {
	const quiet = 1 << 22 // of a NaN, whose other bits may all be lost
	for i := range dst {
		v := src[i]
		b := math.Float32bits(v)
		if v != v {
			b |= quiet
		} else {
			b += 0x7fff + b>>16&1
		}
		dst[i] = uint16(b >> 16)
	}
}

func widenPortable(dst []float32, src []uint16) {
	for i := range dst {
		dst[i] = math.Float32frombits(uint32(src[i]) << 16)
	}
}
