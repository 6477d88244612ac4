package kernel

// Convolutions of one channel to one channel (blurs, with kernels of thousands of elements) would
// leave all but one column of the matrix kernels empty. Here the vectors run along the rows of
// the image instead, and every input vector is used for several output rows. The order of the
// sums is the same.

// planeRows is the number of output rows that are computed together.
const planeRows = 4

// plane is one call of the kernel: m <= planeRows rows of n pixels. (The assembly knows this
// layout through go_asm.h.)
//
//	dst[i*ldd+x] = sum over y < rows, k < kw: src[y*lds+x+k] * w[(planeRows-1+y-i)*kw+k]
//
// w has planeRows-1 rows of zeros before and after the kernel, and rows is the kernel's height
// plus m-1. All of a full block of planeRows times planeWidth pixels is computed, so src must
// reach that far; what is in the excess does not matter.
type plane struct {
	dst, src, w    []float32
	ldd, lds       int
	rows, kw, m, n int
}

// planeExcess is how far beyond the last pixel a call may read.
const planeExcess = 64

// planeWidth is the largest number of pixels of a call.
func (s isa) planeWidth() int {
	switch s {
	case isaAVX512:
		return 64
	case isaAVX2, isaNEON:
		return 16
	}
	return 1
}

func (s isa) computePlane(p *plane) {
	if s != isaPortable {
		planeAssembly(s, p)
		return
	}
	var s0, s1, s2, s3 float32
	for y := range p.rows {
		src := p.src[y*p.lds:][:p.kw]
		w3 := p.w[y*p.kw:][:p.kw]
		w2 := p.w[(y+1)*p.kw:][:p.kw]
		w1 := p.w[(y+2)*p.kw:][:p.kw]
		w0 := p.w[(y+3)*p.kw:][:p.kw]
		for k, v := range src {
			s0 += v * w0[k]
			s1 += v * w1[k]
			s2 += v * w2[k]
			s3 += v * w3[k]
		}
	}
	sums := [planeRows]float32{s0, s1, s2, s3}
	for i, v := range sums[:p.m] {
		p.dst[i*p.ldd] = v
	}
}

// planeWeights copies the single column of w to dst, with rows of zeros on either side. It
// returns dst, grown if it is too short.
func planeWeights(dst []float32, w *Packed, kw int) []float32 {
	margin := (planeRows - 1) * kw
	if n := w.k + 2*margin; len(dst) != n {
		dst = make([]float32, n)
	}
	data, width, _, _ := w.panel(0)
	for k := range w.k {
		dst[margin+k] = data[k*width]
	}
	return dst
}

// planeStep computes output rows [y, y+rows) of image n from the strip.
func (c *Conv) planeStep(n, y, rows int, strip []float32) {
	at := (n*c.ho + y) * c.wo
	p := plane{w: c.weights, ldd: c.wo, lds: c.line, kw: c.s.KW}
	width := c.w.isa.planeWidth()
	for r := 0; r < rows; r += planeRows {
		p.m = min(planeRows, rows-r)
		p.rows = c.s.KH + p.m - 1
		for x := 0; x < c.wo; x += width {
			p.n = min(width, c.wo-x)
			p.src = strip[r*c.line+x:]
			p.dst = c.dst[at+r*c.wo+x:]
			c.w.isa.computePlane(&p)
		}
	}
	dst := c.dst[at : at+rows*c.wo]
	if c.ep.Bias != nil {
		binaryScalar(c.w.isa, opAdd, dst, dst, c.ep.Bias[0])
	}
	if c.ep.Add != nil {
		binary(c.w.isa, opAdd, dst, dst, c.ep.Add[at:])
	}
}
