package kernel

import (
	"fmt"
	"math"
	"sync"
	"testing"

	"github.com/seed-0f004ec9/spgd/engine/cpu/internal/pool"
)

// winogradShapes have sizes that tiles divide and that they do not, odd numbers of channels,
// padding of all kinds, and enough tiles for several blocks.
var winogradShapes = []ConvShape{
	square(1, 8, 32, 3, 32, 1, 1),
	square(1, 1, 1, 3, 1, 1, 1),
	square(2, 3, 2, 3, 5, 1, 1),
	square(1, 7, 5, 3, 33, 1, 1),
	square(3, 9, 17, 3, 40, 1, 0),
	square(1, 16, 48, 3, 70, 1, 1),
	square(2, 18, 33, 3, 31, 1, 2),
	square(5, 4, 20, 3, 64, 1, 1),
	square(1, 8, 256, 3, 40, 1, 1),
	{N: 1, H: 9, W: 270, Cin: 19, KH: 3, KW: 3, Cout: 33, PadTop: 1, PadBottom: 1, PadLeft: 1, PadRight: 1},
	{N: 2, H: 21, W: 30, Cin: 6, KH: 3, KW: 3, Cout: 7, PadTop: 5, PadBottom: 0, PadLeft: 0, PadRight: 9},
	{N: 2, H: 21, W: 30, Cin: 6, KH: 3, KW: 3, Cout: 7, PadTop: -2, PadBottom: -3, PadLeft: -5, PadRight: 1},
	{N: 1, H: 2, W: 13, Cin: 16, KH: 3, KW: 3, Cout: 16, PadTop: 7, PadBottom: 8, PadLeft: 7, PadRight: 9},
}

// winogradVariants are the ways of Winograd's method.
var winogradVariants = []struct {
	tile int
	prec Precision
}{{2, F32}, {4, F32}, {6, F32}, {2, BF16}, {4, BF16}}

// distinct reports whether an instruction set has a code of its own for a precision, or is portable.
func (s isa) distinct(prec Precision) bool { return prec == F32 || s == isaPortable || s.hasBF16() }

func packWinogradHWIO(is isa, prec Precision, tile int, s ConvShape, w []float32) *Packed {
	return packWinograd(is, prec, tile, nil, nil, s.Cin, s.Cout, w, 0, 3*s.Cin*s.Cout, s.Cin*s.Cout, s.Cout, 1)
}

func TestWinograd(t *testing.T) {
	one, three := pool.New(1), pool.New(3)
	defer one.Close()
	defer three.Close()
	for i, s := range winogradShapes {
		x, w, bias, add := s.random(uint64(i))
		want, scale := naiveConv(s, x, w)
		var scratch Scratch // with what the instruction set before left in it
		eachISA(t, func(t *testing.T, is isa) {
			for _, v := range winogradVariants {
				tile, prec := v.tile, v.prec
				if !is.distinct(prec) {
					continue
				}
				packed := packWinogradHWIO(is, prec, tile, s, w)
				c := newWinograd(is, prec, s, tile, 3, &scratch)
				for variant := range 4 {
					var ep Epilogue
					if variant&1 != 0 {
						ep.Bias = bias
					}
					if variant&2 != 0 {
						ep.Add = add
					}
					dst := newGuarded(len(want))
					c.run(one, dst.data, Source{Flat: x}, packed, ep)
					dst.check(t)
					for j, got := range dst.data {
						exact, size := want[j], scale[j]
						if ep.Bias != nil {
							exact += float64(bias[j%s.Cout])
							size++
						}
						if ep.Add != nil {
							exact += float64(add[j])
							size++
						}
						// What cancels in the end is larger than the terms: see TestWinogradAccuracy for
						// what is typical.
						tolerance := 20 * matmulTolerance(s.Cin)
						switch {
						case prec == BF16:
							tolerance = 20 * bf16Rounding
						case tile == 6:
							tolerance *= 4
						}
						if !(math.Abs(float64(got)-exact) <= tolerance*(size+1)) {
							t.Fatalf("%+v tile %d %s variant %d: element %d is %v, want %v", s, tile, prec, variant, j, got, exact)
						}
					}
					for name, src := range map[string]Source{"flat": {Flat: x}, "rows": rowSource(s, x)} {
						again := newGuarded(len(want))
						c.run(three, again.data, src, packed, ep)
						again.check(t)
						if !sameBits(again.data, dst.data) {
							t.Fatalf("%+v tile %d %s variant %d: three threads and source %s change the result", s, tile, prec, variant, name)
						}
					}
				}
			}
		})
	}
}

