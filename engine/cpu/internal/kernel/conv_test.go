package kernel

import (
	"fmt"
	"math"
	"sync"
	"testing"

	"github.com/seed-0f004ec9/spgd/engine/cpu/internal/pool"
)

// naiveConv is the definition, in float64; scale is the sum of absolute terms.
func naiveConv(s ConvShape, x, w []float32) (out, scale []float64) {
	s = s.normalised()
	ho, wo := s.Out()
	out = make([]float64, s.N*ho*wo*s.Cout)
	scale = make([]float64, len(out))
	for n := range s.N {
		for oy := range ho {
			for ox := range wo {
				for ky := range s.KH {
					for kx := range s.KW {
						ty, tx := oy*s.StrideH+ky*s.KerDilH-s.PadTop, ox*s.StrideW+kx*s.KerDilW-s.PadLeft
						if ty < 0 || tx < 0 || ty%s.InDilH != 0 || tx%s.InDilW != 0 {
							continue
						}
						iy, ix := ty/s.InDilH, tx/s.InDilW
						if iy >= s.H || ix >= s.W {
							continue
						}
						for i := range s.Cin {
							for o := range s.Cout {
								v := float64(x[((n*s.H+iy)*s.W+ix)*s.Cin+i]) * float64(w[((ky*s.KW+kx)*s.Cin+i)*s.Cout+o])
								at := ((n*ho+oy)*wo+ox)*s.Cout + o
								out[at] += v
								scale[at] += math.Abs(v)
							}
						}
					}
				}
			}
		}
	}
	return out, scale
}

func square(n, size, cin, k, cout, stride, pad int) ConvShape {
	return ConvShape{N: n, H: size, W: size, Cin: cin, KH: k, KW: k, Cout: cout, StrideH: stride, StrideW: stride,
		PadTop: pad, PadBottom: pad, PadLeft: pad, PadRight: pad}
}

var convShapes = []ConvShape{
	square(1, 1, 1, 1, 1, 1, 0),
	square(2, 4, 3, 3, 6, 1, 1),
	square(1, 7, 5, 3, 33, 1, 1),
	square(1, 8, 32, 3, 32, 1, 1),
	square(1, 9, 17, 1, 40, 1, 0),
	square(3, 5, 4, 1, 3, 2, 0),
	square(2, 12, 6, 3, 20, 2, 1),
	square(1, 20, 1, 7, 1, 1, 3),
	square(3, 30, 1, 13, 1, 1, 6),
	{N: 2, H: 37, W: 131, Cin: 1, KH: 9, KW: 4, Cout: 1, PadTop: 3, PadBottom: 2, PadLeft: 2, PadRight: 7},
	{N: 1, H: 11, W: 70, Cin: 1, KH: 1, KW: 1, Cout: 1, PadTop: -1, PadRight: -4},
	{N: 1, H: 6, W: 5, Cin: 1, KH: 11, KW: 9, Cout: 1, PadTop: 5, PadBottom: 5, PadLeft: 4, PadRight: 4},
	{N: 2, H: 19, W: 75, Cin: 1, KH: 5, KW: 4, Cout: 1, KerDilW: 3, PadTop: 3, PadBottom: 4, PadLeft: 9, PadRight: 6},
	{N: 1, H: 23, W: 21, Cin: 1, KH: 4, KW: 3, Cout: 1, KerDilH: 3, KerDilW: 2, PadTop: 5, PadBottom: 1, PadRight: 3},
	square(1, 6, 200, 3, 9, 1, 1),
	square(1, 4, 512, 3, 65, 1, 1),
	square(1, 5, 512, 1, 40, 1, 0),
	{N: 1, H: 5, W: 11, Cin: 3, KH: 2, KW: 4, Cout: 7, PadTop: 1, PadLeft: 3},
	{N: 2, H: 6, W: 5, Cin: 4, KH: 3, KW: 3, Cout: 5, InDilH: 2, InDilW: 2, PadTop: 1, PadBottom: 2, PadLeft: 1, PadRight: 2},
	{N: 1, H: 6, W: 9, Cin: 4, KH: 3, KW: 3, Cout: 5, InDilH: 2, InDilW: 3, PadTop: 2, PadBottom: 2, PadLeft: 2, PadRight: 2},
	{N: 1, H: 6, W: 7, Cin: 2, KH: 4, KW: 5, Cout: 3, InDilH: 4, InDilW: 3, StrideH: 2, StrideW: 2, PadTop: 3, PadBottom: 1, PadLeft: 2, PadRight: 5},
	{N: 1, H: 6, W: 7, Cin: 2, KH: 1, KW: 1, Cout: 3, InDilH: 2, InDilW: 2, PadBottom: 1, PadRight: 1},
	{N: 1, H: 12, W: 13, Cin: 3, KH: 3, KW: 3, Cout: 4, KerDilH: 2, KerDilW: 3, PadTop: 2, PadBottom: 2, PadLeft: 3, PadRight: 3},
	{N: 1, H: 12, W: 13, Cin: 3, KH: 3, KW: 3, Cout: 4, KerDilH: 2, KerDilW: 1, InDilH: 3, StrideW: 3, PadTop: -2, PadBottom: -1, PadLeft: -1, PadRight: 2},
	{N: 1, H: 3, W: 3, Cin: 2, KH: 1, KW: 1, Cout: 2, PadTop: 5, PadBottom: 5, PadLeft: 4, PadRight: 6},
	{N: 1, H: 9, W: 8, Cin: 2, KH: 3, KW: 2, Cout: 2, StrideH: 4, StrideW: 5},
	{N: 1, H: 40, W: 64, Cin: 96, KH: 3, KW: 3, Cout: 33, PadTop: 1, PadBottom: 1, PadLeft: 1, PadRight: 1},
}

