package main

import (
	"fmt"
	"slices"
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
var spgdFlags = []string{"preset", "warmup", "beta", "adm", "denoise", "step-size"}

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

// other says whether another method than SPGD is asked for, and returns its settings. Flags that are
// not for the method are errors.
func (o *samplingOptions) other(f *pflag.FlagSet) (set map[string]string, other bool, err error) {
	if o.method == methodSPGD {
		if f.Changed("set") {
			return nil, false, usagef("--set is for other methods, spgd has flags for its settings")
		}
		return nil, false, nil
	}
	base, _ := strings.CutSuffix(o.method, sampler.FilterSuffix)
	if names := sampler.MethodNames(); !slices.Contains(names, base) {
		return nil, false, usagef("unknown method %q%s (one of %s)", o.method, didYouMean(o.method, names), strings.Join(names, ", "))
	}
	for _, name := range spgdFlags {
		if f.Changed(name) {
			return nil, false, usagef("--%s is for --method spgd, %s has --set", name, o.method)
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
			return nil, false, usagef("--set %q: write NAME=VALUE", s)
		}
		set[name] = value
	}
	return set, true, nil
}

// choose puts the method into the options of Restore, or the default step size into the settings of
// SPGD. log says what came of it and rule how the step size was chosen.
func (o *samplingOptions) choose(set map[string]string, other bool, m *measurement.Measurement, s *spgd.Settings, to *spgd.Options) (log, rule string, err error) {
	if !other {
		log, rule = stepSize(s, m.Operator)
		return log, rule, nil
	}
	to.Method, to.Set = o.method, set
	method, err := sampler.New(o.method, sampler.Problem{Operator: m.Operator, SigmaY: m.Noise.Sigma}, set)
	if err != nil {
		return "", "", err
	}
	return describeMethod(method), "", nil
}

// methodRecord is the part of the record for another method than SPGD.
func methodRecord(m sampler.Sampler) *report.Sampler {
	r := &report.Sampler{Name: m.Name(), Steps: len(m.Sigmas()) - 1, Parameters: map[string]any{}}
	for _, p := range sampler.Parameters(m) {
		r.Parameters[strings.ReplaceAll(p.Name, "-", "_")] = p.Value
	}
	return r
}

// describeMethod lists a method's settings for the log.
func describeMethod(m sampler.Sampler) string {
	words := []string{"method " + m.Name()}
	for _, p := range sampler.Parameters(m) {
		words = append(words, p.String())
	}
	return strings.Join(words, " ")
}
