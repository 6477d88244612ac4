package cpu

import (
	"slices"

	"github.com/gomlx/gomlx/backends"
)

// interpreter runs a graph node by node with the portable executors: what plans are held to.
type interpreter struct {
	bd      *Builder
	outputs []*node
}

func (e interpreter) run(b *Backend, in []*Buffer, _ []bool) ([]*Buffer, error) {
	need := make([]bool, len(e.bd.nodes))
	for _, n := range e.outputs {
		need[n.id] = true
	}
	for i, n := range slices.Backward(e.bd.nodes) {
		if !need[i] {
			continue
		}
		if n.from != nil {
			need[n.from.id] = true
		}
		for _, x := range n.inputs {
			need[x.id] = true
		}
	}
	values := make([]*Buffer, len(e.bd.nodes)) // by node id
	for i, n := range e.bd.nodes {
		if !need[i] || n.from != nil {
			continue
		}
		switch n.op {
		case backends.OpTypeParameter:
			values[n.id] = in[n.attr.(*parameterAttr).index]
			continue
		case backends.OpTypeConstant:
			values[n.id] = &Buffer{shape: n.shape, flat: n.attr.(*constantAttr).flat}
			continue
		}
		args := make([]*Buffer, len(n.inputs))
		for i, x := range n.inputs {
			args[i] = values[x.id]
		}
		results := n.results
		if results == nil {
			results = []*node{n}
		}
		out := make([]*Buffer, len(results))
		for i, r := range results {
			buf, err := newBuffer(r.shape)
			if err != nil {
				return nil, err
			}
			out[i], values[r.id] = buf, buf
		}
		if err := runNode(b, n, args, out); err != nil {
			return nil, err
		}
	}
	out := make([]*Buffer, len(e.outputs))
	taken := make(map[*Buffer]bool)
	for i, n := range e.outputs {
		buf := values[n.id]
		// Parameters and constants belong to others, and no two outputs may share a buffer.
		if n.op == backends.OpTypeParameter || n.op == backends.OpTypeConstant || taken[buf] {
			c, err := newBuffer(n.shape)
			if err != nil {
				return nil, err
			}
			copyFlat(c.flat, buf.flat)
			buf = c
		}
		taken[buf] = true
		out[i] = buf
	}
	return out, nil
}
