package kernel

import (
	"errors"
	"fmt"
	"slices"

	"github.com/seed-0f004ec9/spgd/engine/cpu/internal/pool"
)

// ConvShape describes a two-dimensional convolution (in fact a correlation, as in all neural
// networks) of a [N, H, W, Cin] array with a [KH, KW, Cin, Cout] kernel. Zero strides and
// dilations mean 1.
type ConvShape struct {
	N, H, W, Cin     int
	KH, KW, Cout     int
	StrideH, StrideW int
	// Zeros around the input (after dilation); negative: that much is cut off.
	PadTop, PadBottom, PadLeft, PadRight int
	// InDil-1 zeros are thought between adjacent input elements: the transpose of a stride.
	InDilH, InDilW int
	// KerDil is the distance of adjacent kernel elements in the dilated input.
	KerDilH, KerDilW int
}

// normalised replaces zero strides and dilations by 1.
func (s ConvShape) normalised() ConvShape {
	for _, p := range []*int{&s.StrideH, &s.StrideW, &s.InDilH, &s.InDilW, &s.KerDilH, &s.KerDilW} {
		if *p == 0 {
			*p = 1
		}
	}
	return s
}

// Out returns the height and width of the output.
func (s ConvShape) Out() (h, w int) {
	s = s.normalised()
	return outSize(s.H, s.KH, s.StrideH, s.PadTop, s.PadBottom, s.InDilH, s.KerDilH),
		outSize(s.W, s.KW, s.StrideW, s.PadLeft, s.PadRight, s.InDilW, s.KerDilW)
}

func outSize(n, kernel, stride, lo, hi, inDil, kerDil int) int {
	size := max(0, (n-1)*inDil+1) + lo + hi
	span := (kernel-1)*kerDil + 1
	if size < span || stride < 1 {
		return 0
	}
	return (size-span)/stride + 1
}

// Source supplies the input of a convolution, one of the two fields.
type Source struct {
	// Flat is the whole [N, H, W, Cin] input.
	Flat []float32
	// Row, if set, fills dst (W*Cin floats) with row y of image n. It lets the caller fuse what
	// produces the input. It may be called more than once for a row, from any worker.
	Row func(worker, n, y int, dst []float32)
}

// Scratch is working memory that convolutions share which never run at the same time. It is
// grown by NewConv. The zero value is ready to use.
type Scratch struct {
	strips [][]float32 // one per worker
}

// Bytes is the size of the scratch memory.
func (s *Scratch) Bytes() int {
	total := 0
	for _, strip := range s.strips {
		total += 4 * len(strip)
	}
	return total
}

// grow provides n floats to each of the workers.
func (s *Scratch) grow(workers, n int) {
	for len(s.strips) < workers {
		s.strips = append(s.strips, nil)
	}
	for i := range s.strips {
		if len(s.strips[i]) < n {
			s.strips[i] = make([]float32, n)
		}
	}
}

// Conv is the plan of a convolution. Run must not be called from two goroutines at once, also
// not on two plans with the same Scratch.
//
// The work is divided into bands of output rows of one image (and, for small images, groups of
// output channels). A worker goes through its band in steps of a few rows whose input fits in
// the second-level cache: it copies the input rows into a strip with a margin of zeros, so that
// every output pixel reads its neighbourhood at the same distances, and then multiplies blocks
// of pixels, read straight from the strip, with the packed kernel. Zeros of a dilated input are
// never stored nor multiplied: the output pixels fall into classes (residues of the dilation)
// that use different parts of the kernel.
type Conv struct {
	s       ConvShape
	ho, wo  int
	workers int
	scratch *Scratch

	rows, cols axis
	plane      bool // one channel to one channel: see plane.go
	weights    []float32
	pixel      int // floats from one strip pixel to the next
	line       int // floats from one strip row to the next
	stepRows   int // output rows of a step, a multiple of rows.period
	stripRows  int // input rows of a step
	classes    []class

	// The arguments of the Run in progress.
	dst   []float32
	src   Source
	w     *Packed
	ep    Epilogue
	bands int // bands per image
	// groups is the number of groups of panels.
	groups int
	direct bool // the strip is a part of src.Flat
	task   func(worker, piece int)
	post   func(worker, piece int)
}

