//go:build unix

package kernel

import (
	"fmt"
	"runtime/debug"
	"testing"
)

// TestWinogradBounds is TestBounds for Winograd's method: the working memory, too, lies next to
// memory that may not be touched.
func TestWinogradBounds(t *testing.T) {
	const words = 1 << 20
	var fences [6]fence
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
		for _, s := range winogradShapes {
			ho, wo := s.Out()
			in, out := s.N*s.H*s.W*s.Cin, s.N*ho*wo*s.Cout
			_, w, _, _ := s.random(32)
			for _, v := range winogradVariants {
				tile, prec := v.tile, v.prec
				if !is.distinct(prec) {
					continue
				}
				c := newWinograd(is, prec, s, tile, 1, new(Scratch))
				packed := packWinogradHWIO(is, prec, tile, s, w)
				for _, atEnd := range []bool{true, false} {
					doing = fmt.Sprintf("%+v tile %d %s, at the end: %v", s, tile, prec, atEnd)
					at := func(i, n int) []float32 { return fences[i].place(x[:n], atEnd) }
					packed.data = fences[0].place(packed.data, atEnd)
					c.scratch.provide()
					c.scratch.Memory.strips[0] = at(1, c.layout.size)
					c.run(nil, at(2, out), Source{Flat: at(3, in)}, packed, Epilogue{Bias: at(4, s.Cout), Add: at(5, out)})
				}
			}
		}
	})
}