func (s ConvShape) random(seed uint64) (x, w, bias, add []float32) {
	r := newRand(seed)
	ho, wo := s.Out()
	return guardedCopy(random(r, s.N*s.H*s.W*s.Cin)), random(r, s.KH*s.KW*s.Cin*s.Cout),
		guardedCopy(random(r, s.Cout)), guardedCopy(random(r, s.N*ho*wo*s.Cout))
}

func packHWIO(is isa, s ConvShape, w []float32) *Packed {
	return packConv(is, nil, s.KH, s.KW, s.Cin, s.Cout, w, 0, s.KW*s.Cin*s.Cout, s.Cin*s.Cout, s.Cout, 1)
}

// rowSource hands out the rows of x one by one.
func rowSource(s ConvShape, x []float32) Source {
	return Source{Row: func(_, n, y int, dst []float32) {
		at := (n*s.H + y) * s.W * s.Cin
		copy(dst, x[at:at+s.W*s.Cin])
		if len(dst) != s.W*s.Cin {
			panic("row of a wrong length")
		}
	}}
}

// TestSparsePlane leaves a diagonal, and nothing at all, of a one-channel kernel.
func TestSparsePlane(t *testing.T) {
	s := ConvShape{N: 1, H: 26, W: 90, Cin: 1, KH: 7, KW: 9, Cout: 1, KerDilW: 3, PadTop: 2, PadBottom: 4, PadLeft: 12, PadRight: 12}
	x, w, _, _ := s.random(51)
	for _, keep := range []float32{1, 0} {
		for i := range w {
			if i/s.KW != i%s.KW {
				w[i] = 0
			}
			w[i] *= keep
		}
		want, scale := naiveConv(s, x, w)
		eachISA(t, func(t *testing.T, is isa) {
			c, err := NewConv(s, Direct, F32, 1, nil)
			if err != nil {
				t.Fatal(err)
			}
			dst := newGuarded(len(want))
			c.Run(nil, dst.data, Source{Flat: x}, packHWIO(is, s, w), Epilogue{})
			dst.check(t)
			for i, v := range dst.data {
				if math.Abs(float64(v)-want[i]) > 1e-6*scale[i] {
					t.Fatalf("element %d is %g, want %g", i, v, want[i])
				}
			}
		})
	}
}

