package sampler

import (
	"errors"
	"fmt"
	"math"
)

// ErrSettings is wrapped by the errors of settings that make no sense.
var ErrSettings = errors.New("invalid sampler settings")

// Bounds of the settings, far beyond what helps: they keep a slip of the keyboard from filling the
// memory with a schedule, and the state within float32.
const (
	MaxSteps = 1_000_000 // of Steps and of Warmup
	MaxSigma = 1e6       // of SigmaMax
)

// ADM says how adaptive directional momentum compares a likelihood gradient with the momentum.
type ADM string

const (
	// ADMOff uses each gradient as it is.
	ADMOff ADM = "off"
	// ADMPixel takes the cosine over the channels of every pixel and averages it over the image.
	// The authors' code computes this cosine, without putting it to use.
	ADMPixel ADM = "pixel"
	// ADMGlobal takes the cosine of the two gradients as whole vectors: the paper's formula.
	ADMGlobal ADM = "global"
)

// DenoiseFrom says which estimate the denoise step moves along.
type DenoiseFrom string

const (
	// DenoiseFresh evaluates the denoiser at the last warm-up iterate, as the paper does.
	DenoiseFresh DenoiseFrom = "fresh"
	// DenoiseStale reuses the last warm-up evaluation, made before that step's update, and so
	// saves one network evaluation a step, as the authors' code does.
	DenoiseStale DenoiseFrom = "stale"
)

// Settings are the parameters of SPGD. The defaults are those of DefaultSettings.
type Settings struct {
	Steps    int     `set:"steps"`     // T, outer steps (noise levels)
	Warmup   int     `set:"warmup"`    // N, likelihood steps before each denoise step
	Beta     float64 `set:"beta"`      // largest momentum, in [0,1)
	SigmaMax float64 `set:"sigma-max"` // first noise level, in units of the image range [-1,1]
	SigmaMin float64 `set:"sigma-min"` // last positive noise level

	// StepSize is the likelihood step at k = 0, which has to fit operator and prior. AutoStep takes
	// every step from the problem, and 0 the operator's published step: both have to be resolved by
	// For before a run.
	StepSize float64 `set:"step-size"`
	// MinStepRatio sets the linear decay: the step size of outer step k is
	// StepSize (1 - (1-MinStepRatio) k/T).
	MinStepRatio float64 `set:"min-step-ratio"`

	ADM     ADM         `set:"adm"`
	Denoise DenoiseFrom `set:"denoise"`

	// Average makes the mean of all levels' estimates, weighted by 1/sigma^2, the result of a run with AutoStep.
	// Without it the result is the estimate of the last level.
	Average bool `set:"average"`
	// Antithetic gives the second of two successive levels the opposite of the noise of the first, in a run with AutoStep.
	Antithetic bool `set:"antithetic"`

	// Ancestral goes to the next level as the reverse of the diffusion does, in a run with AutoStep, and not by fresh noise:
	// the run is a draw from the posterior rather than an estimate of its mean. It wants Average and Antithetic off, which
	// narrow what runs differ in.
	Ancestral bool `set:"ancestral"`

	auto autoProblem // of AutoStep, by For
}

// DefaultSettings takes its step sizes from the problem (AutoStep): 30 noise levels of 2 likelihood
// steps, from sigma 10 or, where the measurement gives an estimate to start from, 1. Momentum is from
// the whole-vector cosine, the denoise step uses the last likelihood step's estimate, and the result
// is the mean of all levels' estimates.
func DefaultSettings() Settings {
	s := PaperSettings()
	s.Steps, s.Warmup, s.SigmaMax, s.SigmaMin = 30, 2, 10, 0.05
	s.StepSize, s.Denoise, s.Average, s.Antithetic = AutoStep, DenoiseStale, true, true
	return s
}

