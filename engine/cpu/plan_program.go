package cpu

// A program evaluates a tree of float32 element-wise operations tile by tile, so that what
// passes between the operations stays in the first-level cache. Its iteration space is a range
// of linear indices; every leaf is a view with the same number of elements in the same order.
type program struct {
	size   int
	leaves []leaf
	code   []instruction
	result []operand // what it computes; a stored value's is what the last instruction makes
	regs   int       // tile registers
	tile   int       // elements in a full tile
}

// leaf is one input of a program.
type leaf struct {
	base   *vertex // whose array is read
	view   view    // collapsed
	kind   leafKind
	period int        // leafRepeat: length of the repeated block; leafJoin: of a block of all parts
	repeat int        // leafRepeat: how often it repeats before the next block
	row    bool       // dense: what is read is the row at hand (see evaluator.onRow), not the array
	part   bool       // it is only read as a part of a join
	direct bool       // instructions read it as bfloat16 numbers; see readHalves
	parts  []joinPart // leafJoin
}

type leafKind uint8

const (
	leafDense   leafKind = iota // consecutive in memory: read in place
	leafScalar                  // one element: passed by value
	leafRepeat                  // blocks that repeat, as a per-channel vector over pixels does
	leafStrided                 // anything else: gathered tile by tile
	leafJoin                    // several leaves side by side: gathered tile by tile
)

// joinPart is a part of a join.
type joinPart struct {
	leaf int // its index
	n    int // elements in a block
}

// inPlace says whether an element of the leaf is the one of its array at the same place.
func (f *leaf) inPlace() bool { return f.kind == leafDense && f.view.off == 0 && !f.part }

// operand names a register (>= 0) or a leaf (^index).
type operand int32

type instruction struct {
	op            opcode
	dst           int32
	a, b, c, d, e operand
}

// tileElements bounds a tile: several must fit in a 32 KB first-level cache.
const tileElements = 1024

// finish chooses the tile length once code and leaves are known.
func (p *program) finish() {
	p.tile = tileElements
	// A tile that is a multiple of a repeated block finds its expanded copy still in place.
	l := 1
	for _, f := range p.leaves {
		if (f.kind == leafRepeat || f.kind == leafJoin) && !f.part {
			m := l / gcd(l, f.period) * f.period
			if m <= 2*tileElements {
				l = m
			}
		}
	}
	p.tile = max(l, tileElements/l*l)
}

// readRows makes the program read v, of which it has the same elements in the same order, from the
// rows that it is given.
func (p *program) readRows(v *vertex) {
	for i := range p.leaves {
		if f := &p.leaves[i]; f.base == v && !f.part {
			f.row = true
		}
	}
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// classify fills in how the leaf is read.
func (f *leaf) classify() {
	v := f.view
	switch {
	case v.isDense():
		f.kind = leafDense
	case v.isScalar():
		f.kind = leafScalar
	default:
		f.kind = leafStrided
		// ... x repeat (stride 0) x block, read in order.
		if n := len(v.dims); n >= 2 && v.strides[n-2] == 0 {
			f.kind, f.period, f.repeat = leafRepeat, v.dims[n-1], v.dims[n-2]
		} else if n >= 1 && v.strides[n-1] == 0 {
			f.kind, f.period, f.repeat = leafRepeat, 1, v.dims[n-1]
		}
	}
}
