package main

import (
	"bytes"
	"context"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seed-0f004ec9/spgd/imageio"
	"github.com/seed-0f004ec9/spgd/prior/checkpoint"
	"github.com/seed-0f004ec9/spgd/resume"
)

// interrupt runs a command line that is interrupted when a line of stderr begins with the given text.
func interrupt(t *testing.T, at string, args ...string) result {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var out, errOut bytes.Buffer
	code := run(ctx, args, &out, writerFunc(func(p []byte) (int, error) {
		errOut.Write(p)
		if strings.HasPrefix(string(p), at) {
			cancel()
		}
		return len(p), nil
	}))
	return result{code, out.String(), errOut.String()}
}

// names lists the files of a folder.
func names(t *testing.T, dir string) (list []string) {
	t.Helper()
	for path := range listing(t, dir) {
		list = append(list, filepath.Base(path))
	}
	slices.Sort(list)
	return list
}

// resumeFiles fills a folder with what the tests of interruptions need.
func resumeFiles(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	writeImage(t, filepath.Join(dir, "photo.png"), testImage(8, 12, 3), imageio.WriteOptions{})
	writeCheckpoint(t, filepath.Join(dir, "tiny.safetensors"), nil)
	return dir
}

const interrupted = "restore --task sr --scale 2 --steps 6 --warmup 1" + tiny + " photo.png -o "

// An interrupted restoration ends after the step, says how to go on, and does so to the byte; nothing is
// left behind.
func TestInterruptAndResume(t *testing.T) {
	dir := resumeFiles(t)
	mustRun(t, command(dir, interrupted+"whole.png")...)
	whole := readBytes(t, filepath.Join(dir, "whole.png"))
	r := interrupt(t, "step 2 of 6", command(dir, interrupted+"out.png")...)
	if r.code != exitInterrupted || r.out != "" {
		t.Fatalf("exit code %d, stdout %q", r.code, r.out)
	}
	for _, want := range []string{
		"\ninterrupted: finishing step 2 of 6 first", "interrupt again to stop at once\n",
		"\nspgd: interrupted, stopped after step ", "out.png.checkpoint holds the state: to go on, run ", " restore --resume --task sr --scale 2",
	} {
		if !strings.Contains(r.errOut, want) {
			t.Errorf("stderr does not say %q: %s", want, r.errOut)
		}
	}
	if got := names(t, dir); !slices.Equal(got, []string{"out.png.checkpoint", "photo.png", "tiny.safetensors", "whole.png"}) {
		t.Errorf("the folder holds %q", got)
	}

	// A second interruption before anything was computed leaves the checkpoint as it is.
	file := readBytes(t, filepath.Join(dir, "out.png.checkpoint"))
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	checkError(t, invokeContext(t, ended, append(command(dir, interrupted+"out.png"), "-q")...), exitInterrupted, "out.png.checkpoint holds the state: to go on, run ")
	if !bytes.Equal(file, readBytes(t, filepath.Join(dir, "out.png.checkpoint"))) {
		t.Error("the checkpoint has changed")
	}

	// One after a further step replaces it; the flags of what is computed with are free.
	r = interrupt(t, "step 4 of 6", command(dir, interrupted+"out.png --threads 1 --checkpoint-every 1h")...)
	if r.code != exitInterrupted || !strings.Contains(r.errOut, "going on after step ") {
		t.Fatalf("exit code %d: %s", r.code, r.errOut)
	}
	f, err := resume.Load(filepath.Join(dir, "out.png.checkpoint"))
	if err != nil {
		t.Fatal(err)
	}
	record := parseRun(t, mustRun(t, command(dir, interrupted+"out.png --json -q")...))
	if record.Resumed == nil || record.Resumed.Step != f.Run.Step || f.Run.Step < 4 {
		t.Errorf("resumed %+v, the checkpoint was of step %d", record.Resumed, f.Run.Step)
	}
	if total, earlier := float64(record.Timings.Total), f.Run.Elapsed.Seconds(); total < earlier || len(record.Steps) != 6 || float64(record.Steps[f.Run.Step].Elapsed) < earlier {
		t.Errorf("%g s in all, %g s before the interruption", total, earlier)
	}
	if !bytes.Equal(whole, readBytes(t, filepath.Join(dir, "out.png"))) {
		t.Error("the bytes are not those of an undisturbed run")
	}
	if got := names(t, dir); !slices.Equal(got, []string{"out.png", "photo.png", "tiny.safetensors", "whole.png"}) {
		t.Errorf("the folder holds %q", got)
	}

	// An interruption in the last step comes too late.
	r = interrupt(t, "step 6 of 6", command(dir, interrupted+"late.png")...)
	if r.code != exitOK || !bytes.Equal(whole, readBytes(t, filepath.Join(dir, "late.png"))) {
		t.Errorf("interrupted in the last step: exit code %d: %s", r.code, r.errOut)
	}

	// Without checkpoints there is nothing to go on from.
	r = interrupt(t, "step 2 of 6", command(dir, interrupted+"none.png --checkpoint-every 0s")...)
	checkError(t, result{r.code, r.out, r.errOut[strings.LastIndex(strings.TrimSpace(r.errOut), "\n")+1:]}, exitInterrupted, "no output was written")
	if got := names(t, dir); len(got) != 5 {
		t.Errorf("the folder holds %q", got)
	}
	out := invoke(t, command(dir, interrupted+"none.png --resume")...)
	if out.code != exitOK || !strings.Contains(out.errOut, "there is no checkpoint ") || !strings.Contains(out.errOut, "starting from the beginning") {
		t.Errorf("nothing to resume: exit code %d: %s", out.code, out.errOut)
	}
}

