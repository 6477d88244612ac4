package main

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seed-0f004ec9/spgd/imageio"
)

// quick are the flags of restorations that take no time.
var quick = strings.Fields("--steps 2 --warmup 1 --sigma-max 1")

var denoising = append(strings.Fields("--task denoise --noise 0.1"), quick...)

// batchFolder fills a folder with small pictures of different kinds.
func batchFolder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "below"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, img := range map[string]*imageio.Image{
		"a.png": testImage(16, 20, 3), "b.JPG": testImage(20, 16, 3), "c.jpeg": testImage(16, 20, 1),
		"a.mask.png": solid(16, 20, 1), ".hidden.png": testImage(16, 16, 3), "below/d.png": testImage(24, 24, 3),
	} {
		writeImage(t, filepath.Join(dir, name), img, imageio.WriteOptions{})
	}
	writeBytes(t, filepath.Join(dir, "notes.txt"), []byte("no picture"))
	return dir
}

// entries reads the lines of a log.
func entries(t *testing.T, path string) []batchEntry {
	t.Helper()
	var list []batchEntry
	for _, line := range strings.Split(strings.TrimSuffix(string(readBytes(t, path)), "\n"), "\n") {
		var e batchEntry
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%v in %q", err, line)
		}
		list = append(list, e)
	}
	return list
}

// statuses are those of entries by the names of the inputs.
func statuses(list []batchEntry) map[string]string {
	m := map[string]string{}
	for _, e := range list {
		m[filepath.Base(e.Input)] = e.Status
	}
	return m
}

// results is listing without the log, by names relative to the folder.
func results(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	for path, content := range listing(t, dir) {
		name, err := filepath.Rel(dir, path)
		if err != nil {
			t.Fatal(err)
		}
		if name != batchLog {
			files[filepath.ToSlash(name)] = content
		}
	}
	return files
}

func sortedNames(files map[string]string) []string { return slices.Sorted(maps.Keys(files)) }

