package kernel

import "fmt"

// Algorithm says how a convolution is computed.
type Algorithm uint8

const (
	// Auto takes what is expected to be fastest for the shape.
	Auto Algorithm = iota
	// Direct multiplies with the kernel itself.
	Direct
	// Winograd transforms tiles of 4x4 pixels, or 2x2 for small images, where the kernel is 3x3
	// and strides and dilations are 1, and is Direct elsewhere.
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
// Plans with equal tiles share packed kernels.
func (c *Conv) Tile() int {
	if c.wino == nil {
		return 0
	}
	return c.wino.tile
}

// Pack packs a kernel for the plan; see PackConv for the strides. It reuses the memory of dst where
// it fits; dst may be nil.
func (c *Conv) Pack(dst *Packed, w []float32, offset, sh, sw, si, so int) *Packed {
	s := &c.s
	if c.wino != nil {
		return packWinograd(c.wino.isa, c.wino.tile, dst, s.Cin, s.Cout, w, offset, sh, sw, si, so)
	}
	return PackConv(dst, s.KH, s.KW, s.Cin, s.Cout, w, offset, sh, sw, si, so)
}

// tile chooses the tile for a shape, 0 for direct convolution.
func (a Algorithm) tile(is isa, s ConvShape) int {
	if a == Direct || !winogradFits(s) {
		return 0
	}
	if a == Winograd {
		return 4
	}
	if is.winogradAssembled() && s.Cin >= 16 && s.Cout >= 16 && s.H*s.W >= 256 {
		return 4
	}
	return 0
}
