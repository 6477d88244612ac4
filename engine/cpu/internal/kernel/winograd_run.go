package kernel

import (
	"fmt"

	"github.com/seed-0f004ec9/spgd/engine/cpu/internal/pool"
)

// run is Run of a Conv; its arguments have been checked.
func (c *winograd) run(p *pool.Pool, dst []float32, src Source, w *Packed, ep Epilogue) {
	if w.isa != c.isa {
		panic(fmt.Sprintf("kernel: kernel packed for %s, convolution planned for %s", w.isa, c.isa))
	}
	workers := 1
	if p != nil {
		workers = p.Workers()
	}
	c.scratch.provide()
	c.dst, c.src, c.w, c.ep = dst, src, w, ep
	clear(c.bias[copy(c.bias, ep.Bias):])
	c.divide(workers)
	pieces := c.bands * c.groups
	if workers == 1 {
		for i := range pieces {
			c.runTask(0, i)
		}
	} else {
		p.Run(pieces, c.task)
	}
	if c.groups > 1 && ep.Post != nil { // no piece had a complete row
		p.Run(c.s.N*c.ho, c.post)
	}
	c.dst, c.src, c.w, c.ep = nil, Source{}, nil, Epilogue{}
	for i := range c.state {
		clear(c.state[i].rows)
		c.state[i].out = nil
	}
}

// divide chooses bands and groups so that each worker has a few pieces.
func (c *winograd) divide(workers int) {
	rows := c.rows * c.s.N
	c.bands, c.groups = 1, 1
	c.cuts = append(c.cuts[:0], 0, rows)
	if workers == 1 {
		return
	}
	if rows*c.cols*winogradPoints(c.tile)*c.s.Cin*c.s.Cout < serialWork {
		return
	}
	unit := c.blockRow
	if blocks := (rows + unit - 1) / unit; blocks < 4*workers && blocks > workers {
		unit = (unit + 1) / 2 // blocks of half a size leave less of an imbalance
	}
	c.cuts = cutBands(c.cuts[:0], rows, unit, workers)
	c.bands = len(c.cuts) - 1
	if c.bands < 2*workers && len(c.dst) > 0 {
		c.groups = min((c.s.Cout+c.isa.panelWidth()-1)/c.isa.panelWidth(), (workers+c.bands-1)/c.bands)
	}
}

func (c *winograd) runPost(worker, piece int) {
	row := c.wo * c.s.Cout
	c.ep.Post(worker, piece/c.ho, piece%c.ho, c.dst[piece*row:(piece+1)*row:(piece+1)*row])
}

// runTask computes one piece: a band of rows of tiles, for one group of panels.
func (c *winograd) runTask(worker, piece int) {
	band, group := piece/c.groups, piece%c.groups
	panels := (c.s.Cout + c.isa.panelWidth() - 1) / c.isa.panelWidth()
	p0, p1 := group*panels/c.groups, (group+1)*panels/c.groups
	r0, r1 := c.cuts[band], c.cuts[band+1]

	buf := c.scratch.Memory.strips[worker]
	clear(buf[c.layout.zero:c.layout.edge])
	st := &c.state[worker]
	st.image, st.next = -1, 0
	for r := r0; r < r1; r += c.blockRow {
		rows := min(c.blockRow, r1-r)
		c.setOutput(worker, st, r)
		for i := range rows {
			c.getRows(worker, buf, st, r+i, &st.rows[i])
		}
		for t := 0; t < rows*c.cols; t += c.chunk {
			end := min(rows*c.cols, t+c.chunk)
			c.transformIn(buf, st, t, end)
			for p := p0; p < p1; p++ {
				c.multiply(buf, st, r, r1, t, end, p, p == p0)
				c.transformOut(buf, st, r, t, end, p)
			}
		}
		if c.ep.Post != nil && c.groups == 1 {
			row := c.wo * c.s.Cout
			for i := range rows {
				n, top := (r+i)/c.rows, (r+i)%c.rows*c.tile
				for y := top; y < min(c.ho, top+c.tile); y++ {
					at := (n*c.ho+y)*row - st.outFirst
					c.ep.Post(worker, n, y, st.out[at:at+row:at+row])
				}
			}
		}
	}
}

