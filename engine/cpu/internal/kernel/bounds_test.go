//go:build unix

package kernel

import (
	"fmt"
	"os"
	"runtime/debug"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// fence is memory between two pages that may not be touched, so that reading or writing outside
// of a slice at either end is a fault.
type fence []float32

func newFence(t *testing.T, words int) fence {
	t.Helper()
	page := os.Getpagesize()
	size := roundUp(4*words, page)
	mem, err := unix.Mmap(-1, 0, size+2*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Munmap(mem); err != nil {
			t.Error(err)
		}
	})
	for _, edge := range [][]byte{mem[:page], mem[page+size:]} {
		if err := unix.Mprotect(edge, unix.PROT_NONE); err != nil {
			t.Fatal(err)
		}
	}
	return unsafe.Slice((*float32)(unsafe.Pointer(&mem[page])), size/4)
}

// place copies x to the start or the end of the memory.
func (f fence) place(x []float32, atEnd bool) []float32 {
	at := 0
	if atEnd {
		at = len(f) - len(x)
	}
	to := f[at : at+len(x) : at+len(x)]
	copy(to, x)
	return to
}

// TestBounds runs the kernels on slices next to memory that may not be touched. With every length
// the slices that end there have another alignment.
func TestBounds(t *testing.T) {
	const words = 1 << 14
	var fences [4]fence
	for i := range fences {
		fences[i] = newFence(t, words)
	}
	x := random(newRand(31), words)
	eachISA(t, func(t *testing.T, is isa) {
		defer debug.SetPanicOnFault(debug.SetPanicOnFault(true)) // of this goroutine
		doing := ""
		defer func() {
			if err := recover(); err != nil {
				t.Fatalf("%s: %v", doing, err)
			}
		}()
		for _, atEnd := range []bool{true, false} {
			at := func(i, n int) []float32 { return fences[i].place(x[:n], atEnd) }
			for n := 1; n <= 70; n++ {
				doing = fmt.Sprintf("vectors of %d, at the end: %v", n, atEnd)
				dst, a, b, c := at(0, n), at(1, n), at(2, n), at(3, n)
				for op := opAdd; op <= opMin; op++ {
					binary(is, op, dst, a, b)
					binaryScalar(is, op, dst, a, 2)
					scalarBinary(is, op, dst, 2, b)
				}
				for op := opNeg; op <= opSiLUGrad; op++ {
					unary(is, op, dst, a)
				}
				mulAdd(is, dst, a, b, c)
				mulAddScalar(is, dst, a, 2, 3)
				sum(is, a)
				dot(is, a, b)
				for _, pixels := range []int{1, 3} {
					doing = fmt.Sprintf("%d rows of %d, at the end: %v", pixels, n, atEnd)
					addRow(is, at(0, n*pixels), at(1, n*pixels), b)
					mulRow(is, at(0, n*pixels), at(1, n*pixels), b)
					mulAddRows(is, at(0, n*pixels), at(1, n*pixels), b, c)
					acc := make([]float64, n)
					colSum(is, acc, at(0, n*pixels))
					colDot(is, acc, at(0, n*pixels), at(1, n*pixels))
				}
				for m := 1; m <= maxRows+1; m++ {
					for k := 1; k <= 5; k++ {
						doing = fmt.Sprintf("product of %d x %d x %d, at the end: %v", m, k, n, atEnd)
						packed := packMatrix(is, nil, k, n, x, 0, n, 1)
						packed.data = fences[0].place(packed.data, atEnd)
						a, dst, bias, add := at(1, m*k), at(2, m*n), at(3, n), x[:m*n:m*n]
						GemmSerial(dst, n, a, k, m, packed, Epilogue{Bias: bias, Add: add})
						bias, add = x[:n:n], at(3, m*n)
						GemmSerial(dst, n, a, k, m, packed, Epilogue{Bias: bias, Add: add})
					}
				}
			}
			for i, s := range append(convShapes, convBF16Shapes...) {
				prec := F32
				if i >= len(convShapes) {
					prec = BF16
				}
				ho, wo := s.Out()
				in, out := s.N*s.H*s.W*s.Cin, s.N*ho*wo*s.Cout
				if in > words || out > words {
					continue
				}
				doing = fmt.Sprintf("%+v %s, at the end: %v", s, prec, atEnd)
				_, w, _, _ := s.random(32)
				c, err := newConv(s, Direct, prec, 1, nil)
				if err != nil {
					t.Fatal(err)
				}
				packed := packConvHWIO(is, prec, s, w)
				c.Run(nil, at(0, out), Source{Flat: at(1, in)}, packed,
					Epilogue{Bias: at(2, s.Cout), Add: at(3, out)})
			}
		}
	})
}