// class is a set of output pixels whose kernel elements meet true input elements in the same way.
type class struct {
	rows   int     // number of output rows of the class in a step
	width  int     // number of pixels in such a row
	first  int     // row of the class with the lowest number
	aOff   []int   // per pixel, in raster order: start in the strip
	cOff   []int   // start in the step's output
	chunks [][]run // runs, in pieces of at most kBlock k
}

// stripFloats is how much of the second-level cache (1 MB and more on the processors we care
// about) a strip may take.
const stripFloats = 48 << 10

// NewConv plans a convolution for the given number of workers. Scratch may be nil: then the plan
// has its own. It returns an error for an impossible shape.
func NewConv(s ConvShape, workers int, scratch *Scratch) (*Conv, error) {
	s = s.normalised()
	if min(s.N, s.H, s.W, s.Cin, s.KH, s.KW, s.Cout) < 1 {
		return nil, fmt.Errorf("kernel: convolution with an empty dimension: %+v", s)
	}
	if min(s.StrideH, s.StrideW, s.InDilH, s.InDilW, s.KerDilH, s.KerDilW) < 1 {
		return nil, fmt.Errorf("kernel: convolution with a negative stride or dilation: %+v", s)
	}
	if workers < 1 {
		return nil, errors.New("kernel: convolution without workers")
	}
	if scratch == nil {
		scratch = new(Scratch)
	}
	c := &Conv{s: s, workers: workers, scratch: scratch}
	c.ho, c.wo = s.Out()
	if c.ho < 1 || c.wo < 1 {
		return nil, fmt.Errorf("kernel: convolution with an empty output: %+v", s)
	}
	c.task, c.post = c.runTask, c.runPost
	c.plane = s == ConvShape{
		N: s.N, H: s.H, W: s.W, KH: s.KH, KW: s.KW, Cin: 1, Cout: 1,
		StrideH: 1, StrideW: 1, InDilH: 1, InDilW: 1, KerDilH: 1, KerDilW: 1,
		PadTop: s.PadTop, PadBottom: s.PadBottom, PadLeft: s.PadLeft, PadRight: s.PadRight,
	}
	c.rows = newAxis(s.H, c.ho, s.KH, s.StrideH, s.PadTop, s.InDilH, s.KerDilH)
	c.cols = newAxis(s.W, c.wo, s.KW, s.StrideW, s.PadLeft, s.InDilW, s.KerDilW)

	// The strip always holds whole input rows, and the margins that the kernel reaches.
	lo, hi := c.cols.reach(c.wo)
	lo, hi = min(lo, 0), max(hi, s.W-1)
	c.cols.lo = lo
	c.pixel = s.Cin
	if c.cols.step*s.Cin%512 == 0 {
		// The lines of adjacent pixels would fall into the same few cache sets.
		c.pixel += 16
	}
	c.line = (hi - lo + 1) * c.pixel

	// As many rows a step as fit, but no fewer than one period.
	by := c.rows.period
	if c.plane {
		by = planeRows
	}
	c.stepRows = by
	for c.stepRows < c.ho {
		more := c.stepRows + by
		if c.rows.inputs(more)*c.line > stripFloats {
			break
		}
		c.stepRows = more
	}
	c.stripRows = c.rows.inputs(c.stepRows)
	size := c.stripRows * c.line
	if c.plane {
		size += planeExcess
	} else {
		c.makeClasses()
	}
	scratch.grow(workers, size)
	return c, nil
}

// ScratchBytes is the size of the scratch memory that the plan uses; it may be shared.
func (c *Conv) ScratchBytes() int { return c.scratch.Bytes() }

// Shape returns the shape of the plan, with strides and dilations at least 1.
func (c *Conv) Shape() ConvShape { return c.s }

func (c *Conv) makeClasses() {
	s := &c.s
	for ry := range c.rows.period {
		for rx := range c.cols.period {
			cl := class{first: ry, rows: countResidue(c.stepRows, ry, c.rows.period), width: countResidue(c.wo, rx, c.cols.period)}
			for jy := range cl.rows {
				for jx := range cl.width {
					cl.aOff = append(cl.aOff, jy*c.rows.step*c.line+jx*c.cols.step*c.pixel)
					cl.cOff = append(cl.cOff, ((ry+jy*c.rows.period)*c.wo+rx+jx*c.cols.period)*s.Cout)
				}
			}
			var runs []run
			for _, ty := range c.rows.taps[ry] {
				for _, tx := range c.cols.taps[rx] {
					r := run{
						a: (ty.at-c.rows.lo)*c.line + (tx.at-c.cols.lo)*c.pixel,
						b: (ty.k*s.KW + tx.k) * s.Cin,
						n: s.Cin,
					}
					if l := len(runs) - 1; l >= 0 && runs[l].a+runs[l].n == r.a && runs[l].b+runs[l].n == r.b {
						runs[l].n += r.n
					} else {
						runs = append(runs, r)
					}
				}
			}
			cl.chunks = splitRuns(runs)
			if len(cl.aOff) > 0 {
				c.classes = append(c.classes, cl)
			}
		}
	}
}

