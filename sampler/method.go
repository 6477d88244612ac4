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
	// VJP says whether the method needs gradients through the prior, Filter whether it has gradients
	// of the likelihood that DiffStateGrad can filter.
	VJP, Filter bool
	// Default is the method with its authors' settings for a problem.
	Default func(p Problem) Sampler
}

// method makes an entry.
func method[S Sampler](name, title string, vjp, filter bool, make func(p Problem) S) Method {
	return Method{name, title, vjp, filter, func(p Problem) Sampler { return make(p) }}
}

// Methods lists the methods.
func Methods() []Method {
	return []Method{
		method("spgd", "SPGD, the method of this program (arXiv 2507.06656)", true, true, newSPGD),
		method("dps", "DPS, diffusion posterior sampling (arXiv 2209.14687)", true, true, NewDPS),
		method("mcg", "MCG, manifold-constrained gradient (arXiv 2206.00941)", true, true, NewMCG),
		method("lgd-mc", "LGD-MC, loss-guided diffusion (ICML 2023)", true, true, NewLGD),
		method("pigdm", "PiGDM, pseudo-inverse guidance (ICLR 2023)", true, true, NewPiGDM),
		method("dsg", "DSG, spherical Gaussian constraint (arXiv 2402.03201)", true, true, NewDSG),
		method("sitcom", "SITCOM, step-wise triple consistency (arXiv 2410.04479)", true, true, NewSITCOM),
		method("adam-dps", "Adam-DPS, DPS with adaptive moments (arXiv 2603.16797)", true, true, NewAdamDPS),
		method("ddrm", "DDRM, denoising diffusion restoration (arXiv 2201.11793)", false, false, NewDDRM),
		method("ddnm", "DDNM, null-space model, without noise (arXiv 2212.00490)", false, false, NewDDNM),
		method("ddnm+", "DDNM+, the same with noise (arXiv 2212.00490)", false, false, NewDDNMPlus),
		method("diffpir", "DiffPIR, plug-and-play restoration (arXiv 2305.08995)", false, false, NewDiffPIR),
		method("mpgd", "MPGD, manifold-preserving guidance (arXiv 2311.16424)", false, true, NewMPGD),
		method("red-diff", "RED-diff, variational (arXiv 2305.04391)", false, true, NewREDDiff),
		method("daps", "DAPS, decoupled annealing (arXiv 2407.01521)", false, true, NewDAPS),
		method("dcdp", "DCDP, consistency and purification (arXiv 2403.06054)", false, true, NewDCDP),
		method("fps", "FPS, filtering with one particle (ICLR 2024)", false, false, NewFPS),
	}
}

// newSPGD is SPGD with its default settings.
func newSPGD(Problem) SPGD { return SPGD{DefaultSettings()} }

// New returns a method by its name, with DiffStateGrad if that ends in FilterSuffix, and with its authors' settings for the problem but for those in set,
// given by name as Parameters lists them. An unknown name or setting and a setting out of range are
// errors that wrap ErrSettings; an operator that the method cannot treat is an ErrOperator.
func New(name string, p Problem, set map[string]string) (Sampler, error) {
	if !(p.SigmaY >= 0) || math.IsInf(p.SigmaY, 1) {
		return nil, fmt.Errorf("sampler: %w: the noise has the standard deviation %g", ErrSettings, p.SigmaY)
	}
	base, filtered := strings.CutSuffix(name, FilterSuffix)
	methods := Methods()
	i := slices.IndexFunc(methods, func(m Method) bool { return m.Name == base })
	if i < 0 {
		return nil, fmt.Errorf("sampler: %w: unknown method %q, want one of %s", ErrSettings, name, strings.Join(MethodNames(), ", "))
	}
	if filtered && !methods[i].Filter {
		return nil, fmt.Errorf("sampler: %w: %s has no gradients for DiffStateGrad to filter", ErrSettings, base)
	}
	s, err := configured(methods[i].Default(p), filtered, set)
	if err != nil {
		return nil, err
	}
	s = resolve(s, p)
	if l, ok := s.(Limited); ok {
		if err := l.Applies(p.Operator); err != nil {
			return nil, err
		}
	}
	return s, s.Validate()
}

// resolve gives SPGD, also below a filter, what its settings take from the problem.
func resolve(s Sampler, p Problem) Sampler {
	switch m := s.(type) {
	case SPGD:
		return SPGD{m.For(p)}
	case DiffStateGrad:
		m.Sampler = resolve(m.Sampler, p)
		return m
	}
	return s
}

// configured assigns settings to a method and, if it has one, to its filter.
func configured(s Sampler, filtered bool, set map[string]string) (Sampler, error) {
	if !filtered {
		return assign(s, set)
	}
	own, rest := map[string]string{}, map[string]string{}
	for name, v := range set {
		if name == "cutoff" || name == "period" {
			own[name] = v
		} else {
			rest[name] = v
		}
	}
	inner, err := assign(s, rest)
	if err != nil {
		return nil, err
	}
	return assign(NewDiffStateGrad(inner), own)
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
