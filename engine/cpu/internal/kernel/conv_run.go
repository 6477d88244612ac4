package kernel

import (
	"fmt"
	"math"
	"unsafe"

	"github.com/seed-0f004ec9/spgd/engine/cpu/internal/pool"
)

// Run computes dst, an [N, outH, outW, Cout] array, from src and the packed kernel w (see
// Pack). dst must not overlap the source.
//
// With dst nil the rows of the result, the same to the bit, exist only while ep.Post looks at
// them; the plan must have a Stage, and ep.Add must be nil.
func (c *Conv) Run(p *pool.Pool, dst []float32, src Source, w *Packed, ep Epilogue) {
	s := &c.s
	size := s.N * c.ho * c.wo * s.Cout
	c.scratch.provide()
	if dst != nil {
		need("dst", len(dst), size)
		dst = dst[:size]
	} else {
		c.needStage(ep)
		dst = c.scratch.Memory.stage[:c.shared]
	}
	if src.Row == nil {
		need("source", len(src.Flat), s.N*s.H*s.W*s.Cin)
	}
	if w.k != s.KH*s.KW*s.Cin || w.n != s.Cout {
		panic(fmt.Sprintf("kernel: packed kernel is %d x %d, convolution needs %d x %d", w.k, w.n, s.KH*s.KW*s.Cin, s.Cout))
	}
	if ep.Bias != nil {
		need("bias", len(ep.Bias), s.Cout)
	}
	if ep.Add != nil {
		need("add", len(ep.Add), size)
	}
	workers := 1
	if p != nil {
		if workers = p.Workers(); workers > c.workers {
			panic(fmt.Sprintf("kernel: pool with %d workers, convolution planned for %d", workers, c.workers))
		}
	}
	if w.tile != c.Tile() {
		panic(fmt.Sprintf("kernel: kernel packed for tiles of %d, convolution planned for %d", w.tile, c.Tile()))
	}
	if w.prec != c.Precision() {
		panic(fmt.Sprintf("kernel: kernel packed as %s, convolution planned for %s", w.prec, c.Precision()))
	}
	if c.wino != nil {
		c.wino.run(p, dst, src, w, ep)
		return
	}
	c.dst, c.src, c.w, c.ep = dst, src, w, ep
	if c.plane {
		c.planeTaps(w)
	}
	c.direct = !c.plane && c.prec == F32 && src.Row == nil && c.rowsInside() && c.line == s.W*s.Cin
	c.divide(workers)
	pieces := s.N * c.bands * c.groups
	if workers == 1 {
		for i := range pieces {
			c.runTask(0, i)
		}
	} else {
		p.Run(pieces, c.task)
	}
	if c.groups > 1 && ep.Post != nil { // no piece had a complete row
		p.Run(s.N*c.ho, c.post)
	}
	c.dst, c.src, c.w, c.ep = nil, Source{}, nil, Epilogue{}
}

// rowsInside reports whether no output row reads input rows outside of the image.
func (c *Conv) rowsInside() bool {
	lo, hi := c.rows.reach(c.ho)
	return lo >= 0 && hi < c.s.H
}

// divide chooses bands and groups so that each worker has a few pieces, of about 100 pixels or
// more.
func (c *Conv) divide(workers int) {
	periods := (c.ho + c.rows.period - 1) / c.rows.period
	c.bands, c.groups = 1, 1
	c.cuts = append(c.cuts[:0], 0, periods)
	if workers == 1 {
		return
	}
	work := c.s.N * c.ho * c.wo * c.w.k / (c.rows.period * c.cols.period) * c.s.Cout
	if work < serialWork {
		return
	}
	pixels := c.rows.period * c.wo
	minPeriods := (8*maxRows + pixels - 1) / pixels
	if c.s.N < 4*workers && periods >= 2*minPeriods {
		c.cuts = cutBands(c.cuts[:0], periods, minPeriods, (workers+c.s.N-1)/c.s.N)
		c.bands = len(c.cuts) - 1
	}
	if pieces := c.s.N * c.bands; pieces < 2*workers && len(c.dst) > 0 {
		c.groups = min(c.w.panels(), (2*workers+pieces-1)/pieces)
	}
}

func (c *Conv) runPost(worker, piece int) {
	n, y := piece/c.ho, piece%c.ho
	row := c.wo * c.s.Cout
	c.ep.Post(worker, n, y, c.dst[piece*row:(piece+1)*row])
}