// TestWinogradPost checks that every row is complete when it is handed over, and just once.
func TestWinogradPost(t *testing.T) {
	p := pool.New(2)
	defer p.Close()
	for i, s := range append(winogradShapes, square(1, 12, 64, 3, 256, 1, 1), square(6, 16, 32, 3, 32, 1, 1)) {
		x, w, bias, add := s.random(uint64(i))
		ho, wo := s.Out()
		for _, v := range winogradVariants {
			tile, prec := v.tile, v.prec
			if !active.distinct(prec) {
				continue
			}
			packed := packWinogradHWIO(active, prec, tile, s, w)
			c := newWinograd(active, prec, s, tile, 2, new(Scratch))
			want := make([]float32, s.N*ho*wo*s.Cout)
			c.run(p, want, Source{Flat: x}, packed, Epilogue{Bias: bias, Add: add})
			seen := make([]int, s.N*ho)
			var mu sync.Mutex
			dst := make([]float32, len(want))
			c.run(p, dst, rowSource(s, x), packed, Epilogue{Bias: bias, Add: add, Post: func(_, n, y int, row []float32) {
				mu.Lock()
				defer mu.Unlock()
				at := (n*ho + y) * wo * s.Cout
				seen[n*ho+y]++
				if len(row) != wo*s.Cout || !sameBits(row, want[at:at+wo*s.Cout]) {
					t.Errorf("%+v tile %d %s: row %d of image %d is not complete", s, tile, prec, y, n)
				}
				for j := range row {
					row[j] = -row[j]
				}
			}})
			for r, times := range seen {
				if times != 1 {
					t.Errorf("%+v tile %d %s: row %d handed over %d times", s, tile, prec, r, times)
				}
			}
			for j := range dst {
				if dst[j] != -want[j] {
					t.Fatalf("%+v tile %d %s: change of element %d is lost", s, tile, prec, j)
				}
			}
		}
	}
}

// TestWinogradBatch checks that an image has the same bits alone and in a batch, also where a
// block of tiles belongs to several images.
func TestWinogradBatch(t *testing.T) {
	p := pool.New(2)
	defer p.Close()
	for _, size := range []int{6, 19} {
		s := square(5, size, 20, 3, 37, 1, 1)
		x, w, _, _ := s.random(1)
		image := size * size
		eachISA(t, func(t *testing.T, is isa) {
			for _, v := range winogradVariants {
				tile, prec := v.tile, v.prec
				if !is.distinct(prec) {
					continue
				}
				packed := packWinogradHWIO(is, prec, tile, s, w)
				all := make([]float32, s.N*image*s.Cout)
				newWinograd(is, prec, s, tile, 2, new(Scratch)).run(p, all, rowSource(s, x), packed, Epilogue{})
				one := s
				one.N = 1
				single := newWinograd(is, prec, one, tile, 1, new(Scratch))
				for n := range s.N {
					got := make([]float32, image*s.Cout)
					single.run(nil, got, Source{Flat: x[n*image*s.Cin:]}, packed, Epilogue{})
					if !sameBits(got, all[n*len(got):(n+1)*len(got)]) {
						t.Fatalf("size %d tile %d %s: image %d differs in the batch", size, tile, prec, n)
					}
				}
			}
		})
	}
}

// TestWinogradRowOnce checks that a worker gets a row of the input once for a band.
func TestWinogradRowOnce(t *testing.T) {
	for _, s := range []ConvShape{square(3, 32, 16, 3, 64, 1, 1), square(2, 7, 3, 3, 5, 1, 1), square(1, 280, 3, 3, 5, 1, 1)} {
		x, w, _, _ := s.random(1)
		rows := rowSource(s, x)
		for _, tile := range []int{2, 4, 6} {
			times := make([]int, s.N*s.H)
			src := Source{Row: func(worker, n, y int, dst []float32) {
				times[n*s.H+y]++
				rows.Row(worker, n, y, dst)
			}}
			c := newWinograd(active, F32, s, tile, 1, new(Scratch))
			c.run(nil, make([]float32, s.N*s.H*s.W*s.Cout), src, packWinogradHWIO(active, F32, tile, s, w), Epilogue{})
			for r, n := range times {
				if n != 1 {
					t.Errorf("%+v tile %d: row %d is made %d times", s, tile, r, n)
				}
			}
		}
	}
}

// TestWinogradBits holds all instruction sets with fused multiply-add to the same bits, also those
// that no one machine has. The sums were recorded with AVX2.
func TestWinogradBits(t *testing.T) {
	s := square(2, 18, 20, 3, 44, 1, 1)
	x, w, bias, add := s.random(1)
	eachISA(t, func(t *testing.T, is isa) {
		if is == isaPortable {
			t.Skip("rounds products")
		}
		for tile, want := range map[int]uint32{2: 0x4f2b8820, 4: 0x2174f409} {
			dst := make([]float32, len(add))
			c := newWinograd(is, F32, s, tile, 1, new(Scratch))
			c.run(nil, dst, Source{Flat: x}, packWinogradHWIO(is, F32, tile, s, w), Epilogue{Bias: bias, Add: add})
			if got := checksum(dst); got != want {
				t.Errorf("tile %d: the sum of the result is %#08x, want %#08x", tile, got, want)
			}
		}
	})
}