// setOutput sets where a worker puts the pixels of the block that starts with row r.
func (c *winograd) setOutput(worker int, st *winogradState, r int) {
	st.out, st.outFirst = c.dst, 0
	if len(c.dst) == 0 {
		st.out = c.scratch.Memory.strips[worker][c.layout.size:]
		st.outFirst = (r/c.rows*c.ho + r%c.rows*c.tile) * c.wo * c.s.Cout
	}
}

// getRows finds the input rows of row r of the tiles of all images, and has those made that
// are not there yet.
func (c *winograd) getRows(worker int, buf []float32, st *winogradState, r int, rows *[winogradMaxInput][]float32) {
	s, l := &c.s, &c.layout
	row := s.W * s.Cin
	n, top := r/c.rows, r%c.rows*c.tile-s.PadTop
	if n != st.image {
		st.image, st.have = n, max(0, top)
		st.first = st.next - st.have
	}
	for i := range c.n {
		y := top + i
		switch {
		case y < 0 || y >= s.H:
			rows[i] = buf[l.zero : l.zero+row]
		case c.src.Row == nil:
			at := (n*s.H + y) * row
			rows[i] = c.src.Flat[at : at+row]
		default:
			at := (st.first + y) % l.slots * l.slotLen
			rows[i] = buf[at : at+row]
			if y >= st.have {
				c.src.Row(worker, n, y, buf[at:at+row:at+row])
				st.have = y + 1
				st.next = st.first + st.have
			}
		}
	}
}

// transformIn makes V of tiles [t, end) of the block.
func (c *winograd) transformIn(buf []float32, st *winogradState, t, end int) {
	s, l := &c.s, &c.layout
	g := winogradInput{
		pixel: s.Cin, step: c.tile * s.Cin, point: l.vPoint, pitch: l.vPitch, channels: s.Cin,
		bf16: c.prec.flag(),
	}
	for v := l.v; t < end; t, v = t+g.tiles, v+g.tiles*l.vPitch {
		rows, col := &st.rows[t/c.cols], t%c.cols
		g.dst = buf[v:l.m]
		x := col*c.tile - s.PadLeft
		if col >= c.inFirst && col < c.inEnd {
			g.tiles = min(c.inEnd-col, end-t)
			for i := range c.n {
				g.src[i] = rows[i][x*s.Cin:]
			}
		} else {
			g.tiles = 1
			x0, x1 := max(0, x), min(s.W, x+c.n)
			for i := range c.n {
				edge := buf[l.edge+i*l.edgeRow : l.edge+(i+1)*l.edgeRow]
				if x0 < x1 {
					clear(edge[:(x0-x)*s.Cin])
					clear(edge[(x0-x)*s.Cin+copy(edge[(x0-x)*s.Cin:], rows[i][x0*s.Cin:x1*s.Cin]):])
				} else {
					clear(edge)
				}
				g.src[i] = edge
			}
		}
		c.isa.winogradIn(c.tile, &g)
	}
}

// multiply makes M of tiles [t, end) of the block that starts with row r, for panel p. The first
// time it brings what comes next to the cache: the output pixels of the tiles, and the input of
// the tiles after them, of a band that ends at row r1.
func (c *winograd) multiply(buf []float32, st *winogradState, r, r1, t, end, p int, first bool) {
	l := &c.layout
	b, _, _ := c.w.winogradPanel(p)
	g := winogradProduct{
		a: buf[l.v:l.m], b: b, c: buf[l.m:l.size],
		k: c.prec.elements(c.s.Cin), rows: roundUp(end-t, winogradRows), aRow: l.vPitch, aPoint: l.vPoint,
		cPoint: l.mPoint, points: winogradPoints(c.tile), bf16: c.prec.flag(),
	}
	if first {
		g.fetch[0] = c.outputOf(st, r, t, end)
		g.fetchRegions = 1
		if c.src.Row == nil && c.blockRow == 1 {
			if next, ok := c.inputAfter(r, r1, end); ok {
				g.fetch[1] = next
				g.fetchRegions = 2
			}
		}
		lines := 0
		for i := range g.fetchRegions {
			lines += g.fetch[i].rows * (g.fetch[i].len/16 + 2)
		}
		blocks := g.points * ((g.rows + maxRows - 1) / maxRows)
		g.fetchLines = (lines + blocks - 1) / blocks
	}
	c.isa.winogradMultiply(&g)
}

