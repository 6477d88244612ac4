package cpu

import (
	"slices"

	"github.com/gomlx/gomlx/pkg/core/dtypes"
	"github.com/gomlx/gomlx/pkg/core/shapes"

	"github.com/seed-0f004ec9/spgd/engine/cpu/internal/kernel"
)

// A plan is a compiled graph: a list of steps, each of which computes one stored value.
//
// The graph is first rewritten into vertices (plan_lower.go). Movement operations become views,
// float32 element-wise operations become parts of programs, and only what must lie in memory is
// stored: results of convolutions, products, reductions and generic operations, and the
// element-wise values that are cheaper to keep than to compute again for each reader. A
// program that ends a convolution's only reader is applied to its rows while they are in
// cache; a program in front of a convolution fills the rows that the convolution reads.
type plan struct {
	vertices []*vertex
	outputs  []*vertex
	steps    []step

	memory     []stepMemory // by step
	arenaBytes int          // temporary values of one execution
	strips     kernel.Scratch
	sumFloats  int // float64 numbers of the sums by row of a step
	workers    int
	algorithm  kernel.Algorithm // of convolutions with kernels that are packed once
	precision  kernel.Precision // of what they multiply
	programs   []*boundProgram
	x          *execution
}

// vertex is a value of the plan.
type vertex struct {
	id    int
	kind  vertexKind
	shape shapes.Shape
	in    []*vertex
	users []*vertex

	node   *node  // generic: what the executor is given
	index  int    // results of a generic vertex with several: which
	op     opcode // point
	linear bool   // view: the order of the elements does not change
	move   func(view) (view, bool)
	attr   any

	deviations bool // reduce: not the elements but the squares of their deviations from the mean are summed

	wantView  bool // some reader needs to see it through strides
	wantDense bool // some reader needs it consecutive in memory
	wantRows  bool // some reader needs the last axis consecutive in memory
	readers   int  // programs and steps that read it, views looked through

	stored bool
	narrow bool    // kept as bfloat16
	output int     // which output of the plan it is, or -1
	base   *vertex // where it can be read: nil if only computed inside programs
	view   view
	opaque bool // view gives the elements in order, but not by axis

	leaves []*vertex // what a program for it reads
	cost   int       // arithmetic of such a program, per element
	fresh  bool      // it reads a convolution's result that nobody else reads
	into   *vertex   // convolution: its only reader, which is computed in its rows
	from   *vertex   // that reader: the convolution

	first, last int // steps between which a stored value lives
	slot        *slot
}

type vertexKind uint8

const (
	vertexParameter vertexKind = iota
	vertexConstant
	vertexPoint
	vertexView
	vertexReduce
	vertexConvolution
	vertexProduct
	vertexConcatenate
	vertexGeneric
	vertexResult // one of several results of a generic vertex
)

func (v *vertex) size() int { return v.shape.Size() }

// Thresholds of the choice between storing an element-wise value and computing it again.
const (
	maxSharedLeaves = 2   // a value with several readers and more inputs than this is stored
	maxSharedCost   = 40  // ... or one that costs more, in additions
	maxLeaves       = 12  // no program reads more
	maxCost         = 400 // no program costs more
)

// newPlan compiles the part of a builder's graph that the outputs need.
func newPlan(b *Backend, bd *Builder, outputs []*node) *plan {
	p := &plan{workers: b.pool.Workers(), algorithm: b.algorithm, precision: b.precision, strips: kernel.Scratch{Memory: &b.strips}}
	p.lower(bd, outputs)
	p.connect()
	p.decide()
	p.narrow(b.narrowing)
	p.x = newExecution(b, p)
	p.emit()
	p.place()
	p.schedule()
	p.bindScratch()
	return p
}

// connect finds what the readers of every vertex ask of it.
func (p *plan) connect() {
	for _, v := range p.vertices {
		for _, x := range v.in {
			x.users = append(x.users, v)
		}
	}
	for _, v := range slices.Backward(p.vertices) {
		for _, u := range v.users {
			switch u.kind {
			case vertexView:
				if u.linear {
					v.wantView = v.wantView || u.wantView || u.wantRows
					v.readers += u.readers
				} else {
					v.wantView = true
					v.readers++
				}
			case vertexPoint:
				if u.size() != v.size() {
					v.wantView = true
				}
				v.readers++
			case vertexProduct:
				v.wantView = true
				v.wantRows = v.wantRows || u.in[0] == v
				v.readers++
			case vertexConvolution:
				v.wantView = v.wantView || u.in[1] == v
				v.readers++
			case vertexConcatenate:
				v.wantView = v.wantView || u.joins()
				v.readers++
			case vertexGeneric:
				v.wantView, v.wantDense = true, true
				v.readers++
			default:
				v.readers++
			}
		}
	}
}

