package cpu

import (
	"maps"
	"math"
	"math/rand/v2"
	"testing"

	. "github.com/gomlx/gomlx/pkg/core/graph"
)

// Reading bfloat16 numbers in place gives the bits of widening them first.
func TestReadHalves(t *testing.T) {
	cases := append(planCases[:len(planCases):len(planCases)], planCase{
		"values that are read in place", [][]int{{2, 9, 7, 5}, {3, 3, 5, 40}, {1, 1, 1, 40}, {2, 1, 1, 40}, {2, 9, 7, 40}},
		func(in []*Node) []*Node {
			h := Convolve(in[0], in[1]).PadSame().Done()
			g := Convolve(in[0], Neg(in[1])).PadSame().Done()
			y := Add(Mul(g, in[2]), in[3])
			l := Logistic(y)
			return []*Node{
				Mul(in[4], Add(l, Mul(Mul(y, l), OneMinus(l)))),
				Add(in[4], h), Add(Add(Mul(h, in[2]), Mul(in[4], in[3])), in[2]), Add(Add(Mul(in[4], in[2]), Mul(in[3], h)), in[4]),
				Add(Add(Mul(in[2], g), Mul(h, in[3])), in[2]), Mul(Sub(g, in[2]), in[4]), Mul(Sub(in[2], g), h),
			}
		},
	})
	direct := make(map[opcode]bool)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			in := randomArrays(rand.New(rand.NewPCG(1, 2)), c.dims)
			got := runOn(t, newNarrowBackend(t, 2), in, c.dims, c.build)
			b := newNarrowBackend(t, 2)
			compile := b.compile
			b.compile = func(bd *Builder, outputs []*node) (runner, error) {
				r, err := compile(bd, outputs)
				p := r.(*plan)
				for _, bp := range p.programs {
					for i := range bp.code {
						for _, o := range bp.code[i].halves() {
							direct[bp.code[i].op] = direct[bp.code[i].op] || *o < 0 && bp.leaves[^*o].direct
						}
					}
					for i := range bp.leaves {
						bp.leaves[i].direct = false
					}
					bp.evaluators = nil
				}
				p.bindScratch()
				return r, err
			}
			for i, want := range runOn(t, b, in, c.dims, c.build) {
				for j, w := range want {
					if math.Float32bits(got[i][j]) != math.Float32bits(w) {
						t.Fatalf("output %d, element %d: %g, and %g if it is widened first", i, j, got[i][j], w)
					}
				}
			}
		})
	}
	want := map[opcode]bool{opAdd: true, opMulAddSiLU: true, opMulAddSiLUGrad: true, opMulMulAdd: true, opSubMul: true}
	if !maps.Equal(direct, want) {
		t.Errorf("instructions that read bfloat16 numbers: %v, want %v", direct, want)
	}
}
