package kernel

import (
	"math"
	"testing"

	"github.com/seed-0f004ec9/spgd/engine/cpu/internal/pool"
)

// convBF16Shapes are convolutions that gain by bfloat16, of odd channels and several panels, blocks
// and chunks.
var convBF16Shapes = []ConvShape{
	square(1, 8, 32, 3, 32, 1, 1),
	square(2, 9, 17, 1, 44, 1, 0),
	square(1, 5, 512, 1, 44, 1, 0),
	square(1, 13, 512, 3, 16, 1, 1),
	square(3, 7, 33, 2, 25, 2, 1),
	square(1, 19, 64, 3, 96, 2, 1),
	square(2, 1, 1024, 1, 32, 1, 0),
	{N: 1, H: 24, W: 48, Cin: 97, KH: 1, KW: 3, Cout: 48, PadTop: 1, PadLeft: 2},
	{N: 2, H: 6, W: 9, Cin: 21, KH: 3, KW: 3, Cout: 64, InDilH: 2, InDilW: 2, PadTop: 1, PadBottom: 2, PadLeft: 1, PadRight: 2},
	{N: 1, H: 12, W: 13, Cin: 30, KH: 3, KW: 3, Cout: 16, KerDilH: 2, KerDilW: 3, PadTop: 2, PadBottom: 2, PadLeft: 3, PadRight: 3},
}

func packConvHWIO(is isa, prec Precision, s ConvShape, w []float32) *Packed {
	if prec == F32 {
		return packHWIO(is, s, w)
	}
	return packConvBF16(is, nil, s.KH, s.KW, s.Cin, s.Cout, w, 0, s.KW*s.Cin*s.Cout, s.Cin*s.Cout, s.Cout, 1)
}

// rounded is x in bfloat16.
func rounded(x []float32) []float32 {
	y := make([]float32, len(x))
	for i, v := range x {
		y[i], _ = bf16Split(bf16Pair(v, 0))
	}
	return y
}

// TestConvBF16 compares with float64: but for the sums the result is that of rounded factors.
func TestConvBF16(t *testing.T) {
	one, three := pool.New(1), pool.New(3)
	defer one.Close()
	defer three.Close()
	for i, s := range convBF16Shapes {
		x, w, bias, add := s.random(uint64(i))
		want, scale := naiveConv(s, rounded(x), rounded(w))
		var scratch Scratch
		eachISA(t, func(t *testing.T, is isa) {
			if !is.distinct(BF16) {
				t.Skip("the code is the portable one")
			}
			packed := packConvHWIO(is, BF16, s, w)
			c, err := newConv(s, Direct, BF16, 3, &scratch)
			if err != nil {
				t.Fatal(err)
			}
			if c.Precision() != BF16 {
				t.Fatalf("%+v is done in %s", s, c.Precision())
			}
			dst := newGuarded(len(want))
			c.Run(one, dst.data, Source{Flat: x}, packed, Epilogue{Bias: bias, Add: add})
			dst.check(t)
			for j, got := range dst.data {
				exact := want[j] + float64(bias[j%s.Cout]) + float64(add[j])
				if !(math.Abs(float64(got)-exact) <= matmulTolerance(s.KH*s.KW*s.Cin)*(scale[j]+2)) {
					t.Fatalf("%+v: element %d is %v, want %v", s, j, got, exact)
				}
			}
			for name, src := range map[string]Source{"flat": {Flat: x}, "rows": rowSource(s, x)} {
				again := newGuarded(len(want))
				c.Run(three, again.data, src, packed, Epilogue{Bias: bias, Add: add})
				again.check(t)
				if !sameBits(again.data, dst.data) {
					t.Fatalf("%+v: three threads and source %s change the result", s, name)
				}
			}
			single := s
			single.N = 1
			c, err = newConv(single, Direct, BF16, 1, nil)
			if err != nil {
				t.Fatal(err)
			}
			image, out := len(x)/s.N, len(want)/s.N
			for n := range s.N {
				got := make([]float32, out)
				c.Run(nil, got, Source{Flat: x[n*image:][:image]}, packed, Epilogue{Bias: bias, Add: add[n*out:]})
				if !sameBits(got, dst.data[n*out:][:out]) {
					t.Fatalf("%+v: image %d differs in the batch", s, n)
				}
			}
		})
	}
}

// TestPackConvBF16 checks that the packed kernel has the size that is announced, that memory is
// reused, and that strides give the reversed and transposed kernel.
func TestPackConvBF16(t *testing.T) {
	const kh, kw, ci, co = 3, 2, 17, 37
	w := random(newRand(3), kh*kw*ci*co)
	var view []float32
	for tap := range kh * kw {
		for o := range co {
			for i := range ci {
				view = append(view, w[((kh*kw-1-tap)*ci+i)*co+o])
			}
		}
	}
	eachISA(t, func(t *testing.T, is isa) {
		want := packConvBF16(is, nil, kh, kw, co, ci, view, 0, kw*co*ci, co*ci, ci, 1)
		got := packConvBF16(is, want.used(), kh, kw, co, ci, w, (kh*kw-1)*ci*co, -kw*ci*co, -ci*co, 1, co)
		if !sameBits(got.data, want.data) {
			t.Error("view and copy are packed differently")
		}
		if n := packedLen(is, kh*kw*BF16.elements(co), ci); len(got.data) != n {
			t.Errorf("%d floats, want %d", len(got.data), n)
		}
	})
}
