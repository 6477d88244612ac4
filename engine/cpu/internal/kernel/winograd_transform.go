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
// exactly: their errors are half as large as with the customary 0, +-1, +-2 and infinity. F(6x6)
// takes 0, +-1/2, +-1, +-2 and infinity: of all multiples of 1/16 they have the smallest errors,
// four times those of F(4x4), and the fewest multiplications.
//
// Points, and with them rows of the matrices, come in the order 0, a, -a, infinity, b, -b for
// F(4x4), and with infinity last for the others.
const (
	winogradA = 11.0 / 16
	winogradB = 3.0 / 2
)

// winogradMaxTile and winogradMaxInput are the sizes of the largest tiles of output and input.
const (
	winogradMaxTile  = 6
	winogradMaxInput = winogradMaxTile + 2
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
	src             [winogradMaxInput][]float32
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
const winogradRows = 2

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

// winogradIn is B' for one dimension, in place.
func winogradIn(tile int, d *[winogradMaxInput]float32) {
	switch tile {
	case 2:
		winogradIn2(d)
	case 4:
		winogradIn4(d)
	default:
		winogradIn6(d)
	}
}

// winogradOut is A' for one dimension, plus the bias, in place.
func winogradOut(tile int, m *[winogradMaxInput]float32, bias float32) {
	switch tile {
	case 2:
		winogradOut2(m, bias)
	case 4:
		winogradOut4(m, bias)
	default:
		winogradOut6(m, bias)
	}
}

func winogradInputPortable(tile int, g *winogradInput) {
	n := tile + 2
	for t := range g.tiles {
		for c := range g.channels {
			var d [winogradMaxInput][winogradMaxInput]float32
			for j := range n {
				var column [winogradMaxInput]float32
				for i := range n {
					column[i] = g.src[i][t*g.step+j*g.pixel+c]
				}
				winogradIn(tile, &column)
				for i, v := range column[:n] {
					d[i][j] = v
				}
			}
			at := g.at(t, c)
			for i := range n {
				winogradIn(tile, &d[i])
				for _, v := range d[i][:n] {
					g.put(at, c, v)
					at += g.point
				}
			}
		}
	}
}

func winogradOutputPortable(tile int, g *winogradOutput) {
	n := tile + 2
	for t := range g.tiles {
		for c := range g.channels {
			var z [winogradMaxTile][winogradMaxInput]float32
			for j := range n {
				var m [winogradMaxInput]float32
				for i := range n {
					m[i] = g.src[(n*i+j)*g.point+t*g.pitch+c]
				}
				winogradOut(tile, &m, 0)
				for i, v := range m[:tile] {
					z[i][j] = v
				}
			}
			for i := range tile {
				winogradOut(tile, &z[i], g.bias[c])
				for j, v := range z[i][:tile] {
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

// winogradIn2 is B' for one dimension of F(2x2).
func winogradIn2(d *[winogradMaxInput]float32) {
	d[0], d[1], d[2], d[3] = d[0]-d[2], d[1]+d[2], d[2]-d[1], d[3]-d[1]
}

// winogradOut2 is A' for one dimension of F(2x2), plus the bias.
func winogradOut2(m *[winogradMaxInput]float32, bias float32) {
	m[0], m[1] = m[0]+(m[1]+m[2])+bias, (m[1]-m[2])+m[3]+bias
}

// winogradIn4 is B' for one dimension of F(4x4).
func winogradIn4(d *[winogradMaxInput]float32) {
	const a, b, a2, b2 = winogradA, winogradB, winogradA * winogradA, winogradB * winogradB
	t, u := d[4]-b2*d[2], d[3]-b2*d[1]
	v, w := d[4]-a2*d[2], d[3]-a2*d[1]
	d[0] = a2*(b2*d[0]-d[2]) + t
	d[3], d[4], d[5] = d[5]-b2*d[3]-a2*u, v+b*w, v-b*w
	d[1], d[2] = t+a*u, t-a*u
}

// winogradOut4 is A' for one dimension of F(4x4), plus the bias.
func winogradOut4(m *[winogradMaxInput]float32, bias float32) {
	const a, b = winogradA, winogradB
	p, q, r, s := m[1]+m[2], m[1]-m[2], m[4]+m[5], m[4]-m[5]
	m[0] = m[0] + p + r + bias
	m[1] = a*q + bias + b*s
	m[2] = a*a*p + bias + b*b*r
	m[3] = m[3] + a*a*a*q + b*b*b*s + bias
}

// winogradIn6 is B' for one dimension of F(6x6). The polynomials of a point and its negative share
// their even and odd parts: x^6 - 5 x^4 + 4 x^2 and (x^5 - 5 x^3 + 4 x)/2 for 1/2, with
// coefficients 17/4 and 1 for 1, and 5/4 and 1/4 for 2.
func winogradIn6(d *[winogradMaxInput]float32) {
	zero, infinity := d[6]-d[0]+21.0/4*(d[2]-d[4]), d[7]-d[1]+21.0/4*(d[3]-d[5])
	ea, oa := 4*(d[2]-5.0/4*d[4])+d[6], d[5]/2-5.0/2*d[3]+2*d[1]
	eb, ob := d[6]+d[2]-17.0/4*d[4], d[5]+d[1]-17.0/4*d[3]
	ec, oc := d[6]-5.0/4*d[4]+d[2]/4, d[1]/2-5.0/2*d[3]+2*d[5]
	*d = [winogradMaxInput]float32{zero, ea + oa, ea - oa, eb + ob, eb - ob, ec + oc, ec - oc, infinity}
}

// winogradOut6 is A' for one dimension of F(6x6), plus the bias.
func winogradOut6(m *[winogradMaxInput]float32, bias float32) {
	p, q := m[1]+m[2], m[1]-m[2]
	r, s := m[3]+m[4]+bias, m[3]-m[4]+bias
	t, u := m[5]+m[6], m[5]-m[6]
	m[0] = (m[0] + p) + (r + t)
	m[1] = s + q/2 + 2*u
	m[2] = r + p/4 + 4*t
	m[3] = s + q/8 + 8*u
	m[4] = r + p/16 + 16*t
	m[5] = m[7] + s + q/32 + 32*u
}
