package kernel

// winogradPoints is the number of products of a tile of size tile.
func winogradPoints(tile int) int { return (tile + 2) * (tile + 2) }

// packWinograd transforms the kernel of a 3x3 convolution, G g G', and packs it: for each panel of
// output channels and each pair of points a matrix of cin rows. The transform is done in float64.
// The strides are those of PackConv.
func packWinograd(s isa, tile int, dst *Packed, cin, cout int, w []float32, offset, sh, sw, si, so int) *Packed {
	if dst == nil {
		dst = new(Packed)
	}
	width, points := s.panelWidth(), winogradPoints(tile)
	panels := (cout + width - 1) / width
	size := panels * points * cin * width
	if cap(dst.data) < size {
		dst.data = make([]float32, size)
	}
	dst.isa, dst.k, dst.n, dst.tile, dst.data = s, 9*cin, cout, tile, dst.data[:size]
	transform := winogradKernel4
	if tile == 2 {
		transform = winogradKernel2
	}
	var u [36]float32
	for p := range panels {
		panel := dst.data[p*points*cin*width : (p+1)*points*cin*width]
		cols := min(width, cout-p*width)
		for k := range cin {
			for j := range width {
				to := panel[k*width+j:]
				if j >= cols {
					for q := range points {
						to[q*cin*width] = 0
					}
					continue
				}
				at := offset + k*si + (p*width+j)*so
				var g [9]float64
				for y := range 3 {
					for x := range 3 {
						g[3*y+x] = float64(w[at+y*sh+x*sw])
					}
				}
				transform(&u, &g)
				for q := range points {
					to[q*cin*width] = u[q]
				}
			}
		}
	}
	return dst
}

// winogradPanel returns the data of panel i, its first column and how many of its columns belong
// to the kernel.
func (p *Packed) winogradPanel(i int) (data []float32, col, cols int) {
	width := p.isa.panelWidth()
	size := winogradPoints(p.tile) * p.k / 9 * width
	col = i * width
	return p.data[i*size : (i+1)*size], col, min(width, p.n-col)
}

// winogradKernel4 is G g G' of F(4x4) for the 3x3 kernel g.
func winogradKernel4(u *[36]float32, g *[9]float64) {
	const (
		a2, b2 = winogradA * winogradA, winogradB * winogradB
		// G has the rows [1 p p^2]/N(p) for the points p, with N(p) the product of p-q over the
		// other points q, and [0 0 1] for infinity.
		n0 = 1 / (a2 * b2)
		na = 1 / (2 * a2 * (a2 - b2))
		nb = 1 / (2 * b2 * (b2 - a2))
	)
	var h [3][6]float64
	for x := range h {
		g0, g1, g2 := g[x], g[3+x], g[6+x]
		ea, oa := (g0+a2*g2)*na, winogradA*g1*na
		eb, ob := (g0+b2*g2)*nb, winogradB*g1*nb
		h[x] = [6]float64{g0 * n0, ea + oa, ea - oa, g2, eb + ob, eb - ob}
	}
	for y := range 6 {
		g0, g1, g2 := h[0][y], h[1][y], h[2][y]
		ea, oa := (g0+a2*g2)*na, winogradA*g1*na
		eb, ob := (g0+b2*g2)*nb, winogradB*g1*nb
		to := u[6*y : 6*y+6]
		to[0], to[1], to[2] = float32(g0*n0), float32(ea+oa), float32(ea-oa)
		to[3], to[4], to[5] = float32(g2), float32(eb+ob), float32(eb-ob)
	}
}

// winogradKernel2 is G g G' of F(2x2) for the 3x3 kernel g.
func winogradKernel2(u *[36]float32, g *[9]float64) {
	var h [3][4]float64
	for x := range h {
		g0, g1, g2 := g[x], g[3+x], g[6+x]
		h[x] = [4]float64{g0, (g0 + g1 + g2) / 2, (g0 - g1 + g2) / 2, g2}
	}
	for y := range 4 {
		g0, g1, g2 := h[0][y], h[1][y], h[2][y]
		to := u[4*y : 4*y+4]
		to[0], to[1] = float32(g0), float32((g0+g1+g2)/2)
		to[2], to[3] = float32((g0-g1+g2)/2), float32(g2)
	}
}
