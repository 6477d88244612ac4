package main

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seed-0f004ec9/spgd/imageio"
	"github.com/seed-0f004ec9/spgd/internal/pjrttest"
	"github.com/seed-0f004ec9/spgd/measurement"
	"github.com/seed-0f004ec9/spgd/prior/checkpoint"
	"github.com/seed-0f004ec9/spgd/resume"
)

// deviceFolder fills a folder with n pictures of one size and returns it with the command line that restores them on the device of a plugin, but for the folder of the outputs.
func deviceFolder(t *testing.T, n int) (dir string, args []string) {
	t.Helper()
	device := "xla:" + pjrttest.Plugin(t, pjrttest.Works)
	dir = t.TempDir()
	for i := range n {
		m := testImage(16, 16, 3)
		for k := range m.Pix {
			m.Pix[k] *= float32(math.Cos(float64(k * (i + 1)))) // each its own
		}
		writeImage(t, filepath.Join(dir, fmt.Sprintf("in%d.png", i)), m, imageio.WriteOptions{})
	}
	prior := filepath.Join(t.TempDir(), "tiny.safetensors")
	writeCheckpoint(t, prior, func(tensors map[string]checkpoint.Tensor, _ map[string]string) {
		for i := range tensors["out.2.weight"].Data {
			tensors["out.2.weight"].Data[i] = 0.02 * float32(math.Sin(float64(3*i)))
		}
	})
	return dir, append(strings.Fields("restore --task inpaint --mask random:0.5 --noise 0.05 --steps 3 --warmup 2 --device "+device+" --prior "+prior), dir)
}

// levels is the largest difference of two pictures, in levels of 8 bits.
func levels(t *testing.T, a, b string) (worst float64) {
	t.Helper()
	m, _ := readImage(t, a)
	n, _ := readImage(t, b)
	for i, v := range m.Pix {
		worst = max(worst, math.Abs(float64(v-n.Pix[i]))*127.5)
	}
	return worst
}

// batchOf is the size of the batch that a result says it was computed in.
func batchOf(t *testing.T, path string) int {
	t.Helper()
	r, err := recordIn(path)
	if err != nil || r == nil {
		t.Fatalf("%s: no record: %v", path, err)
	}
	return r.Batch
}

