package main

import (
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed-0f004ec9/spgd/imageio"
	"github.com/seed-0f004ec9/spgd/report"
)

// restore estimates the noise of a picture if asked to, and when denoising unless told otherwise; the
// record keeps the estimate, and --from repeats the result with it.
func TestNoiseAuto(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	writeImage(t, in("photo.png"), solid(40, 40, 0.1), imageio.WriteOptions{})
	mustRun(t, "degrade", "--task", "denoise", "--noise", "0.1", in("photo.png"), "-o", in("y.png"))

	restore := func(args ...string) *report.Run {
		t.Helper()
		return parseRun(t, mustRun(t, append([]string{"restore", "--json", "-q", "--precision", "f32", "--quality", "draft"}, args...)...))
	}
	asked := restore("--task", "denoise", "--noise", "auto", in("y.png"), "-o", in("a.png"))
	if n := asked.Noise; !n.Estimated || math.Abs(float64(n.Sigma)/0.1-1) > 0.1 {
		t.Errorf("noise of 0.1 is estimated as %+v", n)
	}
	if s := asked.Sampler; s.StepSizeRule != stepSizeAuto || s.SigmaMax != asked.Noise.Sigma {
		t.Errorf("the sampler does not use it: %+v", s)
	}
	if unasked := restore("--task", "denoise", in("y.png"), "-o", in("b.png")); unasked.Noise != asked.Noise {
		t.Errorf("without --noise, denoising takes it as %+v", unasked.Noise)
	}
	if given := restore("--task", "denoise", "--noise", "0", in("y.png"), "-o", in("c.png"), "--steps", "2", "--warmup", "1"); given.Noise.Estimated || given.Noise.Sigma != 0 {
		t.Errorf("--noise 0 becomes %+v", given.Noise)
	}
	again := parseRun(t, mustRun(t, "restore", "--json", "-q", "--from", in("a.png"), in("y.png"), "-o", in("d.png")))
	if again.Noise != asked.Noise || again.Repeat == nil || !again.Repeat.Identical {
		t.Errorf("--from takes the noise as %+v, and %+v", again.Noise, again.Repeat)
	}
	// A folder skips what has the estimate.
	out := mustRun(t, "restore", "--task", "denoise", "--precision", "f32", "--quality", "draft", "-q", in("y.png"), "-o", in("out")+"/")
	if !strings.Contains(out, "y.png") || strings.Contains(out, "skipped") {
		t.Errorf("the first run over a folder says %q", out)
	}
	if out := mustRun(t, "restore", "--task", "denoise", "--precision", "f32", "--quality", "draft", "-q", in("y.png"), "-o", in("out")+"/"); !strings.Contains(out, "skipped") {
		t.Errorf("the second run over a folder says %q", out)
	}
	if out := mustRun(t, "restore", "--task", "denoise", "--noise", "0.1", "--precision", "f32", "--quality", "draft", "-q", in("y.png"), "-o", in("out")+"/"); strings.Contains(out, "skipped") {
		t.Errorf("a result by an estimate passes for one by a given noise: %q", out)
	}
}

func TestNoiseAutoErrors(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	writeImage(t, in("tiny.png"), solid(4, 4, 0.1), imageio.WriteOptions{})
	for _, c := range []struct {
		args string
		code int
		says string
	}{
		{"restore --task denoise --noise auto tiny.png -o out.png", exitInput, "--noise SIGMA"},
		{"restore --task denoise --noise auto --noise-model poisson tiny.png -o out.png", exitUsage, "gaussian"},
		{"restore --task denoise --noise much tiny.png -o out.png", exitUsage, "not a number"},
		{"degrade --task denoise --noise auto tiny.png -o out.png", exitUsage, "spgd restore"},
	} {
		args := strings.Fields(strings.ReplaceAll(strings.ReplaceAll(c.args, "tiny.png", in("tiny.png")), "out.png", in("out.png")))
		r := invoke(t, args...)
		if r.code != c.code || !strings.Contains(r.errOut, c.says) {
			t.Errorf("%s: exit %d, %q", c.args, r.code, r.errOut)
		}
	}
	if r := invoke(t, "restore", "--task", "denoise", in("tiny.png"), "-o", in("out.png"), "--steps", "1", "--warmup", "1"); r.code != 0 || !strings.Contains(r.errOut, "too small to estimate") {
		t.Errorf("a tiny picture without --noise: exit %d, %q", r.code, r.errOut)
	}
}
