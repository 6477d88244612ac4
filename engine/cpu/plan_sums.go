package cpu

import (
	"slices"

	"github.com/gomlx/gomlx/backends"

	"github.com/seed-0f004ec9/spgd/engine/cpu/internal/kernel"
)

// rowSums are sums over all positions of [N,H,W,C] values, to [N,C], that are taken row by row, of the
// rows of a convolution's result while they are in the cache for instance: the statistics of
// normalisation, and the sums of its gradient. Every row is summed by itself, and the rows of an image
// are added in order.
type rowSums struct {
	vs       []*vertex
	bp       *boundProgram // with a result for each of vs
	rows     int           // in an image
	row      int           // elements in a row
	channels int
	width    int         // numbers of a row
	tile     int         // elements that are taken at a time: whole pixels, if they are not too long
	at       []int       // for each of vs: where its sums of the channels begin; then those of the squares
	other    []bool      // ... and whether they are taken together with the deviations of the same value
	size     int         // of partial
	partial  []float64   // by row, for the time of a step: the backend's
	pivots   [][]float32 // per worker, for each of vs: the first pixel of a row

	blocks int // of channels that are added up at a time
	task   func(worker, piece int)
}

// sumBlock is the largest number of channels of which the rows are added up at a time.
const sumBlock = 64

// sumsOf finds the sums that can be taken of the rows of v, which a convolution computes: they
// read v in order, and everything else that they read is there before.
func (e *emitter) sumsOf(v *vertex) []*vertex {
	var found []*vertex
	for _, u := range e.vertices[v.id:] {
		if len(found) > maxCompanions {
			break
		}
		if u.kind != vertexReduce || e.done[u] || u.node.op != backends.OpTypeReduceSum ||
			!slices.Equal(u.in[0].shape.Dimensions, v.shape.Dimensions) ||
			!slices.Equal(u.attr.(*reduceAttr).axes, []int{1, 2}) {
			continue
		}
		reads := u.reads()
		if !slices.Contains(reads, v) || !u.in[0].inOrder(v) || slices.ContainsFunc(reads, func(r *vertex) bool {
			return r != v && (e.open[r] || !e.done[r] && r.kind != vertexParameter && r.kind != vertexConstant)
		}) {
			continue
		}
		found = append(found, u)
	}
	return found
}

// inOrder says whether a program for v reads u, if at all, element by element in order.
func (v *vertex) inOrder(u *vertex) bool {
	if v.base != nil {
		return v.base != u || v.size() == u.size() && v.view.isDense()
	}
	return !slices.ContainsFunc(v.in, func(x *vertex) bool { return !x.inOrder(u) })
}

// newRowSums makes the sums vs of the rows of v, or of rows in memory if v is nil.
func newRowSums(p *plan, v *vertex, vs []*vertex) *rowSums {
	var operands []*vertex
	for _, u := range vs {
		operands = append(operands, u.in[0])
	}
	d := operands[0].shape.Dimensions
	program := inputProgram(operands...)
	if v != nil {
		program.readRows(v)
	}
	s := &rowSums{
		vs: vs, bp: p.bound(program, roleSums),
		rows: d[1], row: d[2] * d[3], channels: d[3],
		blocks: (d[3] + sumBlock - 1) / sumBlock,
	}
	s.at, s.other = make([]int, len(vs)), make([]bool, len(vs))
	for i, u := range vs {
		if u.deviations {
			s.at[i] = s.width
			s.width += 2 * s.channels
		}
	}
	for i, u := range vs {
		if u.deviations {
			continue
		}
		if j := slices.IndexFunc(vs, func(w *vertex) bool { return w.deviations && w.in[0] == u.in[0] }); j >= 0 {
			s.at[i], s.other[i] = s.at[j], true
			continue
		}
		s.at[i] = s.width
		s.width += s.channels
	}
	s.size = d[0] * d[1] * s.width
	p.sumFloats = max(p.sumFloats, s.size)
	s.tile = min(max(program.tile/s.channels, 1)*s.channels, program.tile)
	for range p.workers {
		s.pivots = append(s.pivots, make([]float32, len(vs)*s.channels))
	}
	s.task = func(_, piece int) { s.total(p.x, piece/s.blocks, piece%s.blocks*sumBlock) }
	return s
}

// bind prepares for a step.
func (s *rowSums) bind(x *execution) {
	s.bp.bind(x)
	if len(x.b.sums) < s.size {
		x.b.sums = make([]float64, s.size)
	}
	s.partial = x.b.sums[:s.size]
}

// add sums row y of image n.
func (s *rowSums) add(worker, n, y int, row []float32) {
	s.begin(worker, n, y, row)
	for at := 0; at < s.row; at += s.tile {
		s.next(worker, n, y, at)
	}
	s.end(worker, n, y)
}

