package cpu

// genericStep runs the portable executor of an operation.
type genericStep struct {
	v       *vertex
	results []*vertex
}

func newGenericStep(v *vertex) *genericStep {
	s := &genericStep{v: v, results: []*vertex{v}}
	if v.node.results != nil {
		s.results = make([]*vertex, len(v.node.results))
		for _, u := range v.users {
			if u.kind == vertexResult {
				s.results[u.index] = u
			}
		}
	}
	return s
}

func (s *genericStep) run(x *execution) error {
	in := make([]*Buffer, len(s.v.in))
	for i, u := range s.v.in {
		b := x.buffer(u.base)
		if u.base != u {
			// A view that is consecutive in memory, of a float32 value.
			o := u.view.off
			b = &Buffer{shape: u.shape, flat: x.floats[u.base.id][o : o+u.size()]}
		}
		in[i] = b
	}
	out := make([]*Buffer, len(s.results))
	for i, u := range s.results {
		if u != nil {
			out[i] = x.buffer(u)
		}
		if out[i] == nil { // a result that nobody wants
			b, err := newBuffer(s.v.node.results[i].shape)
			if err != nil {
				return err
			}
			out[i] = b
		}
	}
	return runNode(x.b, s.v.node, in, out)
}
