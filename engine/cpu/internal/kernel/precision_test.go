package kernel

import (
	"math"
	"testing"
)

// bf16Rounding bounds the relative error of a product of two factors that are rounded to bfloat16.
const bf16Rounding = 1.0 / 256

func TestBF16(t *testing.T) {
	for _, tc := range []struct{ x, want float64 }{
		{0, 0}, {1, 1}, {-3, -3},
		{1 + 1.0/128, 1 + 1.0/128},
		{1 + 1.0/256, 1}, {1 + 3.0/256, 1 + 4.0/256}, // halfway: to even
		{1 + 1.01/256, 1 + 1.0/128}, {-1 - 0.99/256, -1},
		{math.MaxFloat32, math.Inf(1)}, {math.Inf(-1), math.Inf(-1)},
		{0x1p-126, 0x1p-126}, {0x1p-127, 0},
	} {
		lo, hi := bf16Split(bf16Pair(float32(tc.x), float32(-tc.x)))
		if float64(lo) != tc.want || float64(hi) != -tc.want {
			t.Errorf("%g and %g become %g and %g, want %g", tc.x, -tc.x, lo, hi, tc.want)
		}
	}
	lo, hi := bf16Split(bf16Pair(math.Float32frombits(0x7f800001), math.Float32frombits(0xffffffff)))
	if lo == lo || hi == hi {
		t.Errorf("NaNs become %g and %g", lo, hi)
	}
}

func TestHasBF16(t *testing.T) {
	s := square(1, 32, 64, 3, 64, 1, 1)
	c, err := NewConv(s, Auto, BF16, 1, nil)
	if HasBF16() != (err == nil) {
		t.Fatalf("with bf16: %v, error: %v", HasBF16(), err)
	}
	if err != nil {
		return
	}
	if c.Precision() != BF16 {
		t.Errorf("%+v is not done in bf16", s)
	}
	f32, err := NewConv(s, Auto, F32, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	x, w, _, add := s.random(1)
	packed := f32.Pack(nil, nil, w, 0, 3*s.Cin*s.Cout, s.Cin*s.Cout, s.Cout, 1)
	defer func() {
		if recover() == nil {
			t.Error("a kernel packed for f32 was taken")
		}
	}()
	c.Run(nil, add, Source{Flat: x}, packed, Epilogue{})
}

// TestWinogradInputBF16: the input transform is that of F32, rounded, where there is assembly for
// bfloat16 that of AVX-512 and elsewhere the portable one.
func TestWinogradInputBF16(t *testing.T) {
	special := []float32{0, float32(math.Copysign(0, -1)), 1e-40, -1e-39, 1.5e-38, 3e38, math.MaxFloat32, float32(math.Inf(1)), float32(math.NaN()), 1 + 1.0/256, 1 + 3.0/256}
	const tiles = 2
	eachISA(t, func(t *testing.T, is isa) {
		for _, tile := range []int{2, 4} {
			points := winogradPoints(tile)
			for channels := 1; channels <= 50; channels++ {
				pitch := roundUp(channels, 16)
				x := random(newRand(uint64(channels)), (tile+2)*(tile*tiles+2)*channels)
				if channels%3 == 0 { // points (0, 0) get these alone
					clear(x)
					for i := range x[:channels] {
						x[i] = special[i%len(special)]
					}
				}
				g := winogradInput{pixel: channels, step: tile * channels, channels: channels, tiles: tiles}
				for i := range tile + 2 {
					g.src[i] = x[i*(tile*tiles+2)*channels:]
				}
				f32, bf16 := newGuarded(points*tiles*pitch), newGuarded(points*tiles*pitch/2)
				g.dst, g.point, g.pitch = f32.data, tiles*pitch, pitch
				if is.hasBF16() {
					is.winogradIn(tile, &g)
				} else {
					isaPortable.winogradIn(tile, &g)
				}
				g.dst, g.point, g.pitch, g.bf16 = bf16.data, tiles*pitch/2, pitch/2, 1
				is.winogradIn(tile, &g)
				f32.check(t)
				bf16.check(t)
				for p := range points * tiles {
					for c := 0; c < channels; c += 2 {
						lo, hi := f32.data[p*pitch+c], float32(0)
						if c+1 < channels {
							hi = f32.data[p*pitch+c+1]
						}
						got, want := bf16.data[p*pitch/2+c/2], bf16Pair(lo, hi)
						if math.Float32bits(got) != math.Float32bits(want) {
							t.Fatalf("tile %d, %d channels: channel %d of point %d: %g and %g become %#x, want %#x", tile, channels, c, p, lo, hi, math.Float32bits(got), math.Float32bits(want))
						}
					}
				}
			}
		}
	})
}

// TestWinogradProductBF16 compares with float64.
func TestWinogradProductBF16(t *testing.T) {
	eachISA(t, func(t *testing.T, is isa) {
		width := is.panelWidth()
		for _, k := range []int{1, 2, 5, 64, 300} {
			for rows := winogradRows; rows <= 7*winogradRows; rows += winogradRows {
				const points = 2
				r := newRand(uint64(k + rows))
				g := winogradProduct{k: k, rows: rows, aRow: k + 3, aPoint: rows*(k+3) + 5, cPoint: rows*width + 7, points: points, bf16: 1}
				pairs := func(n int) []float32 {
					x := make([]float32, n)
					for i := range x {
						x[i] = bf16Pair(float32(r.NormFloat64()), float32(r.NormFloat64()))
					}
					return x
				}
				g.a, g.b = pairs(points*g.aPoint), pairs(points*k*width)
				c := newGuarded((points-1)*g.cPoint + rows*width)
				g.c = c.data
				is.winogradMultiply(&g)
				c.check(t)
				for p := range points {
					for i := range rows {
						for j := range width {
							var want, scale float64
							for x := range k {
								a0, a1 := bf16Split(g.a[p*g.aPoint+i*g.aRow+x])
								b0, b1 := bf16Split(g.b[(p*k+x)*width+j])
								u, v := float64(a0)*float64(b0), float64(a1)*float64(b1)
								want += u + v
								scale += math.Abs(u) + math.Abs(v)
							}
							if got := float64(c.data[p*g.cPoint+i*width+j]); !(math.Abs(got-want) <= matmulTolerance(2*k)*scale) {
								t.Fatalf("k %d, %d rows: element %d of row %d of point %d is %g, want %g", k, rows, j, i, p, got, want)
							}
						}
					}
				}
			}
		}
	})
}
