package rng

import (
	"math"
	"slices"
	"testing"
)

// The known-answer vectors that the Random123 distribution publishes for philox4x32, 10 rounds.
func TestPhiloxKnownAnswers(t *testing.T) {
	for _, c := range []struct {
		counter [4]uint32
		key     [2]uint32
		want    [4]uint32
	}{
		{[4]uint32{}, [2]uint32{}, [4]uint32{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
		{
			[4]uint32{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, [2]uint32{0xffffffff, 0xffffffff},
			[4]uint32{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd},
		},
		{
			[4]uint32{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, [2]uint32{0xa4093822, 0x299f31d0},
			[4]uint32{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1},
		},
	} {
		if got := philox(c.counter, c.key); got != c.want {
			t.Errorf("philox(%x, %x) = %x, want %x", c.counter, c.key, got, c.want)
		}
	}
}

func TestStreamAddressing(t *testing.T) {
	s := New(0x299f31d0a4093822, 0x85a308d3, 0x13198a2e, 0x03707344)
	s.counter[0] = 0x243f6a88
	if got := s.Uint64(); got != 0xd16cfe0994fdcceb {
		t.Errorf("seed, image, step and purpose are not placed as documented: %x", got)
	}
	words := func(s *Stream) []uint32 {
		w := make([]uint32, 9)
		for i := range w {
			w[i] = s.Uint32()
		}
		return w
	}
	base := words(New(1, 2, 3, Noise))
	if !slices.Equal(base, words(New(1, 2, 3, Noise))) {
		t.Error("equal arguments give different streams")
	}
	for _, other := range []*Stream{
		New(2, 2, 3, Noise), New(1<<32|1, 2, 3, Noise), New(1, 3, 3, Noise), New(1, 2, 4, Noise), New(1, 2, 3, Mask),
	} {
		for _, w := range words(other) {
			if slices.Contains(base, w) {
				t.Errorf("two streams share the word %x", w)
			}
		}
	}
}

func TestLog(t *testing.T) {
	s := New(7, 0, 0, Diagnostic)
	check := func(x float64) {
		want := math.Log(x)
		if ulp := math.Abs(math.Nextafter(want, math.Inf(1)) - want); math.Abs(log(x)-want) > 2*ulp {
			t.Fatalf("log(%g) = %.17g, math.Log gives %.17g", x, log(x), want)
		}
	}
	for range 20000 {
		check(s.open())
		check(math.Ldexp(1+s.Uniform(), s.Intn(200)-100))
	}
	for _, x := range []float64{1, 0.5, 2, math.E, 0x1p-53, 1 - 0x1p-53, math.Sqrt2 / 2, 1e300} {
		check(x)
	}
}

// The normal distribution function through math.Erfc inverts the quantile.
func TestNormalQuantile(t *testing.T) {
	for _, p := range []float64{0x1p-53, 1e-12, 1e-6, 0.001, 0.07, 0.0749, 0.0751, 0.2, 0.4, 0.5, 0.6, 0.9, 0.975, 0.9999} {
		z := normalQuantile(p)
		if back := math.Erfc(-z/math.Sqrt2) / 2; math.Abs(back-p) > 2e-14*p {
			t.Errorf("Phi(normalQuantile(%g)) = %.17g", p, back)
		}
	}
	if got, want := normalQuantile(0.975), 1.959963984540054; math.Abs(got-want) > 1e-15 {
		t.Errorf("normalQuantile(0.975) = %.16g, want %.16g", got, want)
	}
	if normalQuantile(0.25) != -normalQuantile(0.75) {
		t.Error("the quantile is not odd about 1/2")
	}
}

// moments draws n numbers and checks mean and variance to five standard errors.
func moments(t *testing.T, name string, draw func() float64, mean, variance, fourth float64) {
	t.Helper()
	const n = 100000
	var sum, sum2 float64
	for range n {
		d := draw() - mean
		sum += d
		sum2 += d * d
	}
	if e := 5 * math.Sqrt(variance/n); math.Abs(sum/n) > e {
		t.Errorf("%s: mean %g, want %g within %g", name, mean+sum/n, mean, e)
	}
	if e := 5 * math.Sqrt((fourth-variance*variance)/n); math.Abs(sum2/n-variance) > e {
		t.Errorf("%s: variance %g, want %g within %g", name, sum2/n, variance, e)
	}
}

func TestMoments(t *testing.T) {
	s := New(42, 0, 0, Diagnostic)
	moments(t, "Uniform", s.Uniform, 0.5, 1.0/12, 1.0/80)
	moments(t, "Between", func() float64 { return s.Between(-1, 3) }, 1, 16.0/12, 256.0/80)
	moments(t, "Normal", s.Normal, 0, 1, 3)
	moments(t, "Exponential", s.Exponential, 1, 1, 9)
	for _, lambda := range []float64{0.3, 4, 9.9, 10, 37.5, 1e4, 1e7, 1e13} {
		moments(t, "Poisson", func() float64 { return s.Poisson(lambda) }, lambda, lambda, lambda*(1+3*lambda))
	}
	for _, shape := range [][2]int{{1, 1}, {1, 30}, {2, 20}} {
		a, b := float64(shape[0]), float64(shape[1])
		v := a * b / ((a + b) * (a + b) * (a + b + 1))
		excess := 6 * ((a-b)*(a-b)*(a+b+1) - a*b*(a+b+2)) / (a * b * (a + b + 2) * (a + b + 3))
		moments(t, "Beta", func() float64 { return s.Beta(shape[0], shape[1]) }, a/(a+b), v, (excess+3)*v*v)
	}
	for _, m := range []float64{-1, 0, 0.7, 2} {
		lo, hi := -1.0, 2.0
		v := (lo*lo + m*m + hi*hi - lo*m - lo*hi - m*hi) / 18
		moments(t, "Triangular", func() float64 { return s.Triangular(lo, m, hi) }, (lo+m+hi)/3, v, 2.4*v*v)
	}
}

// Poisson probabilities by a chi-square-like check of every bin with a fair share of the draws.
func TestPoissonProbabilities(t *testing.T) {
	const n = 200000
	for _, lambda := range []float64{2.5, 12, 60} {
		s := New(3, 0, 0, Diagnostic)
		counts := map[int]int{}
		for range n {
			counts[int(s.Poisson(lambda))]++
		}
		for k := range int(3*lambda) + 10 {
			lg, _ := math.Lgamma(float64(k) + 1)
			p := math.Exp(float64(k)*math.Log(lambda) - lambda - lg)
			if d := math.Abs(float64(counts[k]) - n*p); d > 5*math.Sqrt(n*p)+5 {
				t.Errorf("lambda %g: %d draws of %d, want about %.0f", lambda, counts[k], k, n*p)
			}
		}
	}
	if got := New(1, 0, 0, Noise).Poisson(0); got != 0 {
		t.Errorf("Poisson(0) = %g", got)
	}
}

func TestLogFactorial(t *testing.T) {
	for _, k := range []float64{0, 1, 5, 9, 10, 11, 50, 1e3, 1e6, 1e9} {
		want, _ := math.Lgamma(k + 1)
		if got := logFactorial(k); math.Abs(got-want) > 1e-10+1e-14*want {
			t.Errorf("logFactorial(%g) = %.15g, want %.15g", k, got, want)
		}
	}
}

func TestIntnAndSample(t *testing.T) {
	s := New(9, 0, 0, Mask)
	var counts [7]int
	for range 70000 {
		counts[s.Intn(7)]++
	}
	for v, c := range counts {
		if math.Abs(float64(c)-10000) > 5*math.Sqrt(10000) {
			t.Errorf("Intn(7) gave %d %d times of 70000", v, c)
		}
	}
	var first [5]int
	for range 20000 {
		got := s.Sample(5, 3)
		first[got[2]]++
		slices.Sort(got)
		if len(got) != 3 || len(slices.Compact(slices.Clone(got))) != 3 || got[0] < 0 || got[2] > 4 {
			t.Fatalf("Sample(5, 3) = %v", got)
		}
	}
	for v, c := range first {
		if math.Abs(float64(c)-4000) > 5*math.Sqrt(4000) {
			t.Errorf("the third of Sample(5, 3) was %d %d times of 20000", v, c)
		}
	}
	if p := s.Sample(50, 50); len(p) != 50 || slices.Max(p) != 49 || func() bool { slices.Sort(p); return len(slices.Compact(p)) != 50 }() {
		t.Error("Sample(50, 50) is no permutation")
	}
	if len(s.Sample(4, 0)) != 0 || len(s.Sample(0, 0)) != 0 {
		t.Error("empty samples are not empty")
	}
}

// Fixed bits: what a seed means must not change from one version or platform to the next.
func TestFixedDraws(t *testing.T) {
	s := New(2024, 1, 2, XStart)
	want := []uint64{
		0x3fc725d63689e39a, 0xc0073aa052e54a8d, 0xbfe9b1a2d279d4d3,
		0x3fc007e9ad668127, 0xbfbe1f07cbeec7ba, 0xbfe986d7f8cf68ff,
	}
	for i, w := range want {
		if got := math.Float64bits(s.Normal()); got != w {
			t.Errorf("normal %d is %x, want %x", i, got, w)
		}
	}
	dst := make([]float32, len(want))
	New(2024, 1, 2, XStart).FillNormal(dst)
	for i, w := range want {
		if dst[i] != float32(math.Float64frombits(w)) {
			t.Errorf("FillNormal and Normal differ at %d", i)
		}
	}
}

// Sample is the shuffle of Fisher and Yates, number by number, and Others what it leaves.
func TestSampleAgainstDefinition(t *testing.T) {
	for _, c := range [][2]int{{5, 3}, {1024, 1024}, {3000, 2100}, {3000, 0}} {
		n, k := c[0], c[1]
		stream := New(3, 1, 4, Mask)
		all := make([]int, n)
		for i := range all {
			all[i] = i
		}
		for i := range k {
			j := i + stream.Intn(n-i)
			all[i], all[j] = all[j], all[i]
		}
		if got := New(3, 1, 4, Mask).Sample(n, k); !slices.Equal(got, all[:k]) {
			t.Errorf("Sample(%d, %d) = %v, want %v", n, k, got, all[:k])
		}
		others := New(3, 1, 4, Mask).Others(n, k)
		for i, v := range all {
			if others[v] != (i >= k) {
				t.Errorf("Others(%d, %d) of %d is %v", n, k, v, others[v])
			}
		}
	}
}
