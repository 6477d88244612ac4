package kernel

// Winograd's minimal filtering (Winograd 1980; Lavin and Gray, arXiv 1509.09308) computes m x m
// outputs of a 3x3 correlation from n x n inputs, n = m+2, as
//
//	Y = A' [(G g G') * (B' d B)] A
//
// with n*n products (*, one for each pair of interpolation points) instead of 9*m*m. Matrices of
// all tiles and channels make one matrix product for each pair of points.
//
// The points decide how accurate this is (Barabasz et al., arXiv 1803.10986). F(2x2) takes 0, 1,
// -1 and infinity. F(4x4) takes 0, +-11/16, +-3/2 and infinity, whose powers float32 holds
// exactly: their errors are half as large as with the customary 0, +-1, +-2 and infinity.
//
// Points, and with them rows of the matrices, come in the order 0, a, -a, infinity, b, -b.
const (
	winogradA = 11.0 / 16
	winogradB = 3.0 / 2
)

// winogradInput is one call of the input transform: B' d B for adjacent tiles of a row of tiles.
// (The assembly knows this layout through go_asm.h.)
//
//	dst[p*point+t*pitch+c], c < channels, for point p of tile t,
//	from src[i][t*step+j*pixel+c], row i and column j of tile t
//
// Elements of dst from channels to the next multiple of 16 may be written too. With bf16 two
// channels make an element: see bf16Pair. Where channels is odd, its last one has a zero beside it.
type winogradInput struct {
	src             [6][]float32
	dst             []float32
	pixel, step     int
	point, pitch    int
	tiles, channels int
	bf16            int // 1: yes
}

// winogradOutput is one call of the output transform: A' M A, plus bias and residual, for
// adjacent tiles of a row of tiles.
//
//	dst[i*row+t*step+j*pixel+c], c < channels, from src[p*point+t*pitch+c]
//
// bias reaches to the next multiple of 16; add, if any, is laid out as dst. src is read to the next
// multiple of 16.
type winogradOutput struct {
	src, dst, add, bias []float32
	point, pitch        int
	row, pixel, step    int
	tiles, channels     int
}

// winogradProduct multiplies matrices, one for each point, by one panel each.
//
//	c[p*cPoint+i*width+j] = sum over x < k: a[p*aPoint+i*aRow+x] * b[(p*k+x)*width+j]
//
// for i < rows, j < width, p < points. rows is rounded up to a multiple of winogradRows. With bf16
// the elements of a and b are pairs, for which * is the sum of both products.
type winogradProduct struct {
	a, b, c        []float32
	k, rows        int
	aRow, aPoint   int
	cPoint, points int
	bf16           int // 1: yes

	// fetchRegions regions of memory are needed next. The assembly may ask for them meanwhile,
	// fetchLines cache lines at a time.
	fetch                    [2]winogradFetch
	fetchRegions, fetchLines int
}

// winogradFetch is a region of memory: rows of len floats, row floats apart.
type winogradFetch struct {
	from           []float32
	rows, row, len int
}

// winogradRows divides the number of rows of a winogradProduct.
const winogradRows = 4

func (s isa) winogradIn(tile int, g *winogradInput) {
	if s == isaPortable || g.bf16 != 0 && !s.hasBF16() {
		winogradInputPortable(tile, g)
	} else {
		winogradInputAssembly(s, tile, g)
	}
}

func (s isa) winogradOut(tile int, g *winogradOutput) {
	if s == isaPortable {
		winogradOutputPortable(tile, g)
	} else {
		winogradOutputAssembly(s, tile, g)
	}
}

func (s isa) winogradMultiply(g *winogradProduct) {
	if g.bf16 != 0 && !s.hasBF16() {
		winogradProductBF16(s.panelWidth(), g)
		return
	}
	if s != isaPortable && winogradProducts {
		winogradProductAssembly(s, g)
		return
	}
	width := s.panelWidth()
	var aOff, cOff [maxRows]int
	for i := range maxRows {
		aOff[i] = i * g.aRow
		cOff[i] = i * width
	}
	runs := [1]run{{0, 0, g.k}}
	blk := block{runs: runs[:], n: width, width: width}
	for p := range g.points {
		blk.b = g.b[p*g.k*width : (p+1)*g.k*width]
		for i := 0; i < g.rows; i += blk.m {
			blk.m = s.blockRows(width, g.rows-i)
			blk.a, blk.aOff = g.a[p*g.aPoint+i*g.aRow:], aOff[:blk.m]
			blk.c, blk.cOff = g.c[p*g.cPoint+i*width:], cOff[:blk.m]
			s.compute(&blk)
		}
	}
}

func winogradInputPortable(tile int, g *winogradInput) {
	if tile == 4 {
		winogradInput4Portable(g)
	} else {
		winogradInput2Portable(g)
	}
}

func winogradOutputPortable(tile int, g *winogradOutput) {
	if tile == 4 {
		winogradOutput4Portable(g)
	} else {
		winogradOutput2Portable(g)
	}
}

// at is the place of channel c of tile t in dst, at the first point.
func (g *winogradInput) at(t, c int) int {
	if g.bf16 != 0 {
		c /= 2
	}
	return t*g.pitch + c
}