// TestWinogradViews checks that strides give the reversed and transposed kernel.
func TestWinogradViews(t *testing.T) {
	const ci, co = 19, 37
	three := pool.New(3)
	defer three.Close()
	w := random(newRand(3), 9*ci*co)
	var view []float32 // w reversed in space, with input and output channels exchanged
	for tap := range 9 {
		for o := range co {
			for i := range ci {
				view = append(view, w[((8-tap)*ci+i)*co+o])
			}
		}
	}
	eachISA(t, func(t *testing.T, is isa) {
		for _, v := range winogradVariants {
			tile, prec := v.tile, v.prec
			want := packWinograd(is, prec, tile, nil, nil, co, ci, view, 0, 3*co*ci, co*ci, ci, 1)
			got := packWinograd(is, prec, tile, three, want.used(), co, ci, w, 8*ci*co, -3*ci*co, -ci*co, 1, co)
			if !sameBits(got.data, want.data) {
				t.Errorf("tile %d %s: view and copy are packed differently", tile, prec)
			}
		}
	})
}

// used returns a packed kernel of the same size with other contents.
func (p *Packed) used() *Packed {
	q := *p
	q.data = make([]float32, len(p.data))
	for i := range q.data {
		q.data[i] = 7
	}
	return &q
}

// TestWinogradAccuracy compares the errors with those of direct convolution, on what networks
// multiply: SiLU of normal numbers by normal numbers.
func TestWinogradAccuracy(t *testing.T) {
	for _, channels := range []int{32, 128, 512} {
		s := square(1, 16, channels, 3, 32, 1, 1)
		r := newRand(uint64(channels))
		x, w := make([]float32, s.H*s.W*s.Cin), make([]float32, 9*s.Cin*s.Cout)
		for i := range x {
			v := r.NormFloat64()
			x[i] = float32(v / (1 + math.Exp(-v)))
		}
		for i := range w {
			w[i] = float32(r.NormFloat64() / math.Sqrt(float64(9*channels)))
		}
		want, _ := naiveConv(s, x, w)
		dst := make([]float32, len(want))
		measure := func() (rms, largest float64) {
			var e2, s2 float64
			for i, v := range dst {
				e := float64(v) - want[i]
				e2 += e * e
				s2 += want[i] * want[i]
				largest = max(largest, math.Abs(e))
			}
			return math.Sqrt(e2 / s2), largest / math.Sqrt(s2/float64(len(want)))
		}
		c, err := NewConv(s, Direct, F32, 1, nil)
		if err != nil {
			t.Fatal(err)
		}
		c.Run(nil, dst, Source{Flat: x}, packHWIO(active, s, w), Epilogue{})
		direct, largest := measure()
		t.Logf("%3d channels: direct: rms error %.2g, largest %.2g of the rms value", channels, direct, largest)
		for _, tc := range []struct {
			tile  int
			prec  Precision
			limit float64
		}{
			{2, F32, direct}, {4, F32, 2.5 * direct}, {6, F32, 10 * direct},
			// Rounding both factors makes an rms error of 0.6 times its bound. What the transforms make of
			// independent errors is 1.7 times as large for F(2x2) and 4.8 for F(4x4).
			{2, BF16, 1.1 * 1.7 * 0.6 * bf16Rounding}, {4, BF16, 1.1 * 4.8 * 0.6 * bf16Rounding},
		} {
			newWinograd(active, tc.prec, s, tc.tile, 1, new(Scratch)).run(nil, dst, Source{Flat: x}, packWinogradHWIO(active, tc.prec, tc.tile, s, w), Epilogue{})
			rms, largest := measure()
			t.Logf("%3d channels: F(%dx%d) %s: rms error %.2g, largest %.2g", channels, tc.tile, tc.tile, tc.prec, rms, largest)
			if !(rms <= tc.limit) {
				t.Errorf("%d channels: rms error of F(%dx%d) %s is %.2g, of direct convolution %.2g", channels, tc.tile, tc.tile, tc.prec, rms, direct)
			}
		}
	}
}