// TestFolderOnDevice: on an accelerator the pictures of a folder that are alike are restored as batches, to what each
// gives alone up to rounding, one that fails is no matter to the others, and everything else is as on the CPU.
func TestFolderOnDevice(t *testing.T) {
	dir, args := deviceFolder(t, 5)
	writeImage(t, filepath.Join(dir, "other.png"), testImage(16, 24, 3), imageio.WriteOptions{})
	broken := readBytes(t, filepath.Join(dir, "in3.png"))
	writeBytes(t, filepath.Join(dir, "in3a.png"), broken[:len(broken)-40]) // its size can be read
	alone, out, small := t.TempDir(), t.TempDir(), t.TempDir()
	count := func(to string, more ...string) (runs int, r result) {
		t.Helper()
		before := pjrttest.Runs()
		r = invoke(t, slices.Concat(args, []string{"-o", to}, more)...)
		if r.code != exitSome || strings.Count(r.errOut, "spgd: failed: "+filepath.Join(dir, "in3a.png")) != 1 {
			t.Fatalf("exit status %d: %s", r.code, r.errOut)
		}
		return pjrttest.Runs() - before, r
	}
	single, _ := count(alone, "--jobs", "1")
	together, r := count(out)
	if together > single/2 {
		t.Errorf("programs were run %d times in batches, %d times one by one", together, single)
	}
	if !strings.Contains(r.errOut, "in0.png and 4 more step 1 of 3") {
		t.Errorf("the progress does not tell of a batch: %s", r.errOut)
	}
	// Programs take no more than three of the pictures.
	weights := 0
	file, err := checkpoint.Open(args[slices.Index(args, "--prior")+1])
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range file.Tensors {
		weights += 4 * len(w.Data)
	}
	pjrttest.Limit = weights + 60*4*16*16*3 // of some 15 arrays an image in and out of a step
	defer func() { pjrttest.Limit = 0 }()
	count(small)
	pjrttest.Limit = 0

	want := map[string]string{}
	for i := range 5 {
		name := fmt.Sprintf("in%d.png", i)
		want[name] = statusDone
		for to, size := range map[string]int{alone: 0, out: 6, small: 3} { // 6 with the one that fails
			if got := batchOf(t, filepath.Join(to, name)); got != size {
				t.Errorf("%s was computed in a batch of %d, want %v", name, got, size)
			}
			if worst := levels(t, filepath.Join(alone, name), filepath.Join(to, name)); worst > 1 {
				t.Errorf("%s differs by %g levels", name, worst)
			}
		}
	}
	want["other.png"], want["in3a.png"] = statusDone, statusFailed
	for _, to := range []string{alone, out, small} {
		list := entries(t, filepath.Join(to, batchLog))
		if got := statuses(list); !maps.Equal(got, want) {
			t.Errorf("the log says %v", got)
		}
		for _, e := range list {
			if e.Seconds <= 0 || e.Status == statusDone && (e.Residual == nil || e.Settings == "") || e.Status == statusFailed && e.Code != exitInput {
				t.Errorf("the log's line is %+v", e)
			}
		}
		if got := sortedNames(results(t, to)); len(got) != 6 {
			t.Errorf("the results are %q", got)
		}
	}
	// The same command finds them finished, whatever their batch was.
	again := invoke(t, slices.Concat(args, []string{"-o", out, "--dry-run"})...)
	if again.code != exitOK || !strings.Contains(again.out, "7 pictures: 1 to restore") {
		t.Errorf("the next plan is %s%s", again.out, again.errOut)
	}
	// A result of a batch is not repeated alone without a word.
	prior, device := args[slices.Index(args, "--prior")+1], args[slices.Index(args, "--device")+1]
	repeat := []string{"restore", "--device", device, "--prior", prior, filepath.Join(dir, "in1.png"), "-o", filepath.Join(t.TempDir(), "again.png"), "--from"}
	if r := invoke(t, append(repeat, filepath.Join(out, "in1.png"))...); r.code != exitDifferent || !strings.Contains(r.errOut, "batch is not set here and ") {
		t.Errorf("--from: exit status %d: %s", r.code, r.errOut)
	}
	mustRun(t, append(repeat, filepath.Join(alone, "in1.png"))...)
}

// TestFolderOnDeviceDiverges: of a batch of which one picture diverges, that one fails, as it does alone.
func TestFolderOnDeviceDiverges(t *testing.T) {
	dir, args := deviceFolder(t, 4)
	args = slices.DeleteFunc(args, func(a string) bool {
		return a == "--task" || a == "inpaint" || a == "--mask" || a == "random:0.5" || a == "--noise" || a == "0.05"
	})
	files := t.TempDir()
	for i := range 4 {
		path := filepath.Join(files, fmt.Sprintf("y%d.safetensors", i))
		mustRun(t, "degrade", "--task", "inpaint", "--mask", "random:0.5", "--noise", "0.05", "-q", filepath.Join(dir, fmt.Sprintf("in%d.png", i)), "-o", path)
		if i != 2 {
			continue
		}
		m, err := measurement.Load(path)
		if err != nil {
			t.Fatal(err)
		}
		for k := range m.Y {
			m.Y[k] *= 1e25 // whose square is beyond float32
		}
		if err := m.Save(path); err != nil {
			t.Fatal(err)
		}
	}
	args[len(args)-1] = files
	out := t.TempDir()
	r := invoke(t, append(args, "-o", out)...)
	if r.code != exitSome {
		t.Fatalf("exit status %d: %s", r.code, r.errOut)
	}
	for _, e := range entries(t, filepath.Join(out, batchLog)) {
		if diverges := strings.Contains(e.Input, "y2"); diverges != (e.Status == statusFailed && e.Code == exitDiverged && strings.Contains(e.Reason, "diverged at step 1 of 3")) {
			t.Errorf("%+v", e)
		}
	}
	for _, i := range []int{0, 1, 3} {
		if got := batchOf(t, filepath.Join(out, fmt.Sprintf("y%d.png", i))); got != 4 { // the programs that are compiled
			t.Errorf("picture %d was restored in a batch of %d", i, got)
		}
	}
}

