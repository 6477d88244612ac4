package kernel

import (
	"math"

	"github.com/seed-0f004ec9/spgd/engine/cpu/internal/pool"
)

// winogradPoints is the number of products of a tile of size tile.
func winogradPoints(tile int) int { return (tile + 2) * (tile + 2) }

// winogradPackedLen is the number of floats of a packed kernel.
func winogradPackedLen(s isa, prec Precision, tile, cin, cout int) int {
	return winogradPoints(tile) * prec.elements(cin) * roundUp(cout, s.panelWidth())
}

// packWinograd transforms the kernel of a 3x3 convolution, G g G', and packs it: for each panel of
// output channels and each pair of points a matrix of cin rows, or with BF16 of a row for each pair
// of input channels. The transform is done in float64, with the threads of p, which may be nil. The
// strides are those of PackConv.
func packWinograd(s isa, prec Precision, tile int, p *pool.Pool, dst *Packed, cin, cout int, w []float32, offset, sh, sw, si, so int) *Packed {
	if dst == nil {
		dst = new(Packed)
	}
	width, points := s.panelWidth(), winogradPoints(tile)
	panels := (cout + width - 1) / width
	rowsOf := prec.elements(cin)
	size := winogradPackedLen(s, prec, tile, cin, cout)
	if cap(dst.data) < size {
		dst.data = make([]float32, size)
	}
	*dst = Packed{isa: s, prec: prec, k: 9 * cin, n: cout, tile: tile, data: dst.data[:size]}
	blocks := (cin + winogradPackRows - 1) / winogradPackRows
	task := func(_, piece int) {
		panel, k := piece/blocks, piece%blocks*winogradPackRows
		at := offset + k*si + panel*width*so
		cols := min(width, cout-panel*width)
		data := dst.data[panel*points*rowsOf*width : (panel+1)*points*rowsOf*width]
		var taps [9][winogradPackRows][maxPanel]float32
		rows := min(winogradPackRows, cin-k)
		for i := range taps {
			from := at + i/3*sh + i%3*sw
			if so == 1 {
				for r := range rows {
					copy(taps[i][r][:cols], w[from+r*si:])
				}
				continue
			}
			for j := range cols { // what is adjacent comes together
				for r := range rows {
					taps[i][r][j] = w[from+j*so+r*si]
				}
			}
		}
		var u [winogradMaxInput * winogradMaxInput][maxPanel]float32
		for r := range rows {
			for j := range cols {
				var g [9]float64
				for i := range g {
					g[i] = float64(taps[i][r][j])
				}
				winogradKernel(tile, &u, j, &g)
			}
			for q := range points {
				if prec == F32 {
					copy(data[(q*cin+k+r)*width:][:width], u[q][:])
					continue
				}
				row := data[(q*rowsOf+(k+r)/2)*width:][:width]
				for j, v := range u[q][:len(row)] {
					bits := uint32(toBF16(v)) << (16 * (r % 2))
					if r%2 != 0 {
						bits |= math.Float32bits(row[j])
					}
					row[j] = math.Float32frombits(bits)
				}
			}
		}
	}
	if p == nil {
		for piece := range panels * blocks {
			task(0, piece)
		}
	} else {
		p.Run(panels*blocks, task)
	}
	return dst
}

const (
	// winogradPackRows is the number of input channels that are packed at a time, an even one.
	winogradPackRows = 8
	// maxPanel is the largest width of a panel.
	maxPanel = 32
)

// winogradPanel returns the data of panel i, its first column and how many of its columns belong
// to the kernel.
func (p *Packed) winogradPanel(i int) (data []float32, col, cols int) {
	width := p.isa.panelWidth()
	size := winogradPoints(p.tile) * p.prec.elements(p.k/9) * width
	col = i * width
	return p.data[i*size : (i+1)*size], col, min(width, p.n-col)
}

// winogradKernel writes G g G' for the 3x3 kernel g to column j of u.
func winogradKernel(tile int, u *[winogradMaxInput * winogradMaxInput][maxPanel]float32, j int, g *[9]float64) {
	n := tile + 2
	var h [3][winogradMaxInput]float64
	for x := range h {
		h[x] = winogradKernelAxis(tile, g[x], g[3+x], g[6+x])
	}
	for y := range n {
		row := winogradKernelAxis(tile, h[0][y], h[1][y], h[2][y])
		for x, v := range row[:n] {
			u[n*y+x][j] = float32(v)
		}
	}
}

// winogradKernelAxis is G for one dimension. G has the rows [1 p p^2]/N(p) for the points p, with
// N(p) the product of p-q over the other points q, and [0 0 1] for infinity.
func winogradKernelAxis(tile int, g0, g1, g2 float64) [winogradMaxInput]float64 {
	// pair is the rows of p and -p. The conversions keep products from being fused with sums, so
	// that all processors agree.
	pair := func(p, n float64) (float64, float64) {
		even, odd := float64((g0+float64(p*p*g2))*n), float64(p*g1*n)
		return even + odd, even - odd
	}
	switch tile {
	case 2:
		return [winogradMaxInput]float64{g0, (g0 + g1 + g2) / 2, (g0 - g1 + g2) / 2, g2}
	case 4:
		const a, b, a2, b2 = winogradA, winogradB, winogradA * winogradA, winogradB * winogradB
		a0, a1 := pair(a, 1/(2*a2*(a2-b2)))
		b0, b1 := pair(b, 1/(2*b2*(b2-a2)))
		return [winogradMaxInput]float64{g0 * (1 / (a2 * b2)), a0, a1, g2, b0, b1}
	default:
		a0, a1 := pair(1.0/2, 32.0/45)
		b0, b1 := pair(1, -2.0/9)
		c0, c1 := pair(2, 1.0/90)
		return [winogradMaxInput]float64{-g0, a0, a1, b0, b1, c0, c1, g2}
	}
}