func TestConv(t *testing.T) {
	one, three := pool.New(1), pool.New(3)
	defer one.Close()
	defer three.Close()
	for i, s := range convShapes {
		x, w, bias, add := s.random(uint64(i))
		want, scale := naiveConv(s, x, w)
		k := s.KH * s.KW * s.Cin
		var scratch Scratch // with what the instruction set before left in it
		var fused []float32 // by the first instruction set with fused multiply-add
		eachISA(t, func(t *testing.T, is isa) {
			packed := packHWIO(is, s, w)
			c, err := NewConv(s, Direct, F32, 3, &scratch)
			if err != nil {
				t.Fatal(err)
			}
			for variant := range 4 {
				var ep Epilogue
				if variant&1 != 0 {
					ep.Bias = bias
				}
				if variant&2 != 0 {
					ep.Add = add
				}
				dst := newGuarded(len(want))
				c.Run(one, dst.data, Source{Flat: x}, packed, ep)
				dst.check(t)
				if is != isaPortable && variant == 0 {
					if fused != nil && !sameBits(fused, dst.data) {
						t.Fatalf("%+v: two instruction sets with fused multiply-add differ", s)
					}
					fused = dst.data
				}
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
					if !(math.Abs(float64(got)-exact) <= matmulTolerance(k)*size) {
						t.Fatalf("%+v variant %d: element %d is %v, want %v", s, variant, j, got, exact)
					}
				}
				for name, src := range map[string]Source{"flat": {Flat: x}, "rows": rowSource(s, x)} {
					again := newGuarded(len(want))
					c.Run(three, again.data, src, packed, ep)
					again.check(t)
					if !sameBits(again.data, dst.data) {
						t.Fatalf("%+v variant %d: three threads and source %s change the result", s, variant, name)
					}
				}
			}
		})
	}
}

// TestConvPost checks that every row is complete when it is handed over, and just once.
func TestConvPost(t *testing.T) {
	p := pool.New(2)
	defer p.Close()
	for i, s := range append(convShapes, square(1, 4, 64, 3, 256, 1, 1), square(4, 32, 8, 3, 40, 1, 1)) {
		x, w, bias, _ := s.random(uint64(i))
		ho, wo := s.Out()
		packed := packHWIO(active, s, w)
		c, err := NewConv(s, Direct, F32, 2, nil)
		if err != nil {
			t.Fatal(err)
		}
		want := make([]float32, s.N*ho*wo*s.Cout)
		c.Run(p, want, Source{Flat: x}, packed, Epilogue{Bias: bias})
		seen := make([]int, s.N*ho)
		var mu sync.Mutex
		dst := make([]float32, len(want))
		c.Run(p, dst, Source{Flat: x}, packed, Epilogue{Bias: bias, Post: func(_, n, y int, row []float32) {
			mu.Lock()
			defer mu.Unlock()
			at := (n*ho + y) * wo * s.Cout
			seen[n*ho+y]++
			if !sameBits(row, want[at:at+wo*s.Cout]) {
				t.Errorf("%+v: row %d of image %d is not complete", s, y, n)
			}
			for j := range row {
				row[j] = -row[j]
			}
		}})
		for r, times := range seen {
			if times != 1 {
				t.Errorf("%+v: row %d handed over %d times", s, r, times)
			}
		}
		for j := range dst {
			if dst[j] != -want[j] {
				t.Fatalf("%+v: change of element %d is lost", s, j)
			}
		}
	}
}

// TestConvBatch checks that an image has the same bits alone and in a batch.
func TestConvBatch(t *testing.T) {
	p := pool.New(2)
	defer p.Close()
	eachISA(t, func(t *testing.T, is isa) {
		s := square(3, 19, 20, 3, 37, 1, 1)
		x, w, _, _ := s.random(1)
		packed := packHWIO(is, s, w)
		batch, err := NewConv(s, Direct, F32, 2, nil)
		if err != nil {
			t.Fatal(err)
		}
		all := make([]float32, 3*19*19*37)
		batch.Run(p, all, Source{Flat: x}, packed, Epilogue{})
		s.N = 1
		single, err := NewConv(s, Direct, F32, 2, nil)
		if err != nil {
			t.Fatal(err)
		}
		for n := range 3 {
			got := make([]float32, 19*19*37)
			single.Run(nil, got, Source{Flat: x[n*19*19*20:]}, packed, Epilogue{})
			if !sameBits(got, all[n*len(got):(n+1)*len(got)]) {
				t.Fatalf("image %d differs in the batch", n)
			}
		}
	})
}