// outputOf is where the pixels of tiles [t, end) of the block that starts with row r go.
func (c *winograd) outputOf(st *winogradState, r, t, end int) winogradFetch {
	row := c.wo * c.s.Cout
	n, y := (r+t/c.cols)/c.rows, (r+t/c.cols)%c.rows*c.tile
	f := winogradFetch{from: st.out[(n*c.ho+y)*row+t%c.cols*c.tile*c.s.Cout-st.outFirst:], rows: 1, row: row}
	if c.blockRow == 1 { // a row of tiles or a part of it
		f.rows, f.len = c.tile, min(row, (end-t)*c.tile*c.s.Cout)
	} else { // whole rows of tiles
		f.len = (end - t) / c.cols * c.tile * row
	}
	return f
}

// inputAfter is the input of the tiles after the first t of row r, where blocks are rows.
func (c *winograd) inputAfter(r, r1, t int) (f winogradFetch, ok bool) {
	if t == c.cols {
		if r, t = r+1, 0; r == r1 {
			return f, false
		}
	}
	n, y := r/c.rows, r%c.rows*c.tile-c.s.PadTop
	x := max(0, t*c.tile-c.s.PadLeft)
	lo, hi := max(0, y), min(c.s.H, y+c.n)
	if lo >= hi || x >= c.s.W {
		return f, false
	}
	row := c.s.W * c.s.Cin
	f = winogradFetch{from: c.src.Flat[(n*c.s.H+lo)*row+x*c.s.Cin:], rows: hi - lo, row: row}
	f.len = min(c.s.W-x, min(c.chunk, c.cols-t)*c.tile+2) * c.s.Cin
	return f, true
}

// transformOut makes output pixels of M: panel p of tiles [t, end) of the block that starts with
// row r.
func (c *winograd) transformOut(buf []float32, st *winogradState, r, t, end, p int) {
	s, l := &c.s, &c.layout
	_, col, cols := c.w.winogradPanel(p)
	width := c.isa.panelWidth()
	g := winogradOutput{bias: c.bias[col:], point: l.mPoint, pitch: width, channels: cols}
	for m := l.m; t < end; t, m = t+g.tiles, m+g.tiles*width {
		n, y := (r+t/c.cols)/c.rows, (r+t/c.cols)%c.rows*c.tile
		x := t % c.cols
		at := ((n*c.ho+y)*c.wo+x*c.tile)*s.Cout + col
		g.src, g.add = buf[m:l.size], nil
		if x < c.outEnd && y+c.tile <= c.ho {
			g.tiles = min(c.outEnd-x, end-t)
			g.dst = st.out[at-st.outFirst:]
			if c.ep.Add != nil {
				g.add = c.ep.Add[at:]
			}
			g.row, g.pixel, g.step = c.wo*s.Cout, s.Cout, c.tile*s.Cout
			c.isa.winogradOut(c.tile, &g)
			continue
		}
		g.tiles = 1
		g.dst = buf[l.out:l.v]
		g.row, g.pixel = c.tile*width, width
		c.isa.winogradOut(c.tile, &g)
		for i := range min(c.tile, c.ho-y) {
			for j := range min(c.tile, c.wo-x*c.tile) {
				from := g.dst[i*g.row+j*width : i*g.row+j*width+cols]
				to := st.out[at-st.outFirst+(i*c.wo+j)*s.Cout:][:cols]
				copy(to, from)
				if c.ep.Add != nil {
					binary(c.isa, opAdd, to, to, c.ep.Add[at+(i*c.wo+j)*s.Cout:][:cols])
				}
			}
		}
	}
}