// decide chooses, in order, what is stored and how everything else is read.
func (p *plan) decide() {
	for _, v := range p.vertices {
		switch v.kind {
		case vertexView:
			p.decideView(v)
		case vertexPoint:
			p.decidePoint(v)
		case vertexConcatenate:
			p.decideConcatenate(v)
		default:
			v.stored = true
		}
		if v.stored {
			v.base, v.view, v.opaque = v, denseView(v.shape.Dimensions), false
			v.leaves, v.cost = []*vertex{v}, 0
			v.fresh = v.kind == vertexConvolution && v.readers == 1 && v.output < 0
		}
	}
}

func (p *plan) decideView(v *vertex) {
	x := v.in[0]
	v.leaves, v.cost, v.fresh = x.leaves, x.cost, x.fresh
	v.stored = v.output >= 0
	if x.base == nil {
		return // linear, and nobody wants strides: part of its readers' programs
	}
	v.base = x.base
	moved, ok := view{}, false
	if !x.opaque {
		moved, ok = v.move(x.view)
	}
	if !ok {
		// Only a linear view of something that strides cannot reshape comes here.
		v.view, v.opaque = x.view, true
		v.stored = v.stored || v.wantView
		return
	}
	v.view = moved
	if v.wantDense && !moved.isDense() {
		v.stored = true
	}
	if n := len(moved.dims); v.wantRows && n > 0 && (moved.dims[n-1] > 1 && moved.strides[n-1] != 1 || slices.Min(moved.strides) < 0) {
		v.stored = true
	}
}

func (p *plan) decidePoint(v *vertex) {
	read := 0 // elements of large arrays
	for _, x := range v.in {
		for _, l := range x.leaves {
			if !slices.Contains(v.leaves, l) {
				v.leaves = append(v.leaves, l)
				if 2*l.size() >= v.size() {
					read += min(l.size(), v.size())
				}
			}
		}
		v.cost += x.cost
		v.fresh = v.fresh || x.fresh && x.size() == v.size()
	}
	v.cost += v.op.cost()
	switch {
	case v.output >= 0 || v.wantView:
		v.stored = true
	case v.readers > 1:
		v.stored = v.fresh || 2*read > (2*maxSharedLeaves+1)*v.size() || v.cost > maxSharedCost
	default:
		v.stored = p.hoards(v)
	}
	if len(v.leaves) > maxLeaves || v.cost > maxCost || v.waiting() > 1 {
		v.stored = true
	}
}

// hoards says whether leaving v to its only reader u would keep several large values in memory for that alone, while
// much else is computed, and u will be left to its own only reader in the same way: a sum with one more term in
// every step of an unrolled iteration, which is read at the end.
func (p *plan) hoards(v *vertex) bool {
	u := v.onlyReader()
	if u == nil || u.kind != vertexPoint || p.computedBetween(v, u) < 2 {
		return false
	}
	if w := u.onlyReader(); w == nil || p.computedBetween(u, w) == 0 {
		return false
	}
	kept := 0
	for _, l := range v.leaves {
		own := l.kind != vertexParameter && l.kind != vertexConstant && l.output < 0
		if own && 2*l.size() >= v.size() && !slices.ContainsFunc(l.users, func(w *vertex) bool { return w.id >= u.id }) {
			kept++
		}
	}
	return kept >= 2
}

// onlyReader is what alone reads v, views looked through, or nil.
func (v *vertex) onlyReader() *vertex {
	u := v
	for u == v || u.kind == vertexView {
		if len(u.users) != 1 {
			return nil
		}
		u = u.users[0]
	}
	return u
}

// computedBetween counts what is computed of values as large as v between v and a later u, beside element-wise values.
func (p *plan) computedBetween(v, u *vertex) int {
	n := 0
	for _, w := range p.vertices[v.id+1 : u.id] {
		switch w.kind {
		case vertexReduce, vertexConvolution, vertexProduct, vertexGeneric:
			if len(w.in) > 0 && w.in[0].size() >= v.size() {
				n++
			}
		}
	}
	return n
}

