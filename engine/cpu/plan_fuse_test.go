package cpu

import (
	"math/rand/v2"
	"slices"
	"testing"

	. "github.com/gomlx/gomlx/pkg/core/graph"
)

// Sequences of operations that become one instruction, and some that must not.
func TestPlanFusesInstructions(t *testing.T) {
	silu := func(x *Node) *Node { return Mul(x, Logistic(x)) }
	siluGrad := func(y *Node) *Node {
		s := Logistic(y)
		return Add(s, Mul(Mul(y, s), OneMinus(s)))
	}
	tests := []struct {
		name  string
		build func(x, y, a, b, c *Node) []*Node
		want  []opcode
	}{
		{"SiLU of a*x+b", func(x, _, a, b, _ *Node) []*Node { return []*Node{silu(Add(Mul(x, a), b))} }, []opcode{opMulAddSiLU}},
		{"gradient of SiLU", func(x, y, a, b, _ *Node) []*Node { return []*Node{Mul(y, siluGrad(Add(b, Mul(x, a))))} }, []opcode{opMulAddSiLUGrad}},
		{"two products and a sum", func(x, y, a, b, c *Node) []*Node { return []*Node{Add(Add(Mul(x, a), Mul(y, b)), c)} }, []opcode{opMulMulAdd}},
		{"product with a difference", func(x, y, a, _, _ *Node) []*Node { return []*Node{Mul(y, Sub(x, a))} }, []opcode{opSubMul}},
		{"square of a difference", func(x, _, a, _, _ *Node) []*Node {
			d := Sub(x, a)
			return []*Node{Mul(d, d)}
		}, []opcode{opSubSquare}},
		{"one after the other", func(x, y, a, b, c *Node) []*Node {
			d := Sub(x, a)
			return []*Node{silu(Add(Mul(Mul(d, d), b), Mul(y, c)))}
		}, []opcode{opSubSquare, opMul, opMulAddSiLU}},
		{"a difference with other readers", func(x, y, a, _, _ *Node) []*Node {
			d := Sub(x, a)
			return []*Node{Add(Mul(d, d), Exp(d))}
		}, []opcode{opSub, opExp, opMulAdd}},
		{"a sum with other readers", func(x, y, a, b, _ *Node) []*Node {
			s := Add(Mul(x, a), b)
			return []*Node{Add(silu(s), s)}
		}, []opcode{opMulAdd, opSiLU, opAdd}},
		{"a difference of scalars", func(x, y, _, _, _ *Node) []*Node {
			g := x.Graph()
			return []*Node{Mul(x, Sub(Const(g, float32(2)), Const(g, float32(3))))}
		}, nil},
	}
	dims := [][]int{{2, 9, 7, 5}, {2, 9, 7, 5}, {2, 1, 1, 5}, {1, 1, 1, 5}, {2, 1, 1, 5}}
	in := randomArrays(rand.New(rand.NewPCG(31, 32)), dims)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			build := func(in []*Node) []*Node { return test.build(in[0], in[1], in[2], in[3], in[4]) }
			b := newTestBackend(t, 2)
			var code []opcode
			compile := b.compile
			b.compile = func(bd *Builder, outputs []*node) (runner, error) {
				r, err := compile(bd, outputs)
				for _, bp := range r.(*plan).programs {
					for _, in := range bp.code {
						code = append(code, in.op)
					}
				}
				return r, err
			}
			got := runOn(t, b, in, dims, build)
			if test.want != nil && !slices.Equal(code, test.want) {
				t.Errorf("instructions %v, want %v", code, test.want)
			}
			for i, want := range runOn(t, newInterpreted(t), in, dims, build) {
				if r := relative(got[i], want); !(r < 1e-6) {
					t.Errorf("output %d: relative error %.2g", i, r)
				}
			}
		})
	}
}
