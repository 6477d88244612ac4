package main

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/seed-0f004ec9/spgd/imageio"
	"github.com/seed-0f004ec9/spgd/internal/atomicfile"
)

// TestTwoRunsIntoOneFolder: a run that finds another one at its folder says so and touches nothing, however the
// folder is named; and one that was killed is in nobody's way.
func TestTwoRunsIntoOneFolder(t *testing.T) {
	dir, out := t.TempDir(), filepath.Join(t.TempDir(), "out")
	for i := range 2 {
		writeImage(t, filepath.Join(dir, fmt.Sprintf("in%d.png", i)), testImage(16, 16, 3), imageio.WriteOptions{})
	}
	prior := filepath.Join(t.TempDir(), "tiny.safetensors")
	writeCheckpoint(t, prior, nil)
	args := func(steps string) []string {
		return []string{"restore", dir, "-o", out, "--task", "inpaint", "--mask", "random:0.5", "--steps", steps, "--checkpoint-every", "0", "--prior", prior}
	}
	first := exec.Command(os.Args[0], args("1000000")...)
	first.Env = append(os.Environ(), "SPGD_TEST_AS_PROGRAM=1")
	var stderr bytes.Buffer
	first.Stderr = &stderr
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	log := filepath.Join(out, batchLog) // the last that is there before the first picture
	for deadline := time.Now().Add(60 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(log); err == nil {
			break
		}
		if time.Now().After(deadline) {
			first.Process.Kill()
			first.Wait()
			t.Fatalf("the first run does not begin: %s", stderr.String())
		}
	}
	before := listing(t, out)
	manifest := filepath.Join(t.TempDir(), "jobs.jsonl")
	writeBytes(t, manifest, fmt.Appendf(nil, "{\"input\": %q, \"output\": %q}\n", filepath.Join(dir, "in0.png"), filepath.Join(out, "other.png")))
	host, _ := os.Hostname()
	want := fmt.Sprintf("spgd: another run (process %d on %s) is writing to folder %s: wait until it has ended, or choose another folder\n", first.Process.Pid, host, out)
	for name, second := range map[string][]string{
		"the same command": args("1000000"),
		"a manifest":       {"restore", "--manifest", manifest, "--task", "denoise", "--noise", "0.1", "--prior", prior},
		"to be replaced":   append(args("2"), "--overwrite"),
	} {
		if r := invoke(t, append(second, "-q")...); r.code != exitOutput || r.errOut != want || r.out != "" {
			t.Errorf("%s: exit code %d: %q, want %q", name, r.code, r.errOut, want)
		}
	}
	if r := invoke(t, append(args("2"), "--dry-run")...); r.code != exitOK {
		t.Errorf("--dry-run: exit code %d: %s", r.code, r.errOut)
	}
	if after := listing(t, out); !maps.Equal(after, before) {
		t.Errorf("the folder holds %q, before %q", slices.Sorted(maps.Keys(after)), slices.Sorted(maps.Keys(before)))
	}
	if err := first.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	first.Wait()
	if _, err := os.Stat(filepath.Join(out, atomicfile.LockName)); err != nil {
		t.Errorf("the killed run left no lock, so that nothing is tested: %v", err)
	}
	mustRun(t, append(args("2"), "-q")...)
	if got, want := sortedNames(results(t, out)), []string{"in0.png", "in1.png"}; !slices.Equal(got, want) {
		t.Errorf("the folder holds %q, want %q", got, want)
	}
}

// A run may name its own folder in several ways.
func TestOwnFolderUnderAnotherName(t *testing.T) {
	dir := batchFolder(t)
	t.Chdir(dir)
	full, err := filepath.Abs("out")
	if err != nil {
		t.Fatal(err)
	}
	writeBytes(t, "jobs.jsonl", fmt.Appendf(nil, "{\"input\": \"a.png\"}\n{\"input\": \"b.JPG\", \"output\": %q}\n{\"input\": \"c.jpeg\", \"output\": %q}\n", filepath.Join(full, "b.png"), filepath.Join(dir, "else", "c.png")))
	for range 2 { // made, and there
		mustRun(t, append([]string{"restore", "--manifest", "jobs.jsonl", "-o", "out", "-q", "--overwrite"}, denoising...)...)
		if err := os.Remove(filepath.Join(full, "b.png")); err != nil {
			t.Fatal(err)
		}
	}
	for _, folder := range []string{full, "else"} {
		if _, err := os.Stat(filepath.Join(folder, atomicfile.LockName)); err == nil {
			t.Errorf("%s keeps its lock", folder)
		}
	}
}
