package kernel

import (
	"fmt"
	"math"
	"testing"
)

// nearestBFloat16 finds the bfloat16 number next to v by distances in float64, ties to even. An
// overflow is what would round to the next power of two.
func nearestBFloat16(v float32) uint16 {
	value := func(b uint32) float64 {
		if b&0x7f80 == 0x7f80 {
			return math.Copysign(math.Ldexp(1, 128), float64(int32(b<<16)))
		}
		return float64(math.Float32frombits(b << 16))
	}
	if math.IsInf(float64(v), 0) {
		return uint16(math.Float32bits(v) >> 16)
	}
	down := math.Float32bits(v) >> 16
	up := down + 1
	below, above := math.Abs(float64(v)-value(down)), math.Abs(value(up)-float64(v))
	if above < below || above == below && up%2 == 0 {
		return uint16(up)
	}
	return uint16(down)
}

// TestNarrow holds rounding to the definition: special values, and every upper half with lower
// halves around the limits.
func TestNarrow(t *testing.T) {
	values := append([]float32{}, special...)
	for upper := range uint32(1 << 16) {
		for _, lower := range []uint32{0, 1, 0x7fff, 0x8000, 0x8001, 0xffff, upper * 40503 & 0xffff} {
			values = append(values, math.Float32frombits(upper<<16|lower))
		}
	}
	eachISA(t, func(t *testing.T, s isa) {
		got, wide := make([]uint16, len(values)), make([]float32, len(values))
		narrow(s, got, values)
		widen(s, wide, got)
		for i, v := range values {
			switch {
			case math.Float32bits(wide[i]) != uint32(got[i])<<16:
				t.Fatalf("%#04x is widened to %#08x", got[i], math.Float32bits(wide[i]))
			case v != v:
				if wide[i] == wide[i] || math.Signbit(float64(v)) != math.Signbit(float64(wide[i])) {
					t.Fatalf("NaN %#08x becomes %#04x", math.Float32bits(v), got[i])
				}
			case got[i] != nearestBFloat16(v):
				t.Fatalf("%g (%#08x) becomes %#04x, want %#04x", v, math.Float32bits(v), got[i], nearestBFloat16(v))
			}
		}
	})
}

// TestNarrowLengths: nothing outside of the destination is written, and all elements within are.
func TestNarrowLengths(t *testing.T) {
	eachISA(t, func(t *testing.T, s isa) {
		for _, n := range append(vectorLengths, 95, 96, 97) {
			x := specialAndRandom(31, n, 1)
			const guard = 0xbeef
			all := make([]uint16, n+80)
			for i := range all {
				all[i] = guard
			}
			narrow(s, all[40:40+n], x)
			for i, v := range all {
				if i < 40 || i >= 40+n {
					if v != guard {
						t.Fatalf("narrow of %d elements writes element %d", n, i-40)
					}
				} else if u := x[i-40]; u == u && v != nearestBFloat16(u) {
					t.Fatalf("element %d of %d: %#04x", i-40, n, v)
				}
			}
			wide := newGuarded(n)
			widen(s, wide.data, all[40:40+n])
			wide.check(t)
			for i, v := range wide.data {
				if math.Float32bits(v) != uint32(all[40+i])<<16 {
					t.Fatalf("element %d of %d is widened to %g", i, n, v)
				}
			}
		}
	})
}

func BenchmarkNarrow(b *testing.B) {
	x, y := random(newRand(1), 1024), make([]uint16, 1024)
	for s := range isa(len(isaNames)) {
		if !s.supported() {
			continue
		}
		for name, f := range map[string]func(){"narrow": func() { narrow(s, y, x) }, "widen": func() { widen(s, x, y) }} {
			b.Run(fmt.Sprintf("%s/%s", name, s), func(b *testing.B) {
				b.SetBytes(4 * 1024)
				for b.Loop() {
					f()
				}
			})
		}
	}
}

// TestWidenRows: rows come to their places, and what lies between them stays.
func TestWidenRows(t *testing.T) {
	eachISA(t, func(t *testing.T, s isa) {
		for _, n := range []int{1, 7, 31, 32, 33, 64, 96} {
			for _, rows := range []int{0, 1, 2, 5} {
				for _, gap := range []int{0, 1, 32} {
					pitch := n + gap
					src := make([]uint16, rows*n)
					narrow(s, src, random(newRand(uint64(n)), len(src)))
					dst := newGuarded(max(0, rows*pitch-gap))
					for i := range dst.data {
						dst.data[i] = -3
					}
					widenRows(s, dst.data, src, rows, n, pitch)
					dst.check(t)
					for i, v := range dst.data {
						want := float32(-3)
						if c := i % pitch; c < n {
							want = math.Float32frombits(uint32(src[i/pitch*n+c]) << 16)
						}
						if v != want {
							t.Fatalf("%d rows of %d elements, %d apart: element %d is %g, want %g", rows, n, pitch, i, v, want)
						}
					}
				}
			}
		}
	})
}
