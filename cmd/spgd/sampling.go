package main

import (
	"fmt"
	"math"
	"strconv"

	"github.com/spf13/pflag"

	"github.com/seed-0f004ec9/spgd"
	"github.com/seed-0f004ec9/spgd/measurement"
	"github.com/seed-0f004ec9/spgd/operator"
	"github.com/seed-0f004ec9/spgd/report"
	"github.com/seed-0f004ec9/spgd/sampler"
)

// Names of presets.
const (
	presetDefault   = "default"
	presetPaper     = "paper"
	presetReleased  = "released"
	presetDraft     = "draft"
	presetPosterior = "posterior"
)

// Qualities beside presets' names.
const (
	qualityDraft    = "draft"
	qualityStandard = "standard"
	qualityBest     = "best" // several samples, see settle
)

// qualities are the presets by what --quality calls them.
var qualities = map[string]string{qualityDraft: presetDraft, qualityStandard: presetDefault, qualityBest: presetDefault}

// samplingOptions are the settings of the sampling method.
type samplingOptions struct {
	preset   string
	quality  string
	settings spgd.Settings // as the flags say; those not given have the default preset's values
	adm      string
	denoise  string
	stepSize string

	method string
	set    []string
}

// AddFlags adds them.
func (o *samplingOptions) AddFlags(f *pflag.FlagSet) {
	d := spgd.DefaultSettings()
	o.settings = d
	f.StringVar(&o.method, "method", methodSPGD, "restoration `METHOD`, see METHODS above")
	f.StringArrayVar(&o.set, "set", nil, "setting `NAME=VALUE` of another method than spgd, may be given several times; the log lists\n"+
		"the settings of the method in use")
	addChoice(f, &o.quality, "quality", "quality", qualityStandard,
		fmt.Sprintf("how much work to spend: draft is 10 evaluations of the prior with gradient, standard 60, of which\n"+
			"more were found to bring nothing, and best the mean of %d samples of standard. Denoising is one\n"+
			"evaluation in all", bestSamples), []string{qualityDraft, qualityStandard, qualityBest})
	addChoice(f, &o.preset, "preset", "preset", presetDefault,
		"settings to start from, which other flags override; posterior makes each run a draw from the\n"+
			"posterior (--ancestral --average=false --antithetic=false), paper is 100 steps of 5 from sigma 100,\n"+
			"released what the authors' code runs (the same without momentum, stale)", []string{presetDefault, presetPosterior, presetPaper, presetReleased})
	f.IntVar(&o.settings.Steps, "steps", d.Steps, "number `T` of noise levels")
	f.IntVar(&o.settings.Warmup, "warmup", d.Warmup, "number `N` of likelihood steps at each noise level; the cost is T N evaluations of\n"+
		"the prior with gradient, and T without unless --denoise stale")
	f.Float64Var(&o.settings.Beta, "beta", d.Beta, "largest momentum `BETA` of the likelihood steps, 0 to below 1")
	addChoice(f, &o.adm, "adm", "momentum", string(d.ADM), "cosine that adapts the momentum", []string{string(sampler.ADMOff), string(sampler.ADMPixel), string(sampler.ADMGlobal)})
	addChoice(f, &o.denoise, "denoise", "denoise step", string(d.Denoise), "estimate that the denoise step moves towards: of the last iterate, or of the one before",
		[]string{string(sampler.DenoiseFresh), string(sampler.DenoiseStale)})
	f.BoolVar(&o.settings.Antithetic, "antithetic", d.Antithetic, "with --step-size auto, give the second of two successive noise levels the opposite noise of the first;\n"+
		"without, samples differ more")
	f.BoolVar(&o.settings.Ancestral, "ancestral", d.Ancestral, "with --step-size auto, go to the next noise level as the reverse of the diffusion does, instead of by\n"+
		"fresh noise: a draw from the posterior rather than its mean, see --preset posterior")
	f.BoolVar(&o.settings.Average, "average", d.Average, "with --step-size auto, make the mean of all noise levels' estimates the result, weighted by\n"+
		"1/sigma^2, instead of the last level's (not with --quality draft unless it is given)")
	f.StringVar(&o.stepSize, "step-size", stepSizeAuto, "likelihood step: auto takes every step from noise level, noise and operator, and starts from an\n"+
		"estimate where there is one; a `SIZE` is that of the first noise level, which falls linearly to\n"+
		"1 % (with --preset paper or released by default the published one, c/lambda_max, see above)")
	f.Float64Var(&o.settings.SigmaMax, "sigma-max", d.SigmaMax, "first noise level `SIGMA`, in units of the pixel range [-1,1];\n"+
		"a run that starts from an estimate begins at 1 at most")
}

// parseStepSize reads the value of --step-size.
func parseStepSize(text string) (float64, error) {
	if text == stepSizeAuto {
		return sampler.AutoStep, nil
	}
	size, err := strconv.ParseFloat(text, 64)
	if err != nil || !(size > 0 && !math.IsInf(size, 1)) {
		return 0, usagef("--step-size: the step size is %s, want auto or a positive finite number", text)
	}
	return size, nil
}