// TestFolder: the pictures of a folder get the bytes that they get alone; what is broken fails without
// disturbing the others and is tried again; what is finished is not made again unless the input or the
// settings have changed; and nothing that is not ours is replaced.
func TestFolder(t *testing.T) {
	dir, out := batchFolder(t), filepath.Join(t.TempDir(), "new", "results")
	broken := filepath.Join(dir, "broken.png")
	writeBytes(t, broken, readBytes(t, filepath.Join(dir, "a.png"))[:100])
	restore := func(code int, more ...string) (result, []batchEntry) {
		t.Helper()
		_ = os.Remove(filepath.Join(out, batchLog))
		r := invoke(t, slices.Concat([]string{"restore", dir, "-o", out, "--recursive"}, denoising, more)...)
		if r.code != code {
			t.Fatalf("exit code %d, want %d: %s", r.code, code, r.errOut)
		}
		if _, err := os.Stat(filepath.Join(out, batchLog)); err != nil {
			return r, nil
		}
		return r, entries(t, filepath.Join(out, batchLog))
	}
	if r, _ := restore(exitOK, "--dry-run"); !strings.Contains(r.out, "5 pictures: 5 to restore") || !strings.Contains(r.out, "1 mask or kernel, 1 no picture (*.txt)") {
		t.Errorf("the plan is\n%s", r.out)
	}
	if _, err := os.Stat(out); err == nil {
		t.Error("--dry-run has made the folder")
	}

	r, list := restore(exitSome)
	want := map[string]string{"a.png": statusDone, "b.JPG": statusDone, "c.jpeg": statusDone, "d.png": statusDone, "broken.png": statusFailed}
	if got := statuses(list); !maps.Equal(got, want) {
		t.Errorf("the log holds %v, want %v", got, want)
	}
	if strings.Count(r.out, "\n") != 5 || !strings.Contains(r.errOut, "spgd: failed: "+broken+": ") || !strings.Contains(r.errOut, "1 of 5 pictures failed") {
		t.Errorf("stdout\n%sstderr\n%s", r.out, r.errOut)
	}
	first := results(t, out)
	if got, want := sortedNames(first), []string{"a.png", "b.JPG", "below/d.png", "c.jpeg"}; !slices.Equal(got, want) {
		t.Errorf("the results are %q, want %q", got, want)
	}
	for name, content := range first {
		alone := filepath.Join(t.TempDir(), filepath.Base(name))
		mustRun(t, slices.Concat([]string{"restore", filepath.Join(dir, name), "-o", alone, "-q"}, denoising)...)
		if string(readBytes(t, alone)) != content {
			t.Errorf("%s is not what it is alone", name)
		}
	}

	// Another run has only the broken picture to try, and skips the others without touching them.
	times := map[string]os.FileInfo{}
	for name := range first {
		times[name], _ = os.Stat(filepath.Join(out, name))
	}
	writeImage(t, broken, testImage(16, 16, 3), imageio.WriteOptions{})
	_, list = restore(exitOK)
	want = map[string]string{"a.png": statusSkipped, "b.JPG": statusSkipped, "c.jpeg": statusSkipped, "d.png": statusSkipped, "broken.png": statusDone}
	if got := statuses(list); !maps.Equal(got, want) {
		t.Errorf("after the repair the log holds %v, want %v", got, want)
	}
	for name, before := range times {
		if now, err := os.Stat(filepath.Join(out, name)); err != nil || !os.SameFile(before, now) || !now.ModTime().Equal(before.ModTime()) {
			t.Errorf("%s was written again", name)
		}
	}

	// A changed input, and a result that is ours but of another input.
	writeImage(t, filepath.Join(dir, "a.png"), testImage(16, 16, 3), imageio.WriteOptions{})
	writeBytes(t, filepath.Join(out, "b.JPG"), []byte(first["c.jpeg"]))
	r, list = restore(exitOK)
	want = map[string]string{"a.png": statusDone, "b.JPG": statusDone, "c.jpeg": statusSkipped, "d.png": statusSkipped, "broken.png": statusSkipped}
	if got := statuses(list); !maps.Equal(got, want) || !strings.Contains(r.errOut, "2 to restore") || !strings.Contains(r.errOut, "(2 of them again)") {
		t.Errorf("after changes the log holds %v, want %v\n%s", got, want, r.errOut)
	}
	if second := results(t, out); second["b.JPG"] != first["b.JPG"] || second["a.png"] == first["a.png"] {
		t.Error("the results of the changed files are wrong")
	}

	// A file of somebody else.
	writeBytes(t, filepath.Join(out, "c.jpeg"), readBytes(t, filepath.Join(dir, "c.jpeg")))
	before := listing(t, out)
	if r, _ = restore(exitOutput); !strings.Contains(r.errOut, "c.jpeg was not written by spgd restore: --overwrite") {
		t.Errorf("stderr is %q", r.errOut)
	}
	delete(before, filepath.Join(out, batchLog)) // removed by this test
	if !maps.Equal(before, listing(t, out)) {
		t.Error("the refused run has changed files")
	}
	_, list = restore(exitOK, "--overwrite", "--json")
	if got := statuses(list); got["c.jpeg"] != statusDone || got["a.png"] != statusSkipped {
		t.Errorf("with --overwrite the log holds %v", got)
	}
	if results(t, out)["c.jpeg"] != first["c.jpeg"] {
		t.Error("the foreign file was not replaced by the result")
	}
}

// TestBatchJSON: with --json stdout is what the log gets, and an error a line of its own.
func TestBatchJSON(t *testing.T) {
	dir, out := batchFolder(t), t.TempDir()
	writeBytes(t, filepath.Join(dir, "b.JPG"), nil)
	r := invoke(t, slices.Concat([]string{"restore", dir, "-o", out, "--json", "-q"}, denoising)...)
	lines := strings.SplitAfter(strings.TrimSuffix(r.out, "\n"), "\n")
	if r.code != exitSome || len(lines) != 4 {
		t.Fatalf("exit code %d, stdout\n%s", r.code, r.out)
	}
	if log := string(readBytes(t, filepath.Join(out, batchLog))); log != strings.Join(lines[:3], "") {
		t.Errorf("the log is\n%sand stdout\n%s", log, r.out)
	}
	var last struct{ Error struct{ Code int } }
	if err := json.Unmarshal([]byte(lines[3]), &last); err != nil || last.Error.Code != exitSome {
		t.Errorf("the last line is %s", lines[3])
	}
	for _, e := range entries(t, filepath.Join(out, batchLog)) {
		if e.Status == statusDone && (e.Residual == nil || len(e.Settings) != 64 || e.Seconds <= 0) || e.Status == statusFailed && (e.Code != exitInput || e.Reason == "") {
			t.Errorf("an entry is %+v", e)
		}
	}
	p := mustRun(t, slices.Concat([]string{"restore", dir, "-o", out, "--json", "--dry-run"}, denoising)...)
	var plan planRecord
	if err := json.Unmarshal([]byte(p), &plan); err != nil || plan.Pictures != 3 || plan.Finished != 2 || plan.Failed != 1 || len(plan.Jobs) != 3 || plan.Jobs[0].Width != 20 {
		t.Errorf("the plan is %+v, %v\n%s", plan, err, p)
	}
}