func TestWinogradNoAllocation(t *testing.T) {
	s := square(1, 66, 16, 3, 32, 1, 1) // with tiles at the edge
	x, w, bias, add := s.random(1)
	for _, tile := range []int{2, 4, 6} {
		c := newWinograd(active, F32, s, tile, 1, new(Scratch))
		packed, dst := packWinogradHWIO(active, F32, tile, s, w), make([]float32, len(add))
		if n := testing.AllocsPerRun(3, func() { c.run(nil, dst, Source{Flat: x}, packed, Epilogue{Bias: bias, Add: add}) }); n != 0 {
			t.Errorf("tile %d: %v allocations in a run", tile, n)
		}
	}
}

func TestAlgorithm(t *testing.T) {
	for _, a := range []Algorithm{Auto, Direct, Winograd} {
		if got, err := ParseAlgorithm(a.String()); err != nil || got != a {
			t.Errorf("%v is read as %v, %v", a, got, err)
		}
	}
	if _, err := ParseAlgorithm("fft"); err == nil {
		t.Error("an unknown name was accepted")
	}
	strided, pointwise := square(1, 32, 64, 3, 64, 2, 1), square(1, 32, 64, 1, 64, 1, 0)
	for _, tc := range []struct {
		s ConvShape
		a Algorithm
		w bool
	}{
		{square(1, 32, 64, 3, 64, 1, 1), Direct, false},
		{square(1, 32, 64, 3, 64, 1, 1), Winograd, true},
		{square(1, 32, 1, 3, 1, 1, 1), Winograd, true},
		{square(1, 32, 1, 3, 1, 1, 1), Auto, false},
		{strided, Winograd, false},
		{pointwise, Winograd, false},
		{pointwise, Auto, false},
	} {
		c, err := NewConv(tc.s, tc.a, F32, 1, nil)
		if err != nil {
			t.Fatal(err)
		}
		if (c.Tile() > 0) != tc.w {
			t.Errorf("%v of %+v has tiles of %d", tc.a, tc.s, c.Tile())
		}
		// Pack makes what Run takes, and both ways agree.
		x, w, _, add := tc.s.random(1)
		direct, err := NewConv(tc.s, Direct, F32, 1, nil)
		if err != nil {
			t.Fatal(err)
		}
		s, got, want := tc.s, make([]float32, len(add)), make([]float32, len(add))
		c.Run(nil, got, Source{Flat: x}, c.Pack(nil, nil, w, 0, s.KW*s.Cin*s.Cout, s.Cin*s.Cout, s.Cout, 1), Epilogue{})
		direct.Run(nil, want, Source{Flat: x}, packHWIO(active, s, w), Epilogue{})
		for i := range got {
			if d := math.Abs(float64(got[i] - want[i])); !(d <= 1e-4) {
				t.Fatalf("%v of %+v: element %d is %v, want %v", tc.a, s, i, got[i], want[i])
			}
		}
	}
}

func BenchmarkWinograd(b *testing.B) {
	for _, s := range []ConvShape{
		square(1, 256, 32, 3, 32, 1, 1),
		square(1, 256, 96, 3, 32, 1, 1),
		square(1, 128, 64, 3, 64, 1, 1),
		square(1, 128, 160, 3, 64, 1, 1),
		square(1, 64, 96, 3, 96, 1, 1),
		square(1, 32, 128, 3, 128, 1, 1),
		square(1, 16, 128, 3, 128, 1, 1),
		square(1, 16, 512, 3, 512, 1, 1),
		square(1, 8, 512, 3, 512, 1, 1),
	} {
		x, w, bias, _ := s.random(1)
		ho, wo := s.Out()
		dst := make([]float32, s.N*ho*wo*s.Cout)
		for _, threads := range []int{1, 2} {
			for _, v := range []struct {
				tile int
				prec Precision
			}{{0, F32}, {4, F32}, {6, F32}, {2, BF16}, {4, BF16}} {
				tile, prec := v.tile, v.prec
				b.Run(fmt.Sprintf("%dx%d,%dto%d/threads=%d/tile=%d/%s", s.H, s.W, s.Cin, s.Cout, threads, tile, prec), func(b *testing.B) {
					if prec == BF16 && !HasBF16() {
						b.Skip("no bf16")
					}
					p := pool.New(threads)
					defer p.Close()
					if tile == 0 {
						packed := packHWIO(active, s, w)
						c, err := NewConv(s, Direct, F32, threads, nil)
						if err != nil {
							b.Fatal(err)
						}
						for b.Loop() {
							c.Run(p, dst, Source{Flat: x}, packed, Epilogue{Bias: bias})
						}
					} else {
						packed := packWinogradHWIO(active, prec, tile, s, w)
						c := newWinograd(active, prec, s, tile, threads, new(Scratch))
						for b.Loop() {
							c.run(p, dst, Source{Flat: x}, packed, Epilogue{Bias: bias})
						}
					}
					reportGFLOPS(b, 2*float64(len(dst))*float64(9*s.Cin))
				})
			}
		}
	}
}
