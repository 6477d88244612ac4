package kernel

import "testing"

// fusedTests compute each function in one pass, and step by step.
var fusedTests = []struct {
	name  string
	args  int
	fused func(s isa, dst []float32, a [][]float32)
	steps func(s isa, dst []float32, a [][]float32)
}{
	{"MulAddSiLU", 3,
		func(s isa, dst []float32, a [][]float32) { mulAddSiLU(s, dst, a[0], a[1], a[2]) },
		func(s isa, dst []float32, a [][]float32) {
			mulAdd(s, dst, a[0], a[1], a[2])
			unary(s, opSiLU, dst, dst)
		}},
	{"MulAddSiLUGrad", 4,
		func(s isa, dst []float32, a [][]float32) { mulAddSiLUGrad(s, dst, a[0], a[1], a[2], a[3]) },
		func(s isa, dst []float32, a [][]float32) {
			mulAdd(s, dst, a[0], a[1], a[2])
			unary(s, opSiLUGrad, dst, dst)
			binary(s, opMul, dst, a[3], dst)
		}},
	{"MulMulAdd", 5,
		func(s isa, dst []float32, a [][]float32) { mulMulAdd(s, dst, a[0], a[1], a[2], a[3], a[4]) },
		func(s isa, dst []float32, a [][]float32) {
			binary(s, opMul, dst, a[2], a[3])
			mulAdd(s, dst, a[0], a[1], dst)
			binary(s, opAdd, dst, dst, a[4])
		}},
	{"SubMul", 3,
		func(s isa, dst []float32, a [][]float32) { subMul(s, dst, a[0], a[1], a[2]) },
		func(s isa, dst []float32, a [][]float32) {
			binary(s, opSub, dst, a[0], a[1])
			binary(s, opMul, dst, a[2], dst)
		}},
	{"SubSquare", 2,
		func(s isa, dst []float32, a [][]float32) { subSquare(s, dst, a[0], a[1]) },
		func(s isa, dst []float32, a [][]float32) {
			binary(s, opSub, dst, a[0], a[1])
			binary(s, opMul, dst, dst, dst)
		}},
}

// What is fused is the same to the bit as one operation after the other, also where the result takes
// the place of an argument.
func TestFused(t *testing.T) {
	eachISA(t, func(t *testing.T, s isa) {
		for _, f := range fusedTests {
			for _, n := range vectorLengths {
				arguments := func() [][]float32 {
					var a [][]float32
					for i := range f.args {
						a = append(a, guardedCopy(specialAndRandom(uint64(i+1), n, 4*i+1)))
					}
					return a
				}
				want, got := newGuarded(n), newGuarded(n)
				f.steps(s, want.data, arguments())
				f.fused(s, got.data, arguments())
				got.check(t)
				if !sameBits(got.data, want.data) {
					t.Fatalf("%s of %d elements differs from its steps", f.name, n)
				}
				for i := range f.args {
					a := arguments()
					f.fused(s, a[i], a)
					if !sameBits(a[i], want.data) {
						t.Fatalf("%s of %d elements in place of argument %d differs", f.name, n, i)
					}
				}
			}
		}
	})
}
