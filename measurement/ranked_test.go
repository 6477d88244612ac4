package measurement

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestRanked: what is found without keeping the values is what sorting them finds, to the bit.
func TestRanked(t *testing.T) {
	random := rand.New(rand.NewPCG(4, 2))
	for _, n := range []int{1, 2, 3, 100, 10001} {
		for name, draw := range map[string]func() float64{
			"normal": func() float64 { return math.Abs(random.NormFloat64()) },
			"few":    func() float64 { return float64(random.IntN(3)) / 3 },
			"float32": func() float64 {
				return math.Abs(float64(float32(random.NormFloat64()))-float64(float32(random.NormFloat64()))) / 2
			},
			"wide": func() float64 { return math.Exp(200 * random.NormFloat64()) },
		} {
			v := make([]float64, n)
			for i := range v {
				v[i] = draw()
			}
			sorted := slices.Sorted(slices.Values(v))
			for _, k := range []int{0, n / 3, n / 2, n - 1} {
				got := ranked(k, func(yield func(float64)) {
					for _, x := range v {
						yield(x)
					}
				})
				if got != sorted[k] {
					t.Errorf("%s: value %d of %d is %g, want %g", name, k, n, got, sorted[k])
				}
			}
		}
	}
}
