package kernel

import (
	"errors"
	"fmt"
	"slices"
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

// Scratch is working memory that convolutions share which never run at the same time. NewConv notes
// what it takes, and Run provides it. The zero value is ready to use.
type Scratch struct {
	// Memory, if not nil, serves several of them.
	Memory *ScratchMemory

	workers, floats int // floats of a strip
	stage           int // floats
}

// ScratchMemory is what lies behind a Scratch, or several that are never used at the same time. The zero
// value is ready to use, and may take the place of one that no convolution runs in.
type ScratchMemory struct {
	strips [][]float32 // one per worker
	stage  []float32   // of all workers: see Conv.Stage
}

// Bytes is the size of the scratch memory when it is provided.
func (s *Scratch) Bytes() int { return 4 * (s.workers*s.floats + s.stage) }

// Bytes is the size of the memory.
func (m *ScratchMemory) Bytes() int {
	total := 4 * len(m.stage)
	for _, strip := range m.strips {
		total += 4 * len(strip)
	}
	return total
}

// grow notes that each of the workers needs n floats.
func (s *Scratch) grow(workers, n int) {
	s.workers, s.floats = max(s.workers, workers), max(s.floats, n)
}

// provide makes the memory as large as what was noted.
func (s *Scratch) provide() {
	if s.Memory == nil {
		s.Memory = new(ScratchMemory)
	}
	m := s.Memory
	for len(m.strips) < s.workers {
		m.strips = append(m.strips, nil)
	}
	for i := range s.workers {
		if len(m.strips[i]) < s.floats {
			m.strips[i] = make([]float32, s.floats)
		}
	}
	if len(m.stage) < s.stage {
		m.stage = make([]float32, s.stage)
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

	wino *winograd // if not nil, does it all

	prec       Precision // of the strip and the packed kernel
	rows, cols axis
	plane      bool // one channel to one channel: see plane.go
	taps       []planeTap
	tapsFor    [planeRows]int
	pixel      int // floats from one strip pixel to the next
	line       int // floats from one strip row to the next
	stepRows   int // output rows of a step, a multiple of rows.period
	stripRows  int // input rows of a step
	rowAt      int // BF16: where an input row comes, before it is rounded
	stripLen   int // floats of a strip and such a row
	classes    []class
	staging

	// The arguments of the Run in progress.
	dst   []float32 // nil: every worker has a stage at the end of its strip
	src   Source
	w     *Packed
	ep    Epilogue
	bands int   // bands per image
	cuts  []int // periods of rows where they begin
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
const stripFloats = 64 << 10

// stepPixels is the largest number of output pixels of a step of several rows: the tables of
// offsets in a class grow with it.
const stepPixels = 2048

// NewConv plans a convolution, by algorithm a and in precision prec, for the given number of
// workers. Scratch may be nil: then the plan has its own. It returns an error for an impossible
// shape, and for BF16 unless HasBF16.
func NewConv(s ConvShape, a Algorithm, prec Precision, workers int, scratch *Scratch) (*Conv, error) {
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
	if prec == BF16 && !HasBF16() {
		return nil, fmt.Errorf("kernel: convolution in bf16, which instruction set %s of this processor lacks", active)
	}
	return newConv(s, a, prec, workers, scratch)
}

// newConv is NewConv for any processor: without assembly for it BF16 is computed by portable code.
func newConv(s ConvShape, a Algorithm, prec Precision, workers int, scratch *Scratch) (*Conv, error) {
	if scratch == nil {
		scratch = new(Scratch)
	}
	s = s.normalised()
	c := &Conv{s: s, workers: workers, scratch: scratch}
	c.ho, c.wo = s.Out()
	if c.ho < 1 || c.wo < 1 {
		return nil, fmt.Errorf("kernel: convolution with an empty output: %+v", s)
	}
	if tile := a.tile(active, prec, s); tile > 0 {
		c.wino = newWinograd(active, prec, s, tile, workers, scratch)
		return c, nil
	}
	c.task, c.post = c.runTask, c.runPost
	c.plane = s == ConvShape{
		N: s.N, H: s.H, W: s.W, KH: s.KH, KW: s.KW, Cin: 1, Cout: 1,
		StrideH: 1, StrideW: 1, InDilH: 1, InDilW: 1, KerDilH: s.KerDilH, KerDilW: s.KerDilW,
		PadTop: s.PadTop, PadBottom: s.PadBottom, PadLeft: s.PadLeft, PadRight: s.PadRight,
	}
	c.rows = newAxis(s.H, c.ho, s.KH, s.StrideH, s.PadTop, s.InDilH, s.KerDilH)
	c.cols = newAxis(s.W, c.wo, s.KW, s.StrideW, s.PadLeft, s.InDilW, s.KerDilW)

	// The strip always holds whole input rows, and the margins that the kernel reaches.
	lo, hi := c.cols.reach(c.wo)
	lo, hi = min(lo, 0), max(hi, s.W-1)
	c.cols.lo = lo
	if prec == BF16 && !c.plane && directBF16Fits(s) {
		c.prec = BF16
	}
	c.pixel = c.prec.elements(s.Cin)
	if c.cols.step*c.pixel%512 == 0 {
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
		if c.rows.inputs(more)*c.line > stripFloats || !c.plane && more*c.wo > stepPixels {
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
	if c.prec == BF16 {
		c.rowAt = size
		size += s.W * s.Cin
	}
	c.stripLen = size
	scratch.grow(workers, size)
	return c, nil
}

// ScratchBytes is the size of the scratch memory that the plan uses; it may be shared.
func (c *Conv) ScratchBytes() int { return c.scratch.Bytes() }

// Shape returns the shape of the plan, with strides and dilations at least 1.
func (c *Conv) Shape() ConvShape { return c.s }

func (c *Conv) makeClasses() {
	s := &c.s
	k := c.prec.elements(s.Cin)
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
						b: (ty.k*s.KW + tx.k) * k,
						n: k,
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
