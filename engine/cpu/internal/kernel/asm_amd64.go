package kernel

// haveAssembly says whether this architecture has kernels in assembly.
const haveAssembly = true

func computeAssembly(s isa, g *block) {
	switch {
	case g.width == 32:
		computeAVX512x32(g)
	case g.width == 8:
		computeAVX2x8(g)
	case s == isaAVX512:
		computeAVX512x16(g)
	default:
		computeAVX2x16(g)
	}
}

//go:noescape
func computeAVX512x32(arg *block)

//go:noescape
func computeAVX512x16(arg *block)

//go:noescape
func computeAVX2x16(arg *block)

//go:noescape
func computeAVX2x8(arg *block)

// The peak functions do n rounds of 12 independent multiply-adds of whole registers.

func peakAVX512(n int)

func peakAVX2(n int)

func peakAssembly(s isa, n int) {
	if s == isaAVX512 {
		peakAVX512(n)
	} else {
		peakAVX2(n)
	}
}

func planeAssembly(s isa, p *plane) {
	if s == isaAVX512 {
		planeAVX512(p)
	} else {
		planeAVX2(p)
	}
}

//go:noescape
func planeAVX512(arg *plane)

//go:noescape
func planeAVX2(arg *plane)
