package main

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seed-0f004ec9/spgd/internal/bench"
	"github.com/seed-0f004ec9/spgd/internal/dynamics"
	"github.com/seed-0f004ec9/spgd/internal/pjrttest"
)

// programsOf is what a result says of its programs.
func programsOf(t *testing.T, path string) string {
	t.Helper()
	r, err := recordIn(path)
	if err != nil || r == nil {
		t.Fatalf("%s: no record: %v", path, err)
	}
	return r.Engine.Programs
}

// TestProgramsOnDevice: --programs chooses what is one program on an accelerator, by which a result differs by rounding. The record
// says it, also where it was for want of memory, and --from follows it.
func TestProgramsOnDevice(t *testing.T) {
	dir, args := deviceFolder(t, 3)
	in, out := filepath.Join(dir, "in0.png"), t.TempDir()
	path := func(name string) string { return filepath.Join(out, name) }
	restore := func(to string, more ...string) result {
		t.Helper()
		return invoke(t, slices.Concat(args[:len(args)-1], more, []string{in, "-o", path(to)})...)
	}
	compiled := len(pjrttest.Programs())
	restore("stage.png", "--programs", "stage")
	most := pjrttest.CountConvolutions(pjrttest.Programs()[compiled:])
	runs := pjrttest.Runs()
	restore("step.png", "--programs", "step")
	if n := pjrttest.Runs() - runs; n != 3+3 { // a step each, the start, the end and the residual
		t.Errorf("programs were run %d times, want 6", n)
	}
	restore("auto.png")
	pjrttest.Convolutions = most
	defer func() { pjrttest.Convolutions = 0 }()
	if r := restore("none.png", "--programs", "step"); r.code != exitMemory {
		t.Errorf("exit status %d, want %d: %s", r.code, exitMemory, r.errOut)
	}
	if r := restore("short.png"); r.code != exitOK || !strings.Contains(r.errOut, "does not suffice for programs of whole steps: each stage is one") {
		t.Errorf("exit status %d: %s", r.code, r.errOut)
	}
	for name, want := range map[string]string{"stage.png": "stage", "step.png": "", "auto.png": "", "short.png": "stage"} {
		if got := programsOf(t, path(name)); got != want {
			t.Errorf("%s records programs of a %q, want %q", name, got, want)
		}
		if worst := levels(t, path("step.png"), path(name)); worst > 1 {
			t.Errorf("%s differs by %g levels", name, worst)
		}
	}

	repeat := func(from, to string) result {
		t.Helper()
		keep := slices.Clone(args[slices.Index(args, "--device"):])
		return invoke(t, slices.Concat([]string{"restore", "--from", path(from)}, keep[:len(keep)-1], []string{in, "-o", path(to)})...)
	}
	if r := repeat("auto.png", "a.png"); r.code != exitMemory { // and not others' bytes
		t.Errorf("exit status %d, want %d: %s", r.code, exitMemory, r.errOut)
	}
	pjrttest.Convolutions = 0
	for _, name := range []string{"auto.png", "short.png"} {
		if r := repeat(name, "again-"+name); r.code != exitOK || !strings.Contains(r.out, "identical to "+path(name)) {
			t.Errorf("%s: exit status %d: %s%s", name, r.code, r.out, r.errOut)
		}
	}
	if r := invoke(t, "restore", "--task", "denoise", "--programs", "step", in, "-o", path("cpu.png")); r.code != exitUsage || !strings.Contains(r.errOut, "--programs step is for accelerators") {
		t.Errorf("on the CPU: exit status %d: %s", r.code, r.errOut)
	}

	// A folder in batches, without the memory for steps.
	pjrttest.Convolutions = most
	folder := t.TempDir()
	text := mustRun(t, append(args, "-o", folder)...)
	for i := range 3 {
		name := filepath.Join(folder, []string{"in0.png", "in1.png", "in2.png"}[i])
		if programsOf(t, name) != "stage" || batchOf(t, name) != 3 {
			t.Errorf("%s: programs of a %q and a batch of %d, want stage and 3: %s", name, programsOf(t, name), batchOf(t, name), text)
		}
	}
}

// TestStudiesOnDevice: bench and analyze take --programs too, and say so.
func TestStudiesOnDevice(t *testing.T) {
	dir, args := deviceFolder(t, 1)
	keep := slices.Clone(args[slices.Index(args, "--device"):])
	common := append(slices.Concat(keep[:len(keep)-1], []string{filepath.Join(dir, "in0.png")}), strings.Fields("--task sr:2@0.05 --size 16 --seeds 1 --nfe 6 --method spgd -q")...)
	var counts []int
	for _, form := range []string{"step", "stage"} {
		out := filepath.Join(t.TempDir(), form)
		runs := pjrttest.Runs()
		mustRun(t, slices.Concat([]string{"bench"}, common, []string{"--programs", form, "-o", out})...)
		counts = append(counts, pjrttest.Runs()-runs)
		var cell bench.Cell
		if err := json.Unmarshal(readBytes(t, filepath.Join(out, benchJournal)), &cell); err != nil {
			t.Fatal(err)
		}
		if string(cell.Causes.Programs) != form {
			t.Errorf("the cell has programs of a %q, want %q", cell.Causes.Programs, form)
		}
		runs = pjrttest.Runs()
		var s dynamics.Study
		if err := json.Unmarshal([]byte(mustRun(t, slices.Concat([]string{"analyze"}, common, []string{"--programs", form, "--json", "-o", out})...)), &s); err != nil {
			t.Fatal(err)
		}
		counts = append(counts, pjrttest.Runs()-runs)
		if want := map[string]string{"step": "", "stage": "stage"}[form]; s.Engine.Programs != want {
			t.Errorf("the study records programs of a %q, want %q", s.Engine.Programs, want)
		}
	}
	if counts[2]-counts[0] != 2*3 || counts[3]-counts[1] != 2*3 { // three launches a level instead of one
		t.Errorf("programs were run %v times", counts)
	}
}