// A checkpoint of another run is neither used nor replaced.
func TestCheckpointOfAnotherRun(t *testing.T) {
	dir := resumeFiles(t)
	in := func(name string) string { return filepath.Join(dir, name) }
	writeImage(t, in("other.png"), testImage(8, 12, 1), imageio.WriteOptions{})
	writeCheckpoint(t, in("prior2.safetensors"), func(_ map[string]checkpoint.Tensor, metadata map[string]string) { metadata["note"] = "another" })
	if r := interrupt(t, "step 2 of 6", command(dir, interrupted+"out.png")...); r.code != exitInterrupted {
		t.Fatalf("exit code %d: %s", r.code, r.errOut)
	}
	good := readBytes(t, in("out.png.checkpoint"))
	before := listing(t, dir)
	refuse := func(args, want string) {
		t.Helper()
		r := invoke(t, append(command(dir, args), "-q")...)
		checkError(t, r, exitInput, "out.png.checkpoint")
		checkError(t, r, exitInput, want)
		checkError(t, r, exitInput, "--resume=no starts over")
		if !maps.Equal(before, listing(t, dir)) {
			t.Errorf("%s: the files have changed", args)
		}
	}
	for change, want := range map[string]string{
		"--seed 1":              "seed is 1 here and 0 in it",
		"--beta 0.5":            "sampler.beta is 0.5 here and 0.9 in it",
		"--steps 7":             "sampler.steps is 7 here and 6 in it",
		"--noise 0.1":           "sampler.sigma_min is 0.2",
		"--scale 3":             "task_settings.scale is 3 here and 2 in it",
		"--depth 16":            "output.bit_depth is 16 here and 8 in it",
		"--resume --seed 1":     "seed is 1 here",
		"--precision bf16":      "engine.precision",
		"--prior natural-small": "prior.",
	} {
		if change == "--precision bf16" && invoke(t, command(dir, "restore --task denoise --precision bf16 --steps 1 photo.png -o bf16.png"+tiny)...).code != exitOK {
			continue // this processor lacks it
		}
		os.Remove(in("bf16.png"))
		refuse(strings.Replace(interrupted, "--steps 6", "--steps 6 ", 1)+"out.png "+change, want)
	}
	refuse(strings.Replace(interrupted, "photo.png", "other.png", 1)+"out.png", "input.channels is 1 here and 3 in it")
	refuse(strings.Replace(interrupted, "tiny.", "prior2.", 1)+"out.png", "prior.")
	refuse(strings.Replace(interrupted, "--warmup 1", "--method dps", 1)+"out.png", `sampler.name is "dps" here and "spgd" in it`)
	t.Setenv("SPGD_CONV", "direct")
	refuse(interrupted+"out.png", `engine.convolution is "direct" here and not set in it`)
	t.Setenv("SPGD_CONV", "")

	for what, content := range map[string][]byte{"truncated": good[:len(good)-1], "checksum": slices.Concat(good[:len(good)-4], []byte{0, 0, 0, 0})} {
		writeBytes(t, in("out.png.checkpoint"), content)
		before = listing(t, dir)
		refuse(interrupted+"out.png", what)
	}
	mustRun(t, command(dir, "degrade --task denoise photo.png -o out.png.checkpoint.safetensors")...)
	if err := os.Rename(in("out.png.checkpoint.safetensors"), in("out.png.checkpoint")); err != nil {
		t.Fatal(err)
	}
	before = listing(t, dir)
	refuse(interrupted+"out.png", "not a checkpoint of a run")
	checkError(t, invoke(t, command(dir, "restore out.png.checkpoint -o out.png -q --resume=no")...), exitUsage, "out.png.checkpoint would replace the input")

	// Starting over is what the message says.
	mustRun(t, command(dir, interrupted+"whole.png")...)
	mustRun(t, command(dir, interrupted+"out.png --resume=no")...)
	if !bytes.Equal(readBytes(t, in("whole.png")), readBytes(t, in("out.png"))) {
		t.Error("the bytes are not those of an undisturbed run")
	}
	if slices.Contains(names(t, dir), "out.png.checkpoint") {
		t.Error("the checkpoint was left behind")
	}
	checkError(t, invoke(t, command(dir, interrupted+"out.png --checkpoint-every -1s")...), exitUsage, "--checkpoint-every -1s")
	checkError(t, invoke(t, command(dir, interrupted+"out.png --resume=perhaps")...), exitUsage, "perhaps")
}

