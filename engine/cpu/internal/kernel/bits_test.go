package kernel

import (
	le "encoding/binary"
	"hash/crc32"
	"math"
	"testing"
)

// checksum is the CRC-32 (IEEE) of the values as little-endian words, with one NaN for all.
func checksum(x []float32) uint32 {
	bytes := make([]byte, 0, 4*len(x))
	for _, v := range x {
		bits := math.Float32bits(v)
		if v != v {
			bits = 0x7fc00000
		}
		bytes = le.LittleEndian.AppendUint32(bytes, bits)
	}
	return crc32.ChecksumIEEE(bytes)
}

// TestBitsAcrossArchitectures holds all instruction sets with fused multiply-add to the same
// bits, also those that no one machine has. The sums were recorded with AVX2; that the values are
// right is for the other tests to see.
func TestBitsAcrossArchitectures(t *testing.T) {
	special := specialAndRandom(21, 1003, 1)
	onUnary := func(op unaryOp) func(isa) []float32 {
		return func(is isa) []float32 {
			dst := make([]float32, len(special))
			unary(is, op, dst, special)
			return dst
		}
	}
	tests := []struct {
		name string
		f    func(is isa) []float32
		want uint32
	}{
		{"gemm", func(is isa) []float32 {
			const m, k, n = 31, 1111, 45
			r := newRand(22)
			a, b, bias, dst := random(r, m*k), random(r, k*n), random(r, n), make([]float32, m*n)
			GemmSerial(dst, n, a, k, m, packMatrix(is, nil, k, n, b, 0, n, 1), Epilogue{Bias: bias})
			return dst
		}, 0x3100ae4e},
		{"convolution", func(is isa) []float32 { return convBits(is, square(2, 13, 5, 3, 13, 1, 1)) }, 0x7d6f0959},
		{"strided convolution", func(is isa) []float32 { return convBits(is, square(1, 15, 6, 3, 34, 2, 1)) }, 0xc02b91b1},
		{"one channel", func(is isa) []float32 { return convBits(is, square(1, 37, 1, 7, 1, 1, 3)) }, 0xc680188a},
		{"muladd", func(is isa) []float32 {
			r := newRand(23)
			a, b, c := random(r, 1003), random(r, 1003), random(r, 1003)
			mulAdd(is, c, a, b, c)
			return c
		}, 0x16fb0b2b},
		{"rows", func(is isa) []float32 {
			r := newRand(24)
			a, s, shift := random(r, 9*71), random(r, 71), random(r, 71)
			mulAddRows(is, a, a, s, shift)
			return a
		}, 0x0d259e63},
		{"columns", func(is isa) []float32 {
			r := newRand(25)
			x, y := random(r, 200*71), random(r, 200*71)
			sums, dots := make([]float64, 71), make([]float64, 71)
			colSum(is, sums, x)
			colDot(is, dots, x, y)
			var out []float32
			for _, v := range append(sums, dots...) {
				out = append(out, float32(v))
			}
			return out
		}, 0x345a2a89},
		{"sqrt", onUnary(opSqrt), 0x2837933f},
		{"exp", onUnary(opExp), 0xf0b59bfb},
		{"logistic", onUnary(opLogistic), 0x040483c3},
		{"silu", onUnary(opSiLU), 0x593ac551},
		{"silugrad", onUnary(opSiLUGrad), 0x2fad3f85},
	}
	eachISA(t, func(t *testing.T, is isa) {
		if is == isaPortable {
			return // the compiler chooses what to fuse
		}
		for _, test := range tests {
			if got := checksum(test.f(is)); got != test.want {
				t.Errorf("%s: checksum %#08x, want %#08x", test.name, got, test.want)
			}
		}
	})
}

func convBits(is isa, s ConvShape) []float32 {
	x, w, bias, add := s.random(26)
	c, err := NewConv(s, Direct, F32, 1, nil)
	if err != nil {
		panic(err)
	}
	dst := make([]float32, len(add))
	c.Run(nil, dst, Source{Flat: x}, packHWIO(is, s, w), Epilogue{Bias: bias, Add: add})
	return dst
}