// TestPackConvViews checks that strides give the reversed and transposed kernel.
func TestPackConvViews(t *testing.T) {
	const kh, kw, ci, co = 3, 2, 5, 37
	r := newRand(3)
	w := random(r, kh*kw*ci*co)
	var view []float32 // w reversed in space, with input and output channels exchanged
	for y := range kh {
		for x := range kw {
			for o := range co {
				for i := range ci {
					view = append(view, w[(((kh-1-y)*kw+kw-1-x)*ci+i)*co+o])
				}
			}
		}
	}
	eachISA(t, func(t *testing.T, is isa) {
		want := packConv(is, nil, kh, kw, co, ci, view, 0, kw*co*ci, co*ci, ci, 1)
		got := packConv(is, nil, kh, kw, co, ci, w, (kh*kw-1)*ci*co, -kw*ci*co, -ci*co, 1, co)
		if !sameBits(got.data, want.data) {
			t.Error("view and copy are packed differently")
		}
	})
}

func TestNewConvErrors(t *testing.T) {
	good := square(1, 8, 3, 3, 4, 1, 1)
	for name, change := range map[string]func(*ConvShape){
		"no images":         func(s *ConvShape) { s.N = 0 },
		"no channels":       func(s *ConvShape) { s.Cin = 0 },
		"negative stride":   func(s *ConvShape) { s.StrideH = -1 },
		"negative dilation": func(s *ConvShape) { s.KerDilW = -2 },
		"kernel too large":  func(s *ConvShape) { s.KH = 11 },
		"all cut off":       func(s *ConvShape) { s.PadLeft = -9 },
	} {
		s := good
		change(&s)
		if _, err := NewConv(s, Direct, F32, 1, nil); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := NewConv(good, Direct, F32, 0, nil); err == nil {
		t.Error("no workers: no error")
	}
}

func TestConvNoAllocation(t *testing.T) {
	s := square(1, 64, 16, 3, 32, 1, 1)
	x, w, _, _ := s.random(1)
	c, err := NewConv(s, Direct, F32, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	packed, dst := packHWIO(active, s, w), make([]float32, 64*64*32)
	if n := testing.AllocsPerRun(3, func() { c.Run(nil, dst, Source{Flat: x}, packed, Epilogue{}) }); n != 0 {
		t.Errorf("%v allocations in Run", n)
	}
}

func BenchmarkConv(b *testing.B) {
	dilated := square(1, 64, 96, 3, 64, 1, 1)
	dilated.InDilH, dilated.InDilW, dilated.PadBottom, dilated.PadRight = 2, 2, 2, 2
	for _, bc := range []struct {
		name string
		s    ConvShape
	}{
		{"256x256x32", square(1, 256, 32, 3, 32, 1, 1)},
		{"256x256x96to32", square(1, 256, 96, 3, 32, 1, 1)},
		{"256x256x3to32", square(1, 256, 3, 3, 32, 1, 1)},
		{"256x256x32to3", square(1, 256, 32, 3, 3, 1, 1)},
		{"128x128x64", square(1, 128, 64, 3, 64, 1, 1)},
		{"128x128x160to64", square(1, 128, 160, 3, 64, 1, 1)},
		{"64x64x96", square(1, 64, 96, 3, 96, 1, 1)},
		{"32x32x128", square(1, 32, 128, 3, 128, 1, 1)},
		{"16x16x128", square(1, 16, 128, 3, 128, 1, 1)},
		{"8x8x512", square(1, 8, 512, 3, 512, 1, 1)},
		{"256x256x96to32k1", square(1, 256, 96, 1, 32, 1, 0)},
		{"128x128x64stride2", square(1, 128, 64, 3, 64, 2, 1)},
		{"64x64x96to64dilated", dilated},
		{"256x256blur61", square(3, 256, 1, 61, 1, 1, 30)},
	} {
		for _, threads := range []int{1, 2} {
			b.Run(fmt.Sprintf("%s/threads=%d", bc.name, threads), func(b *testing.B) {
				s := bc.s
				p := pool.New(threads)
				defer p.Close()
				x, w, bias, _ := s.random(1)
				ho, wo := s.Out()
				dst := make([]float32, s.N*ho*wo*s.Cout)
				packed := packHWIO(active, s, w)
				c, err := NewConv(s, Direct, F32, threads, nil)
				if err != nil {
					b.Fatal(err)
				}
				b.ResetTimer()
				for b.Loop() {
					c.Run(p, dst, Source{Flat: x}, packed, Epilogue{Bias: bias})
				}
				// Multiplications with the zeros of a dilated input do not count.
				flops := 2 * float64(len(dst)) * float64(s.KH*s.KW*s.Cin) / float64(c.rows.period*c.cols.period)
				reportGFLOPS(b, flops)
			})
		}
	}
}
