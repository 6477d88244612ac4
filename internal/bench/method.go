package bench

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/seed-0f004ec9/spgd/sampler"
)

// Method is a sampler by name with settings.
type Method struct {
	Label string // for the tables
	Name  string // as sampler.New takes it
	// Set are settings by the names of sampler.Parameters; beside them every method takes "mean-of", the number
	// of samples that its result is the mean of, and "noise", which is "auto" for the noise that is estimated from
	// the measurement rather than the true one, and spgd "preset".
	Set map[string]string
}

// The settings that are bench's own.
const (
	setPreset = "preset"
	setSteps  = "steps"
	setMean   = "mean-of" // "samples" is a parameter of LGD-MC
	setNoise  = "noise"   // that the method is told: noiseAuto, or the task's
	noiseAuto = "auto"
)

// ParseMethod reads NAME or NAME:SETTING=VALUE,SETTING=VALUE, which is its label too.
func ParseMethod(text string) (Method, error) {
	name, settings, some := strings.Cut(text, ":")
	m := Method{Label: text, Name: name, Set: map[string]string{}}
	if !some {
		return m, nil
	}
	for _, s := range strings.Split(settings, ",") {
		key, value, ok := strings.Cut(strings.TrimSpace(s), "=")
		if !ok || key == "" {
			return m, fmt.Errorf("bench: method %q: %w: write NAME:SETTING=VALUE,SETTING=VALUE", text, ErrSpec)
		}
		if _, twice := m.Set[key]; twice {
			return m, fmt.Errorf("bench: method %q: %w: %s is set twice", text, ErrSpec, key)
		}
		m.Set[key] = value
	}
	return m, nil
}

// clone is a copy with settings of its own.
func (m Method) clone() Method {
	c := m
	c.Set = map[string]string{}
	maps.Copy(c.Set, m.Set)
	return c
}

// text is the method in the words of ParseMethod, its settings in the order of their names.
func (m Method) text() string {
	var words []string
	for _, key := range slices.Sorted(maps.Keys(m.Set)) {
		words = append(words, key+"="+m.Set[key])
	}
	if len(words) == 0 {
		return m.Name
	}
	return m.Name + ":" + strings.Join(words, ",")
}

// with is the method with further settings, which may not be set already.
func (m Method) with(settings ...string) (Method, error) {
	c := m.clone()
	glue := ":"
	if strings.Contains(m.Label, ":") {
		glue = ","
	}
	for _, s := range settings {
		key, value, _ := strings.Cut(s, "=")
		if _, taken := c.Set[key]; taken {
			return c, fmt.Errorf("bench: method %q: %w: it sets %s, which the suite varies", m.Label, ErrSpec, key)
		}
		c.Set[key] = value
	}
	c.Label += glue + strings.Join(settings, ",")
	return c, nil
}

// settings are those for sampler.New: a preset of SPGD is spelt out.
func (m Method) settings() (map[string]string, error) {
	set := maps.Clone(m.Set)
	delete(set, setMean)
	delete(set, setNoise)
	name, ok := set[setPreset]
	if !ok {
		return set, nil
	}
	delete(set, setPreset)
	if base, _ := strings.CutSuffix(m.Name, sampler.FilterSuffix); base != (sampler.SPGD{}).Name() {
		return nil, fmt.Errorf("bench: method %q: %w: presets are for spgd", m.Label, ErrSpec)
	}
	s, err := sampler.Preset(name)
	if err != nil {
		return nil, fmt.Errorf("bench: method %q: %w: %w", m.Label, ErrSpec, err)
	}
	for _, p := range sampler.Parameters(sampler.SPGD{Settings: s}) {
		if _, given := set[p.Name]; given {
			continue // a step size of 0 is the operator's
		}
		_, set[p.Name], _ = strings.Cut(p.String(), "=")
	}
	return set, nil
}

// Sampler makes the method for a problem.
func (m Method) Sampler(p sampler.Problem) (sampler.Sampler, error) {
	set, err := m.settings()
	if err != nil {
		return nil, err
	}
	return sampler.New(m.Name, p, set)
}

// MeanOf is the number of samples that the method's result is the mean of, see sampler.Samples.
func (m Method) MeanOf() (int, error) {
	text, set := m.Set[setMean]
	if !set {
		return 1, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > sampler.MaxSamples {
		return 0, fmt.Errorf("bench: method %q: %w: %s is %q, want a number from 1 to %d", m.Label, ErrSpec, setMean, text, sampler.MaxSamples)
	}
	return n, nil
}

// estimatesNoise says whether the method is told the noise that the measurement seems to have.
func (m Method) estimatesNoise() (bool, error) {
	switch text, set := m.Set[setNoise]; {
	case set && text != noiseAuto:
		return false, fmt.Errorf("bench: method %q: %w: %s is %q, want %s (the true noise is the task's)", m.Label, ErrSpec, setNoise, text, noiseAuto)
	default:
		return set, nil
	}
}

// check says whether the method and its settings are known, with an operator that stands for its
// task. That the method does not apply to it is no error.
func (m Method) check(p sampler.Problem) error {
	if _, err := m.MeanOf(); err != nil {
		return err
	}
	if _, err := m.estimatesNoise(); err != nil {
		return err
	}
	_, err := m.Sampler(p)
	if err == nil || errors.Is(err, sampler.ErrOperator) {
		return nil
	}
	return fmt.Errorf("bench: method %q: %w: %w", m.Label, ErrSpec, err)
}

// atNFE is the method with the number of steps that brings its cost nearest to n evaluations of the
// prior; of two that are equally near the smaller one.
func (m Method) atNFE(n int, p sampler.Problem) (Method, error) {
	if _, set := m.Set[setSteps]; set {
		return m, fmt.Errorf("bench: method %q: %w: it sets its steps, which an equal number of evaluations leaves no room for", m.Label, ErrSpec)
	}
	s, err := m.Sampler(p)
	if errors.Is(err, sampler.ErrOperator) {
		return m, nil
	}
	if err != nil {
		return m, fmt.Errorf("bench: method %q: %w: %w", m.Label, ErrSpec, err)
	}
	samples, err := m.MeanOf()
	if err != nil {
		return m, err
	}
	each := s.StepCost().NFE() * samples
	if each < 1 {
		return m, fmt.Errorf("bench: method %q: %w: a step takes no evaluation of the prior", m.Label, ErrSpec)
	}
	steps := max(1, int(math.Ceil(float64(n)/float64(each)-0.5)))
	c := m.clone()
	c.Set[setSteps] = strconv.Itoa(steps)
	return c, nil
}
