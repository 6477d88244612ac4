package main

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seed-0f004ec9/spgd/imageio"
)

// TestManifest: every line gets the bytes of the command that it stands for, with paths from the
// manifest's folder and the settings of the command line where it has none of its own.
func TestManifest(t *testing.T) {
	dir, out := t.TempDir(), t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	writeImage(t, in("a.png"), testImage(16, 16, 3), imageio.WriteOptions{})
	writeImage(t, in("b.png"), testImage(16, 12, 3), imageio.WriteOptions{})
	mask := solid(16, 16, 1)
	for i := range 100 {
		mask.Pix[i] = -1
	}
	writeImage(t, in("mask.png"), mask, imageio.WriteOptions{})
	mustRun(t, "degrade", "--task", "sr", "--scale", "2", in("a.png"), "-o", in("y.safetensors"), "-q")
	writeBytes(t, in("jobs.jsonl"), []byte(strings.Join([]string{
		`{"input": "a.png", "output": "a-filled.png", "task": "inpaint", "mask": "mask.png", "seed": 3, "invert-mask": true}`,
		``,
		`{"input": "b.png", "noise": 0.2, "depth": "16"}`,
		`  {"input": "b.png", "output": "dps.jpg", "task": "denoise", "method": "dps", "set": ["scale=0.5", "eta=0.9"], "steps": 3}`,
		`{"input": "y.safetensors", "seed": 18446744073709551615}`,
		`{"input": "a.png", "output": "` + filepath.ToSlash(filepath.Join(out, "random.png")) + `", "task": "inpaint", "mask": "random:0.5"}`,
	}, "\n")))
	// --warmup of the command line is SPGD's: the line with a method of its own does not get it.
	mustRun(t, slices.Concat([]string{"restore", "--manifest", in("jobs.jsonl"), "-o", out, "-q", "--task", "sr", "--scale", "2", "--noise", "0.05"}, quick)...)
	for name, args := range map[string]string{
		in("a-filled.png"):               "--task inpaint --mask mask.png --invert-mask --noise 0.05 --seed 3 a.png",
		filepath.Join(out, "b.png"):      "--task sr --scale 2 --noise 0.2 --depth 16 b.png",
		filepath.Join(out, "y.png"):      "--seed 18446744073709551615 y.safetensors",
		filepath.Join(out, "random.png"): "--task inpaint --mask random:0.5 --noise 0.05 a.png",
		in("dps.jpg"):                    "--task denoise --noise 0.05 --method dps --set scale=0.5 --set eta=0.9 b.png --steps 3 --sigma-max 1",
	} {
		alone := filepath.Join(t.TempDir(), filepath.Base(name))
		args := append([]string{"restore", "-o", alone, "-q"}, command(dir, args)...)
		if !strings.HasSuffix(name, "dps.jpg") {
			args = append(args, quick...)
		}
		mustRun(t, args...)
		if !slices.Equal(readBytes(t, name), readBytes(t, alone)) {
			t.Errorf("%s is not what the command makes", name)
		}
	}
}