// runTask computes one piece: a band of rows of one image, for one group of panels.
func (c *Conv) runTask(worker, piece int) {
	group := piece % c.groups
	piece /= c.groups
	n, band := piece/c.bands, piece%c.bands
	p0, p1 := group*c.w.panels()/c.groups, (group+1)*c.w.panels()/c.groups
	period := c.rows.period
	y0, y1 := c.cuts[band]*period, min(c.ho, c.cuts[band+1]*period)

	have := 0 // input rows below this one are in the strip already
	for y := y0; y < y1; y += c.stepRows {
		rows := min(c.stepRows, y1-y)
		in := c.rows.inputStart(y)
		var strip []float32
		if c.direct {
			strip = c.src.Flat[(n*c.s.H+in)*c.line : (n+1)*c.s.H*c.line]
		} else {
			strip = c.scratch.Memory.strips[worker]
			end := in + c.rows.inputs(roundUp(rows, period))
			from := in
			if y > y0 && have > in {
				// The last rows of the step before are the first ones of this.
				copy(strip, strip[(in-c.rows.inputStart(y-c.stepRows))*c.line:c.stripRows*c.line])
				from = have
			}
			for r := from; r < end; r++ {
				c.fill(worker, n, r, strip[(r-in)*c.line:(r-in+1)*c.line])
			}
			have = end
		}
		dst := c.output(worker, n, y, rows)
		if c.plane {
			c.planeStep(n, y, rows, strip, dst)
		} else {
			c.step(n, y, rows, p0, p1, strip, dst)
		}
		if c.ep.Post != nil && c.groups == 1 {
			row := c.wo * c.s.Cout
			for r := range rows {
				c.ep.Post(worker, n, y+r, dst[r*row:(r+1)*row:(r+1)*row])
			}
		}
	}
}

// fill writes input row y of image n, or zeros if there is none, with its margins.
func (c *Conv) fill(worker, n, y int, dst []float32) {
	s := &c.s
	if y < 0 || y >= s.H {
		clear(dst)
		return
	}
	left := -c.cols.lo * c.pixel
	clear(dst[:left])
	clear(dst[left+s.W*c.pixel:])
	dst = dst[left : left+s.W*c.pixel]
	if c.prec == BF16 {
		c.fillBF16(worker, n, y, dst)
		return
	}
	row := dst[(c.pixel-s.Cin)*s.W:] // if pixels have gaps, at the end, to be spread from there
	if c.src.Row != nil {
		c.src.Row(worker, n, y, row[:s.W*s.Cin:s.W*s.Cin])
	} else {
		at := (n*s.H + y) * s.W * s.Cin
		flat := c.src.Flat[at : at+s.W*s.Cin]
		if c.pixel == s.Cin {
			copy(row, flat)
			return
		}
		row = flat
	}
	if c.pixel > s.Cin {
		for x := range s.W {
			copy(dst[x*c.pixel:x*c.pixel+s.Cin], row[x*s.Cin:])
		}
	}
}

// fillBF16 writes the pixels of input row y of image n, rounded.
func (c *Conv) fillBF16(worker, n, y int, dst []float32) {
	row := c.scratch.Memory.strips[worker][c.rowAt:][:c.s.W*c.s.Cin]
	if c.src.Row != nil {
		c.src.Row(worker, n, y, row[:len(row):len(row)])
	} else {
		row = c.src.Flat[(n*c.s.H+y)*len(row):][:len(row)]
	}
	is, cin := c.w.isa, c.s.Cin
	if 2*c.pixel == cin {
		is.narrowPairs(dst, row)
		return
	}
	// Rounded, in place if need be, since a number takes less than what it is made of, and then spread.
	half := unsafe.Slice((*uint16)(unsafe.Pointer(&c.scratch.Memory.strips[worker][c.rowAt])), len(row))
	narrow(is, half, row)
	for x := range c.s.W {
		pixel, to := half[x*cin:][:cin], dst[x*c.pixel:]
		for j := range cin / 2 {
			to[j] = math.Float32frombits(uint32(pixel[2*j]) | uint32(pixel[2*j+1])<<16)
		}
		if cin%2 != 0 {
			to[cin/2] = math.Float32frombits(uint32(pixel[cin-1]))
		}
	}
}

// output is where a worker puts output rows [y, y+rows) of image n.
func (c *Conv) output(worker, n, y, rows int) []float32 {
	row := c.wo * c.s.Cout
	if len(c.dst) == 0 {
		return c.scratch.Memory.strips[worker][c.stripLen:][:rows*row]
	}
	return c.dst[(n*c.ho+y)*row:][:rows*row]
}

// step computes panels [p0, p1) of output rows [y, y+rows) of image n, y being the first row of
// a step.
func (c *Conv) step(n, y, rows, p0, p1 int, strip, dst []float32) {
	w := c.w
	at := (n*c.ho + y) * c.wo * c.s.Cout
	for i := range c.classes {
		cl := &c.classes[i]
		pixels := countResidue(rows, cl.first, c.rows.period) * cl.width
		for ci, runs := range cl.chunks {
			last := ci == len(cl.chunks)-1
			for pi := p0; pi < p1; pi++ {
				data, width, col, cols := w.panel(pi)
				blk := block{a: strip, b: data, runs: runs, c: dst[col:], n: cols, width: width, bf16: c.prec.flag()}
				if ci > 0 {
					blk.acc = 1
				}
				if last && c.ep.Bias != nil {
					blk.bias = c.ep.Bias[col:]
				}
				if last && c.ep.Add != nil {
					blk.add = c.ep.Add[at+col:]
				}
				for px := 0; px < pixels; px += blk.m {
					blk.m = w.isa.blockRows(width, pixels-px)
					blk.aOff = cl.aOff[px : px+blk.m]
					blk.cOff = cl.cOff[px : px+blk.m]
					w.isa.compute(&blk)
				}
			}
		}
	}
}
