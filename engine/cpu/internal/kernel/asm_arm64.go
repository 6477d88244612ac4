package kernel

// haveAssembly says whether this architecture has kernels in assembly.
const haveAssembly = true

// computeAssembly runs the micro-kernel, which always loads and stores whole rows of the panel.
func computeAssembly(_ isa, g *block) {
	if g.n == g.width {
		computeNEON(g)
		return
	}
	// A narrower block goes through a whole one.
	var c [maxRows * 8]float32
	var cOff [maxRows]int
	for i := range g.m {
		cOff[i] = i * g.width
		if g.acc != 0 {
			copy(c[cOff[i]:], g.c[g.cOff[i]:][:g.n])
		}
	}
	whole := block{a: g.a, aOff: g.aOff, b: g.b, runs: g.runs, c: c[:], cOff: cOff[:], m: g.m, n: g.width, width: g.width, acc: g.acc}
	computeNEON(&whole)
	for i := range g.m {
		at := g.cOff[i]
		dst, from := g.c[at:at+g.n], c[cOff[i]:]
		for j := range dst {
			v := from[j]
			if g.bias != nil {
				v += g.bias[j]
			}
			if g.add != nil {
				v += g.add[at+j]
			}
			dst[j] = v
		}
	}
}

func computeNEON(g *block) {
	if g.width == 8 {
		computeNEONx8(g)
	} else {
		computeNEONx4(g)
	}
}

//go:noescape
func computeNEONx8(arg *block)

//go:noescape
func computeNEONx4(arg *block)

// planeAssembly runs the kernel for planes, which always stores 16 pixels a row.
func planeAssembly(_ isa, p *plane) {
	const width = 16
	if p.n == width {
		planeNEON(p)
		return
	}
	var dst [planeRows * width]float32
	whole := *p
	whole.dst, whole.ldd, whole.n = dst[:], width, width
	planeNEON(&whole)
	for i := range p.m {
		copy(p.dst[i*p.ldd:][:p.n], dst[i*width:])
	}
}

//go:noescape
func planeNEON(arg *plane)

func peakAssembly(_ isa, n int) { peakNEON(n) }

// peakNEON does n rounds, n even, of 12 independent multiply-adds of whole registers.
func peakNEON(n int)