// splitRuns divides runs into chunks of at most kBlock k. There is always at least one.
func splitRuns(runs []run) [][]run {
	total := 0
	for _, r := range runs {
		total += r.n
	}
	pieces := max(1, (total+kBlock-1)/kBlock)
	size := (total + pieces - 1) / pieces // all about equally long
	chunks := [][]run{nil}
	left := size
	for _, r := range runs {
		for r.n > 0 {
			if left == 0 {
				chunks = append(chunks, nil)
				left = size
			}
			n := min(r.n, left)
			last := len(chunks) - 1
			chunks[last] = append(chunks[last], run{r.a, r.b, n})
			r.a, r.b, r.n = r.a+n, r.b+n, r.n-n
			left -= n
		}
	}
	return slices.Clip(chunks)
}

// Run computes dst, an [N, outH, outW, Cout] array, from src and the packed kernel w (see
// PackConv). dst must not overlap the source.
func (c *Conv) Run(p *pool.Pool, dst []float32, src Source, w *Packed, ep Epilogue) {
	s := &c.s
	size := s.N * c.ho * c.wo * s.Cout
	need("dst", len(dst), size)
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
	c.dst, c.src, c.w, c.ep = dst[:size], src, w, ep
	if c.plane {
		c.weights = planeWeights(c.weights, w, s.KW)
	}
	c.direct = !c.plane && src.Row == nil && c.rowsInside() && c.line == s.W*s.Cin
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
	c.bands, c.groups = 1, 1
	if workers == 1 {
		return
	}
	work := c.s.N * c.ho * c.wo * c.w.k / (c.rows.period * c.cols.period) * c.s.Cout
	if work < serialWork {
		return
	}
	periods := (c.ho + c.rows.period - 1) / c.rows.period
	pixels := c.rows.period * c.wo
	minPeriods := (8*maxRows + pixels - 1) / pixels
	c.bands = max(1, min((4*workers+c.s.N-1)/c.s.N, periods/minPeriods))
	if pieces := c.s.N * c.bands; pieces < 2*workers {
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
	periods := (c.ho + period - 1) / period
	y0, y1 := band*periods/c.bands*period, min(c.ho, (band+1)*periods/c.bands*period)

	have := 0 // input rows below this one are in the strip already
	for y := y0; y < y1; y += c.stepRows {
		rows := min(c.stepRows, y1-y)
		in := c.rows.inputStart(y)
		var strip []float32
		if c.direct {
			strip = c.src.Flat[(n*c.s.H+in)*c.line : (n+1)*c.s.H*c.line]
		} else {
			strip = c.scratch.strips[worker]
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
		if c.plane {
			c.planeStep(n, y, rows, strip)
		} else {
			c.step(n, y, rows, p0, p1, strip)
		}
		if c.ep.Post != nil && c.groups == 1 {
			row := c.wo * c.s.Cout
			for r := y; r < y+rows; r++ {
				at := (n*c.ho + r) * row
				c.ep.Post(worker, n, r, c.dst[at:at+row:at+row])
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

// step computes panels [p0, p1) of output rows [y, y+rows) of image n, y being the first row of
// a step.
func (c *Conv) step(n, y, rows, p0, p1 int, strip []float32) {
	w := c.w
	at := (n*c.ho + y) * c.wo * c.s.Cout
	dst := c.dst[at : at+rows*c.wo*c.s.Cout]
	for i := range c.classes {
		cl := &c.classes[i]
		pixels := countResidue(rows, cl.first, c.rows.period) * cl.width
		for ci, runs := range cl.chunks {
			last := ci == len(cl.chunks)-1
			for pi := p0; pi < p1; pi++ {
				data, width, col, cols := w.panel(pi)
				blk := block{a: strip, b: data, runs: runs, c: dst[col:], n: cols, width: width}
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
