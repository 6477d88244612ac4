package cpu

import "github.com/seed-0f004ec9/spgd/engine/cpu/internal/kernel"

// mapStep computes a stored element-wise value or a copy through a view.
type mapStep struct {
	v  *vertex
	bp *boundProgram
	n  int // elements in a piece

	task func(worker, piece int)
}

func newMapStep(p *plan, v *vertex, pr *program) *mapStep {
	// Pieces begin where tiles begin, so that repeated leaves stay expanded.
	n := (pieceElements + pr.tile - 1) / pr.tile * pr.tile
	s := &mapStep{v: v, bp: p.bound(pr, roleMain), n: n}
	s.task = func(worker, piece int) { s.piece(p.x, worker, piece) }
	return s
}

func (s *mapStep) run(x *execution) error {
	s.bp.bind(x)
	x.b.pool.Run((s.v.size()+s.n-1)/s.n, s.task)
	return nil
}

func (s *mapStep) piece(x *execution, worker, piece int) {
	e := s.bp.evaluators[worker]
	from := piece * s.n
	to := min(from+s.n, s.v.size())
	if s.v.narrow {
		e.runNarrow(from, x.half(s.v)[from:to])
	} else {
		e.run(from, x.array(s.v)[from:to])
	}
}

// concatenateStep places its operands side by side along one axis.
type concatenateStep struct {
	v     *vertex
	parts []concatenatePart
	outer int // blocks: the product of the axes before the concatenated one
	pitch int // elements from one block of the result to the next
}

type concatenatePart struct {
	bp     *boundProgram
	at     int // where the operand's block begins in a block of the result
	length int // elements of its block
	n      int // elements in a piece of work

	task func(worker, piece int)
}

func newConcatenateStep(p *plan, v *vertex) *concatenateStep {
	axis := v.attr.(*concatenateAttr).axis
	s := &concatenateStep{v: v, outer: product(v.shape.Dimensions[:axis]), pitch: product(v.shape.Dimensions[axis:])}
	at := 0
	for _, x := range v.in {
		n := product(x.shape.Dimensions[axis:])
		part := concatenatePart{bp: p.bound(inputProgram(x), roleMain), at: at, length: n}
		part.n = (pieceElements + part.bp.tile - 1) / part.bp.tile * part.bp.tile
		part.task = func(worker, piece int) { part.piece(p.x, s, worker, piece) }
		s.parts = append(s.parts, part)
		at += n
	}
	return s
}

func (s *concatenateStep) run(x *execution) error {
	for i := range s.parts {
		part := &s.parts[i]
		part.bp.bind(x)
		x.b.pool.Run((s.outer*part.length+part.n-1)/part.n, part.task)
	}
	return nil
}

// piece copies a part of one operand, tile by tile.
func (c *concatenatePart) piece(x *execution, s *concatenateStep, worker, piece int) {
	out, half := x.array(s.v), x.half(s.v)
	e := c.bp.evaluators[worker]
	for at, end := piece*c.n, min((piece+1)*c.n, s.outer*c.length); at < end; {
		n := min(c.bp.tile, end-at)
		e.tiles(at, n)
		tile := e.tile(0, n)
		for len(tile) > 0 {
			block, i := at/c.length, at%c.length
			m := min(c.length-i, len(tile))
			if to := block*s.pitch + c.at + i; s.v.narrow {
				kernel.Narrow(half[to:to+m], tile)
			} else {
				copy(out[to:], tile[:m])
			}
			tile = tile[m:]
			at += m
		}
	}
}