// waiting counts the products that only v reads: one that is computed early would lie in memory until
// v is, so a sum of many is computed as they come.
func (v *vertex) waiting() int {
	n := 0
	for _, l := range v.leaves {
		if l.kind == vertexProduct && l.readers == 1 && l.size() >= v.size() {
			n++
		}
	}
	return n
}

// emitter makes the steps. Steps with large results come in the order of the graph; small ones
// when the first step needs them, by when reductions over the same values have gathered that
// can share a pass, or earlier if a large value is kept for them alone.
type emitter struct {
	*plan
	programs map[*vertex]*program
	done     map[*vertex]bool
	open     map[*vertex]bool      // done, as parts of steps that are not emitted yet
	readers  map[*vertex][]*vertex // of large values: whose steps read them
}

// largeElements is the size in an image from which on a value is computed in the order of the graph.
const largeElements = 1 << 12

// large says whether a value, [images, ...], is. It looks at one image only, since the order of the steps decides which
// sums share a pass, and with that how they are rounded: an image has the same result in every batch.
func (v *vertex) large() bool {
	dims := v.shape.Dimensions
	return len(dims) > 0 && product(dims[1:]) >= largeElements
}

func (p *plan) emit() {
	e := emitter{plan: p, programs: make(map[*vertex]*program), done: make(map[*vertex]bool), open: make(map[*vertex]bool), readers: make(map[*vertex][]*vertex)}
	for _, v := range p.vertices {
		if v.stored && (v.kind == vertexPoint || v.kind == vertexView) {
			e.programs[v] = compileProgram(v)
			e.fuseConvolution(v)
		}
	}
	for _, v := range p.vertices {
		if v.stored && v.into == nil {
			for _, r := range v.reads() {
				if r.large() {
					e.readers[r] = append(e.readers[r], v)
				}
			}
		}
	}
	for _, v := range p.vertices {
		if v.stored && v.into == nil && v.large() {
			e.demand(v, v.id)
		}
	}
	for _, v := range p.outputs {
		e.demand(v, len(p.vertices))
	}
}

// fuseConvolution makes the youngest convolution that only v reads take v's program along.
func (e *emitter) fuseConvolution(v *vertex) {
	var c *vertex
	for _, f := range e.programs[v].leaves {
		if f.inPlace() && f.base.kind == vertexConvolution && f.base.readers == 1 && f.base.output < 0 && f.base.into == nil &&
			f.base.size() == v.size() && (c == nil || f.base.id > c.id) {
			c = f.base
		}
	}
	if c != nil {
		c.into, v.from = v, c
	}
}

// demand emits the step of v after what it needs, for a step at the given place in the graph.
func (e *emitter) demand(v *vertex, place int) {
	if e.isDone(v) {
		return
	}
	if v.kind == vertexResult {
		e.demand(v.in[0], place)
		return
	}
	e.demandReads(v, place)
	if e.done[v] { // as a companion
		return
	}
	e.done[v], e.open[v] = true, true // not before: needsOpen asks what is computed already
	group := []*vertex{v}
	switch {
	case v.kind == vertexReduce:
		group = append(group, e.companions(v, place)...)
	case v.kind == vertexConvolution || v.from != nil:
		group = append(group, e.sumsOf(v)...)
	}
	at := len(e.steps)
	e.steps = append(e.steps, e.step(v, group))
	for _, u := range group {
		e.done[u] = true
		delete(e.open, u)
		e.note(u, at)
	}
	e.release(v, place)
	for _, r := range v.reads() {
		e.release(r, place)
	}
}

// release emits the small steps that read v once nothing else has still to read it, if they can be
// computed: until then v takes memory.
func (e *emitter) release(v *vertex, place int) {
	if v.output >= 0 || v.kind == vertexParameter || v.kind == vertexConstant {
		return
	}
	var left []*vertex
	for _, u := range e.readers[v] {
		if e.done[u] {
			continue
		}
		if u.large() || slices.ContainsFunc(u.reads(), func(r *vertex) bool { return !e.isDone(r) }) {
			return
		}
		left = append(left, u)
	}
	for _, u := range left {
		e.demand(u, place)
	}
}