// PaperSettings is the paper's algorithm with T = 100 and N = 5, from sigma 100. StepSize is left to
// the caller.
func PaperSettings() Settings {
	return Settings{
		Steps: 100, Warmup: 5, Beta: 0.9,
		SigmaMax: 100, SigmaMin: 0.1,
		MinStepRatio: 0.01,
		ADM:          ADMGlobal, Denoise: DenoiseFresh,
	}
}

// ReleasedSettings is the algorithm that the authors' published code runs: no momentum takes
// effect, the denoise step uses the stale estimate, and T = 100, N = 5. StepSize is left to the
// caller; the published values for N = 5 are 7 for super-resolution x4, 2.5 for random
// inpainting, 2 for phase retrieval and 1 for the blurs and HDR.
func ReleasedSettings() Settings {
	s := PaperSettings()
	s.ADM, s.Denoise = ADMOff, DenoiseStale
	return s
}

// Preset returns named settings: "default" (DefaultSettings), "draft" (the same with a
// sixth of the evaluations), "posterior" (the same for draws from the posterior, see Settings.Ancestral), "paper"
// (PaperSettings) or "released" (ReleasedSettings).
// Another name is an error that wraps ErrSettings.
func Preset(name string) (Settings, error) {
	switch name {
	case "default":
		return DefaultSettings(), nil
	case "draft":
		s := DefaultSettings()
		s.Steps, s.Warmup, s.Average = 10, 1, false // so few early estimates are too coarse for a mean
		return s, nil
	case "posterior":
		s := DefaultSettings()
		s.Ancestral, s.Average, s.Antithetic = true, false, false
		return s, nil
	case "paper":
		return PaperSettings(), nil
	case "released":
		return ReleasedSettings(), nil
	}
	return Settings{}, fmt.Errorf("sampler: %w: unknown preset %q, want default, draft, posterior, paper or released", ErrSettings, name)
}

// Validate returns an error that names the first setting out of its range and wraps
// ErrSettings.
func (s Settings) Validate() error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("sampler: %w: %s", ErrSettings, fmt.Sprintf(format, args...))
	}
	finite := func(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
	switch {
	case s.Steps < 1:
		return bad("%d steps, want at least 1", s.Steps)
	case s.Steps > MaxSteps:
		return bad("%d steps, want at most %d", s.Steps, MaxSteps)
	case s.Warmup < 1:
		return bad("%d warm-up steps, want at least 1", s.Warmup)
	case s.Warmup > MaxSteps:
		return bad("%d warm-up steps, want at most %d", s.Warmup, MaxSteps)
	case !(s.Beta >= 0 && s.Beta < 1):
		return bad("beta is %g, want 0 <= beta < 1", s.Beta)
	case !(s.SigmaMin > 0):
		return bad("the last noise level sigma_min is %g, want a positive number", s.SigmaMin)
	case !(s.SigmaMax <= MaxSigma):
		return bad("the first noise level sigma_max is %g, want at most %g", s.SigmaMax, float64(MaxSigma))
	case !(s.SigmaMax > s.SigmaMin):
		return bad("the first noise level sigma_max is %g, want more than sigma_min, %g", s.SigmaMax, s.SigmaMin)
	case s.automatic() && !s.resolved():
		return bad("the step size is to follow from a problem that the settings do not know, see Settings.For")
	case !(s.automatic() || s.StepSize > 0 && finite(s.StepSize)):
		return bad("the step size is %g, want a positive finite number", s.StepSize)
	case !(s.MinStepRatio >= 0 && s.MinStepRatio <= 1):
		return bad("the smallest step-size ratio is %g, want a number from 0 to 1", s.MinStepRatio)
	case s.ADM != ADMOff && s.ADM != ADMPixel && s.ADM != ADMGlobal:
		return bad("adm is %q, want off, pixel or global", s.ADM)
	case s.Denoise != DenoiseFresh && s.Denoise != DenoiseStale:
		return bad("denoise is %q, want fresh or stale", s.Denoise)
	}
	return nil
}
