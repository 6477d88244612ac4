package kernel

import (
	"fmt"
	"math"

	"github.com/seed-0f004ec9/spgd/engine/cpu/internal/pool"
)

// Algorithm says how a convolution is computed.
type Algorithm uint8

const (
	// Auto takes what is expected to be fastest for the shape.
	Auto Algorithm = iota
	// Direct multiplies with the kernel itself.
	Direct
	// Winograd transforms tiles of 6x6, 4x4 or 2x2 pixels, the larger the larger the image, where
	// the kernel is 3x3 and strides and dilations are 1, and is Direct elsewhere.
	Winograd
)

var algorithmNames = [...]string{Auto: "auto", Direct: "direct", Winograd: "winograd"}

func (a Algorithm) String() string { return algorithmNames[a] }

// ParseAlgorithm reads "auto", "direct" or "winograd".
func ParseAlgorithm(name string) (Algorithm, error) {
	for a, known := range algorithmNames {
		if name == known {
			return Algorithm(a), nil
		}
	}
	return 0, fmt.Errorf("kernel: %q is not a convolution algorithm (want auto, direct or winograd)", name)
}

// Tile is the size of the tiles of Winograd's method that the plan uses, 0 for direct convolution.
// Plans of equal Tile and Precision share packed kernels.
func (c *Conv) Tile() int {
	if c.wino == nil {
		return 0
	}
	return c.wino.tile
}

// Precision is that of the plan's factors: F32 also if the plan was made with BF16, where that would
// gain nothing.
func (c *Conv) Precision() Precision {
	if c.wino == nil {
		return c.prec
	}
	return c.wino.prec
}

// Pack packs a kernel for the plan, with the threads of p, which may be nil; see PackConv for the
// strides. It reuses the memory of dst where it fits; dst may be nil.
func (c *Conv) Pack(p *pool.Pool, dst *Packed, w []float32, offset, sh, sw, si, so int) *Packed {
	s := &c.s
	if c.wino != nil {
		return packWinograd(c.wino.isa, c.wino.prec, c.wino.tile, p, dst, s.Cin, s.Cout, w, offset, sh, sw, si, so)
	}
	if c.prec == BF16 {
		return packConvBF16(active, dst, s.KH, s.KW, s.Cin, s.Cout, w, offset, sh, sw, si, so)
	}
	return PackConv(dst, s.KH, s.KW, s.Cin, s.Cout, w, offset, sh, sw, si, so)
}

// PackedBytes is the size of a kernel packed for the plan.
func (c *Conv) PackedBytes() int {
	if c.wino != nil {
		return 4 * winogradPackedLen(c.wino.isa, c.wino.prec, c.wino.tile, c.s.Cin, c.s.Cout)
	}
	return 4 * packedLen(active, c.s.KH*c.s.KW*c.prec.elements(c.s.Cin), c.s.Cout)
}

// directBF16Fits reports whether a direct convolution gains by bfloat16: there are channels enough to
// make up for rounding the input, and the last panel has kernels for it.
func directBF16Fits(s ConvShape) bool {
	rest := s.Cout % 32
	return s.Cin >= 16 && s.Cout >= 16 && (rest == 0 || rest > 8)
}

// tile chooses the tile for a shape, 0 for direct convolution. It looks at one image only, so that
// an image has the same result in every batch.
func (a Algorithm) tile(is isa, prec Precision, s ConvShape) int {
	if a == Direct || !winogradFits(s) {
		return 0
	}
	h, w := s.Out()
	best, least := 0, math.Inf(1)
	if a == Auto {
		least = directCost(is, prec, s, h, w) / 1.1 // worth the memory
	}
	for _, choice := range []struct {
		tile int
		// packed is how many times larger than the output the packed kernel may be: with few pixels
		// and many channels the memory is better spent on smaller tiles.
		packed float64
		// worth is how much cheaper it must be than what has smaller tiles.
		worth float64
	}{
		{tile: 2, packed: 60, worth: 1},
		{tile: 4, packed: 48, worth: 1},
		{tile: 6, packed: 1, worth: 1.05}, // has four times the rounding errors
	} {
		if choice.tile == 6 && prec == BF16 { // has too large rounding errors
			continue
		}
		limited := a == Auto || choice.tile > 2 // there is always a tile for Winograd
		if limited && float64(winogradPoints(choice.tile)*prec.elements(s.Cin)) > choice.packed*float64(h*w) {
			continue
		}
		if cost := winogradCost(is, prec, choice.tile, s, h, w); cost*choice.worth < least {
			best, least = choice.tile, cost
		}
	}
	return best
}

// The costs are those of one thread, in the time of one multiply-add of 16 channels. They were
// measured with AVX-512 on Zen 4, where this is a cycle.

// directCost is the cost of a direct 3x3 convolution with an output of h x w.
func directCost(is isa, prec Precision, s ConvShape, h, w int) float64 {
	if !directBF16Fits(s) {
		prec = F32
	}
	return float64(h*w) * 9 * float64(prec.elements(s.Cin)) * float64(packedLen(is, 1, s.Cout)) / 16
}

// winogradCost is the cost with tiles of the given size: the product or the time to read the packed
// kernel, whichever is longer, and the transforms.
func winogradCost(is isa, prec Precision, tile int, s ConvShape, h, w int) float64 {
	const (
		fastBytes = 16 // of the packed kernel, in the time unit, from the third-level cache
		slowBytes = 7  // ... and from memory
		cacheSize = 16 << 20
	)
	tiles := (h + tile - 1) / tile * ((w + tile - 1) / tile)
	floats := winogradPackedLen(is, prec, tile, s.Cin, s.Cout)
	product := float64(floats) * float64(roundUp(tiles, winogradRows)) / 16
	bytes := 4 * float64(floats) * float64((tiles+63)/64)
	read := bytes / fastBytes
	if 4*floats > cacheSize {
		read = bytes / slowBytes
	}
	in, out := is.winogradTransformCost(tile)
	vectors := func(channels int) float64 { return float64((channels + 15) / 16) }
	return max(product, read) + float64(tiles)*(in*vectors(s.Cin)+out*vectors(s.Cout))
}

// winogradTransformCost is the cost of the transforms of 16 channels of a tile.
func (s isa) winogradTransformCost(tile int) (in, out float64) {
	switch s {
	case isaAVX512:
		in, out = 300, 250
	case isaAVX2:
		in, out = 400, 400
	case isaNEON:
		in, out = 500, 450 // reckoned from the code, not measured
	default:
		in, out = 900, 800
	}
	switch {
	case tile == 2:
		in, out = in/4, out/4
	case tile == 6 && s == isaAVX512:
		in, out = 600, 650
	case tile == 6:
		in, out = 2000, 1900 // portable
	}
	return in, out
}
