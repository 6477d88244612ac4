package kernel

// winograd is the plan of a 3x3 convolution with stride 1 by Winograd's method.
//
// The output is cut into tiles of tile x tile pixels, from the top left corner of the image. A
// worker takes blocks of whole rows of tiles: it gets the input rows of the block, transforms the
// tiles of all channels to V, and then for each panel of output channels multiplies V with the
// panel for each point, to M, and transforms M to output pixels. V, M and the panel stay in the
// second-level cache if there are few channels; with many there is so much to multiply that the
// third-level cache is fast enough.
//
// An element of M is one chain of multiply-adds over the input channels, and a tile belongs to one
// image, so the results do not depend on how the work is cut.
type winograd struct {
	s        ConvShape
	tile     int // output pixels of a tile in each direction
	n        int // input pixels
	ho, wo   int
	isa      isa
	prec     Precision
	scratch  *Scratch
	rows     int // rows of tiles of an image
	cols     int // tiles of a row
	inFirst  int // tiles of a row [inFirst, inEnd) read no column outside of the image
	inEnd    int
	outEnd   int // tiles of a row from here on write columns outside of the image
	blockRow int // rows of tiles of a block
	chunk    int // largest number of tiles that are transformed and multiplied at a time
	layout   winogradLayout
	bias     []float32
	state    []winogradState // per worker

	// The arguments of the run in progress.
	dst    []float32 // empty: every worker has a stage at the end of its scratch memory
	src    Source
	w      *Packed
	ep     Epilogue
	bands  int   // of the rows of tiles of all images
	cuts   []int // where they begin
	groups int   // of panels
	task   func(worker, piece int)
	post   func(worker, piece int)
}

// winogradLayout says where the parts of a worker's scratch memory lie.
type winogradLayout struct {
	slots, slotLen int // input rows
	zero           int // a row of zeros
	edge, edgeRow  int // a tile at the edge of the image, and the length of its rows
	out            int // an output tile at the edge
	v, vPitch      int // V, and the distances of tiles
	vPoint         int // ... and points
	m, mPoint      int
	size           int
}

// winogradState is what a worker knows of the block in progress.
type winogradState struct {
	rows [][winogradMaxInput][]float32 // input rows of each row of tiles
	// Input rows are handed out in slots one after the other: row y of the image has number
	// first+y, and there are rows up to have.
	image, have, first int
	next               int // number of the next row
	// The pixels of the block go to out, whose first element is element outFirst of the result.
	out      []float32
	outFirst int
}

// winogradFits reports whether Winograd's method can compute a convolution.
func winogradFits(s ConvShape) bool {
	s = s.normalised()
	return s.KH == 3 && s.KW == 3 && s.StrideH == 1 && s.StrideW == 1 &&
		s.InDilH == 1 && s.InDilW == 1 && s.KerDilH == 1 && s.KerDilW == 1
}

// newWinograd plans a convolution that winogradFits, of non-empty dimensions, with tiles of size
// tile, 2, 4 or, in F32, 6, for packed kernels of instruction set is and of precision prec.
func newWinograd(is isa, prec Precision, s ConvShape, tile, workers int, scratch *Scratch) *winograd {
	s = s.normalised()
	c := &winograd{s: s, tile: tile, n: tile + 2, isa: is, prec: prec, scratch: scratch}
	c.ho, c.wo = s.Out()
	c.rows, c.cols = (c.ho+tile-1)/tile, (c.wo+tile-1)/tile
	c.outEnd = c.wo / tile
	c.inFirst = min(c.cols, (max(0, s.PadLeft)+tile-1)/tile)
	c.inEnd = c.inFirst
	for c.inEnd < c.cols && c.inEnd*tile-s.PadLeft+c.n <= s.W {
		c.inEnd++
	}

	width, points := is.panelWidth(), winogradPoints(tile)
	l := &c.layout
	l.vPitch = prec.elements(roundUp(s.Cin, 16))
	if l.vPitch%256 == 0 {
		l.vPitch += 16 // rows would fall into the same few cache sets
	}
	target := winogradTiles(points, l.vPitch, winogradPackedLen(is, prec, tile, s.Cin, s.Cout))
	if c.cols <= target {
		c.blockRow = min(target/c.cols, c.rows*s.N)
		c.chunk = c.blockRow * c.cols
	} else {
		c.blockRow = 1
		chunks := (c.cols + target - 1) / target
		c.chunk = min(target, roundUp((c.cols+chunks-1)/chunks, winogradRows))
	}

	images := (c.blockRow+c.rows-2)/c.rows + 1 // that a block has rows of, at most
	l.slots = c.blockRow*tile + 2*images
	l.slotLen = roundUp(s.W*s.Cin, 16) + 16
	tiles := roundUp(c.chunk, winogradRows)
	l.vPoint = tiles*l.vPitch + 16 // no multiple of a page
	l.mPoint = tiles*width + 16
	l.edgeRow = c.n * s.Cin
	l.zero = l.slots * l.slotLen
	l.edge = l.zero + roundUp(s.W*s.Cin, 16)
	l.out = l.edge + roundUp(c.n*l.edgeRow, 16)
	l.v = l.out + tile*tile*width
	l.m = l.v + points*l.vPoint
	l.size = l.m + points*l.mPoint
	scratch.grow(workers, l.size)

	c.bias = make([]float32, roundUp(s.Cout, max(16, width)))
	c.state = make([]winogradState, workers)
	for i := range c.state {
		c.state[i].rows = make([][winogradMaxInput][]float32, c.blockRow)
	}
	c.task, c.post = c.runTask, c.runPost
	return c
}

// winogradTiles is the largest number of tiles that are transformed and multiplied at a time: as
// many as leave V in a part of the second-level cache, but enough to make up for reading the
// packed kernel of the given size from where that must lie.
func winogradTiles(points, pitch, packed int) int {
	const (
		secondLevel = 40 << 10 // floats, of 256 << 10 or more
		thirdLevel  = 2 << 20
	)
	least := 16
	if points == winogradPoints(6) {
		least = 24 // two rows of 64 pixels, with 11 tiles each, leave no rows of zeros to multiply
	}
	if packed > thirdLevel {
		least = 64
	}
	return min(max(secondLevel/(points*pitch)/8*8, least), 64)
}
