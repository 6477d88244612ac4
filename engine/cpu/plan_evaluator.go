package cpu

import "github.com/seed-0f004ec9/spgd/engine/cpu/internal/kernel"

// evaluator runs one program on one worker.
type evaluator struct {
	p       *program
	arrays  [][]float32 // per leaf: the array it reads
	halves  [][]uint16  // ... or this, if it is narrowed
	row     []float32   // what leaves with row set read
	rowAt   int         // the index of its first element
	scalars []float32
	regs    [][]float32
	gather  [][]float32 // per leaf that is copied: its tile
	before  []uint16    // a tile before it is widened
	held    []int       // leafRepeat: which block the tile holds, -1 for none
	heldLen []int
	ops     [][]float32 // per leaf that is not a scalar: its elements in the current tile
	direct  [][]uint16  // ... or these, if it is read as bfloat16 numbers
	idx     []int
}

// scratchFloats is the working memory that an evaluator of p needs.
func (p *program) scratchFloats() int {
	n := p.regs
	half := 0
	for i := range p.leaves {
		f := &p.leaves[i]
		if f.copied() {
			n++
		}
		if f.narrowed() {
			half = 1
		}
	}
	return (n + half) * p.tile
}

// newEvaluator takes its working memory from scratch, which it shares with evaluators that do
// not run at the same time: bind makes it forget what is there.
func newEvaluator(p *program, scratch []float32) *evaluator {
	e := &evaluator{
		p:       p,
		arrays:  make([][]float32, len(p.leaves)),
		halves:  make([][]uint16, len(p.leaves)),
		scalars: make([]float32, len(p.leaves)),
		regs:    make([][]float32, p.regs),
		gather:  make([][]float32, len(p.leaves)),
		held:    make([]int, len(p.leaves)),
		heldLen: make([]int, len(p.leaves)),
		ops:     make([][]float32, len(p.leaves)),
		direct:  make([][]uint16, len(p.leaves)),
	}
	take := func() []float32 {
		t := scratch[:p.tile:p.tile]
		scratch = scratch[p.tile:]
		return t
	}
	for i := range e.regs {
		e.regs[i] = take()
	}
	rank := 0
	for i := range p.leaves {
		f := &p.leaves[i]
		if f.copied() {
			e.gather[i] = take()
		}
		if f.narrowed() && e.before == nil {
			e.before = asHalves(take())
		}
		rank = max(rank, len(f.view.dims))
	}
	e.idx = make([]int, rank)
	return e
}

// bind attaches the arrays of one execution.
func (e *evaluator) bind(x *execution) {
	for i := range e.p.leaves {
		f := &e.p.leaves[i]
		if f.kind == leafJoin {
			continue
		}
		e.arrays[i], e.halves[i] = x.array(f.base), x.half(f.base)
		e.held[i] = -1
		switch {
		case f.kind != leafScalar:
		case f.narrowed():
			kernel.Widen(e.scalars[i:i+1], e.halves[i][f.view.off:])
		default:
			e.scalars[i] = e.arrays[i][f.view.off]
		}
	}
}

// unbind lets go of the arrays.
func (e *evaluator) unbind() {
	clear(e.arrays)
	clear(e.halves)
	clear(e.ops)
	clear(e.direct)
	e.row = nil
}

// onRow gives the leaves that read the row at hand a row, whose first element has index at.
func (e *evaluator) onRow(at int, row []float32) { e.rowAt, e.row = at, row }

// run evaluates elements [start, start+len(out)) into out, which may be the array of a dense
// leaf at the same place.
func (e *evaluator) run(start int, out []float32) {
	for len(out) > 0 {
		n := min(e.p.tile, len(out))
		e.eval(start, out[:n], n)
		start += n
		out = out[n:]
	}
}

// tiles computes elements [start, start+n), n <= tile, of every result, without a copy where it
// can: they are read-only and valid until the next call.
func (e *evaluator) tiles(start, n int) {
	e.eval(start, nil, n)
}

// tile is result i of the last call of tiles.
func (e *evaluator) tile(i, n int) []float32 {
	r := e.p.result[i]
	switch {
	case r >= 0:
		return e.regs[r][:n]
	case e.p.leaves[^r].kind == leafScalar:
		// The last register is free for this: see allocate.
		return filled(e.regs[len(e.regs)-1][:n], e.scalars[^r])
	default:
		return e.ops[^r]
	}
}

// filled sets all elements of dst to v and returns it.
func filled[T any](dst []T, v T) []T {
	for i := range dst {
		dst[i] = v
	}
	return dst
}

