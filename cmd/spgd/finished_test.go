package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"github.com/seed-0f004ec9/spgd/imageio"
	"github.com/seed-0f004ec9/spgd/prior/checkpoint"
	"github.com/seed-0f004ec9/spgd/resume"
)

// planned returns what a dry run would do with the only picture of a command line.
func planned(t *testing.T, args []string) jobRecord {
	t.Helper()
	var p planRecord
	if err := json.Unmarshal([]byte(mustRun(t, append(args, "--dry-run", "--json")...)), &p); err != nil || len(p.Jobs) != 1 {
		t.Fatalf("%q: %v, %+v", args, err, p)
	}
	return p.Jobs[0]
}

// TestFinishedSettings: a result is finished for the command that made it, and for none that differs in a
// setting; every flag of restore is either such a setting or known not to be one.
func TestFinishedSettings(t *testing.T) {
	dir := resumeFiles(t)
	in := func(name string) string { return filepath.Join(dir, name) }
	writeCheckpoint(t, in("other.safetensors"), func(_ map[string]checkpoint.Tensor, metadata map[string]string) { metadata["note"] = "another" })
	for i, name := range []string{"m1.png", "m2.png"} {
		mask := solid(8, 12, 1)
		mask.Pix[i] = -1
		writeImage(t, in(name), mask, imageio.WriteOptions{})
	}
	mustRun(t, command(dir, "degrade --task denoise --noise 0.1 photo.png -o y.safetensors -q")...)
	changes := []struct {
		base    string
		changes []string // by a flag, or of a flag by nothing: "-flag"
		same    []string // what changes nothing
	}{
		{
			"photo.png --task sr --scale 2 --steps 3 --warmup 1 --sigma-max 0.8",
			[]string{"--scale 3", "--steps 4", "--warmup 2", "--sigma-max 0.9", "--beta 0.5", "--adm off", "--denoise fresh", "--average=false", "--antithetic=false", "--ancestral", "--step-size 0.1",
				"--preset released", "--quality draft --steps 4", "--samples 2", "--starts 2", "--first-sample 2", "--noise 0.2", "--noise-model poisson", "--seed 4", "--depth 16", "--tile off --steps 4", "--task denoise", "--method dps", "--prior other.safetensors"},
			[]string{"--depth 8", "--beta 0.9", "--seed 0", "--threads 1", "--jobs 2", "--tile off", "--tile 64", "--checkpoint-every 1s", "--resume=no", "--jpeg-quality 50"},
		},
		{"photo.png --task inpaint --mask m1.png --steps 2 --format jpg --step-size 0.5", []string{"--mask m2.png", "--mask random:0.5", "--invert-mask", "--jpeg-quality 50", "--step-size 0.6"}, []string{"--jpeg-quality 95"}},
		{"photo.png --task deblur --kernel gaussian:1 --steps 2", []string{"--kernel gaussian:1.5", "--kernel m1.png"}, []string{"--kernel gaussian:1"}},
		{"photo.png --task denoise --method dps --set scale=0.5 --steps 3", []string{"--set scale=0.6", "--set eta=0.5", "--steps 2", "--method mcg"}, []string{"--set scale=0.50"}},
		{"y.safetensors --preset paper --steps 2", []string{"--steps 3", "--seed 1", "--depth 16"}, []string{"--task sr --scale 2", "--noise 3"}},
		{"photo.png --task denoise --steps 2 --tile 8", []string{"--tile off"}, []string{"--tile auto", "--tile 8"}},
	}
	tested := map[string]bool{}
	for i, c := range changes {
		out := filepath.Join(t.TempDir(), "out")
		base := "restore " + c.base + tiny
		args := func(more string) []string {
			// A later value of a flag counts, and a list of settings grows.
			return append(command(dir, base+" "+more), "-o", out+"/", "-q")
		}
		mustRun(t, args("")...)
		if got := planned(t, args("")); got.Action != jobFinished {
			t.Errorf("%d: %s: the same command would %s: %s", i, c.base, got.Action, got.Reason)
		}
		for _, same := range c.same {
			if got := planned(t, args(same)); got.Action != jobFinished {
				t.Errorf("%s with %s would %s: %s", c.base, same, got.Action, got.Reason)
			}
		}
		for _, change := range c.changes {
			name, _, _ := strings.Cut(strings.Fields(change)[0], "=")
			tested[strings.TrimPrefix(name, "--")] = true
			more := change
			switch {
			case change == "--task denoise": // without what sr needs
				more = "--task denoise --scale 0"
			case change == "--method dps": // without what spgd has
				base = strings.Replace(base, "--warmup 1", "", 1)
			}
			if got := planned(t, args(more)); got.Action != jobRestore || !strings.HasPrefix(got.Reason, "made again: ") {
				t.Errorf("%s with %s would %s: %s", c.base, change, got.Action, got.Reason)
			}
			if change == "--method dps" {
				base = strings.Replace(base, "--steps 3", "--steps 3 --warmup 1", 1)
			}
		}
	}
	newRestoreCommand(&console{}).Flags().VisitAll(func(f *pflag.Flag) {
		if perPicture(f.Name) != tested[f.Name] && f.Name != "prior" && f.Name != "precision" {
			t.Errorf("--%s: a setting of one picture: %v, tested: %v", f.Name, perPicture(f.Name), tested[f.Name])
		}
	})
}

