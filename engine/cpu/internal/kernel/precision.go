package kernel

import (
	"math"
	"unsafe"

	"golang.org/x/sys/cpu"
)

// Precision is that of the factors of a convolution. Its input, output and sums are float32.
type Precision uint8

const (
	// F32 multiplies float32 numbers.
	F32 Precision = iota
	// BF16 rounds what it multiplies to bfloat16, to nearest even, where that is faster: float32
	// with 8 bits of significand. The products are exact and their sums are float32.
	BF16
)

func (p Precision) String() string {
	if p == BF16 {
		return "bf16"
	}
	return "f32"
}

// HasBF16 reports whether processor and instruction set in use multiply bfloat16 numbers (AVX-512
// with AVX512_BF16).
func HasBF16() bool { return active.hasBF16() }

func (s isa) hasBF16() bool { return s == isaAVX512 && cpu.X86.HasAVX512BF16 }

// flag is 1 for BF16, as the assembly wants it.
func (p Precision) flag() int { return int(p) }

// elements is the number of float32 that n factors take: two of bfloat16 share one, see bf16Pair,
// and an odd last one has a zero beside it.
func (p Precision) elements(n int) int {
	if p == BF16 {
		return (n + 1) / 2
	}
	return n
}

// bf16Pair rounds two adjacent factors to bfloat16 and makes one word of them, the first below.
func bf16Pair(lo, hi float32) float32 {
	return math.Float32frombits(uint32(toBF16(lo)) | uint32(toBF16(hi))<<16)
}

// bf16Split returns the factors of a pair.
func bf16Split(pair float32) (lo, hi float32) {
	bits := math.Float32bits(pair)
	return math.Float32frombits(bits << 16), math.Float32frombits(bits &^ 0xffff)
}

// toBF16 rounds to bfloat16, to nearest even. Like the processor it takes denormal numbers for
// zero.
func toBF16(x float32) uint16 {
	bits := math.Float32bits(x)
	switch exponent := bits >> 23 & 0xff; {
	case exponent == 0:
		return uint16(bits >> 16 & 0x8000)
	case x != x:
		return uint16(bits>>16 | 0x40)
	}
	return uint16((bits + 0x7fff + bits>>16&1) >> 16)
}

// narrowPairs rounds src to pairs, of which the last has a zero if src has an odd length.
func (s isa) narrowPairs(dst, src []float32) {
	n := len(src) / 2
	if len(src)%2 != 0 {
		dst[n] = bf16Pair(src[2*n], 0)
	}
	if n == 0 {
		return
	}
	if s == isaPortable { // for any byte order
		for i := range n {
			dst[i] = bf16Pair(src[2*i], src[2*i+1])
		}
		return
	}
	dst = dst[:n]
	narrow(s, unsafe.Slice((*uint16)(unsafe.Pointer(&dst[0])), 2*n), src)
}