// A repetition of an earlier result can be interrupted too, by the command that made the result or by
// another repetition.
func TestResumeOfARepetition(t *testing.T) {
	dir := resumeFiles(t)
	mustRun(t, command(dir, interrupted+"whole.png")...)
	repeat := "restore --from whole.png photo.png -o out.png" + tiny
	if r := interrupt(t, "step 2 of 6", command(dir, repeat)...); r.code != exitInterrupted {
		t.Fatalf("exit code %d: %s", r.code, r.errOut)
	}
	if r := interrupt(t, "step 4 of 6", command(dir, interrupted+"out.png")...); r.code != exitInterrupted || !strings.Contains(r.errOut, "going on after step") {
		t.Fatalf("exit code %d: %s", r.code, r.errOut)
	}
	record := parseRun(t, mustRun(t, command(dir, repeat+" --resume --checkpoint-every 1s --json -q")...))
	if record.Resumed == nil || record.Repeat == nil || !record.Repeat.Identical {
		t.Errorf("resumed %+v, repeated %+v", record.Resumed, record.Repeat)
	}
	if got := names(t, dir); !slices.Equal(got, []string{"out.png", "photo.png", "tiny.safetensors", "whole.png"}) {
		t.Errorf("the folder holds %q", got)
	}
}

func TestResumeCommand(t *testing.T) {
	none := func(string) string { return "" }
	for _, c := range []struct {
		windows bool
		args    []string
		want    string
	}{
		{false, []string{"restore", "in.png", "-o", "out.png"}, "spgd restore --resume in.png -o out.png"},
		{false, []string{"-q", "restore", "--resume=no", "in put.png", "-o", "out.png", "--resume"}, "spgd -q restore --resume 'in put.png' -o out.png"},
		{false, []string{"restore", "-o", "it's $HOME; `x`.png", "--", "--resume"}, `spgd restore --resume -o 'it'\''s $HOME; ` + "`x`" + `.png' -- --resume`},
		{false, []string{"restore", "ü.png", "", "--mask", "random:0.8"}, "spgd restore --resume 'ü.png' '' --mask random:0.8"},
		{true, []string{"restore", `C:\my pictures\a.png`, "-o", `C:\b.png`}, `spgd restore --resume "C:\my pictures\a.png" -o C:\b.png`},
	} {
		if got := resumeCommand(c.windows, none, "spgd", c.args); got != c.want {
			t.Errorf("%q: %s, want %s", c.args, got, c.want)
		}
	}
	set := func(name string) string { return map[string]string{"SPGD_ISA": "avx2", "SPGD_CONV": "direct"}[name] }
	if got, want := resumeCommand(false, set, "./sp gd", []string{"restore", "a"}), "SPGD_ISA=avx2 SPGD_CONV=direct './sp gd' restore --resume a"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
