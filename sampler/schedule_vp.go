package sampler

import "math"

// The linear variance-preserving schedule of Ho et al. in continuous time: sigma(t)^2 =
// exp(vpMin t + vpSlope t^2/2) - 1 for t in (0,1], in the variance-exploding state.
const (
	vpMin   = 0.1
	vpSlope = 19.9
)

// vpSigma is the noise level at a time.
func vpSigma(t float64) float64 { return math.Sqrt(math.Expm1(vpMin*t + vpSlope*t*t/2)) }

// vpTime is the inverse of vpSigma.
func vpTime(sigma float64) float64 {
	return (math.Sqrt(vpMin*vpMin+2*vpSlope*math.Log1p(sigma*sigma)) - vpMin) / vpSlope
}

// VP returns noise levels that are evenly spaced in the time of the linear variance-preserving
// schedule, as the steps of DDIM and DDPM are: steps values from sigmaMax down to sigmaMin, and a
// final 0. It returns nil for fewer than one step.
func VP(steps int, sigmaMax, sigmaMin float64) []float64 {
	return vpLevels(steps, func(r float64) float64 {
		first, last := vpTime(sigmaMax), vpTime(sigmaMin)
		return first + r*(last-first)
	})
}

// VPQuadratic is VP with the squares of the times evenly spaced, which puts more steps at high noise:
// the grid of DiffPIR (arXiv 2305.08995).
func VPQuadratic(steps int, sigmaMax, sigmaMin float64) []float64 {
	return vpLevels(steps, func(r float64) float64 {
		first, last := vpTime(sigmaMax), vpTime(sigmaMin)
		return math.Sqrt(first*first + r*(last*last-first*first))
	})
}

// vpLevels takes times at even fractions of a run, from 0 to 1.
func vpLevels(steps int, time func(fraction float64) float64) []float64 {
	if steps < 1 {
		return nil
	}
	sigmas := make([]float64, steps+1)
	for i := range steps {
		sigmas[i] = vpSigma(time(float64(i) / float64(max(steps-1, 1))))
	}
	return sigmas
}
