package bench

import (
	"math"
	"math/bits"
	"slices"

	"github.com/seed-0f004ec9/spgd/internal/rng"
)

const (
	confidence = 0.95
	resamples  = 10000
	level      = 0.05 // of significance
	exactFlips = 16   // up to so many units all sign flips are tried
)

// meanSD returns the mean and the sample standard deviation, NaN of no and of one number.
func meanSD(v []float64) (mean, sd float64) {
	for _, x := range v {
		mean += x
	}
	mean /= float64(len(v))
	if math.IsInf(mean, 0) || len(v) < 2 {
		return mean, math.NaN()
	}
	for _, x := range v {
		sd += (x - mean) * (x - mean)
	}
	return mean, math.Sqrt(sd / float64(len(v)-1))
}

// statistician makes intervals and tests of the mean of a few numbers. The resamples of equally many
// numbers are the same, so that results do not depend on what else is asked.
type statistician struct {
	draws map[int][]uint16 // by number of units: resamples x units indices
	flips map[int][]uint64 // by number of units, above exactFlips: sign bits
}

func newStatistician() *statistician {
	return &statistician{map[int][]uint16{}, map[int][]uint64{}}
}

// indices are resamples x n numbers below n.
func (s *statistician) indices(n int) []uint16 {
	if s.draws[n] == nil {
		stream := rng.New(0, uint32(n), 0, rng.Resample)
		v := make([]uint16, resamples*n)
		for i := range v {
			v[i] = uint16(stream.Intn(n))
		}
		s.draws[n] = v
	}
	return s.draws[n]
}

// interval is the bias-corrected and accelerated bootstrap interval of the mean (Efron, Journal of the
// American Statistical Association 82, 1987). Of fewer than two numbers it is NaN.
func (s *statistician) interval(v []float64) (low, high float64) {
	n := len(v)
	if n < 2 {
		return math.NaN(), math.NaN()
	}
	mean, sd := meanSD(v)
	if sd == 0 {
		return mean, mean
	}
	index := s.indices(n)
	means := make([]float64, resamples)
	below := 0.0
	for i := range means {
		sum := 0.0
		for _, k := range index[i*n:][:n] {
			sum += v[k]
		}
		means[i] = sum / float64(n)
		switch {
		case means[i] < mean:
			below++
		case means[i] == mean:
			below += 0.5
		}
	}
	slices.Sort(means)
	// The acceleration of a mean is its skewness over 6 sqrt(n).
	var squares, cubes float64
	for _, x := range v {
		squares += (x - mean) * (x - mean)
		cubes += (x - mean) * (x - mean) * (x - mean)
	}
	acceleration := cubes / (6 * math.Pow(squares, 1.5))
	bias := normalQuantile(min(max(below, 0.5), resamples-0.5) / resamples)
	end := func(p float64) float64 {
		z := bias + normalQuantile(p)
		q := normal(bias + z/(1-acceleration*z))
		return quantile(means, q)
	}
	return end((1 - confidence) / 2), end((1 + confidence) / 2)
}

// quantile interpolates between sorted numbers.
func quantile(sorted []float64, q float64) float64 {
	at := q * float64(len(sorted)-1)
	i := min(int(at), len(sorted)-2)
	return sorted[i] + (at-float64(i))*(sorted[i+1]-sorted[i])
}

// normal is the distribution function of the standard normal distribution.
func normal(z float64) float64 { return math.Erfc(-z/math.Sqrt2) / 2 }

// normalQuantile is its inverse.
func normalQuantile(p float64) float64 { return -math.Sqrt2 * math.Erfcinv(2*p) }

// test is the two-sided p-value of the hypothesis that the numbers are as likely to have the other
// sign, by flipping their signs: all combinations of up to 16 numbers, otherwise 65536 drawn ones
// and the observed one. Of fewer than two numbers it is NaN.
func (s *statistician) test(v []float64) float64 {
	n := len(v)
	if n < 2 {
		return math.NaN()
	}
	sum, size := 0.0, 0.0
	for _, x := range v {
		sum += x
		size += math.Abs(x)
	}
	bound := math.Abs(sum) - 1e-9*size // sums of the same size may differ by rounding
	if n <= exactFlips {
		extreme := 0
		flipped := slices.Clone(v)
		total := sum
		for i := uint(1); ; i++ {
			if math.Abs(total) >= bound {
				extreme++
			}
			if i == 1<<n {
				break
			}
			k := bits.TrailingZeros(i) // the next of Gray's code
			flipped[k] = -flipped[k]
			total += 2 * flipped[k]
		}
		return float64(extreme) / float64(uint(1)<<n)
	}
	extreme := 1
	words := (n + 63) / 64
	if s.flips[n] == nil {
		stream := rng.New(1, uint32(n), 0, rng.Resample)
		f := make([]uint64, words<<exactFlips)
		for i := range f {
			f[i] = stream.Uint64()
		}
		s.flips[n] = f
	}
	for i := range 1 << exactFlips {
		total := 0.0
		for k, x := range v {
			if s.flips[n][i*words+k/64]>>(k%64)&1 == 1 {
				x = -x
			}
			total += x
		}
		if math.Abs(total) >= bound {
			extreme++
		}
	}
	return float64(extreme) / float64(1<<exactFlips+1)
}

// holm adjusts p-values of a family for their number (Holm, Scandinavian Journal of Statistics 6, 1979).
// NaNs stay and do not count.
func holm(p []float64) []float64 {
	adjusted := slices.Clone(p)
	var order []int
	for i, v := range p {
		if !math.IsNaN(v) {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case p[a] < p[b]:
			return -1
		case p[a] > p[b]:
			return 1
		}
		return 0
	})
	last := 0.0
	for rank, i := range order {
		last = max(last, min(1, p[i]*float64(len(order)-rank)))
		adjusted[i] = last
	}
	return adjusted
}
