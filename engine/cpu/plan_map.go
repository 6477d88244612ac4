package cpu

import "github.com/seed-0f004ec9/spgd/engine/cpu/internal/kernel"

// mapStep computes a stored element-wise value or a copy through a view.
type mapStep struct {
	v  *vertex
	bp *boundProgram
	n  int // elements in a piece
}

func newMapStep(p *plan, v *vertex, pr *program) *mapStep {
	// Pieces begin where tiles begin, so that repeated leaves stay expanded.
	n := (pieceElements + pr.tile - 1) / pr.tile * pr.tile
	return &mapStep{v: v, bp: p.bound(pr, roleMain), n: n}
}

func (s *mapStep) run(x *execution) error {
	s.bp.bind(x)
	if s.v.narrow {
		out := x.half(s.v)
		x.b.pool.Run((len(out)+s.n-1)/s.n, func(worker, piece int) {
			at := piece * s.n
			s.bp.evaluators[worker].runNarrow(at, out[at:min(at+s.n, len(out))])
		})
		return nil
	}
	out := x.array(s.v)
	x.b.pool.Run((len(out)+s.n-1)/s.n, func(worker, piece int) {
		at := piece * s.n
		s.bp.evaluators[worker].run(at, out[at:min(at+s.n, len(out))])
	})
	return nil
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
}

func newConcatenateStep(p *plan, v *vertex) *concatenateStep {
	axis := v.attr.(*concatenateAttr).axis
	s := &concatenateStep{v: v, outer: product(v.shape.Dimensions[:axis]), pitch: product(v.shape.Dimensions[axis:])}
	at := 0
	for _, x := range v.in {
		n := product(x.shape.Dimensions[axis:])
		s.parts = append(s.parts, concatenatePart{bp: p.bound(inputProgram(x), roleMain), at: at, length: n})
		at += n
	}
	return s
}

func (s *concatenateStep) run(x *execution) error {
	for _, part := range s.parts {
		part.bp.bind(x)
		part.run(x, s)
	}
	return nil
}

// run copies one operand, tile by tile.
func (c concatenatePart) run(x *execution, s *concatenateStep) {
	out, half := x.array(s.v), x.half(s.v)
	size := s.outer * c.length
	n := (pieceElements + c.bp.tile - 1) / c.bp.tile * c.bp.tile
	x.b.pool.Run((size+n-1)/n, func(worker, piece int) {
		e := c.bp.evaluators[worker]
		for at, end := piece*n, min((piece+1)*n, size); at < end; {
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
	})
}