// put stores channel c at a place.
func (g *winogradInput) put(at, c int, v float32) {
	switch {
	case g.bf16 == 0:
		g.dst[at] = v
	case c%2 == 0:
		g.dst[at] = bf16Pair(v, 0)
	default:
		first, _ := bf16Split(g.dst[at])
		g.dst[at] = bf16Pair(first, v)
	}
}

// winogradProductBF16 multiplies pairs of bfloat16, with panels of the given width.
func winogradProductBF16(width int, g *winogradProduct) {
	var b0, b1 [maxPanel]float32
	for p := range g.points {
		c := g.c[p*g.cPoint:][:g.rows*width]
		clear(c)
		for x := range g.k {
			for j, b := range g.b[(p*g.k+x)*width:][:width] {
				b0[j], b1[j] = bf16Split(b)
			}
			for i := range g.rows {
				a0, a1 := bf16Split(g.a[p*g.aPoint+i*g.aRow+x])
				row := c[i*width:][:width]
				for j := range row {
					row[j] = row[j] + a0*b0[j] + a1*b1[j]
				}
			}
		}
	}
}

// winogradIn4 is B' for one dimension of F(4x4).
func winogradIn4(d *[6]float32) {
	const a, b, a2, b2 = winogradA, winogradB, winogradA * winogradA, winogradB * winogradB
	t, u := d[4]-b2*d[2], d[3]-b2*d[1]
	v, w := d[4]-a2*d[2], d[3]-a2*d[1]
	d[0] = a2*(b2*d[0]-d[2]) + t
	d[3], d[4], d[5] = d[5]-b2*d[3]-a2*u, v+b*w, v-b*w
	d[1], d[2] = t+a*u, t-a*u
}

// winogradOut4 is A' for one dimension of F(4x4), plus the bias.
func winogradOut4(m *[6]float32, bias float32) (y [4]float32) {
	const a, b = winogradA, winogradB
	p, q, r, s := m[1]+m[2], m[1]-m[2], m[4]+m[5], m[4]-m[5]
	y[0] = m[0] + p + r + bias
	y[1] = a*q + bias + b*s
	y[2] = a*a*p + bias + b*b*r
	y[3] = m[3] + a*a*a*q + b*b*b*s + bias
	return y
}

func winogradInput4Portable(g *winogradInput) {
	for t := range g.tiles {
		for c := range g.channels {
			var d [6][6]float32
			for j := range 6 {
				at := t*g.step + j*g.pixel + c
				column := [6]float32{g.src[0][at], g.src[1][at], g.src[2][at], g.src[3][at], g.src[4][at], g.src[5][at]}
				winogradIn4(&column)
				for i, v := range column {
					d[i][j] = v
				}
			}
			at := g.at(t, c)
			for i := range d {
				winogradIn4(&d[i])
				for _, v := range d[i] {
					g.put(at, c, v)
					at += g.point
				}
			}
		}
	}
}

func winogradOutput4Portable(g *winogradOutput) {
	for t := range g.tiles {
		for c := range g.channels {
			var z [4][6]float32
			for j := range 6 {
				var m [6]float32
				for i := range m {
					m[i] = g.src[(6*i+j)*g.point+t*g.pitch+c]
				}
				for i, v := range winogradOut4(&m, 0) {
					z[i][j] = v
				}
			}
			for i := range z {
				for j, v := range winogradOut4(&z[i], g.bias[c]) {
					at := i*g.row + t*g.step + j*g.pixel + c
					if g.add != nil {
						v += g.add[at]
					}
					g.dst[at] = v
				}
			}
		}
	}
}

// winogradIn2 is B' for one dimension of F(2x2), in the order 0, 1, -1, infinity.
func winogradIn2(d *[4]float32) {
	d[0], d[1], d[2], d[3] = d[0]-d[2], d[1]+d[2], d[2]-d[1], d[3]-d[1]
}

// winogradOut2 is A' for one dimension of F(2x2), plus the bias.
func winogradOut2(m *[4]float32, bias float32) (y [2]float32) {
	return [2]float32{m[0] + (m[1] + m[2]) + bias, (m[1] - m[2]) + m[3] + bias}
}

func winogradInput2Portable(g *winogradInput) {
	for t := range g.tiles {
		for c := range g.channels {
			var d [4][4]float32
			for j := range 4 {
				at := t*g.step + j*g.pixel + c
				column := [4]float32{g.src[0][at], g.src[1][at], g.src[2][at], g.src[3][at]}
				winogradIn2(&column)
				for i, v := range column {
					d[i][j] = v
				}
			}
			at := g.at(t, c)
			for i := range d {
				winogradIn2(&d[i])
				for _, v := range d[i] {
					g.put(at, c, v)
					at += g.point
				}
			}
		}
	}
}

func winogradOutput2Portable(g *winogradOutput) {
	for t := range g.tiles {
		for c := range g.channels {
			var z [2][4]float32
			for j := range 4 {
				var m [4]float32
				for i := range m {
					m[i] = g.src[(4*i+j)*g.point+t*g.pitch+c]
				}
				for i, v := range winogradOut2(&m, 0) {
					z[i][j] = v
				}
			}
			for i := range z {
				for j, v := range winogradOut2(&z[i], g.bias[c]) {
					at := i*g.row + t*g.step + j*g.pixel + c
					if g.add != nil {
						v += g.add[at]
					}
					g.dst[at] = v
				}
			}
		}
	}
}