// isDone says whether v is computed before the next step.
func (e *emitter) isDone(v *vertex) bool {
	if v.kind == vertexResult {
		v = v.in[0]
	}
	return e.done[v] || v.kind == vertexParameter || v.kind == vertexConstant
}

func (e *emitter) demandReads(v *vertex, place int) {
	for _, r := range v.reads() {
		e.demand(r, place)
	}
}

// companions finds reductions that can share the pass of v: they come before the step that
// wants v, read something large that v reads, and need neither v nor one another.
func (e *emitter) companions(v *vertex, place int) []*vertex {
	var found []*vertex
	for _, u := range e.vertices[:place] {
		if u.kind != vertexReduce || e.done[u] || !alikeReductions(v, u) || !e.shares(v, u) || e.needsOpen(u, make(map[*vertex]bool)) {
			continue
		}
		if len(found) == maxCompanions {
			break
		}
		e.demandReads(u, place)
		if e.done[u] { // one of its operands' companions
			continue
		}
		e.done[u], e.open[u] = true, true
		found = append(found, u)
	}
	return found
}

// maxCompanions bounds the programs of reductions that share a pass.
const maxCompanions = 3

// shares says whether two reductions read a large array in common.
func (e *emitter) shares(v, u *vertex) bool {
	return slices.ContainsFunc(u.in[0].leaves, func(l *vertex) bool {
		return 2*l.size() >= v.in[0].size() && slices.Contains(v.in[0].leaves, l)
	})
}

// needsOpen says whether u needs a value of a step that is still being put together, directly or
// through values that are not computed yet. seen are the vertices that are known not to.
func (e *emitter) needsOpen(u *vertex, seen map[*vertex]bool) bool {
	seen[u] = true
	for _, r := range u.reads() {
		if e.open[r] || !seen[r] && !e.done[r] && e.needsOpen(r, seen) {
			return true
		}
	}
	return false
}

func (e *emitter) step(v *vertex, group []*vertex) step {
	switch v.kind {
	case vertexPoint, vertexView:
		if v.from != nil {
			return newConvolutionStep(e.plan, v.from, v, e.programs[v], group[1:])
		}
		return newMapStep(e.plan, v, e.programs[v])
	case vertexReduce:
		if slices.ContainsFunc(group, func(u *vertex) bool { return u.deviations }) {
			return newRowSumStep(e.plan, group)
		}
		return newReduceStep(e.plan, group...)
	case vertexConvolution:
		return newConvolutionStep(e.plan, v, v, nil, group[1:])
	case vertexProduct:
		return newProductStep(e.plan, v)
	case vertexConcatenate:
		return newConcatenateStep(e.plan, v)
	default:
		return newGenericStep(v)
	}
}

// reads lists the stored values that the step of v reads, those of a fused convolution
// included.
func (v *vertex) reads() []*vertex {
	var list []*vertex
	v.collectReads(&list)
	return list
}

func (v *vertex) collectReads(list *[]*vertex) {
	for _, x := range v.in {
		switch {
		case x.base == nil:
			x.collectReads(list)
		case x.base.into != nil:
			x.base.collectReads(list)
		case !slices.Contains(*list, x.base):
			*list = append(*list, x.base)
		}
	}
}

// note records that step at computes v.
func (p *plan) note(v *vertex, at int) {
	for _, r := range v.reads() {
		r.last = max(r.last, at)
	}
	v.first, v.last = at, max(v.last, at)
	for _, u := range v.users {
		if u.kind == vertexResult {
			u.first, u.last = at, max(u.last, at)
		}
	}
}

// run executes the plan. b.mu is held.
func (p *plan) run(_ *Backend, in []*Buffer, donated []bool) ([]*Buffer, error) {
	x := p.x
	defer x.end()
	if err := x.begin(in, donated); err != nil {
		return nil, err
	}
	for i, s := range p.steps {
		if err := x.before(i); err != nil {
			return nil, err
		}
		if err := s.run(x); err != nil {
			return nil, err
		}
		x.after(i)
	}
	return slices.Clone(x.out), nil
}

// isFloat32 says whether the fast paths apply to a shape.
func isFloat32(s shapes.Shape) bool { return s.DType == dtypes.Float32 && s.Size() > 0 }
