package sampler

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/seed-0f004ec9/spgd/operator"
)

// Problem is what the settings of a method depend on.
type Problem struct {
	Operator operator.Operator
	SigmaY   float64 // standard deviation of the measurement's noise, in its own units
}

// task is the first word of the operator's name: "sr", "inpaint", "deblur", ...
func (p Problem) task() string {
	name, _, _ := strings.Cut(p.Operator.Name(), ":")
	return name
}

// motion says whether the operator is a motion blur.
func (p Problem) motion() bool { return strings.HasPrefix(p.Operator.Name(), "deblur:motion") }

// box says whether the operator is a mask that is not drawn pixel by pixel.
func (p Problem) box() bool {
	return p.task() == operator.TaskInpaint && !strings.HasPrefix(p.Operator.Name(), "inpaint:random")
}

// Method is an entry of the list of methods.
type Method struct {
	Name  string // what New takes
	Title string // the method's name and paper
	// VJP says whether the method needs gradients through the prior.
	VJP bool
	// Default is the method with its authors' settings for a problem.
	Default func(p Problem) Sampler
}

// Methods lists the methods. Those with a gradient of the likelihood also come with the filter of
// DiffStateGrad, under their name and "+diffstategrad".
func Methods() []Method {
	return []Method{
		{"spgd", "SPGD (arXiv 2507.06656)", true, func(p Problem) Sampler {
			s := DefaultSettings()
			s.StepSize, _, _ = operator.DefaultStepSize(p.Operator)
			return SPGD{s}
		}},
		{"dps", "DPS, diffusion posterior sampling (arXiv 2209.14687)", true, func(p Problem) Sampler { return NewDPS(p) }},
		{"ddrm", "DDRM, denoising diffusion restoration (arXiv 2201.11793)", false, func(p Problem) Sampler { return NewDDRM(p) }},
		{"ddnm", "DDNM, null-space model (arXiv 2212.00490)", false, func(p Problem) Sampler { return NewDDNM(p) }},
		{"ddnm+", "DDNM+, the same with noise (arXiv 2212.00490)", false, func(p Problem) Sampler { return NewDDNMPlus(p) }},
		{"diffpir", "DiffPIR, plug-and-play (arXiv 2305.08995)", false, func(p Problem) Sampler { return NewDiffPIR(p) }},
		{"pigdm", "PiGDM, pseudo-inverse guidance (ICLR 2023)", true, func(p Problem) Sampler { return NewPiGDM(p) }},
		{"red-diff", "RED-diff, variational (arXiv 2305.04391)", false, func(p Problem) Sampler { return NewREDDiff(p) }},
		{"daps", "DAPS, decoupled annealing (arXiv 2407.01521)", false, func(p Problem) Sampler { return NewDAPS(p) }},
	}
}

const filterSuffix = "+diffstategrad"

// New returns a method by its name, with its authors' settings for the problem but for those in set,
// given by name as Parameters lists them. An unknown name or setting and a setting out of range are
// errors that wrap ErrSettings; an operator that the method cannot treat is an ErrOperator.
func New(name string, p Problem, set map[string]string) (Sampler, error) {
	if !(p.SigmaY >= 0) || math.IsInf(p.SigmaY, 1) {
		return nil, fmt.Errorf("sampler: %w: the noise has the standard deviation %g", ErrSettings, p.SigmaY)
	}
	methods := Methods()
	i := slices.IndexFunc(methods, func(m Method) bool { return m.Name == name })
	if i < 0 {
		return nil, fmt.Errorf("sampler: %w: unknown method %q, want one of %s", ErrSettings, name, strings.Join(MethodNames(), ", "))
	}
	s, err := assign(methods[i].Default(p), set)
	if err != nil {
		return nil, err
	}
	if l, ok := s.(Limited); ok {
		if err := l.Applies(p.Operator); err != nil {
			return nil, err
		}
	}
	return s, s.Validate()
}

// MethodNames lists the names that New takes.
func MethodNames() []string {
	var names []string
	for _, m := range Methods() {
		names = append(names, m.Name)
	}
	return names
}

// Levels are the noise levels of the methods that take DDIM's: evenly spaced in time from
// SigmaMax to SigmaMin, and 0.
type Levels struct {
	Steps    int     `set:"steps"`
	SigmaMax float64 `set:"sigma-max"`
	SigmaMin float64 `set:"sigma-min"`
}

// vpRange is the range of the priors' training.
func vpRange(steps int) Levels { return Levels{Steps: steps, SigmaMax: 100, SigmaMin: 0.01} }

// Sigmas implements Sampler.
func (l Levels) Sigmas() []float64 { return VP(l.Steps, l.SigmaMax, l.SigmaMin) }

// State implements Sampler for methods without further state.
func (Levels) State() []string { return nil }

// within is a setting with its range.
type within struct {
	name       string
	v, low, up float64
}

// validate checks the levels and the other settings of a method.
func (l Levels) validate(method string, settings ...within) error {
	settings = append(settings, within{"steps", float64(l.Steps), 1, MaxSteps}, within{"sigma-max", l.SigmaMax, 0, MaxSigma})
	for _, s := range settings {
		if !(s.v >= s.low && s.v <= s.up) {
			return fmt.Errorf("sampler: %w: %s of %s is %g, want a number from %g to %g", ErrSettings, s.name, method, s.v, s.low, s.up)
		}
	}
	if !(l.SigmaMin > 0 && l.SigmaMin < l.SigmaMax) {
		return fmt.Errorf("sampler: %w: sigma-min of %s is %g, want a positive number below sigma-max, %g", ErrSettings, method, l.SigmaMin, l.SigmaMax)
	}
	return nil
}

// maxStep bounds step sizes and weights.
const maxStep = 1e9

// linearOnly is the Applies of methods that need a linear operator.
func linearOnly(method string, op operator.Operator) error {
	if op.Linear() {
		return nil
	}
	return fmt.Errorf("sampler: %w: %s needs a linear operator, which %s is not", ErrOperator, method, op.Name())
}

// factoredOnly is the Applies of methods that need a singular value decomposition.
func factoredOnly(method string, op operator.Operator) error {
	inverse, err := operator.NewInverse(op)
	if errors.Is(err, operator.ErrNonlinear) {
		return linearOnly(method, op)
	}
	if err != nil {
		return err
	}
	if !inverse.Factored() {
		return fmt.Errorf("sampler: %w: %s needs a singular value decomposition, which %s does not offer", ErrOperator, method, op.Name())
	}
	return nil
}
