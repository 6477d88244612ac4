package kernel

import "testing"

// halfTests compute each function with bfloat16 numbers for the arguments half, and with all of them
// widened.
var halfTests = []struct {
	name string
	args int
	half []int
	f    func(s isa, dst []float32, a []Numbers)
	wide func(s isa, dst []float32, a [][]float32)
}{
	{"AddHalf", 2, []int{1},
		func(s isa, dst []float32, a []Numbers) { addHalf(s, dst, a[0].Wide, a[1].Half) },
		func(s isa, dst []float32, a [][]float32) { binary(s, opAdd, dst, a[0], a[1]) }},
	{"MulAddSiLUHalf", 3, []int{0},
		func(s isa, dst []float32, a []Numbers) { mulAddSiLUHalf(s, dst, a[0].Half, a[1].Wide, a[2].Wide) },
		func(s isa, dst []float32, a [][]float32) { mulAddSiLU(s, dst, a[0], a[1], a[2]) }},
	{"MulAddSiLUGradHalf", 4, []int{0},
		func(s isa, dst []float32, a []Numbers) {
			mulAddSiLUGradHalf(s, dst, a[0].Half, a[1].Wide, a[2].Wide, a[3].Wide)
		},
		func(s isa, dst []float32, a [][]float32) { mulAddSiLUGrad(s, dst, a[0], a[1], a[2], a[3]) }},
	{"SubMulHalf", 3, []int{0},
		func(s isa, dst []float32, a []Numbers) { subMulHalf(s, dst, a[0].Half, a[1].Wide, a[2].Wide) },
		func(s isa, dst []float32, a [][]float32) { subMul(s, dst, a[0], a[1], a[2]) }},
	{"MulMulAddHalf of neither", 5, nil, testMulMulAddHalf, testMulMulAdd},
	{"MulMulAddHalf of a", 5, []int{0}, testMulMulAddHalf, testMulMulAdd},
	{"MulMulAddHalf of c", 5, []int{2}, testMulMulAddHalf, testMulMulAdd},
	{"MulMulAddHalf of a and c", 5, []int{0, 2}, testMulMulAddHalf, testMulMulAdd},
}

func testMulMulAddHalf(s isa, dst []float32, a []Numbers) {
	mulMulAddHalf(s, dst, a[0], a[1].Wide, a[2], a[3].Wide, a[4].Wide)
}

func testMulMulAdd(s isa, dst []float32, a [][]float32) {
	mulMulAdd(s, dst, a[0], a[1], a[2], a[3], a[4])
}

// Functions of bfloat16 numbers are the same to the bit as those of the widened numbers, also where
// the result takes the place of an argument of float32 numbers.
func TestFusedHalf(t *testing.T) {
	eachISA(t, func(t *testing.T, s isa) {
		for _, f := range halfTests {
			for _, n := range append(vectorLengths, 2*stretch+21) {
				arguments := func() (a []Numbers, wide [][]float32) {
					for i := range f.args {
						a = append(a, Numbers{Wide: guardedCopy(specialAndRandom(uint64(i+1), n, 4*i+1))})
					}
					for _, i := range f.half {
						h := make([]uint16, n)
						narrow(s, h, a[i].Wide)
						widen(s, a[i].Wide, h)
						a[i].Half = h[:n:n]
					}
					for i := range a {
						wide = append(wide, a[i].Wide)
						if a[i].Half != nil {
							a[i].Wide = nil
						}
					}
					return a, wide
				}
				a, wide := arguments()
				want, got := newGuarded(n), newGuarded(n)
				f.wide(s, want.data, wide)
				f.f(s, got.data, a)
				got.check(t)
				if !sameBits(got.data, want.data) {
					t.Fatalf("%s of %d elements differs from the function of widened numbers", f.name, n)
				}
				for i := range f.args {
					a, _ := arguments()
					if a[i].Half != nil || n == 0 {
						continue
					}
					f.f(s, a[i].Wide, a)
					if !sameBits(a[i].Wide, want.data) {
						t.Fatalf("%s of %d elements in place of argument %d differs", f.name, n, i)
					}
				}
			}
		}
	})
}
