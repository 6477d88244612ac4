package cpu

import (
	"math"
	"slices"

	"github.com/gomlx/gomlx/backends"

	"github.com/seed-0f004ec9/spgd/engine/cpu/internal/kernel"
)

// reduceStep sums element-wise values over some axes, or takes their maxima: several values of
// one shape over the same axes in one pass, because they mostly read the same arrays.
//
// The elements come in order. The leading kept axes divide them into groups with results of
// their own; a long group is cut into chunks, whose partial results are added in order. Groups
// and chunks depend only on the length of a group, so that neither the number of threads nor
// that of images in a batch changes a sum. Sums accumulate in float64.
type reduceStep struct {
	vs     []*vertex
	bp     *boundProgram // with a result for each of vs
	isMax  bool
	groups int
	length int // elements in a group
	perOut int // results of a group
	dims   []reduceAxis
	chunk  int         // elements in a chunk
	chunks int         // chunks in a group
	merge  int         // groups in a piece of work, if chunks is 1
	whole  bool        // a worker takes a group's chunks one after the other
	acc    [][]float64 // chunks == 1: per worker; whole: two per worker; otherwise per group and chunk
	maxima [][]float32 // the same for maxima

	pieces int
	task   func(worker, piece int)
}

// reduceAxis is an axis of a group; neighbours that are all kept or all reduced are one.
type reduceAxis struct {
	n      int
	kept   bool
	stride int // in the results, if kept
}

// wholeGroups is the number of groups from which on they are work enough without their chunks.
const wholeGroups = 16

// maxPartials bounds the elements of the partial results of one group.
const maxPartials = 1 << 20

// alikeReductions says whether two reductions can share a pass, if neither needs the other.
func alikeReductions(v, u *vertex) bool {
	return u.kind == vertexReduce && u.node.op == v.node.op &&
		slices.Equal(u.in[0].shape.Dimensions, v.in[0].shape.Dimensions) &&
		slices.Equal(u.attr.(*reduceAttr).axes, v.attr.(*reduceAttr).axes)
}

func newReduceStep(p *plan, vs ...*vertex) step {
	v := vs[0]
	x := v.in[0]
	var operands []*vertex
	for _, v := range vs {
		operands = append(operands, v.in[0])
	}
	s := &reduceStep{vs: vs, bp: p.bound(inputProgram(operands...), roleMain), isMax: v.node.op == backends.OpTypeReduceMax, groups: 1}
	axes := v.attr.(*reduceAttr).axes
	for a, n := range x.shape.Dimensions {
		if n == 1 {
			continue
		}
		kept := !slices.Contains(axes, a)
		if k := len(s.dims); k > 0 && s.dims[k-1].kept == kept {
			s.dims[k-1].n *= n
		} else {
			s.dims = append(s.dims, reduceAxis{n: n, kept: kept})
		}
	}
	if len(s.dims) > 0 && s.dims[0].kept {
		s.groups, s.dims = s.dims[0].n, s.dims[1:]
	}
	if len(s.dims) == 0 {
		s.dims = []reduceAxis{{n: 1}}
	}
	s.length, s.perOut = 1, 1
	for i := len(s.dims) - 1; i >= 0; i-- {
		d := &s.dims[i]
		s.length *= d.n
		if d.kept {
			d.stride = s.perOut
			s.perOut *= d.n
		}
	}
	if b := newBlockSumStep(p, s); b != nil {
		return b
	}
	s.chunks = max(1, min(s.length/pieceElements, maxPartials/s.perOut, 64))
	unit := s.dims[len(s.dims)-1].n
	if unit > pieceElements/4 {
		unit = 1
	}
	s.chunk = ((s.length+s.chunks-1)/s.chunks + unit - 1) / unit * unit
	s.chunks = (s.length + s.chunk - 1) / s.chunk
	s.merge = max(1, pieceElements/s.length)
	// With groups enough for every worker, partial results of all chunks would only take memory.
	s.whole = s.chunks > 1 && s.groups >= wholeGroups
	n := p.workers
	switch {
	case s.chunks == 1:
		s.pieces = (s.groups + s.merge - 1) / s.merge
		s.task = func(worker, piece int) { s.mergedGroups(p.x, worker, piece) }
	case s.whole:
		n = 2 * p.workers
		s.pieces = s.groups
		s.task = func(worker, piece int) { s.wholeGroup(p.x, worker, piece) }
	default:
		n = s.groups * s.chunks
		s.pieces = n
		s.task = func(worker, piece int) { s.reduce(worker, piece, piece/s.chunks, piece%s.chunks) }
	}
	for range n * len(vs) {
		if s.isMax {
			s.maxima = append(s.maxima, make([]float32, s.perOut))
		} else {
			s.acc = append(s.acc, make([]float64, s.perOut))
		}
	}
	return s
}

