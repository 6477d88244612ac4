package cpu

// evaluator runs one program on one worker.
type evaluator struct {
	p       *program
	arrays  [][]float32 // per leaf: the array it reads
	scalars []float32
	regs    [][]float32
	gather  [][]float32 // per leaf that is not dense or scalar: its tile
	held    []int       // leafRepeat: which block the tile holds, -1 for none
	heldLen []int
	ops     [][]float32 // registers followed by leaves, for the current tile
	idx     []int
}

// scratchFloats is the working memory that an evaluator of p needs.
func (p *program) scratchFloats() int {
	n := p.regs
	for _, f := range p.leaves {
		if f.kind == leafRepeat || f.kind == leafStrided {
			n++
		}
	}
	return n * p.tile
}

// newEvaluator takes its working memory from scratch, which it shares with evaluators that do
// not run at the same time: bind makes it forget what is there.
func newEvaluator(p *program, scratch []float32) *evaluator {
	e := &evaluator{
		p:       p,
		arrays:  make([][]float32, len(p.leaves)),
		scalars: make([]float32, len(p.leaves)),
		regs:    make([][]float32, p.regs),
		gather:  make([][]float32, len(p.leaves)),
		held:    make([]int, len(p.leaves)),
		heldLen: make([]int, len(p.leaves)),
		ops:     make([][]float32, len(p.leaves)),
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
	for i, f := range p.leaves {
		if f.kind == leafRepeat || f.kind == leafStrided {
			e.gather[i] = take()
		}
		rank = max(rank, len(f.view.dims))
	}
	e.idx = make([]int, rank)
	return e
}

// bind attaches the arrays of one execution.
func (e *evaluator) bind(array func(*vertex) []float32) {
	for i := range e.p.leaves {
		f := &e.p.leaves[i]
		e.arrays[i] = array(f.base)
		e.held[i] = -1
		if f.kind == leafScalar {
			e.scalars[i] = e.arrays[i][f.view.off]
		}
	}
}

// run evaluates elements [start, start+len(out)) into out, which may be the array of a dense
// leaf at the same place.
func (e *evaluator) run(start int, out []float32) {
	for len(out) > 0 {
		n := min(e.p.tile, len(out))
		e.eval(start, out[:n])
		start += n
		out = out[n:]
	}
}

// dense returns elements [start, start+n), n <= tile, without a copy where it can: the result
// is read-only and valid until the next call.
func (e *evaluator) dense(start, n int) []float32 {
	if len(e.p.code) == 0 {
		f := &e.p.leaves[0]
		if f.kind == leafScalar {
			return kernelFill(e.regs[0][:n], e.scalars[0])
		}
		e.load(0, start, n)
		return e.ops[0]
	}
	out := e.regs[e.p.code[len(e.p.code)-1].dst][:n]
	e.eval(start, out)
	return out
}

func kernelFill(dst []float32, v float32) []float32 {
	for i := range dst {
		dst[i] = v
	}
	return dst
}

func (e *evaluator) eval(start int, out []float32) {
	p, n := e.p, len(out)
	for i := range p.leaves {
		if p.leaves[i].kind != leafScalar {
			e.load(i, start, n)
		}
	}
	if len(p.code) == 0 {
		if p.leaves[0].kind == leafScalar {
			kernelFill(out, e.scalars[0])
		} else {
			copy(out, e.ops[0])
		}
		return
	}
	last := len(p.code) - 1
	for i := range p.code {
		in := &p.code[i]
		dst := out
		if i != last {
			dst = e.regs[in.dst][:n]
		}
		var a, b []float32
		if in.a >= 0 {
			a = e.regs[in.a][:n]
		} else if p.leaves[^in.a].kind != leafScalar {
			a = e.ops[^in.a]
		}
		var s float32
		if in.op.binary() {
			if in.b >= 0 {
				b = e.regs[in.b][:n]
			} else if p.leaves[^in.b].kind != leafScalar {
				b = e.ops[^in.b]
			} else {
				s = e.scalars[^in.b]
			}
			if in.op.scalarLeft() {
				s = e.scalars[^in.a]
				a = b
			}
		}
		if a == nil { // a scalar where the kernels want an array
			a = kernelFill(dst, e.scalars[^in.a])
		}
		in.op.apply(dst, a, b, s)
	}
}

// load makes ops[i] hold elements [start, start+n) of leaf i.
func (e *evaluator) load(i, start, n int) {
	f, a := &e.p.leaves[i], e.arrays[i]
	switch f.kind {
	case leafDense:
		o := f.view.off + start
		e.ops[i] = a[o : o+n]
	case leafRepeat:
		block := start / (f.period * f.repeat)
		if start%f.period == 0 && (start+n-1)/(f.period*f.repeat) == block {
			if e.held[i] != block || e.heldLen[i] < n {
				e.copyStrided(f, a, start, e.gather[i][:n])
				e.held[i], e.heldLen[i] = block, n
			}
			e.ops[i] = e.gather[i][:n]
			return
		}
		e.held[i] = -1
		fallthrough
	default:
		e.copyStrided(f, a, start, e.gather[i][:n])
		e.ops[i] = e.gather[i][:n]
	}
}

// copyStrided gathers elements [start, start+len(dst)) of a strided leaf.
func (e *evaluator) copyStrided(f *leaf, a []float32, start int, dst []float32) {
	v := &f.view
	last := len(v.dims) - 1
	idx := e.idx[:len(v.dims)]
	o, r := v.off, start
	for k := last; k >= 0; k-- {
		idx[k] = r % v.dims[k]
		r /= v.dims[k]
		o += idx[k] * v.strides[k]
	}
	inner, stride := v.dims[last], v.strides[last]
	for {
		n := min(inner-idx[last], len(dst))
		switch stride {
		case 1:
			copy(dst[:n], a[o:o+n])
		case 0:
			kernelFill(dst[:n], a[o])
		default:
			for j := range n {
				dst[j] = a[o+j*stride]
			}
		}
		dst = dst[n:]
		if len(dst) == 0 {
			return
		}
		o -= idx[last] * stride
		idx[last] = 0
		k := last - 1
		for ; k >= 0; k-- {
			idx[k]++
			o += v.strides[k]
			if idx[k] < v.dims[k] {
				break
			}
			o -= v.dims[k] * v.strides[k]
			idx[k] = 0
		}
	}
}