// TestFolderOnDeviceInterrupted: every picture of a batch that is interrupted has a checkpoint of its own, from which it
// goes on, in another batch too, and one without begins anew. The results are those of an undisturbed run.
func TestFolderOnDeviceInterrupted(t *testing.T) {
	_, args := deviceFolder(t, 4)
	whole, out := t.TempDir(), t.TempDir()
	mustRun(t, append(args, "-o", whole, "-q")...)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var errOut bytes.Buffer
	code := run(ctx, append(args, "-o", out), &bytes.Buffer{}, writerFunc(func(p []byte) (int, error) {
		errOut.Write(p)
		if strings.Contains(string(p), "step 1 of 3") {
			cancel()
		}
		return len(p), nil
	}))
	if code != exitInterrupted || !strings.Contains(errOut.String(), "in0.png and 3 more: interrupted: finishing step 1 of 3 first") ||
		!strings.Contains(errOut.String(), "interrupted with 0 of 4 pictures restored; the same command goes on") {
		t.Fatalf("exit status %d: %s", code, errOut.String())
	}
	var paths []string
	for i := range 4 {
		paths = append(paths, filepath.Join(out, fmt.Sprintf("in%d.png%s", i, checkpointExtension)))
		if f, err := resume.Load(paths[i]); err != nil || f.Run.Step != 1 || len(f.Run.Images) != 1 {
			t.Fatalf("checkpoint %d: %+v, %v", i, f, err)
		}
	}
	if err := os.Remove(paths[2]); err != nil { // as if killed before it was written
		t.Fatal(err)
	}
	text := mustRun(t, append(args, "-o", out)...)
	if n := strings.Count(text, "resumed after step 1"); n != 3 || strings.Count(text, "\n") != 4 {
		t.Errorf("%d pictures went on: %s", n, text)
	}
	if got := sortedNames(results(t, out)); len(got) != 4 {
		t.Errorf("the folder holds %q", got)
	}
	for i := range 4 {
		name := fmt.Sprintf("in%d.png", i)
		if worst := levels(t, filepath.Join(whole, name), filepath.Join(out, name)); worst > 1 {
			t.Errorf("%s differs by %g levels", name, worst)
		}
		if got := batchOf(t, filepath.Join(out, name)); got != 4 { // the one that begins anew by the others' programs
			t.Errorf("%s was computed in a batch of %d, want 4", name, got)
		}
	}
}

// TestFolderOnDeviceMasks: pictures that differ in their masks are restored by the programs of one.
func TestFolderOnDeviceMasks(t *testing.T) {
	dir, args := deviceFolder(t, 3)
	args = args[:len(args)-1]
	compiled := func(lines int) int {
		t.Helper()
		var text []byte
		for i := range lines {
			text = fmt.Appendf(text, "{\"input\": %q, \"seed\": %d}\n", filepath.Join(dir, fmt.Sprintf("in%d.png", i)), i)
		}
		manifest, out := filepath.Join(t.TempDir(), "jobs.jsonl"), t.TempDir()
		writeBytes(t, manifest, text)
		before := len(pjrttest.Programs())
		mustRun(t, append(args, "--manifest", manifest, "-o", out, "-q")...)
		n := len(pjrttest.Programs()) - before
		for i := range lines {
			name := fmt.Sprintf("in%d.png", i)
			alone := filepath.Join(t.TempDir(), name)
			mustRun(t, append(args, "--seed", fmt.Sprint(i), filepath.Join(dir, name), "-o", alone, "-q")...)
			if worst := levels(t, alone, filepath.Join(out, name)); worst > 0 {
				t.Errorf("%s differs by %g levels from the one restored alone", name, worst)
			}
		}
		return n
	}
	one, three := compiled(1), compiled(3)
	if one != 4 || three != one { // for the start, the steps, the end and the residual
		t.Errorf("%d programs were compiled for one mask and %d for three, want 4", one, three)
	}
}
