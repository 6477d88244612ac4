package cpu

import "github.com/seed-0f004ec9/spgd/engine/cpu/internal/kernel"

// blockSumStep sums blocks of 2x2 pixels of [rows, 2, columns, 2, channels] values, to [rows,
// columns, channels]: what halves an image, and the gradient of doubling one. Four elements are added
// in float32, one after the other, in the result itself.
type blockSumStep struct {
	v        *vertex
	bp       *boundProgram
	rows     int
	row      int // elements in a row of the result
	channels int
	tile     int         // elements that are evaluated at a time: whole pairs of pixels
	merge    int         // rows in a piece of work
	rows32   [][]float32 // per worker: a row before it is narrowed

	task func(worker, piece int)
}

// newBlockSumStep returns nil unless s, whose axes are known, sums such blocks.
func newBlockSumStep(p *plan, s *reduceStep) *blockSumStep {
	d := s.dims
	if s.isMax || len(s.vs) > 1 || len(d) != 4 || d[0].kept || d[0].n != 2 || d[2].n != 2 {
		return nil
	}
	pair := 2 * d[3].n
	if s.bp.tile < pair {
		return nil
	}
	b := &blockSumStep{
		v: s.vs[0], bp: s.bp, rows: s.groups, row: s.perOut, channels: d[3].n,
		tile: s.bp.tile / pair * pair, merge: max(1, pieceElements/s.length),
	}
	b.task = func(worker, piece int) { b.piece(p.x, worker, piece) }
	for range p.workers {
		if b.v.narrow {
			b.rows32 = append(b.rows32, make([]float32, b.row))
		}
	}
	return b
}

func (s *blockSumStep) run(x *execution) error {
	s.bp.bind(x)
	x.b.pool.Run((s.rows+s.merge-1)/s.merge, s.task)
	return nil
}

func (s *blockSumStep) piece(x *execution, worker, piece int) {
	e := s.bp.evaluators[worker]
	for r := piece * s.merge; r < min((piece+1)*s.merge, s.rows); r++ {
		from, to := r*s.row, (r+1)*s.row
		if s.v.narrow {
			s.sum(e, r, s.rows32[worker])
			kernel.Narrow(x.half(s.v)[from:to], s.rows32[worker])
		} else {
			s.sum(e, r, x.array(s.v)[from:to])
		}
	}
}

// sum computes row r of the result, of two rows of pixels.
func (s *blockSumStep) sum(e *evaluator, r int, out []float32) {
	c, in := s.channels, 2*s.row
	for y := range 2 {
		to := out
		for at := 0; at < in; at += s.tile {
			n := min(s.tile, in-at)
			e.tiles((2*r+y)*in+at, n)
			for tile := e.tile(0, n); len(tile) > 0; tile, to = tile[2*c:], to[c:] {
				sum, left, right := to[:c], tile[:c], tile[c:2*c]
				if y == 1 {
					kernel.Add(sum, sum, left)
					left = sum
				}
				kernel.Add(sum, left, right)
			}
		}
	}
}
