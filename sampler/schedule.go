package sampler

import "math"

// Poly7 returns the noise levels of a run with the given number of steps: steps values from
// sigmaMax down to sigmaMin, evenly spaced in sigma^(1/7), and a final 0, so steps+1 in all.
//
//	sigma_i = (sigmaMax^(1/7) + i/(steps-1) (sigmaMin^(1/7) - sigmaMax^(1/7)))^7
//
// This is equation 5 of Karras et al., "Elucidating the Design Space of Diffusion-Based
// Generative Models" (2022), with rho = 7. A single step goes from sigmaMax to 0. It returns nil
// for fewer than one step.
func Poly7(steps int, sigmaMax, sigmaMin float64) []float64 {
	if steps < 1 {
		return nil
	}
	const rho = 7
	first, last := math.Pow(sigmaMax, 1.0/rho), math.Pow(sigmaMin, 1.0/rho)
	sigmas := make([]float64, steps+1)
	for i := range steps {
		r := 0.0
		if steps > 1 {
			r = float64(i) / float64(steps-1)
		}
		sigmas[i] = math.Pow(first+r*(last-first), rho)
	}
	sigmas[0] = sigmaMax // and not what is left of it after two powers
	if steps > 1 {
		sigmas[steps-1] = sigmaMin
	}
	return sigmas
}