// TestManifestErrors: what is wrong in a manifest is said with its line, and nothing is done.
func TestManifestErrors(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	writeImage(t, in("a.png"), testImage(16, 16, 3), imageio.WriteOptions{})
	writeImage(t, in("a.jpg"), testImage(16, 16, 3), imageio.WriteOptions{})
	mustRun(t, "degrade", "--task", "denoise", in("a.png"), "-o", in("y.safetensors"), "-q")
	const good = `{"input": "a.jpg", "task": "denoise"}`
	for _, c := range []struct {
		line, message string
		code          int
	}{
		{`{"input": "a.png", "taks": "denoise"}`, `line 2: unknown key "taks"; did you mean task?`, exitUsage},
		{`{"input": "a.png", "task": "denoize"}`, `line 2: --task: unknown task "denoize"`, exitUsage},
		{`{"input": "a.png", "task": "sr"}`, "--task sr needs --scale", exitUsage},
		{`{"input": "a.png", "task": "sr", "scale": 2.5}`, `line 2: --scale: "2.5" is not a whole number`, exitUsage},
		{`{"input": "a.png", "task": "denoise", "scale": 2}`, "--scale is for --task sr", exitUsage},
		{`{"input": "a.png", "task": "denoise", "noise": -1}`, "--noise -1", exitUsage},
		{`{"input": "a.png", "task": "denoise", "steps": 0}`, "0 steps", exitUsage},
		{`{"input": "a.png", "task": "denoise", "method": "dpss"}`, "did you mean dps?", exitUsage},
		{`{"input": "a.png", "task": "denoise", "method": "dps", "set": "zeta=1"}`, "it has steps", exitUsage},
		{`{"input": "a.png", "task": "denoise", "method": "dps", "set": ["scale=1", ["eta=1"]]}`, "set is neither", exitUsage},
		{`{"input": "a.png", "task": "denoise", "steps": [1, 2]}`, "steps takes one value, and 2 are given", exitUsage},
		{`{"input": "a.png", "task": "denoise", "steps": null}`, "steps is neither a text", exitUsage},
		{`{"input": "a.png", "task": "denoise", "threads": 1}`, "threads is no setting of one picture", exitUsage},
		{`{"input": "a.png", "task": "denoise", "from": "a.png"}`, "from is no setting of one picture", exitUsage},
		{`{"input": "a.png", "task": "denoise", "prior": "x"}`, "prior is no setting of one picture", exitUsage},
		{`{"input": "a.png", "task": "denoise", "task": "hdr"}`, "task is given twice", exitUsage},
		{`{"input": "a.png", "input": "b.png"}`, "input is given twice", exitUsage},
		{`{"input": 3}`, "input is not the name of a file", exitUsage},
		{`{"task": "denoise"}`, "no input is given", exitUsage},
		{`{"input": "a.png"}`, "no task is given", exitUsage},
		{`{"input": "y.safetensors", "task": "denoise"}`, "--task is not for a measurement file", exitUsage},
		{`{"input": "a.png", "task": "denoise"`, "line 2: not JSON", exitUsage},
		{`{"input": "a.png", "task": "denoise"} {}`, "there is more behind it", exitUsage},
		{`["a.png"]`, "has to be a JSON object", exitUsage},
		{`{"input": "a.png", "task": "denoise", "output": "a.gif"}`, `".gif" cannot be written`, exitOutput},
		{`{"input": "a.png", "task": "denoise", "output": "a.png"}`, "the output " + in("a.png") + " is the input", exitUsage},
		{`{"input": "a.png", "task": "denoise", "output": "a.jpg"}`, "the result of " + in("a.png") + " would replace the input " + in("a.jpg"), exitUsage},
		{`{"input": "a.png", "task": "denoise", "output": "out/a.jpg"}`, "would both become", exitUsage},
		{`{"input": "a.png", "task": "inpaint", "mask": "a.jpg", "output": "out/../a.jpg"}`, "would replace the input", exitUsage},
	} {
		t.Run(c.message, func(t *testing.T) {
			manifest := in("jobs.jsonl")
			writeBytes(t, manifest, []byte(good+"\n"+c.line+"\n"))
			before := listing(t, dir)
			r := invoke(t, "restore", "--manifest", manifest, "-o", in("out"), "-q")
			if !strings.Contains(r.errOut, c.message) || r.code != c.code || r.out != "" {
				t.Errorf("exit code %d, want %d: %s", r.code, c.code, r.errOut)
			}
			if !maps.Equal(before, listing(t, dir)) {
				t.Error("the files have changed")
			}
		})
	}
	writeBytes(t, in("empty.jsonl"), []byte("\n\n"))
	writeBytes(t, in("one.jsonl"), []byte(good))
	for _, c := range []struct {
		args, message string
		code          int
	}{
		{"--manifest empty.jsonl -o out", "lists no picture", exitInput},
		{"--manifest none.jsonl -o out", "none.jsonl", exitInput},
		{"--manifest one.jsonl a.png -o out", "cannot be given beside it", exitUsage},
		{"--manifest one.jsonl", "line 1: no output is given", exitUsage},
		{"--manifest one.jsonl -o a.png", "a.png is one file", exitUsage},
		{"--manifest one.jsonl -o one.jsonl", "one.jsonl is a file", exitUsage},
		{"--manifest one.jsonl -o out --from a.png", "--from is for one picture", exitUsage},
		{"--manifest one.jsonl -o out --jobs -1", "--jobs -1", exitUsage},
		{"a.png --task denoise -o out.png --jobs 2", "--jobs is for several pictures", exitUsage},
		{"a.png a.jpg --task denoise", "no output is given", exitUsage},
		{"*.gif --task denoise -o out", "no file matches", exitInput},
		{"a.png none.png --task denoise -o out", "none.png", exitInput},
		{"a.png a.jpg --task denoise -o out --format png", "would both become", exitUsage},
		{"a.png --task denoise -o ./", "is the input", exitUsage},
	} {
		args := command(dir, c.args)
		for i, a := range args {
			if strings.HasPrefix(a, "none") || strings.HasPrefix(a, "*") || a == "out" {
				args[i] = in(a)
			}
			if a == "./" {
				args[i] = dir + string(os.PathSeparator)
			}
		}
		before := listing(t, dir)
		if r := invoke(t, append([]string{"restore", "-q"}, args...)...); r.code != c.code || !strings.Contains(r.errOut, c.message) {
			t.Errorf("%s: exit code %d, want %d and %q: %s", c.args, r.code, c.code, c.message, r.errOut)
		}
		if !maps.Equal(before, listing(t, dir)) {
			t.Errorf("%s: the files have changed", c.args)
		}
	}
}