// begin prepares the sums of row y of image n; next adds a tile, one after the other, and end
// finishes them.
func (s *rowSums) begin(worker, n, y int, row []float32) {
	clear(s.partials(n, y))
	s.bp.evaluators[worker].onRow((n*s.rows+y)*s.row, row)
}

// next adds the tile that begins with element at of a row.
func (s *rowSums) next(worker, n, y, at int) {
	e := s.bp.evaluators[worker]
	acc := s.partials(n, y)
	t := min(s.tile, s.row-at)
	e.tiles((n*s.rows+y)*s.row+at, t)
	for i, u := range s.vs {
		if s.other[i] {
			continue
		}
		tile, sum := e.tile(i, t), acc[s.at[i]:]
		if u.deviations {
			pivot := s.pivot(worker, i)
			if at == 0 {
				copy(pivot, tile)
			}
			kernel.ColMoments(sum, sum[s.channels:], pivot, tile)
		} else {
			s.addTile(sum[:s.channels], at%s.channels, tile)
		}
	}
}

func (s *rowSums) end(worker, n, y int) {
	acc := s.partials(n, y)
	for i, u := range s.vs {
		if u.deviations {
			sum := acc[s.at[i]:]
			s.center(sum[:s.channels], sum[s.channels:], s.pivot(worker, i))
		}
	}
}

// partials are the sums of row y of image n.
func (s *rowSums) partials(n, y int) []float64 { return s.partial[(n*s.rows+y)*s.width:][:s.width] }

func (s *rowSums) pivot(worker, i int) []float32 {
	return s.pivots[worker][i*s.channels : (i+1)*s.channels]
}

// center turns sums of deviations from a pivot, and of their squares, into those of the elements. What
// cancels when the mean is taken off cancels in float64.
func (s *rowSums) center(sum, square []float64, pivot []float32) {
	n := float64(s.row / s.channels)
	square = square[:len(sum)]
	for c, d := range sum {
		p := float64(pivot[c])
		sum[c] = d + n*p
		square[c] += p * (2*d + n*p)
	}
}

// addTile adds elements that begin at channel c.
func (s *rowSums) addTile(acc []float64, c int, tile []float32) {
	if c == 0 && len(tile)%s.channels == 0 {
		kernel.ColSum(acc, tile)
		return
	}
	for len(tile) > 0 { // more channels than a tile has elements
		m := min(s.channels-c, len(tile))
		kernel.ColSum(acc[c:c+m], tile[:m])
		tile, c = tile[m:], 0
	}
}

// store adds up the rows of every image.
func (s *rowSums) store(x *execution) {
	x.b.pool.Run(s.size/(s.rows*s.width)*s.blocks, s.task)
}

// total adds up the rows of image n, for a block of channels from channel c on.
func (s *rowSums) total(x *execution, n, c int) {
	var sums, squares [sumBlock]float64
	sum := sums[:min(sumBlock, s.channels-c)]
	image := s.partial[n*s.rows*s.width : (n+1)*s.rows*s.width]
	for i, u := range s.vs {
		s.addRows(sum, image[s.at[i]+c:])
		if u.deviations {
			square := squares[:len(sum)]
			s.addRows(square, image[s.at[i]+s.channels+c:])
			positions := float64(s.rows * s.row / s.channels)
			for i, v := range sum {
				sum[i] = max(0, square[i]-v*v/positions)
			}
		}
		asFloat32(x.array(u)[n*s.channels+c:][:len(sum)], sum)
	}
}

// addRows adds up what begins every row.
func (s *rowSums) addRows(sum, rows []float64) {
	clear(sum)
	for y := range s.rows {
		for i, p := range rows[y*s.width:][:len(sum)] {
			sum[i] += p
		}
	}
}

// rowSumStep takes the sums of rows in memory.
type rowSumStep struct {
	sums *rowSums
	n    int // rows
	each int // rows in a piece of work
	task func(worker, piece int)
}

func newRowSumStep(p *plan, vs []*vertex) *rowSumStep {
	sums := newRowSums(p, nil, vs)
	s := &rowSumStep{sums: sums, n: sums.size / sums.width, each: max(1, pieceElements/sums.row)}
	s.task = func(worker, piece int) {
		for r := piece * s.each; r < min((piece+1)*s.each, s.n); r++ {
			sums.add(worker, r/sums.rows, r%sums.rows, nil)
		}
	}
	return s
}

func (s *rowSumStep) run(x *execution) error {
	s.sums.bind(x)
	x.b.pool.Run((s.n+s.each-1)/s.each, s.task)
	s.sums.store(x)
	return nil
}
