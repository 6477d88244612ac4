package html

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/seed-0f004ec9/spgd/report"
)

// settings are everything that decided about the result.
func (r *Restoration) settings() (*Section, error) {
	return &Section{Title: "Settings", Settings: Settings(r.Run)}, nil
}

// Settings lists what decided about a run's result, in groups.
func Settings(run *report.Run) []Group {
	var groups []Group
	add := func(name string, pairs ...string) {
		g := Group{Name: name}
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i+1] != "" {
				g.Items = append(g.Items, Fact{Name: pairs[i], Value: pairs[i+1]})
			}
		}
		if len(g.Items) > 0 {
			groups = append(groups, g)
		}
	}
	problem := []string{"Task", run.Task, "Operator", run.Operator, "Noise", noise(run.Noise), "Seed", strconv.FormatUint(run.Seed, 10)}
	if t := run.TaskSettings; t != nil {
		problem = append(problem, "Mask", t.Mask, "Mask SHA-256", hash(t.MaskSHA256), "Kernel", t.Kernel, "Kernel SHA-256", hash(t.KernelSHA256))
	}
	add("Problem", problem...)
	if s := run.Sampler; s != nil {
		pairs := sampler(s)
		if n := run.Samples; n != nil {
			pairs = append(pairs, "Samples", strconv.Itoa(n.Number), "First sample", strconv.Itoa(n.First), "Chosen by", n.Choose)
		}
		add("Method", pairs...)
	}
	computed := []string{}
	if p := run.Prior; p != nil {
		computed = append(computed, "Prior", filepath.Base(p.Name), "Network", p.Network, "Parameters", count(p.Parameters), "SHA-256", hash(p.SHA256))
	}
	computed = append(computed, "Engine", run.Engine.Name, "Instruction set", run.Engine.ISA, "Precision", run.Engine.Precision, "Convolution", run.Engine.Convolution)
	add("Prior and engine", computed...)
	add("Input", file(run.Input)...)
	add("Output", file(run.Output)...)
	return groups
}

func sampler(s *report.Sampler) []string {
	pairs := []string{"Method", s.Name, "Steps", strconv.Itoa(s.Steps)}
	if s.Parameters != nil { // of a method other than SPGD
		for _, name := range slices.Sorted(maps.Keys(s.Parameters)) {
			pairs = append(pairs, name, fmt.Sprint(s.Parameters[name]))
		}
		return pairs
	}
	number := func(n report.Number) string { return strconv.FormatFloat(round(float64(n), 6), 'g', -1, 64) }
	return append(pairs, "Preset", s.Preset, "Likelihood steps", strconv.Itoa(s.Warmup), "Momentum", s.ADM, "beta", number(s.Beta),
		"Denoise step", s.Denoise, "σ from", number(s.SigmaMax), "σ to", number(s.SigmaMin),
		"Step size", number(s.StepSize), "Step size by", s.StepSizeRule, "Last to first step size", number(s.MinStepRatio),
		"Next level", map[bool]string{true: "reverse of the diffusion", false: "fresh noise"}[s.Ancestral],
		"Noise of levels", map[bool]string{true: "opposite in pairs", false: "independent"}[s.Antithetic],
		"Result", map[bool]string{true: "mean of the levels' estimates", false: "estimate of the last level"}[s.Average])
}

func file(f *report.File) []string {
	if f == nil {
		return nil
	}
	pairs := []string{"File", fileName(f, ""), "Format", strings.ToUpper(f.Format), "Size", size(f.Width, f.Height)}
	if f.Channels > 0 {
		pairs = append(pairs, "Channels", strconv.Itoa(f.Channels))
	}
	if f.BitDepth > 0 {
		pairs = append(pairs, "Bits a channel", strconv.Itoa(f.BitDepth))
	}
	return append(pairs, "Colour profile", f.Profile, "SHA-256", hash(f.SHA256))
}

func size(width, height int) string {
	if width == 0 {
		return ""
	}
	return fmt.Sprintf("%d × %d", width, height)
}

func noise(n report.Noise) string {
	if n.Sigma <= 0 {
		return "none"
	}
	return fmt.Sprintf("%s, σ = %s", n.Model, short(float64(n.Sigma)))
}

// hash is the beginning of a SHA-256.
func hash(s string) string {
	if len(s) > 16 {
		return s[:16] + "…"
	}
	return s
}

// count writes a large number in groups of three digits.
func count(n int64) string {
	if n <= 0 {
		return ""
	}
	digits := strconv.FormatInt(n, 10)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + " " + digits[i:]
	}
	return digits
}
