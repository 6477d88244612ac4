package cpu

import (
	"slices"

	"github.com/seed-0f004ec9/spgd/engine/cpu/internal/kernel"
)

// A concatenation whose readers take its elements in order is not stored: their programs gather
// each tile from the arrays of the parts. These exist anyway, in a network mostly because
// somebody else reads them too, so that a pass over memory and the memory for it are saved.

// maxJoinReaders is the number of readers from which on gathering costs more than storing once.
const maxJoinReaders = 12

// joins says whether a concatenation is left to its readers. It is asked when these are known.
func (v *vertex) joins() bool {
	return v.kind == vertexConcatenate && v.output < 0 && !v.wantView && v.readers <= maxJoinReaders
}

// decideConcatenate: connect saw to it that the parts of one that is not stored can be read
// through strides.
func (p *plan) decideConcatenate(v *vertex) {
	v.stored = !v.joins()
	if v.stored {
		return
	}
	v.cost = 1
	for _, x := range v.in {
		if !slices.Contains(v.leaves, x.base) {
			v.leaves = append(v.leaves, x.base)
		}
	}
}

// join compiles a use of a concatenation that is not stored.
func (c *compiler) join(v *vertex) operand {
	axis := v.attr.(*concatenateAttr).axis
	f := leaf{kind: leafJoin, period: product(v.shape.Dimensions[axis:])}
	for _, x := range v.in {
		f.parts = append(f.parts, joinPart{
			leaf: len(c.p.leaves),
			n:    product(x.shape.Dimensions[axis:]),
		})
		g := leaf{base: x.base, view: x.view.collapse(), part: true}
		g.classify()
		c.p.leaves = append(c.p.leaves, g)
	}
	c.p.leaves = append(c.p.leaves, f)
	return ^operand(len(c.p.leaves) - 1)
}

// copyJoin gathers elements [start, start+len(dst)) of a concatenation.
func (e *evaluator) copyJoin(f *leaf, start int, dst []float32) {
	for len(dst) > 0 {
		block, i := start/f.period, start%f.period
		blocks := 1
		if i == 0 {
			blocks = max(1, len(dst)/f.period)
		}
		// Elements [i, end) of the block, or several whole blocks.
		end := min(f.period, i+len(dst))
		at := 0 // where the part begins in a block
		for _, q := range f.parts {
			lo, hi := max(i, at), min(end, at+q.n)
			if lo < hi {
				e.copyPart(q, block*q.n+lo-at, dst[lo-i:], hi-lo, blocks, f.period)
			}
			at += q.n
		}
		n := blocks*f.period - i
		if blocks == 1 {
			n = end - i
		}
		start += n
		dst = dst[n:]
	}
}

// copyPart copies n elements of a part, from element start on, to each of the blocks of dst, which
// are pitch elements apart. If there are several, n is the part's length in a block.
func (e *evaluator) copyPart(q joinPart, start int, dst []float32, n, blocks, pitch int) {
	f := &e.p.leaves[q.leaf]
	if f.kind == leafDense && f.narrowed() {
		kernel.WidenRows(dst, e.halves[q.leaf][f.view.off+start:], blocks, n, pitch)
		return
	}
	if f.kind != leafDense {
		for b := range blocks {
			e.copyLeaf(q.leaf, start+b*n, dst[b*pitch:][:n])
		}
		return
	}
	a := e.arrays[q.leaf][f.view.off+start:][:blocks*n]
	for b := range blocks {
		copy(dst[b*pitch:][:n], a[b*n:])
	}
}
