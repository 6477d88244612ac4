package kernel

// run is a stretch of n consecutive k: n adjacent elements of the left-hand side, a elements
// after the start of a row, times the n rows of the panel from row b on. (The assembly knows
// this layout.)
type run struct {
	a, b, n int
}

// block is one call of a micro-kernel: m rows times one panel.
//
//	c[cOff[i]+j] = sum over runs, x < run.n: a[aOff[i]+run.a+x] * b[(run.b+x)*width+j]
//	               (+ bias[j]) (+ add[cOff[i]+j])        for i < m, j < n
//
// With acc set the sum starts from c instead of from zero. With bf16 the elements of a and b are
// pairs, for which * is the sum of both products. The rows need not have a uniform
// distance, so that a block can go on from one row of an image to the next. (The assembly knows
// this layout through go_asm.h.)
type block struct {
	a     []float32
	aOff  []int
	b     []float32
	runs  []run
	c     []float32
	cOff  []int
	bias  []float32 // nil: none
	add   []float32 // nil: none
	m     int
	n     int
	width int
	acc   int // 1: start from c
	bf16  int // 1: yes
}

// maxRows is the largest number of rows of a micro-kernel at any instruction set.
const maxRows = 12

// blockRows is the number of rows of the largest micro-kernel for a panel of this width that
// computes no more than m rows.
func (s isa) blockRows(width, m int) int {
	switch {
	case s == isaPortable:
		return min(m, maxRows)
	case s == isaAVX2 && width == 16:
		switch {
		case m >= 6:
			return 6
		case m >= 4:
			return 4
		}
	default:
		switch {
		case m >= 12:
			return 12
		case m >= 8:
			return 8
		case m >= 4:
			return 4
		}
	}
	return min(m, 2)
}

// compute runs the micro-kernel on g, whose m is one that blockRows gave.
func (s isa) compute(g *block) {
	switch {
	case g.bf16 != 0 && !(s.hasBF16() && g.width >= 16):
		computeBF16(g)
	case s == isaPortable:
		computePortable(g)
	default:
		computeAssembly(s, g)
	}
}

// computePortable handles panels of width 4, two rows at a time: as many sums as the 16 registers
// of amd64 hold beside their factors.
func computePortable(g *block) {
	for i := 0; i < g.m; i += 2 {
		i1 := min(i+1, g.m-1) // an odd last row is computed twice and stored once
		var s, t [4]float32
		if g.acc != 0 {
			copy(s[:g.n], g.c[g.cOff[i]:])
			copy(t[:g.n], g.c[g.cOff[i1]:])
		}
		s0, s1, s2, s3 := s[0], s[1], s[2], s[3]
		t0, t1, t2, t3 := t[0], t[1], t[2], t[3]
		for _, r := range g.runs {
			x := g.a[g.aOff[i]+r.a:][:r.n]
			y := g.a[g.aOff[i1]+r.a:][:r.n]
			b := g.b[r.b*4 : (r.b+r.n)*4]
			for k := range x {
				if len(b) < 4 || k >= len(y) { // never: spares the bounds checks below
					break
				}
				xk, yk := x[k], y[k]
				b0, b1, b2, b3 := b[0], b[1], b[2], b[3]
				s0 += xk * b0
				s1 += xk * b1
				s2 += xk * b2
				s3 += xk * b3
				t0 += yk * b0
				t1 += yk * b1
				t2 += yk * b2
				t3 += yk * b3
				b = b[4:]
			}
		}
		storePortable(g, i, [4]float32{s0, s1, s2, s3})
		if i1 > i {
			storePortable(g, i1, [4]float32{t0, t1, t2, t3})
		}
	}
}

func storePortable(g *block, i int, s [4]float32) {
	at := g.cOff[i]
	c := g.c[at : at+g.n]
	for j := range c {
		v := s[j]
		if g.bias != nil {
			v += g.bias[j]
		}
		if g.add != nil {
			v += g.add[at+j]
		}
		c[j] = v
	}
}

// computeBF16 is the portable version for pairs of bfloat16, of any width.
func computeBF16(g *block) {
	for i := range g.m {
		var sums [maxPanel]float32
		c := g.c[g.cOff[i]:][:g.n]
		if g.acc != 0 {
			copy(sums[:], c)
		}
		for _, r := range g.runs {
			for k, pair := range g.a[g.aOff[i]+r.a:][:r.n] {
				a0, a1 := bf16Split(pair)
				for j, b := range g.b[(r.b+k)*g.width:][:g.n] {
					b0, b1 := bf16Split(b)
					sums[j] = sums[j] + a0*b0 + a1*b1
				}
			}
		}
		for j := range c {
			c[j] = sums[j]
			if g.bias != nil {
				c[j] += g.bias[j]
			}
			if g.add != nil {
				c[j] += g.add[g.cOff[i]+j]
			}
		}
	}
}
