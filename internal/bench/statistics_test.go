package bench

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestMeanSD(t *testing.T) {
	mean, sd := meanSD([]float64{2, 4, 4, 4, 5, 5, 7, 9})
	if mean != 5 || math.Abs(sd-math.Sqrt(32.0/7)) > 1e-15 {
		t.Errorf("mean %v, standard deviation %v", mean, sd)
	}
	if mean, sd := meanSD([]float64{3}); mean != 3 || !math.IsNaN(sd) {
		t.Errorf("of one number: %v, %v", mean, sd)
	}
	if mean, _ := meanSD(nil); !math.IsNaN(mean) {
		t.Errorf("of none: %v", mean)
	}
}

// TestSignFlips: p-values that can be counted by hand.
func TestSignFlips(t *testing.T) {
	s := newStatistician()
	for _, c := range []struct {
		v    []float64
		want float64
	}{
		{[]float64{1, 2, 3}, 2.0 / 8},  // only all of one sign reach 6
		{[]float64{1, -1}, 1},          // every sum reaches 0
		{[]float64{3, 1, -1}, 6.0 / 8}, // 3 is reached by 3+1-1, 3-1+1, 5 and their opposites
		{[]float64{.1, .2, .3, .4, .5, .6}, 2.0 / 64},
		{[]float64{0, 0, 0}, 1},
		{[]float64{5}, math.NaN()},
	} {
		if p := s.test(c.v); p != c.want && !(math.IsNaN(p) && math.IsNaN(c.want)) {
			t.Errorf("p of %v is %v, want %v", c.v, p, c.want)
		}
	}
	// Beyond 16 numbers the flips are drawn. The sum of 18 signs of equal size is binomial: at least 14
	// of one sign has the probability 2 (C(18,14)+...+C(18,18))/2^18 = 0.0309.
	v := make([]float64, 18)
	for i := range v {
		v[i] = 1
		if i < 4 {
			v[i] = -1
		}
	}
	want := 2 * (3060 + 816 + 153 + 18 + 1) / math.Pow(2, 18)
	if p := s.test(v); math.Abs(p-want) > 4*math.Sqrt(want/65536) || p != newStatistician().test(v) {
		t.Errorf("p of 14 against 4 signs is %v, want about %v, always the same", p, want)
	}
}

func TestHolm(t *testing.T) {
	got := holm([]float64{0.01, 0.04, math.NaN(), 0.03, 0.005})
	want := []float64{0.03, 0.06, math.NaN(), 0.06, 0.02}
	for i := range want {
		if math.Abs(got[i]-want[i]) > 1e-15 || math.IsNaN(got[i]) != math.IsNaN(want[i]) {
			t.Errorf("adjusted %v, want %v", got, want)
			break
		}
	}
}

// TestIntervalGolden compares with an independent computation with two million resamples, for data
// that are skewed (testdata/interval.py). What is left is the resamples' chance.
func TestIntervalGolden(t *testing.T) {
	v := []float64{0.1, 0.2, 0.3, 0.5, 0.7, 1.1, 1.9, 4.2}
	const wantLow, wantHigh = 0.5125, 2.5250000000000004
	low, high := newStatistician().interval(v)
	if math.Abs(low-wantLow) > 0.02*(wantHigh-wantLow) || math.Abs(high-wantHigh) > 0.02*(wantHigh-wantLow) {
		t.Errorf("interval [%v, %v], want [%v, %v]", low, high, wantLow, wantHigh)
	}
	if l, h := newStatistician().interval(v); l != low || h != high {
		t.Errorf("again: [%v, %v], before [%v, %v]", l, h, low, high)
	}
}

// TestIntervalNormal: of many normal numbers the interval is mean ± 1.96 standard errors.
func TestIntervalNormal(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	v := make([]float64, 200)
	for i := range v {
		v[i] = 3 + 2*r.NormFloat64()
	}
	mean, sd := meanSD(v)
	half := 1.96 * sd / math.Sqrt(200)
	low, high := newStatistician().interval(v)
	if math.Abs(low-(mean-half)) > 0.06*half || math.Abs(high-(mean+half)) > 0.06*half {
		t.Errorf("interval [%v, %v], want about [%v, %v]", low, high, mean-half, mean+half)
	}
}

// TestIntervalCoverage: of 12 numbers of a skewed distribution the interval holds the mean nearly as
// often as it says.
func TestIntervalCoverage(t *testing.T) {
	s, r := newStatistician(), rand.New(rand.NewPCG(3, 4))
	const trials = 600
	held := 0
	for range trials {
		v := make([]float64, 12)
		for i := range v {
			v[i] = math.Sqrt(r.ExpFloat64()) - math.Gamma(1.5)
		}
		if low, high := s.interval(v); low <= 0 && 0 <= high {
			held++
		}
	}
	if share := float64(held) / trials; share < 0.88 || share > 0.97 {
		t.Errorf("%.3f of the intervals hold the mean", share)
	}
}

func TestIntervalEdges(t *testing.T) {
	s := newStatistician()
	if low, high := s.interval([]float64{2, 2, 2}); low != 2 || high != 2 {
		t.Errorf("of equal numbers: [%v, %v]", low, high)
	}
	if low, high := s.interval([]float64{2}); !math.IsNaN(low) || !math.IsNaN(high) {
		t.Errorf("of one number: [%v, %v]", low, high)
	}
	if low, high := s.interval([]float64{1, 3}); !(low >= 1 && low < 2 && high > 2 && high <= 3) {
		t.Errorf("of two numbers: [%v, %v]", low, high)
	}
}