// eval computes n elements from start on; the last instruction writes to out unless it is nil.
func (e *evaluator) eval(start int, out []float32, n int) {
	p := e.p
	if len(p.code) == 0 && out != nil {
		e.copyLeaf(int(^p.result[0]), start, out)
		return
	}
	for i := range p.leaves {
		if f := &p.leaves[i]; f.kind != leafScalar && !f.part {
			e.load(i, start, n)
		}
	}
	last := len(p.code) - 1
	for i := range p.code {
		in := &p.code[i]
		dst := out
		if i != last || out == nil {
			dst = e.regs[in.dst][:n]
		}
		switch {
		case in.op >= opMulAdd:
			e.fused(in, dst)
		case !in.op.binary():
			a := e.operand(in.a, n)
			if a == nil {
				a = filled(dst, e.scalars[^in.a])
			}
			in.op.apply(dst, a, nil, 0)
		case in.op.scalarLeft():
			in.op.apply(dst, e.operand(in.b, n), nil, e.scalars[^in.a])
		case in.op == opAdd && e.half(in.b) != nil:
			kernel.AddHalf(dst, e.operand(in.a, n), e.half(in.b))
		default:
			a, b := e.operand(in.a, n), e.operand(in.b, n)
			var s float32
			if b == nil {
				s = e.scalars[^in.b]
				if a == nil { // both are scalars
					a = filled(dst, e.scalars[^in.a])
				}
			}
			in.op.apply(dst, a, b, s)
		}
	}
}

// operand is the current tile of an operand, nil for a scalar.
func (e *evaluator) operand(o operand, n int) []float32 {
	if o >= 0 {
		return e.regs[o][:n]
	}
	return e.ops[^o] // nil for scalars, which are never loaded
}

// load makes ops[i] hold elements [start, start+n) of leaf i.
func (e *evaluator) load(i, start, n int) {
	f := &e.p.leaves[i]
	switch f.kind {
	case leafDense:
		o := f.view.off + start
		switch {
		case f.row:
			e.ops[i] = e.row[o-e.rowAt:][:n]
		case f.direct:
			e.direct[i] = e.halves[i][o : o+n]
		case f.narrowed():
			e.ops[i] = e.gather[i][:n]
			e.copyLeaf(i, start, e.ops[i])
		default:
			e.ops[i] = e.arrays[i][o : o+n]
		}
	case leafRepeat:
		block := start / (f.period * f.repeat)
		if start%f.period == 0 && (start+n-1)/(f.period*f.repeat) == block {
			if e.held[i] != block || e.heldLen[i] < n {
				e.copyLeaf(i, start, e.gather[i][:n])
				e.held[i], e.heldLen[i] = block, n
			}
			e.ops[i] = e.gather[i][:n]
			return
		}
		e.held[i] = -1
		fallthrough
	default:
		e.copyLeaf(i, start, e.gather[i][:n])
		e.ops[i] = e.gather[i][:n]
	}
}

// copyLeaf copies elements [start, start+len(dst)) of leaf i.
func (e *evaluator) copyLeaf(i, start int, dst []float32) {
	f := &e.p.leaves[i]
	o := f.view.off + start // of a dense leaf
	switch {
	case f.kind == leafJoin:
		e.copyJoin(f, start, dst)
	case f.kind == leafScalar:
		filled(dst, e.scalars[i])
	case f.kind == leafDense && f.row:
		copy(dst, e.row[o-e.rowAt:])
	case f.kind == leafDense && f.narrowed():
		kernel.Widen(dst, e.halves[i][o:o+len(dst)])
	case f.kind == leafDense:
		copy(dst, e.arrays[i][o:])
	case f.narrowed():
		e.widenStrided(f, e.halves[i], start, dst)
	default:
		copyStrided(f, e.arrays[i], start, dst, e.idx)
	}
}

// copyStrided gathers elements [start, start+len(dst)) of a strided leaf in the array a. idx is
// working memory.
func copyStrided[T float32 | uint16](f *leaf, a []T, start int, dst []T, idx []int) {
	v := &f.view
	last := len(v.dims) - 1
	idx = idx[:len(v.dims)]
	o, r := v.off, start
	for k := last; k >= 0; k-- {
		idx[k] = r % v.dims[k]
		r /= v.dims[k]
		o += idx[k] * v.strides[k]
	}
	inner, stride := v.dims[last], v.strides[last]
	for {
		k := last - 1
		if rows := len(dst) / inner; inner <= shortRow && k >= 0 && idx[last] == 0 && rows > 1 {
			// Channels brought together: several pixels at once, one channel after the other.
			rows = min(rows, v.dims[k]-idx[k])
			step := v.strides[k]
			for c := range inner {
				at := o + c*stride
				for j := c; j < rows*inner; j += inner {
					dst[j] = a[at]
					at += step
				}
			}
			dst = dst[rows*inner:]
			idx[k] += rows
			o += rows * step
		} else {
			n := min(inner-idx[last], len(dst))
			switch stride {
			case 1:
				copy(dst[:n], a[o:o+n])
			case 0:
				filled(dst[:n], a[o])
			default:
				at := o
				for j := range dst[:n] {
					dst[j] = a[at]
					at += stride
				}
			}
			dst = dst[n:]
			o -= idx[last] * stride
			idx[last] = 0
			if k >= 0 {
				idx[k]++
				o += v.strides[k]
			}
		}
		if len(dst) == 0 {
			return
		}
		for ; k >= 0 && idx[k] == v.dims[k]; k-- {
			o -= v.dims[k] * v.strides[k]
			idx[k] = 0
			if k > 0 {
				idx[k-1]++
				o += v.strides[k-1]
			}
		}
	}
}

// shortRow is the length up to which a row is too short for a loop of its own.
const shortRow = 4
