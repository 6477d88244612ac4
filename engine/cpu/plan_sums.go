package cpu

import (
	"slices"

	"github.com/gomlx/gomlx/backends"

	"github.com/seed-0f004ec9/spgd/engine/cpu/internal/kernel"
)

// rowSums are sums over all positions of [N,H,W,C] values, to [N,C], that are taken of the rows
// of a convolution's result while they are in the cache: the statistics of normalisation, and
// the sums of its gradient. Every row is summed by itself, and the rows of an image are added in
// order.
type rowSums struct {
	vs       []*vertex
	bp       *boundProgram // with a result for each of vs
	rows     int           // in an image
	row      int           // elements in a row
	channels int
	partial  []float64 // by row, value and channel
}

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

// newRowSums makes the sums vs of the rows of v.
func newRowSums(p *plan, v *vertex, vs []*vertex) *rowSums {
	var operands []*vertex
	for _, u := range vs {
		operands = append(operands, u.in[0])
	}
	d := operands[0].shape.Dimensions
	program := inputProgram(operands...)
	program.readRows(v)
	return &rowSums{
		vs: vs, bp: p.bound(program, roleSums),
		rows: d[1], row: d[2] * d[3], channels: d[3],
		partial: make([]float64, d[0]*d[1]*len(vs)*d[3]),
	}
}

// add sums row y of image n.
func (s *rowSums) add(worker, n, y int, row []float32) {
	e := s.bp.evaluators[worker]
	k := len(s.vs) * s.channels
	acc := s.partial[(n*s.rows+y)*k:][:k]
	clear(acc)
	start := (n*s.rows + y) * s.row
	e.onRow(start, row)
	for at := 0; at < s.row; {
		// Tiles of whole pixels: the sums take rows of channels.
		t := min(max(s.bp.tile/s.channels, 1)*s.channels, s.row-at)
		if t > s.bp.tile {
			t = s.bp.tile
		}
		e.tiles(start+at, t)
		for i := range s.vs {
			s.addTile(acc[i*s.channels:(i+1)*s.channels], at%s.channels, e.tile(i, t))
		}
		at += t
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
	k := len(s.vs) * s.channels
	for n := range len(s.partial) / (s.rows * k) {
		sum := s.partial[n*s.rows*k:][:k]
		for y := 1; y < s.rows; y++ {
			for i, p := range s.partial[(n*s.rows+y)*k:][:k] {
				sum[i] += p
			}
		}
		for i, v := range s.vs {
			out := x.array(v)[n*s.channels:][:s.channels]
			for c := range out {
				out[c] = float32(sum[i*s.channels+c])
			}
		}
	}
}