// TestFinishedWithCheckpoint: a process may be killed between its result and the removal of the
// checkpoint, which the next run makes up for. The checkpoint of something else stays.
func TestFinishedWithCheckpoint(t *testing.T) {
	dir := resumeFiles(t)
	out := filepath.Join(dir, "out")
	file := filepath.Join(out, "photo.png"+checkpointExtension)
	args := append(command(dir, "restore photo.png --task denoise --steps 4 --warmup 1"+tiny), "-o", out+string(os.PathSeparator), "--jobs", "1")
	if r := interrupt(t, "1 of 1", append(args, "--format", "jpg")...); r.code != exitOK {
		t.Fatal(r.errOut)
	}
	r := interrupt(t, "0 of 1 pictures, 25 %", args...)
	if r.code != exitInterrupted || !strings.Contains(r.errOut, "photo.png: interrupted: finishing step ") || !strings.Contains(r.errOut, "interrupted with 0 of 1 picture restored") {
		t.Fatalf("exit code %d: %s", r.code, r.errOut)
	}
	if _, err := resume.Load(file); err != nil {
		t.Fatal(err)
	}
	state := readBytes(t, file)
	if text := mustRun(t, args...); !strings.Contains(text, "resumed after step ") {
		t.Errorf("the next run says %q", text)
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("the checkpoint stays beside the result")
	}
	finished := readBytes(t, filepath.Join(out, "photo.png"))
	mustRun(t, command(dir, "restore photo.png --task denoise --steps 4 --warmup 1 -o out-alone.png -q"+tiny)...)
	if !slices.Equal(finished, readBytes(t, filepath.Join(dir, "out-alone.png"))) {
		t.Error("the resumed result is not that of an undisturbed restoration")
	}

	writeBytes(t, file, state)
	if text := mustRun(t, args...); !strings.Contains(text, "skipped, finished") {
		t.Errorf("the next run says %q", text)
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("the checkpoint of the finished result stays")
	}

	// Of other settings: refused while it is in the way, and left alone while it is not.
	writeBytes(t, file, state)
	r = invoke(t, append(args, "--seed", "1")...)
	if r.code != exitSome || !strings.Contains(r.errOut, "--resume=no starts over") {
		t.Errorf("exit code %d: %s", r.code, r.errOut)
	}
	mustRun(t, append(args, "--seed", "1", "--resume=no")...)
	writeBytes(t, file, state)
	mustRun(t, append(args, "--seed", "1")...)
	if !slices.Equal(readBytes(t, file), state) {
		t.Error("the checkpoint of other settings is gone")
	}
}
