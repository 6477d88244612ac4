package cpu

import (
	"testing"

	"github.com/gomlx/gomlx/backends"
)

// A choice by a constant is the value chosen, of which nothing else is computed.
func TestConstantWhere(t *testing.T) {
	x, y := tensor([]float32{1, 2, 3}, 3), tensor([]float32{4, 5, 6}, 3)
	for _, c := range []struct {
		condition bool
		want      []complex128
	}{{true, []complex128{-1, -2, -3}}, {false, []complex128{4, 5, 6}}} {
		evaluate(t, func(bd *Builder, in []backends.Op) []backends.Op {
			condition := op(bd.Constant([]bool{c.condition}))
			chosen := op(bd.Where(condition, op(bd.Neg(in[0])), in[1]))
			scalar := op(bd.Constant([]float32{7}))
			return []backends.Op{chosen, chosen, op(bd.Where(condition, in[0], scalar))}
		}, func(t *testing.T, out []*Buffer) {
			near(t, values(out[0]), c.want, 0)
			near(t, values(out[1]), c.want, 0)
			spread := []complex128{1, 2, 3}
			if !c.condition {
				spread = []complex128{7, 7, 7}
			}
			near(t, values(out[2]), spread, 0)
		}, x, y)
	}
	b := newTestBackend(t, 1)
	bd := b.Builder("choice").(*Builder)
	p := op(bd.Parameter("x", x.shape(), nil))
	chosen := op(bd.Where(op(bd.Constant([]bool{false})), op(bd.Exp(op(bd.Neg(p)))), op(bd.Neg(p))))
	plan := newPlan(b, bd, []*node{chosen.(*node)})
	if n := len(plan.steps); n != 1 {
		t.Errorf("%d steps, want the negation alone", n)
	}
}
