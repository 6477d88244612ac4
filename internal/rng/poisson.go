package rng

import "math"

// Poisson returns a number from the Poisson distribution of mean lambda. Below 10 it counts
// exponential arrivals; above, it is Hörmann's transformed rejection PTRS (Insurance:
// Mathematics and Economics 12, 1993); above 2^40, where the two agree to 1e-6 of a standard
// deviation, a rounded normal number. It panics if lambda is negative, NaN or infinite.
func (s *Stream) Poisson(lambda float64) float64 {
	switch {
	case !(lambda >= 0) || math.IsInf(lambda, 1):
		panic("rng: Poisson of a mean that is negative or not finite")
	case lambda > 1<<40:
		return math.Floor(lambda + float64(math.Sqrt(lambda)*s.Normal()) + 0.5)
	case lambda == 0:
		return 0
	case lambda < 10:
		k := 0.0
		for t := s.Exponential(); t < lambda; t += s.Exponential() {
			k++
		}
		return k
	}
	b := 0.931 + float64(2.53*math.Sqrt(lambda))
	a := -0.059 + float64(0.02483*b)
	invAlpha := 1.1239 + 1.1328/(b-3.4)
	vr := 0.9277 - 3.6224/(b-2)
	logLambda := log(lambda)
	for {
		u := s.open() - 0.5
		v := s.open()
		us := 0.5 - math.Abs(u)
		k := math.Floor(float64((2*a/us+b)*u) + lambda + 0.43)
		if us >= 0.07 && v <= vr {
			return k
		}
		if k < 0 || (us < 0.013 && v > us) {
			continue
		}
		left := log(float64(v * invAlpha / (a/float64(us*us) + b)))
		if left <= float64(k*logLambda)-lambda-logFactorial(k) {
			return k
		}
	}
}

// logFactorial is log(k!) for a whole k >= 0: a product below 10, Stirling's series (to 1e-12
// from there) above.
func logFactorial(k float64) float64 {
	if k < 10 {
		p := 1.0
		for i := 2.0; i <= k; i++ {
			p *= i
		}
		return log(p)
	}
	const halfLog2Pi = 0.918938533204672741780329736406
	n := k + 1
	n2 := float64(n * n)
	series := (1.0/12 - (1.0/360-(1.0/1260-1.0/1680/n2)/n2)/n2) / n
	return float64((n-0.5)*log(n)) - n + halfLog2Pi + series
}
