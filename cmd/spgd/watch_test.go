package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seed-0f004ec9/spgd/imageio"
	"github.com/seed-0f004ec9/spgd/report"
	"github.com/seed-0f004ec9/spgd/sampler"
)

// A page and previews change nothing about the result, and the page tells of this run.
func TestReportAndPreview(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	writeImage(t, in("photo.png"), testImage(24, 40, 1), imageio.WriteOptions{Depth: 16, Alpha: solid(24, 40, 0.25)})
	restore := func(more string) string {
		return mustRun(t, command(dir, "restore --task denoise --noise 0.05 photo.png --preset paper --sigma-max 10 --steps 3 --warmup 1 -q --json "+more)...)
	}
	restore("-o out.png")
	run := parseRun(t, restore("-o out2.png --preview out3.png --preview-every 2 --report out.html"))
	if !bytes.Equal(readBytes(t, in("out.png")), readBytes(t, in("out2.png"))) {
		t.Error("the result is another one")
	}
	page := string(readBytes(t, in("out.html")))
	for _, want := range []string{"photo.png", "Denoising (denoise)", "gaussian noise of σ = 0.05", run.Input.SHA256[:16], "Step 1, σ = 10", "Step 3, σ = 0.1", "24"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if n := strings.Count(page, `src="data:image/`); n != 2+1+3 {
		t.Errorf("the page has %d pictures, want before, after, residual and 3 estimates", n)
	}
	img, info := readImage(t, in("out3.png"))
	if img.Width != 40 || img.Height != 24 || !info.Gray || info.Alpha == nil || info.BitDepth != 16 {
		t.Errorf("the preview is %dx%d, %+v", img.Width, img.Height, info)
	}
	if text, err := imageio.ReadMetadata(in("out3.png")); err != nil || text[report.MetadataKey] != "" {
		t.Errorf("the preview claims to be a result: %q, %v", text, err)
	}
	// The last estimate is the last denoise step's target, which the result at sigma 0 is.
	final, _ := readImage(t, in("out2.png"))
	if d := rms(img, final); d > 0.02 {
		t.Errorf("RMS between the last preview and the result is %g", d)
	}
	// Both may be asked for when a result is repeated.
	mustRun(t, command(dir, "restore --from out2.png photo.png -q -o out4.png --report out.html --preview out3.png --preview-every 1")...)

	// Measurements that are no pictures have a page too.
	writeImage(t, in("small.png"), testImage(16, 16, 3), imageio.WriteOptions{})
	mustRun(t, command(dir, "degrade --task phase small.png -o y.safetensors --noise 0.05 -q")...)
	mustRun(t, append(command(dir, "restore y.safetensors -o out5.png --report out6.html"), few...)...)
	if page := string(readBytes(t, in("out6.html"))); !strings.Contains(page, "Phase retrieval") || strings.Contains(page, `type="range"`) {
		t.Error("the page about amplitudes compares what cannot be compared")
	}
}

// A preview has the picture's own orientation, depth and colours, as the result has.
func TestPreviewIsLikeTheResult(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	p3 := readBytes(t, "../../internal/icc/testdata/p3-para3.icc")
	turned := []byte("MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00\x00\x00\x00\x00")
	writeImage(t, in("photo.png"), testImage(18, 24, 3), imageio.WriteOptions{Profile: p3, EXIF: turned, Depth: 16})
	mustRun(t, append(command(dir, "restore --task denoise --noise 0.05 photo.png -o out.png --preview out2.png"), few...)...)
	result, of := readImage(t, in("out.png"))
	shown, preview := readImage(t, in("out2.png"))
	if !bytes.Equal(preview.Profile, p3) || !bytes.Equal(preview.EXIF, of.EXIF) || len(preview.EXIF) == 0 || preview.BitDepth != 16 || shown.Width != 18 || shown.Height != 24 {
		t.Errorf("the preview is %dx%d, %+v", shown.Width, shown.Height, preview)
	}
	if d := rms(result, shown); d > 0.02 {
		t.Errorf("RMS between the last preview and the result is %g", d)
	}
}

// due is asked with the clock of the run: 3 % of the time are for previews, and the last step always
// has one.
func TestPreviewIsDue(t *testing.T) {
	at := func(k int, elapsed time.Duration) *sampler.Snapshot {
		return &sampler.Snapshot{StepRecord: sampler.StepRecord{K: k, Steps: 100, Elapsed: elapsed}}
	}
	p := &preview{}
	if !p.due(at(0, time.Second)) {
		t.Error("no first preview")
	}
	p.took, p.end = 3*time.Second, 10*time.Second
	for seconds, want := range map[int]bool{11: false, 100: false, 111: true} {
		if got := p.due(at(5, time.Duration(seconds)*time.Second)); got != want {
			t.Errorf("after %d s: %v", seconds, got)
		}
	}
	if !p.due(at(99, 11*time.Second)) {
		t.Error("no last preview")
	}
	p = &preview{every: 4, took: time.Hour}
	for k := range 100 {
		if got := p.due(at(k, 0)); got != (k%4 == 3) {
			t.Errorf("step %d of every 4: %v", k, got)
		}
	}
	p.failed = true
	if p.due(at(99, 0)) {
		t.Error("a preview after one has failed")
	}
}

// A preview that cannot be written is one warning, and no preview is tried again.
func TestPreviewFails(t *testing.T) {
	var text bytes.Buffer
	p := &preview{restoration: &restoration{console: newConsole(&text, &text)}, output: outputOptions{path: filepath.Join(t.TempDir(), "gone", "p.png")}}
	p.note(p.save(testImage(8, 8, 3)))
	if got := text.String(); !p.failed || !strings.Contains(got, "warning: there will be no more previews") || !strings.Contains(got, "does not exist") || strings.Count(got, "\n") != 1 {
		t.Errorf("failed %v: %s", p.failed, got)
	}
	p.failed = false
	p.output.path = filepath.Join(t.TempDir(), "p.png")
	if p.note(p.save(testImage(8, 8, 3))); p.failed {
		t.Error("a preview that was written has failed")
	}
}