func (s *reduceStep) run(x *execution) error {
	s.bp.bind(x)
	x.b.pool.Run(s.pieces, s.task)
	if s.chunks == 1 || s.whole {
		return nil
	}
	for g := range s.groups {
		first := g * s.chunks
		for c := 1; c < s.chunks; c++ {
			s.combine(first, first+c)
		}
		s.store(x, first, g)
	}
	return nil
}

// mergedGroups computes the results of a piece of several short groups.
func (s *reduceStep) mergedGroups(x *execution, worker, piece int) {
	for g := piece * s.merge; g < min((piece+1)*s.merge, s.groups); g++ {
		s.reduce(worker, worker, g, 0)
		s.store(x, worker, g)
	}
}

// wholeGroup computes the results of a group, one chunk after the other.
func (s *reduceStep) wholeGroup(x *execution, worker, g int) {
	sum, next := 2*worker, 2*worker+1
	s.reduce(worker, sum, g, 0)
	for c := 1; c < s.chunks; c++ {
		s.reduce(worker, next, g, c)
		s.combine(sum, next)
	}
	s.store(x, sum, g)
}

// reduce makes partial result to out of one chunk of a group.
func (s *reduceStep) reduce(worker, to, group, chunk int) {
	k := len(s.vs)
	for i := to * k; i < (to+1)*k; i++ {
		if s.isMax {
			filled(s.maxima[i], float32(math.Inf(-1)))
		} else {
			clear(s.acc[i])
		}
	}
	e := s.bp.evaluators[worker]
	at, end := chunk*s.chunk, min((chunk+1)*s.chunk, s.length)
	for at < end {
		n := min(s.bp.tile, end-at)
		e.tiles(group*s.length+at, n)
		for i := range k {
			s.add(to*k+i, at, e.tile(i, n))
		}
		at += n
	}
}

// add takes the elements of a group from at on into an accumulator.
func (s *reduceStep) add(to, at int, tile []float32) {
	last := len(s.dims) - 1
	inner := s.dims[last]
	for len(tile) > 0 {
		i, r := at%inner.n, at/inner.n
		n := min(inner.n-i, len(tile))
		o, rows := 0, 1
		for k := last - 1; k >= 0; k-- {
			d := s.dims[k]
			j := r % d.n
			r /= d.n
			if d.kept {
				o += j * d.stride
			} else if k == last-1 && n == inner.n {
				// Whole rows that go to the same results are taken together.
				rows = min(d.n-j, len(tile)/n)
			}
		}
		switch {
		case s.isMax && inner.kept:
			m := s.maxima[to][o+i : o+i+n]
			for row := range rows {
				kernel.Max(m, m, tile[row*n:(row+1)*n])
			}
		case s.isMax:
			s.maxima[to][o] = maximum(s.maxima[to][o], tile[:n])
			rows = 1
		case inner.kept:
			kernel.ColSum(s.acc[to][o+i:o+i+n], tile[:rows*n])
		default:
			s.acc[to][o] += kernel.Sum(tile[:n])
			rows = 1
		}
		tile = tile[rows*n:]
		at += rows * n
	}
}

// maximum returns the largest of m and the elements of x; NaN if there is one.
func maximum(m float32, x []float32) float32 {
	for _, v := range x {
		if v > m || v != v {
			m = v
		}
		if m != m {
			return m
		}
	}
	return m
}

// combine adds partial result from to another.
func (s *reduceStep) combine(to, from int) {
	k := len(s.vs)
	for i := range k {
		if s.isMax {
			kernel.Max(s.maxima[to*k+i], s.maxima[to*k+i], s.maxima[from*k+i])
			continue
		}
		a := s.acc[to*k+i]
		for j, v := range s.acc[from*k+i] {
			a[j] += v
		}
	}
}

// store writes a partial result as the results of a group.
func (s *reduceStep) store(x *execution, from, group int) {
	for i, v := range s.vs {
		part := from*len(s.vs) + i
		switch {
		case v.narrow:
			s.storeNarrow(x.half(v)[group*s.perOut:(group+1)*s.perOut], part)
		case s.isMax:
			copy(x.array(v)[group*s.perOut:(group+1)*s.perOut], s.maxima[part])
		default:
			asFloat32(x.array(v)[group*s.perOut:(group+1)*s.perOut], s.acc[part])
		}
	}
}

// storeNarrow writes a partial result rounded to bfloat16.
func (s *reduceStep) storeNarrow(out []uint16, part int) {
	if s.isMax {
		kernel.Narrow(out, s.maxima[part])
		return
	}
	var row [256]float32
	for acc := s.acc[part]; len(acc) > 0; {
		n := min(len(row), len(acc))
		kernel.Narrow(out[:n], asFloat32(row[:n], acc))
		out, acc = out[n:], acc[n:]
	}
}

// asFloat32 sets dst to the first elements of a and returns it.
func asFloat32(dst []float32, a []float64) []float32 {
	for i := range dst {
		dst[i] = float32(a[i])
	}
	return dst
}
