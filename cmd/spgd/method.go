package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"github.com/seed-0f004ec9/spgd"
	"github.com/seed-0f004ec9/spgd/measurement"
	"github.com/seed-0f004ec9/spgd/report"
	"github.com/seed-0f004ec9/spgd/sampler"
)

// methodSPGD is the method whose settings have flags of their own.
const methodSPGD = "spgd"

// spgdFlags are the flags that only SPGD has.
var spgdFlags = []string{"preset", "quality", "warmup", "beta", "adm", "denoise", "average", "antithetic", "ancestral", "step-size"}

// methodHelp is the section on methods of a command's help.
func methodHelp() string {
	var b strings.Builder
	b.WriteString("METHODS\n")
	for _, m := range sampler.Methods() {
		fmt.Fprintf(&b, "  %-9s %s\n", m.Name, m.Title)
	}
	b.WriteString("All but spgd run with their authors' settings, which --steps, --sigma-max and --set change.\n" +
		"A name followed by " + sampler.FilterSuffix + " adds that filter (arXiv 2410.03463) to a method with gradients\n" +
		"of the likelihood. Some methods take linear tasks only, and say so.\n")
	return b.String()
}

// other returns the settings of another method than SPGD, nil for SPGD. Flags that are not for the
// method are errors.
func (o *samplingOptions) other(f *pflag.FlagSet) (set map[string]string, err error) {
	if o.method == methodSPGD {
		if f.Changed("set") {
			return nil, usagef("--set is for other methods, spgd has flags for its settings")
		}
		return nil, nil
	}
	base, _ := strings.CutSuffix(o.method, sampler.FilterSuffix)
	if names := sampler.MethodNames(); !slices.Contains(names, base) {
		return nil, usagef("unknown method %q%s (one of %s)", o.method, didYouMean(o.method, names), strings.Join(names, ", "))
	}
	for _, name := range spgdFlags {
		if f.Changed(name) {
			return nil, usagef("--%s is for --method spgd, %s has --set", name, o.method)
		}
	}
	set = map[string]string{}
	for _, name := range []string{"steps", "sigma-max"} {
		if f.Changed(name) {
			set[name] = f.Lookup(name).Value.String()
		}
	}
	for _, s := range o.set {
		name, value, ok := strings.Cut(s, "=")
		if !ok {
			return nil, usagef("--set %q: write NAME=VALUE", s)
		}
		set[name] = value
	}
	return set, nil
}

// choose puts the method into the options of Restore, or the default step size into the settings of
// SPGD. log says what came of it, and the record holds all settings.
func (o *samplingOptions) choose(set map[string]string, m *measurement.Measurement, s *spgd.Settings, to *spgd.Options) (method sampler.Sampler, log string, r *report.Sampler, err error) {
	if o.method == methodSPGD {
		log, rule := stepSize(s, sampler.Problem{Operator: m.Operator, SigmaY: m.Noise.Sigma})
		return sampler.SPGD{Settings: *s}, log, samplerRecord(o.preset, *s, rule), nil
	}
	to.Method, to.Set = o.method, set
	method, err = sampler.New(o.method, sampler.Problem{Operator: m.Operator, SigmaY: m.Noise.Sigma}, set)
	if err != nil {
		return nil, "", nil, err
	}
	return method, describeMethod(method), methodRecord(method), nil
}

// methodRecord is the part of the record for another method than SPGD.
func methodRecord(m sampler.Sampler) *report.Sampler {
	r := &report.Sampler{Name: m.Name(), Steps: len(m.Sigmas()) - 1, Parameters: map[string]any{}}
	for _, p := range sampler.Parameters(m) {
		r.Parameters[strings.ReplaceAll(p.Name, "-", "_")] = p.Value
	}
	return r
}

// recordedSettings are the settings of a method in the words of --set, as methodRecord wrote them.
func recordedSettings(r *report.Sampler) map[string]string {
	set := map[string]string{}
	for name, v := range r.Parameters {
		text := fmt.Sprint(v)
		if x, ok := v.(float64); ok {
			text = strconv.FormatFloat(x, 'g', -1, 64)
		}
		set[strings.ReplaceAll(name, "_", "-")] = text
	}
	return set
}

// describeMethod lists a method's settings for the log.
func describeMethod(m sampler.Sampler) string {
	words := []string{"method " + m.Name()}
	for _, p := range sampler.Parameters(m) {
		words = append(words, p.String())
	}
	return strings.Join(words, " ")
}
