package kernel

// Convolutions of one channel to one channel (blurs, with kernels of thousands of elements) would
// leave all but one column of the matrix kernels empty. Here the vectors run along the rows of
// the image instead, and every input vector is used for several output rows. The order of the
// sums is the same, but elements of the kernel that are zero are left out.

// planeRows is the number of output rows that are computed together.
const planeRows = 4

// plane is one call of the kernel: m <= planeRows rows of n pixels. (The assembly knows this
// layout and that of planeTap through go_asm.h.)
//
//	dst[i*ldd+x] = sum over t in taps: src[t.at+x] * t.w[i]
//
// All of a full block of planeRows times planeWidth pixels is computed, so src must reach that
// far; what is in the excess does not matter.
type plane struct {
	dst, src  []float32
	taps      []planeTap
	ldd, m, n int
}

// planeTap is an element of the input, by its place in the strip relative to an output pixel of
// the first row, and the weights it has for the output rows.
type planeTap struct {
	at int
	w  [planeRows]float32
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
	for i := range p.taps {
		t := &p.taps[i]
		v := p.src[t.at]
		s0 += v * t.w[0]
		s1 += v * t.w[1]
		s2 += v * t.w[2]
		s3 += v * t.w[3]
	}
	sums := [planeRows]float32{s0, s1, s2, s3}
	for i, v := range sums[:p.m] {
		p.dst[i*p.ldd] = v
	}
}

// planeTaps lists the elements that have a weight other than zero for any output row: a blur
// along a path is mostly zeros. It sets taps and, for the elements that m rows need, tapsFor[m-1].
func (c *Conv) planeTaps(w *Packed) {
	data, width, _, _ := w.panel(0)
	s := &c.s
	c.taps = c.taps[:0]
	span := (s.KH-1)*s.KerDilH + 1
	for y := range span + planeRows - 1 {
		for k := range s.KW {
			t := planeTap{at: y*c.line + k*s.KerDilW}
			any := false
			for r := range planeRows {
				ky := y - r // in the dilated kernel
				if ky >= 0 && ky < span && ky%s.KerDilH == 0 {
					t.w[r] = data[(ky/s.KerDilH*s.KW+k)*width]
					any = any || t.w[r] != 0
				}
			}
			if any {
				c.taps = append(c.taps, t)
			}
		}
		if m := y + 1 - span; m >= 0 {
			c.tapsFor[m] = len(c.taps)
		}
	}
}

// planeStep computes output rows [y, y+rows) of image n from the strip.
func (c *Conv) planeStep(n, y, rows int, strip, dst []float32) {
	p := plane{ldd: c.wo}
	width := c.w.isa.planeWidth()
	for r := 0; r < rows; r += planeRows {
		p.m = min(planeRows, rows-r)
		p.taps = c.taps[:c.tapsFor[p.m-1]]
		for x := 0; x < c.wo; x += width {
			p.n = min(width, c.wo-x)
			p.src = strip[r*c.line+x:]
			p.dst = dst[r*c.wo+x:]
			c.w.isa.computePlane(&p)
		}
	}
	if c.ep.Bias != nil {
		binaryScalar(c.w.isa, opAdd, dst, dst, c.ep.Bias[0])
	}
	if c.ep.Add != nil {
		binary(c.w.isa, opAdd, dst, dst, c.ep.Add[(n*c.ho+y)*c.wo:])
	}
}
