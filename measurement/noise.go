package measurement

import (
	"fmt"
	"math"

	"github.com/seed-0f004ec9/spgd/internal/rng"
	"github.com/seed-0f004ec9/spgd/operator"
)

// Noise models.
const (
	Gaussian = "gaussian"
	Poisson  = "poisson"
)

// MaxSigma bounds the noise level. More noise than this leaves nothing of a picture in float32.
const MaxSigma = 1e6

// Noise says what is added to A(x0), in the measurement's own units: [-1,1] for pictures,
// amplitudes for phase retrieval. Nothing is clipped afterwards.
//
// Gaussian noise is N(0, Sigma^2) in every entry.
//
// Poisson noise counts photons. An entry y is the light u = (y-b)/(w-b), where b is the value without
// light and w that of full light: -1 and 1 for pictures, 0 and 1 for amplitudes. The count is Poisson of mean
// P max(u,0), and the noisy entry b + (w-b) count/P. The peak P = ((w-b)/Sigma)^2 makes Sigma the
// standard deviation at full light; at u it is Sigma sqrt(u).
type Noise struct {
	// Model is Gaussian or Poisson; empty means Gaussian.
	Model string
	// Sigma is at least 0, which means no noise, and at most MaxSigma.
	Sigma float64
	// Estimated says that Sigma was estimated from the measurement, see Measurement.EstimateNoise, or is
	// to be.
	Estimated bool
}

// Validate says what is wrong with the noise, as an ErrNoise.
func (n Noise) Validate() error {
	switch n.Model {
	case "", Gaussian, Poisson:
	default:
		return fmt.Errorf("measurement: noise model %q: %w: it must be %s or %s", n.Model, ErrNoise, Gaussian, Poisson)
	}
	if !(n.Sigma >= 0 && n.Sigma <= MaxSigma) {
		return fmt.Errorf("measurement: noise sigma %g: %w: it must be at least 0 and at most %g", n.Sigma, ErrNoise, float64(MaxSigma))
	}
	return nil
}

// Add adds noise to the measurement y of one image. The draws depend on the seed and the index of
// the image, so what one image gets does not depend on its batch.
func (n Noise) Add(y []float32, op operator.Operator, seed uint64, image uint32) error {
	if err := n.Validate(); err != nil {
		return err
	}
	if n.Sigma == 0 {
		return nil
	}
	s := rng.New(seed, image, 0, rng.Noise)
	if n.Model != Poisson {
		for i, v := range y {
			y[i] = float32(float64(v) + float64(n.Sigma*s.Normal()))
		}
		return nil
	}
	black, white := operator.Range(op)
	full := white - black
	peak := (full / n.Sigma) * (full / n.Sigma)
	if peak > 1e30 {
		return nil // far below float32's precision
	}
	for i, v := range y {
		mean := peak * max((float64(v)-black)/full, 0)
		if math.IsNaN(mean) || math.IsInf(mean, 0) {
			continue // an image that is not finite stays so
		}
		y[i] = float32(black + float64(full*(s.Poisson(mean)/peak)))
	}
	return nil
}
