package cpu

import (
	"cmp"
	"slices"
)

// slot is a place in the arena, for one value after the other.
type slot struct {
	first, last int // steps between which it is in use
	offset      int // in bytes
	bytes       int
}

// place finds every temporary value a place in the arena, so that values that live at the same
// time do not overlap: the largest first, each at the lowest offset that is free for its time.
func (p *plan) place() {
	var slots []*slot
	for _, v := range p.vertices {
		if !v.stored || v.into != nil || v.output >= 0 || v.kind == vertexParameter || v.kind == vertexConstant ||
			v.kind == vertexGeneric && v.node.results != nil {
			continue
		}
		if s := p.reusable(v); s != nil {
			s.last = v.last
			v.slot = s
			continue
		}
		const align = 64
		bytes := (v.bytes() + align - 1) / align * align
		v.slot = &slot{first: v.first, last: v.last, bytes: bytes}
		slots = append(slots, v.slot)
	}
	slices.SortStableFunc(slots, func(a, b *slot) int { return cmp.Compare(b.bytes, a.bytes) })
	var placed []*slot // by offset
	for _, s := range slots {
		at := 0
		for _, q := range placed {
			if q.last < s.first || s.last < q.first {
				continue
			}
			if at+s.bytes <= q.offset {
				break
			}
			at = max(at, q.offset+q.bytes)
		}
		s.offset = at
		p.arenaBytes = max(p.arenaBytes, at+s.bytes)
		i, _ := slices.BinarySearchFunc(placed, s, func(a, b *slot) int { return cmp.Compare(a.offset, b.offset) })
		placed = slices.Insert(placed, i, s)
	}
}

// reusable returns the slot of a value that v may overwrite.
func (p *plan) reusable(v *vertex) *slot {
	for _, u := range p.overwrites(v) {
		if u.slot != nil && u.slot.last == v.first && u.narrow == v.narrow {
			return u.slot
		}
	}
	return nil
}

// overwrites lists what v may take the place of, element by element, if the step of v is the last to
// read it: what that step reads in order alone.
func (p *plan) overwrites(v *vertex) (list []*vertex) {
	s, ok := p.steps[v.first].(*mapStep)
	if !ok {
		return nil
	}
	for _, f := range s.bp.leaves {
		u := f.base
		if !f.inPlace() || u.size() != v.size() || slices.Contains(list, u) {
			continue
		}
		// No other leaf may see u out of order.
		alone := true
		for _, g := range s.bp.leaves {
			alone = alone && (g.base != u || g.inPlace())
		}
		if alone {
			list = append(list, u)
		}
	}
	return list
}
