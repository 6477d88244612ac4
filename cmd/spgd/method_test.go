package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed-0f004ec9/spgd/imageio"
	"github.com/seed-0f004ec9/spgd/sampler"
)

// TestRestoreMethod: another method than SPGD, its settings in the record, and the noise that it takes
// from the command line.
func TestRestoreMethod(t *testing.T) {
	dir := t.TempDir()
	y, out := filepath.Join(dir, "y.png"), filepath.Join(dir, "x.png")
	writeImage(t, y, testImage(32, 32, 3), imageio.WriteOptions{})
	for _, c := range []struct {
		method string
		set    []string
		want   map[string]any
		nfe    int
	}{
		{"diffpir", []string{"--set", "lambda=3", "--set", "zeta=0.5"}, map[string]any{"steps": 2.0, "sigma_y": 0.1, "lambda": 3.0, "zeta": 0.5, "sigma_max": 100.0}, 2},
		{"dps+diffstategrad", []string{"--set", "clip=false", "--set", "cutoff=0.9"}, map[string]any{"clip": false, "cutoff": 0.9, "period": 1.0, "scale": 0.3}, 2},
		{"daps", []string{"--set", "inner=3", "--sigma-max", "10"}, map[string]any{"inner": 3.0, "ode_steps": 5.0, "sigma_max": 10.0}, 10},
	} {
		args := append([]string{"restore", "--task", "denoise", "--noise", "0.1", y, "-o", out, "--json", "-q", "--method", c.method, "--steps", "2"}, c.set...)
		r := parseRun(t, mustRun(t, args...))
		if r.Sampler.Name != c.method || r.Sampler.Steps != 2 || r.Cost.NFE != c.nfe || len(r.Steps) != 2 {
			t.Errorf("%s: the record says %s, %d steps, %d evaluations in %d records", c.method, r.Sampler.Name, r.Sampler.Steps, r.Cost.NFE, len(r.Steps))
		}
		for name, want := range c.want {
			if got := r.Sampler.Parameters[name]; got != want {
				t.Errorf("%s: %s is %v, want %v", c.method, name, got, want)
			}
		}
	}
}

// TestMethodHelp: the help of restore lists every method.
func TestMethodHelp(t *testing.T) {
	help := mustRun(t, "restore", "--help")
	for _, m := range sampler.Methods() {
		if !strings.Contains(help, m.Title) {
			t.Errorf("the help does not describe %s", m.Name)
		}
	}
}