// TestBatchJobs: the number of pictures at once changes no byte, and neither do patterns, the order or
// the folder's being named twice.
func TestBatchJobs(t *testing.T) {
	dir := t.TempDir()
	for i := range 6 {
		writeImage(t, filepath.Join(dir, string(rune('a'+i))+".png"), testImage(16, 16+4*(i%3), 3), imageio.WriteOptions{})
	}
	var want map[string]string
	for _, args := range [][]string{
		{dir, "--jobs", "1"}, {dir, "--jobs", "3"}, {filepath.Join(dir, "*.png"), "--threads", "1"},
		{filepath.Join(dir, "f.png"), dir, filepath.Join(dir, "[ab].png"), "--jobs", "2", "--threads", "4"},
	} {
		out := t.TempDir()
		mustRun(t, slices.Concat([]string{"restore"}, args, []string{"-o", out, "-q", "--task", "inpaint", "--mask", "random:0.5"}, quick)...)
		got := results(t, out)
		if want == nil {
			want = got
		}
		if len(got) != 6 || !maps.Equal(got, want) {
			t.Errorf("%q: other results: %q", args, sortedNames(got))
		}
	}
}

// TestFolderWithin: results in the folder of the inputs, or below it, are no inputs of the next run.
func TestFolderWithin(t *testing.T) {
	dir := t.TempDir()
	writeImage(t, filepath.Join(dir, "a.jpg"), testImage(16, 16, 3), imageio.WriteOptions{})
	for _, c := range []struct{ out, plan string }{
		{dir, "1 picture: 0 to restore, 0 megapixels, 1 finished (left out: 1 log, 1 result)\n"},
		{filepath.Join(dir, "out"), "1 picture: 0 to restore, 0 megapixels, 1 finished\n"},
	} {
		args := slices.Concat([]string{"restore", dir, "-o", c.out + "/", "--format", "png", "--recursive"}, denoising)
		mustRun(t, append(args, "-q")...)
		if text := mustRun(t, append(args, "--dry-run")...); !strings.HasSuffix(text, "\n"+c.plan) {
			t.Errorf("the next plan is\n%s", text)
		}
		for _, name := range []string{"a.png", batchLog} {
			if err := os.Remove(filepath.Join(c.out, name)); err != nil {
				t.Error(err)
			}
		}
	}
}

// TestBatchInterrupted: a batch that is interrupted says how far it came, and the same command goes on.
func TestBatchInterrupted(t *testing.T) {
	dir, out := batchFolder(t), t.TempDir()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	args := slices.Concat([]string{"restore", dir, "-o", out, "--jobs", "1"}, denoising)
	var errOut bytes.Buffer
	code := run(ctx, args, writerFunc(func(p []byte) (int, error) { cancel(); return len(p), nil }), &errOut)
	if code != exitInterrupted || !strings.Contains(errOut.String(), "interrupted with 1 of 3 pictures restored; the same command goes on") {
		t.Errorf("exit code %d: %s", code, errOut.String())
	}
	if got := sortedNames(results(t, out)); !slices.Equal(got, []string{"a.png"}) {
		t.Errorf("the results are %q", got)
	}
	mustRun(t, args...)
	if got := statuses(entries(t, filepath.Join(out, batchLog))[1:]); !maps.Equal(got, map[string]string{"a.png": statusSkipped, "b.JPG": statusDone, "c.jpeg": statusDone}) {
		t.Errorf("the second run gave %v", got)
	}
}

// TestBatchStdoutFails: a batch whose stdout has failed ends.
func TestBatchStdoutFails(t *testing.T) {
	dir, out := batchFolder(t), t.TempDir()
	var errOut bytes.Buffer
	code := run(context.Background(), slices.Concat([]string{"restore", dir, "-o", out, "--jobs", "1", "-q"}, denoising),
		writerFunc(func([]byte) (int, error) { return 0, os.ErrClosed }), &errOut)
	if code != exitOutput || !strings.Contains(errOut.String(), "cannot write the result") || len(results(t, out)) != 1 {
		t.Errorf("exit code %d: %s", code, errOut.String())
	}
}
