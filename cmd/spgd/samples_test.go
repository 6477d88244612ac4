package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seed-0f004ec9/spgd/imageio"
	"github.com/seed-0f004ec9/spgd/prior/checkpoint"
	"github.com/seed-0f004ec9/spgd/report"
)

// sampled is a restoration whose samples differ. From a low level most of their values stay within [-1,1].
const sampled = "restore --task sr --scale 2 --steps 3 --warmup 1 --sigma-max 0.3 --depth 16" + tiny + " photo.png -q -o "

// The result is the mean of samples that can be made alone, the spread theirs, and all of it can be
// repeated.
func TestSamples(t *testing.T) {
	dir := resumeFiles(t)
	read := func(name string) []float32 {
		img, _ := readImage(t, filepath.Join(dir, name))
		return img.Pix
	}
	r := parseRun(t, mustRun(t, command(dir, sampled+"out.png --samples 3 --keep-samples --spread out-spread.png --report out.html --json")...))
	if s := r.Samples; s == nil || s.Number != 3 || s.First != 1 || r.Cost.VJPs != 9 || len(r.Steps) != 9 {
		t.Errorf("samples %+v, cost %+v, %d steps, want 3 from 1, 9 and 9", s, r.Cost, len(r.Steps))
	}
	for i, s := range r.Steps {
		if s.Sample != i/3+1 || s.K != i%3 {
			t.Errorf("line %d of the steps is of step %d of sample %d", i, s.K, s.Sample)
		}
	}
	mustRun(t, command(dir, sampled+"out-plain.png")...)
	for n := 1; n <= 3; n++ {
		mustRun(t, command(dir, fmt.Sprintf(sampled+"out-alone-%d.png --first-sample %d", n, n))...)
		kept := fmt.Sprintf("out.sample-%d.png", n)
		alone := fmt.Sprintf("out-alone-%d.png", n)
		if !bytes.Equal(readBytes(t, filepath.Join(dir, kept)), readBytes(t, filepath.Join(dir, alone))) {
			t.Errorf("sample %d has other bytes than alone", n)
		}
		mustRun(t, command(dir, "restore -q --from "+kept+" photo.png -o out-again.png"+tiny)...)
	}
	if !bytes.Equal(readBytes(t, filepath.Join(dir, "out-plain.png")), readBytes(t, filepath.Join(dir, "out.sample-1.png"))) {
		t.Error("the first sample is not the restoration without samples")
	}

	// The files have 16 bits, which the mean and the spread are known by. Samples are clipped in theirs.
	a, b, c := read("out.sample-1.png"), read("out.sample-2.png"), read("out.sample-3.png")
	mean, picture := read("out.png"), read("out-spread.png")
	if len(picture) != len(mean)/3 {
		t.Fatalf("the spread has %d values for %d pixels", len(picture), len(mean)/3)
	}
	text, err := imageio.ReadMetadata(filepath.Join(dir, "out-spread.png"))
	if err != nil {
		t.Fatal(err)
	}
	var about spreadText
	if err := json.Unmarshal([]byte(text[spreadKey]), &about); err != nil {
		t.Fatal(err)
	}
	white := float64(*about.White)
	const step = 2.0 / 65535
	inside, sum, most := 0, 0.0, 0.0
	for p := range len(mean) / 3 {
		within := true
		square := 0.0
		for i := 3 * p; i < 3*p+3; i++ {
			x, y, z := float64(a[i]), float64(b[i]), float64(c[i])
			within = within && max(x, y, z) < 1 && min(x, y, z) > -1
			m := (x + y + z) / 3
			square += ((x-m)*(x-m) + (y-m)*(y-m) + (z-m)*(z-m)) / 2 / 3
			if within && math.Abs(float64(mean[i])-m) > step {
				t.Fatalf("value %d of the mean is %g, of the samples %g", i, mean[i], m)
			}
		}
		got := (float64(picture[p]) + 1) / 2 * white
		sum, most = sum+got, max(most, got)
		if !within {
			continue
		}
		inside++
		if want := min(math.Sqrt(square), white); math.Abs(got-want) > 2*step {
			t.Fatalf("the spread of pixel %d is %g, of the samples %g", p, got, want)
		}
	}
	if inside < len(mean)/12 {
		t.Errorf("only %d of %d pixels could be compared", inside, len(mean)/3)
	}
	if got := sum / float64(len(mean)/3); r.Spread == nil || math.Abs(float64(r.Spread.Mean)-got) > 0.01*got || float64(r.Spread.Max) < most-step || about.Spread != *r.Spread {
		t.Errorf("the record says %+v, the picture %g and %g, its text %+v", r.Spread, got, most, about.Spread)
	}
	if run, err := report.Parse(about.Run); err != nil || run.Samples.Number != 3 || run.Input.SHA256 != r.Input.SHA256 {
		t.Errorf("the spread's record is %+v (%v)", run, err)
	}
	page := string(readBytes(t, filepath.Join(dir, "out.html")))
	for _, want := range []string{"Where the samples differ", "mean of 3 samples", "of the first sample"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %q", want)
		}
	}

	// Repeated, with the spread as numbers.
	out := mustRun(t, command(dir, "restore --from out.png photo.png -o out-again.png --spread out-spread.safetensors"+tiny)...)
	if !strings.Contains(out, "mean of 3 samples with a spread of ") || !strings.Contains(out, ", identical to ") {
		t.Errorf("stdout %q", out)
	}
	f, err := checkpoint.Open(filepath.Join(dir, "out-spread.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	numbers := f.Tensors["spread"]
	if !slices.Equal(numbers.Shape, []int{16, 24, 3}) || f.Metadata["format"] != spreadFormat {
		t.Errorf("the file holds %v, %v", numbers.Shape, f.Metadata)
	}
	for p := range picture {
		square := 0.0
		for _, v := range numbers.Data[3*p:][:3] {
			square += float64(v) * float64(v) / 3
		}
		if got := (float64(picture[p]) + 1) / 2 * white; math.Abs(got-min(math.Sqrt(square), white)) > step {
			t.Fatalf("pixel %d is %g in the picture and %g in numbers", p, got, math.Sqrt(square))
		}
	}
	checkError(t, invoke(t, command(dir, "restore -q --from out.png photo.png --samples 2 -o out-again.png"+tiny)...), exitUsage, "--samples is not for --from")
}

// --starts makes the result the start with the smallest residual, as bench does, and all of it can be repeated.
func TestStarts(t *testing.T) {
	dir := resumeFiles(t)
	writeImage(t, filepath.Join(dir, "square.png"), testImage(16, 16, 3), imageio.WriteOptions{})
	const spec = " --method spgd:steps=3,warmup=1 --size 16 -q"
	mustRun(t, command(dir, "bench square.png --task phase@0.05*3"+spec+tiny+" -o out-results")...)
	cell := cells(t, filepath.Join(dir, "out-results"))[0]

	mustRun(t, command(dir, fmt.Sprintf("degrade --task phase --noise 0.05 --seed %d square.png -q -o out-y.safetensors", cell.Draw))...)
	line := fmt.Sprintf("restore out-y.safetensors --seed %d --steps 3 --warmup 1 --depth 16 --json"+tiny+" -q -o ", cell.Draw)
	r := parseRun(t, mustRun(t, command(dir, line+"out.png --starts 3 --keep-samples --report out.html")...))
	if r.Samples == nil || *r.Samples != (report.Samples{Number: 3, First: 1, Choose: report.ChosenByResidual}) || r.Cost.VJPs != 9 || r.Spread != nil || r.Starts == nil || len(r.Starts.Residuals) != 3 {
		t.Fatalf("samples %+v, starts %+v, cost %+v", r.Samples, r.Starts, r.Cost)
	}
	least := 0
	for i, v := range r.Starts.Residuals {
		if math.Abs(float64(v-cell.Residuals[i])) > 1e-6 {
			t.Errorf("start %d has the residual %g, in bench %g", i+1, v, cell.Residuals[i])
		}
		if v < r.Starts.Residuals[least] {
			least = i
		}
	}
	if r.Starts.Chosen != least+1 {
		t.Errorf("start %d is chosen, %d has the smallest residual", r.Starts.Chosen, least+1)
	}
	for n := 1; n <= 3; n++ {
		kept, _ := readImage(t, filepath.Join(dir, fmt.Sprintf("out.sample-%d.png", n)))
		out, _ := readImage(t, filepath.Join(dir, "out.png"))
		if same := slices.Equal(kept.Pix, out.Pix); same != (n == r.Starts.Chosen) {
			t.Errorf("the result is start %d: %v, chosen is %d", n, same, r.Starts.Chosen)
		}
	}
	if page := string(readBytes(t, filepath.Join(dir, "out.html"))); !strings.Contains(page, fmt.Sprintf("of which number %d has the smallest residual", r.Starts.Chosen)) || !strings.Contains(page, "of the first start") {
		t.Error("the page does not say which start was chosen")
	}
	out := mustRun(t, command(dir, "restore --from out.png out-y.safetensors -o out-again.png"+tiny)...)
	if !strings.Contains(out, ", identical to ") || !strings.Contains(out, fmt.Sprintf("start %d of 1 to 3 by its residual", r.Starts.Chosen)) {
		t.Errorf("stdout %q", out)
	}
	// Starts 2 and 3 alone; and one is none to choose from.
	two := parseRun(t, mustRun(t, command(dir, line+"out-2.png --starts 2 --first-sample 2")...))
	if want := r.Starts.Residuals[1:]; !slices.Equal(two.Starts.Residuals, want) || two.Starts.Chosen < 2 {
		t.Errorf("starts 2 and 3 are %+v, want %v", two.Starts, want)
	}
	if one := parseRun(t, mustRun(t, command(dir, line+"out-1.png --starts 1")...)); one.Starts != nil || one.Samples != nil {
		t.Errorf("one start is %+v", one.Starts)
	}
	for args, want := range map[string]string{
		"--starts 0": "--starts 0", "--starts 65": "1 to 64", "--starts 2 --samples 2": "mean of 2 samples", "--starts 2 --quality best": "--quality best",
		"--starts 2 --spread out-s.png": "--spread", "--starts 3 --first-sample 255": "--first-sample 255: it must be 1 to 254",
	} {
		checkError(t, invoke(t, command(dir, line+"out-bad.png "+args)...), exitUsage, want)
	}
}

// --quality best is several samples; where all would be the same it is one run, and says so.
func TestQualityBest(t *testing.T) {
	dir := resumeFiles(t)
	same := func(a, b string) {
		t.Helper()
		if !bytes.Equal(readBytes(t, filepath.Join(dir, a)), readBytes(t, filepath.Join(dir, b))) {
			t.Errorf("%s and %s differ", a, b)
		}
	}
	mustRun(t, command(dir, sampled+"out-best.png --quality best")...)
	mustRun(t, command(dir, sampled+"out-4.png --samples 4")...)
	about := invoke(t, command(dir, strings.Replace(sampled, " -q", "", 1)+"out-2.png --quality best --samples 2 --spread out-spread.png")...)
	if about.code != exitOK || !strings.Contains(about.errOut, "the spread is far below the error") {
		t.Errorf("exit code %d, the log does not say what the spread is: %s", about.code, about.errOut)
	}
	for i, other := range []string{"--preset posterior", "--step-size 0.1"} { // draws, and steps of which that was not measured
		about = invoke(t, command(dir, strings.Replace(sampled, " -q", "", 1)+fmt.Sprintf("out-o%d.png %s --samples 2 --spread out-o%d-spread.png", i, other, i))...)
		if about.code != exitOK || strings.Contains(about.errOut, "far below") {
			t.Errorf("%s: exit code %d: %s", other, about.code, about.errOut)
		}
	}
	r := parseRun(t, mustRun(t, command(dir, "restore -q --json --from out-2.png photo.png -o out-again.png"+tiny)...))
	same("out-best.png", "out-4.png")
	if r.Samples == nil || r.Samples.Number != 2 {
		t.Errorf("%+v samples, want 2", r.Samples)
	}

	const denoised = "restore --task denoise --noise 0.1" + tiny + " photo.png -o "
	mustRun(t, command(dir, denoised+"out-one.png -q")...)
	got := invoke(t, command(dir, denoised+"out-same.png --quality best --first-sample 3")...)
	if got.code != exitOK || !strings.Contains(got.errOut, "every sample would be the same") || strings.Contains(got.out, "samples") {
		t.Errorf("exit code %d: %s%s", got.code, got.out, got.errOut)
	}
	same("out-one.png", "out-same.png")
	// Another method draws random numbers.
	r = parseRun(t, mustRun(t, command(dir, denoised+"out-ddrm.png -q --json --method ddrm --set steps=2 --samples 2 --spread out-ddrm-spread.png")...))
	if r.Cost.NFE != 4 || r.Spread == nil || r.Spread.Mean <= 0 {
		t.Errorf("ddrm: cost %+v, spread %+v", r.Cost, r.Spread)
	}
}

// An interruption in the midst of a sample loses nothing, and the samples before it have been kept.
func TestInterruptSamples(t *testing.T) {
	dir := resumeFiles(t)
	const line = "restore --task sr --scale 2 --steps 6 --warmup 1 --samples 3 --keep-samples" + tiny + " photo.png -o "
	mustRun(t, command(dir, line+"whole.png")...)
	r := interrupt(t, "sample 2 of 3, step 3 of 6", command(dir, line+"out.png")...)
	if r.code != exitInterrupted || !strings.Contains(r.errOut, "interrupted: finishing step ") || !strings.Contains(r.errOut, " of sample 2 first") || !strings.Contains(r.errOut, " of sample 2 of 3; ") {
		t.Fatalf("exit code %d: %s", r.code, r.errOut)
	}
	if got := names(t, dir); !slices.Contains(got, "out.sample-1.png") || slices.Contains(got, "out.sample-2.png") || !slices.Contains(got, "out.png.checkpoint") {
		t.Errorf("the folder holds %q", got)
	}
	checkError(t, invoke(t, append(command(dir, line+"out.png --samples 4"), "-q")...), exitInput, "samples.number is 4 here and 3 in it")
	first := filepath.Join(dir, "out.sample-1.png")
	if err := os.Rename(first, first+".away"); err != nil {
		t.Fatal(err)
	}
	checkError(t, invoke(t, append(command(dir, line+"out.png"), "-q")...), exitInput, "goes on after sample 1, of which there is no ")
	if err := os.Rename(first+".away", first); err != nil {
		t.Fatal(err)
	}
	out := mustRun(t, command(dir, line+"out.png")...)
	if !strings.Contains(out, ", resumed after step ") || !strings.Contains(out, " of sample 2") {
		t.Errorf("stdout %q", out)
	}
	for _, name := range []string{".png", ".sample-1.png", ".sample-2.png", ".sample-3.png"} {
		if !bytes.Equal(readBytes(t, filepath.Join(dir, "out"+name)), readBytes(t, filepath.Join(dir, "whole"+name))) {
			t.Errorf("out%s has other bytes than of an undisturbed run", name)
		}
	}
	if got := names(t, dir); len(got) != 10 {
		t.Errorf("the folder holds %q", got)
	}
}

// Pictures of a folder get samples too, and are finished only with as many.
func TestSamplesOfFolder(t *testing.T) {
	dir := resumeFiles(t)
	writeImage(t, filepath.Join(dir, "second.png"), testImage(12, 8, 3), imageio.WriteOptions{})
	writeBytes(t, filepath.Join(dir, "jobs.jsonl"), []byte(`{"input": "photo.png", "task": "sr", "scale": 2, "samples": 3, "first-sample": 2}
{"input": "second.png", "task": "denoise", "noise": 0.1}
`))
	args := func(more string) []string {
		return append(command(dir, "restore -q --steps 3 --warmup 1"+tiny+" "+more), "--manifest", filepath.Join(dir, "jobs.jsonl"), "-o", filepath.Join(dir, "results"))
	}
	var plan planRecord
	if err := json.Unmarshal([]byte(mustRun(t, args("--samples 2 --dry-run --json")...)), &plan); err != nil {
		t.Fatal(err)
	}
	if plan.Jobs[0].Samples != 3 || plan.Jobs[1].Samples != 2 {
		t.Errorf("the plan is %+v", plan.Jobs)
	}
	out := mustRun(t, args("--samples 2")...)
	if !strings.Contains(out, "mean of 3 samples") || strings.Count(out, "samples") != 1 {
		t.Errorf("stdout %q", out)
	}
	mustRun(t, command(dir, "restore -q --steps 3 --warmup 1 --task sr --scale 2 --samples 3 --first-sample 2"+tiny+" photo.png -o alone.png")...)
	if !bytes.Equal(readBytes(t, filepath.Join(dir, "alone.png")), readBytes(t, filepath.Join(dir, "results", "photo.png"))) {
		t.Error("the picture has other bytes than alone")
	}
	// Denoising makes one, so that it is finished for any number.
	for more, want := range map[string]string{"--samples 2": "finished", "--samples 5": "finished", "--first-sample 4": "finished"} {
		if out := mustRun(t, args(more)...); strings.Count(out, want) != 2 {
			t.Errorf("%s: stdout %q, want both %s", more, out, want)
		}
	}
	text := strings.Replace(string(readBytes(t, filepath.Join(dir, "jobs.jsonl"))), `"samples": 3`, `"samples": 2`, 1)
	writeBytes(t, filepath.Join(dir, "jobs.jsonl"), []byte(text))
	if out := mustRun(t, args("--dry-run")...); !strings.Contains(out, "made again: samples.number is 2 here and 3 in ") || strings.Count(out, "finished") != 2 {
		t.Errorf("the plan is %q", out)
	}
	checkError(t, invoke(t, args("--samples 2 --spread "+filepath.Join(dir, "out.png"))...), exitUsage, "--spread is for one picture")
}