// resolve merges the preset and the flags that were given, and checks the settings. A StepSize of 0 or
// sampler.AutoStep is left for stepSize to resolve.
func (o *samplingOptions) resolve(f *pflag.FlagSet) (spgd.Settings, error) {
	if f.Changed("quality") {
		if f.Changed("preset") {
			return spgd.Settings{}, usagef("--quality and --preset both choose the settings to start from: give one of them")
		}
		o.preset = qualities[o.quality]
	}
	s, err := sampler.Preset(o.preset)
	if err != nil {
		return s, as(errUsage, err)
	}
	size, err := parseStepSize(o.stepSize)
	if err != nil {
		return s, err
	}
	for name, set := range map[string]func(){
		"steps":      func() { s.Steps = o.settings.Steps },
		"warmup":     func() { s.Warmup = o.settings.Warmup },
		"beta":       func() { s.Beta = o.settings.Beta },
		"adm":        func() { s.ADM = sampler.ADM(o.adm) },
		"denoise":    func() { s.Denoise = sampler.DenoiseFrom(o.denoise) },
		"average":    func() { s.Average = o.settings.Average },
		"antithetic": func() { s.Antithetic = o.settings.Antithetic },
		"ancestral":  func() { s.Ancestral = o.settings.Ancestral },
		"step-size":  func() { s.StepSize = size },
		"sigma-max":  func() { s.SigmaMax = o.settings.SigmaMax },
	} {
		if f.Changed(name) {
			set()
		}
	}
	checked := s
	if s.StepSize <= 0 {
		checked.StepSize = 1
	}
	if err := checked.Validate(); err != nil {
		return s, as(errUsage, err)
	}
	return s, nil
}

// Rules of a step size: that the user chose it, and that it follows from the problem.
const (
	stepSizeGiven = "given"
	stepSizeAuto  = "auto"
)

// stepSize resolves the settings for a problem and returns how the step size was chosen, in words for
// the log and in the short form for the record.
func stepSize(s *spgd.Settings, p sampler.Problem) (log, rule string) {
	given := s.StepSize
	*s = s.For(p)
	if given == sampler.AutoStep && s.StepSize != given {
		given = 0 // the noise is not known
	}
	switch given {
	case sampler.AutoStep:
		levels := "noise levels from " + number(s.SigmaMax) + " to " + number(s.SigmaMin)
		if s.Steps == 1 {
			levels = "one noise level, " + number(s.SigmaMax)
		}
		return "step size from the problem (--step-size auto), " + levels, stepSizeAuto
	case 0:
		_, c, lambda := operator.DefaultStepSize(p.Operator)
		return "step size " + number(s.StepSize) + " = c/lambda_max, with c = " + number(c) + " for this task and lambda_max = " + number(lambda) +
				" the largest eigenvalue of A^T A (--step-size sets it)",
			number(c) + "/lambda_max, lambda_max=" + number(lambda)
	}
	return "step size " + number(s.StepSize) + ", as given", stepSizeGiven
}

// samplerRecord is the settings' part of the record of a run.
func samplerRecord(preset string, s spgd.Settings, rule string) *report.Sampler {
	return &report.Sampler{
		Name: sampler.SPGD{}.Name(), Preset: preset, Steps: s.Steps, Warmup: s.Warmup,
		Beta: report.Number(s.Beta), ADM: string(s.ADM), Denoise: string(s.Denoise),
		SigmaMax: report.Number(s.SigmaMax), SigmaMin: report.Number(s.SigmaMin),
		StepSize: report.Number(s.StepSize), StepSizeRule: rule, MinStepRatio: report.Number(s.MinStepRatio),
		Average: s.Average, Antithetic: s.Antithetic, Ancestral: s.Ancestral,
	}
}

// stepRecords is the table of outer steps of the first image.
func stepRecords(records []sampler.StepRecord) []report.Step {
	steps := make([]report.Step, len(records))
	first := func(v []float64) *report.Number {
		if len(v) == 0 {
			return nil
		}
		n := report.Number(v[0])
		return &n
	}
	value := func(v []float64) report.Number {
		if len(v) == 0 {
			return report.Number(math.NaN())
		}
		return report.Number(v[0])
	}
	several := len(records) > 0 && records[len(records)-1].Sample > 0
	for i, r := range records {
		steps[i] = report.Step{
			K: r.K, Sigma: report.Number(r.Sigma), SigmaNext: report.Number(r.SigmaNext), StepSize: report.Number(r.StepSize),
			Loss: value(r.Loss), GradientNorm: value(r.GradientNorm),
			NFE: r.Cost.NFE(), Elapsed: report.Number(r.Elapsed.Seconds()),
			AngleDenoiseLikelihood: first(r.Angles.DenoiseLikelihood),
			AngleLikelihoodTurn:    first(r.Angles.LikelihoodTurn),
			AngleDenoiseTurn:       first(r.Angles.DenoiseTurn),
		}
		if several {
			steps[i].Sample = r.Sample + 1
		}
		for _, a := range r.Alpha {
			steps[i].Alpha = append(steps[i].Alpha, value(a))
		}
	}
	return steps
}

// noiseRecord is the noise's part of the record of a run.
func noiseRecord(n measurement.Noise) report.Noise {
	return report.Noise{Model: n.Model, Sigma: report.Number(n.Sigma), Estimated: n.Estimated}
}
