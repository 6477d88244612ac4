package cpu

// stepMemory is what happens around a step to the memory that is not the arena's.
type stepMemory struct {
	born []birth   // outputs that the step computes
	dead []*vertex // parameters that no later step reads
}

// birth is an output and the parameters that it may take the place of, if they are donated.
type birth struct {
	v     *vertex
	takes []*vertex
}

// schedule notes when outputs come and parameters go, once the steps are known.
func (p *plan) schedule() {
	p.memory = make([]stepMemory, len(p.steps))
	for _, v := range p.vertices {
		switch {
		case v.output >= 0:
			b := birth{v: v}
			for _, u := range p.overwrites(v) {
				if u.kind == vertexParameter && u.last == v.first {
					b.takes = append(b.takes, u)
				}
			}
			m := &p.memory[v.first]
			m.born = append(m.born, b)
		case v.kind == vertexParameter && len(p.steps) > 0:
			m := &p.memory[v.last]
			m.dead = append(m.dead, v)
		}
	}
}

// before gives the outputs of step i their memory.
func (x *execution) before(i int) error {
	for _, o := range x.p.memory[i].born {
		var b *Buffer
		for _, u := range o.takes {
			if from := x.bufs[u.id]; x.mayDrop(u) && from.flat != nil {
				b = &Buffer{shape: o.v.shape, flat: from.flat, owned: true}
				from.flat, from.packed, from.owned = nil, nil, false
				break
			}
		}
		if b == nil {
			var err error
			if b, err = x.b.allocate(o.v.shape); err != nil {
				return err
			}
		}
		x.out[o.v.output] = b
		x.set(o.v, b)
	}
	return nil
}

// after lets go of the parameters that step i was the last to read.
func (x *execution) after(i int) {
	for _, u := range x.p.memory[i].dead {
		if b := x.bufs[u.id]; x.mayDrop(u) && b.flat != nil {
			x.b.drop(b)
		}
	}
}

// mayDrop says whether a parameter may be dropped once it was read.
func (x *execution) mayDrop(u *vertex) bool { return x.donated != nil && x.donated[u.input()] }

// input is which input of the program a parameter is.
func (v *vertex) input() int { return v.node.attr.(*parameterAttr).index }

// growth is what a run takes at most for its outputs beyond its inputs, in bytes, if some of these are
// donated (nil: none).
func (p *plan) growth(donation []bool) int {
	donated := func(input int) bool { return donation != nil && donation[input] }
	now, peak := 0, 0
	taken := make(map[*vertex]bool)
	for _, m := range p.memory {
	outputs:
		for _, o := range m.born {
			for _, u := range o.takes {
				if donated(u.input()) && !taken[u] {
					taken[u] = true
					continue outputs
				}
			}
			now += int(o.v.shape.Memory())
		}
		peak = max(peak, now)
		for _, u := range m.dead {
			if donated(u.input()) && !taken[u] {
				now -= int(u.shape.Memory())
			}
		}
	}
	return peak
}
