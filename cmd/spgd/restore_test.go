package main

import (
	"encoding/json"
	"errors"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seed-0f004ec9/spgd/engine"
	"github.com/seed-0f004ec9/spgd/engine/cpu"
	"github.com/seed-0f004ec9/spgd/imageio"
	"github.com/seed-0f004ec9/spgd/report"
)

// few asks for as little sampling with the published step as there can be.
var few = []string{"--preset", "paper", "--steps", "2", "--warmup", "1", "-q"}

// parseRun reads the record that a command printed.
func parseRun(t *testing.T, out string) *report.Run {
	t.Helper()
	r, err := report.Parse([]byte(out))
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if d := json.NewDecoder(strings.NewReader(out)); d.Decode(&struct{}{}) != nil || d.More() {
		t.Fatalf("stdout is not one JSON object:\n%s", out)
	}
	return r
}

// TestEveryTask: what degrade writes, restore reads, through a picture and through a measurement.
func TestEveryTask(t *testing.T) {
	for _, c := range []struct {
		name, task    string // of the photo
		back          string // of the picture
		operator      string // of the restoration from the picture
		width, height int    // of the restored image
		width2        int    // of the picture
	}{
		{"super-resolution", "--task sr --scale 2", "--task sr --scale 2", "sr:2", 40, 32, 20},
		{"random inpainting", "--task inpaint --mask random:0.8", "--task inpaint --mask y.mask.png", "inpaint:mask", 40, 32, 40},
		{"box inpainting", "--task inpaint --mask box:12", "--task inpaint --mask y.mask.png", "inpaint:mask", 40, 32, 40},
		{"inverted mask", "--task inpaint --mask random:0.3 --invert-mask", "--task inpaint --mask y.mask.png", "inpaint:mask", 40, 32, 40},
		{"Gaussian deblurring", "--task deblur --kernel gaussian:1.5", "--task deblur --kernel y.kernel.png", "deblur:kernel", 40, 32, 40},
		{"motion deblurring", "--task deblur --kernel motion:7:30", "--task deblur --kernel motion:7:30", "deblur:motion:7:30", 40, 32, 40},
		{"denoising", "--task denoise", "--task denoise", "denoise", 40, 32, 40},
		{"Poisson denoising", "--task denoise --noise-model poisson", "--task denoise --noise-model poisson", "denoise", 40, 32, 40},
		{"colourisation", "--task colorize", "--task colorize", "colorize", 40, 32, 40},
		{"highlights", "--task hdr", "--task hdr", "hdr", 40, 32, 40},
		{"phase retrieval", "--task phase", "", "phase", 40, 32, 60},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			in := func(name string) string { return filepath.Join(dir, name) }
			writeImage(t, in("photo.png"), testImage(32, 40, 3), imageio.WriteOptions{})

			args := strings.Fields("degrade photo.png -o y.safetensors --noise 0.02 --seed 7 --json " + c.task)
			y := parseRun(t, mustRun(t, command(dir, strings.Join(args, " "))...))
			if y.Command != "degrade" || y.Measurement.Width != c.width2 || y.Seed != 7 || y.Noise.Sigma != 0.02 {
				t.Errorf("the record of the degradation is %+v", y)
			}
			r := parseRun(t, mustRun(t, append(command(dir, "restore y.safetensors -o out.png --sigma-max 100 --json"), few...)...))
			checkRun(t, r, y.Operator, c.width, c.height)
			if r.Noise != y.Noise {
				t.Errorf("noise %+v, the measurement has %+v", r.Noise, y.Noise)
			}
			img, _ := readImage(t, in("out.png"))
			if img.Width != c.width || img.Height != c.height || img.Channels != 3 {
				t.Errorf("restored to %dx%d with %d channels", img.Width, img.Height, img.Channels)
			}
			if c.back == "" {
				return
			}
			mustRun(t, command(dir, "degrade photo.png -o y.png --noise 0.02 --seed 7 -q "+c.task)...)
			r = parseRun(t, mustRun(t, append(command(dir, "restore y.png -o out2.png --noise 0.02 --sigma-max 100 --json "+c.back), few...)...))
			checkRun(t, r, c.operator, c.width, c.height)
			again, _ := readImage(t, in("out2.png"))
			// The picture's rounding and clipping is all that tells the two ways apart.
			if d := rms(img, again); d > 0.03 {
				t.Errorf("restored from the picture and from the measurement: RMS difference %g", d)
			}
		})
	}
}

func checkRun(t *testing.T, r *report.Run, operator string, width, height int) {
	t.Helper()
	if r.Command != "restore" || r.Operator != operator || r.Image != (report.Size{Width: width, Height: height, Channels: 3}) {
		t.Errorf("command %s, operator %s, image %+v", r.Command, r.Operator, r.Image)
	}
	if *r.Cost != (report.Cost{Forwards: 2, VJPs: 2, NFE: 4}) || len(r.Steps) != 2 || r.Steps[1].NFE != 4 {
		t.Errorf("cost %+v with %d steps", *r.Cost, len(r.Steps))
	}
	if r.Padded.Width%16 != 0 || r.Padded.Width < width || r.Padded.Width >= width+16 {
		t.Errorf("padded to %+v", *r.Padded)
	}
	if rms := float64(r.DataFit.ResidualRMS); !(rms > 0 && rms < 10) || r.DataFit.Entries == 0 {
		t.Errorf("data fit %+v", *r.DataFit)
	}
	s := r.Sampler
	if s.Steps != 2 || s.Warmup != 1 || s.Beta != 0.9 || s.ADM != "global" || s.Denoise != "fresh" || s.SigmaMax != 100 || !strings.Contains(s.StepSizeRule, "lambda_max") {
		t.Errorf("sampler %+v", *s)
	}
	if r.Prior.Name != "natural-small" || len(r.Prior.SHA256) != 64 || r.Prior.Parameters != 6167299 {
		t.Errorf("prior %+v", *r.Prior)
	}
}

func rms(a, b *imageio.Image) float64 {
	if len(a.Pix) != len(b.Pix) {
		return math.Inf(1)
	}
	sum := 0.0
	for i, v := range a.Pix {
		d := float64(v - b.Pix[i])
		sum += d * d
	}
	return math.Sqrt(sum / float64(len(a.Pix)))
}

// TestRestoreBF16: bfloat16 gives nearly the same picture, and the record says so.
func TestRestoreBF16(t *testing.T) {
	if e, err := engine.New(engine.Options{Precision: cpu.PrecisionBF16}); errors.Is(err, cpu.ErrNoBF16) {
		t.Skip(err)
	} else if err != nil {
		t.Fatal(err)
	} else {
		e.Close()
	}
	dir := t.TempDir()
	y := filepath.Join(dir, "y.png")
	writeImage(t, y, testImage(64, 64, 3), imageio.WriteOptions{})
	images := make(map[string]*imageio.Image)
	for _, precision := range []string{cpu.PrecisionF32, cpu.PrecisionBF16} {
		out := filepath.Join(dir, precision+".png")
		args := append([]string{"restore", "--task", "denoise", "--noise", "0.1", y, "-o", out, "--depth", "16", "--sigma-max", "1", "--precision", precision, "--json"}, few...)
		r := parseRun(t, mustRun(t, args...))
		if r.Engine.Precision != precision {
			t.Errorf("the record says %q of %s", r.Engine.Precision, precision)
		}
		images[precision], _ = readImage(t, out)
	}
	// A level of 8 bits is 2/255 of the range.
	if d := rms(images[cpu.PrecisionF32], images[cpu.PrecisionBF16]); d == 0 || d > 4.0/255 {
		t.Errorf("bf16 differs from f32 by %g rms", d)
	}
}

// TestReproducible: the same seed gives the same bytes whatever the number of threads and the name
// of the output; another seed gives others. The file carries the settings.
func TestReproducible(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	writeImage(t, in("y.png"), testImage(32, 32, 3), imageio.WriteOptions{})
	restore := func(name string, more ...string) string {
		args := append([]string{"restore", "--task", "denoise", "--noise", "0.1", in("y.png"), "-o", in(name)}, few...)
		mustRun(t, append(args, more...)...)
		return string(readBytes(t, in(name)))
	}
	first := restore("a.png", "--seed", "5")
	if restore("b.png", "--seed", "5", "--threads", "1") != first {
		t.Error("the same seed gives other bytes")
	}
	if restore("c.png", "--seed", "6") == first {
		t.Error("another seed gives the same bytes")
	}
	text, err := imageio.ReadMetadata(in("a.png"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := report.Parse([]byte(text[report.MetadataKey]))
	if err != nil {
		t.Fatal(err)
	}
	if r.Seed != 5 || r.Operator != "denoise" || r.Noise.Sigma != 0.1 || r.Sampler.StepSize != 0.5 || r.Prior.SHA256 == "" || r.Program.Version == "" {
		t.Errorf("the file carries %+v", r)
	}
}

// TestDroppedPixelsDoNotMatter: what an inpainted picture shows where it was masked has no
// influence.
func TestDroppedPixelsDoNotMatter(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	writeImage(t, in("photo.png"), testImage(32, 32, 3), imageio.WriteOptions{})
	mustRun(t, "degrade", "--task", "inpaint", "--mask", "random:0.5", in("photo.png"), "-o", in("y.png"), "-q")
	y, _ := readImage(t, in("y.png"))
	mask, _ := readImage(t, in("y.mask.png"))
	dropped := 0
	for i, v := range mask.Pix {
		switch {
		case v == -1:
			dropped++
			if pix := y.Pix[3*i : 3*i+3]; !slices.Equal(pix, []float32{-1, -1, -1}) {
				t.Fatalf("dropped pixel %d is %v, want black", i, pix)
			}
			copy(y.Pix[3*i:], []float32{1, 0, -0.5})
		case v != 1:
			t.Fatalf("the mask holds %g", v)
		}
	}
	if dropped != 512 {
		t.Errorf("%d pixels are dropped, want 512", dropped)
	}
	writeImage(t, in("painted.png"), y, imageio.WriteOptions{})
	var images [2]*imageio.Image
	for i, name := range []string{"y.png", "painted.png"} {
		mustRun(t, append([]string{"restore", "--task", "inpaint", "--mask", in("y.mask.png"), in(name), "-o", in("out.png")}, few...)...)
		images[i], _ = readImage(t, in("out.png"))
	}
	if !slices.Equal(images[0].Pix, images[1].Pix) {
		t.Error("the restoration depends on the dropped pixels")
	}
}

// TestPictureKinds: grey stays grey, opacity is carried over and scaled, 16 bits stay 16 bits,
// and any size is restored.
func TestPictureKinds(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	alpha := testImage(18, 23, 1)
	for i, v := range alpha.Pix { // exact in 8 bits, so that it can be compared
		alpha.Pix[i] = float32(math.Round(float64(v+1)*127.5)/127.5 - 1)
	}
	writeImage(t, in("white.png"), solid(18, 23, 1), imageio.WriteOptions{})
	writeImage(t, in("rgb.png"), testImage(18, 23, 3), imageio.WriteOptions{})
	writeImage(t, in("rgba.png"), testImage(18, 23, 3), imageio.WriteOptions{Alpha: alpha})
	writeImage(t, in("grey16.png"), testImage(18, 23, 1), imageio.WriteOptions{Depth: 16})
	for _, c := range []struct {
		args            string
		width, height   int
		channels, depth int
		alpha           bool
		warning         string
	}{
		{"--task denoise rgb.png -o out.png", 23, 18, 3, 8, false, ""},
		{"--task inpaint --mask white.png rgb.png -o out.png", 23, 18, 3, 8, false, "nothing to fill"},
		{"--task inpaint --mask rgba.png rgb.png -o out.png", 23, 18, 3, 8, false, "mask is transparent in places"},
		{"--task deblur --kernel rgba.png rgb.png -o out.png", 23, 18, 3, 8, false, "kernel is transparent in places"},
		{"--task denoise rgb.png -o out.jpg", 23, 18, 3, 8, false, ""},
		{"--task denoise rgb.png -o out.png --depth 16", 23, 18, 3, 16, false, ""},
		{"--task denoise rgba.png -o out.png", 23, 18, 3, 8, true, ""},
		{"--task denoise rgba.png -o out.jpg", 23, 18, 3, 8, false, "opacity"},
		{"--task sr --scale 2 rgba.png -o out.png", 46, 36, 3, 8, true, ""},
		{"--task denoise grey16.png -o out.png", 23, 18, 1, 16, false, ""},
		{"--task denoise grey16.png -o out.png --depth 8", 23, 18, 1, 8, false, ""},
		{"--task denoise grey16.png -o out.jpg", 23, 18, 1, 8, false, ""},
		{"--task colorize grey16.png -o out.png", 23, 18, 3, 16, false, ""},
		{"--task colorize rgb.png -o out.png", 23, 18, 3, 8, false, "colours"},
		{"--task inpaint --mask random:0.5 rgb.png -o out.png", 23, 18, 3, 8, false, "drawn from the seed"},
	} {
		t.Run(c.args, func(t *testing.T) {
			args := append(command(dir, "restore "+c.args), few...)
			r := invoke(t, append(args, "--json")...)
			if r.code != exitOK {
				t.Fatalf("exit code %d: %s", r.code, r.errOut)
			}
			if (c.warning != "") != strings.HasPrefix(r.errOut, "spgd: warning: ") || !strings.Contains(r.errOut, c.warning) {
				t.Errorf("stderr is %q, want a warning about %q", r.errOut, c.warning)
			}
			record := parseRun(t, r.out)
			if (len(record.Warnings) > 0) != (c.warning != "") {
				t.Errorf("the record holds the warnings %q", record.Warnings)
			}
			img, info := readImage(t, record.Output.Path)
			if img.Width != c.width || img.Height != c.height || img.Channels != c.channels || info.BitDepth != c.depth || info.HasAlpha != c.alpha {
				t.Errorf("%dx%d, %d channels of %d bits, alpha %t", img.Width, img.Height, img.Channels, info.BitDepth, info.HasAlpha)
			}
			if o := record.Output; o.Width != img.Width || o.Height != img.Height || o.Channels != info.Channels || o.BitDepth != info.BitDepth || o.HasAlpha != info.HasAlpha || o.Format != string(info.Format) {
				t.Errorf("the record says %+v, the file is %+v", *o, info)
			}
			if c.alpha && c.width == alpha.Width {
				if d := rms(info.Alpha, alpha); d > 1e-6 {
					t.Errorf("the opacity has changed by %g", d)
				}
			}
		})
	}
}

// TestPresetAndFlags: a preset sets what the flags do not.
func TestPresetAndFlags(t *testing.T) {
	dir := t.TempDir()
	writeImage(t, filepath.Join(dir, "y.png"), testImage(16, 16, 3), imageio.WriteOptions{})
	writeCheckpoint(t, filepath.Join(dir, "tiny.safetensors"), nil)
	tiny := "restore --task denoise y.png -o out.png -q --json --prior tiny.safetensors --step-size 0.001 "

	s := parseRun(t, mustRun(t, command(dir, tiny+"--preset released")...))
	got := s.Sampler
	if got.Steps != 100 || got.Warmup != 5 || got.ADM != "off" || got.Denoise != "stale" || got.Preset != "released" || got.StepSize != 0.001 || got.StepSizeRule != "given" {
		t.Errorf("released: %+v", *got)
	}
	if *s.Cost != (report.Cost{VJPs: 500, NFE: 500}) {
		t.Errorf("released costs %+v", *s.Cost)
	}
	if s.Prior.File != filepath.Join(dir, "tiny.safetensors") || len(s.Prior.SHA256) != 64 {
		t.Errorf("prior %+v", *s.Prior)
	}
	got = parseRun(t, mustRun(t, command(dir, tiny+"--quality draft --noise 0.1")...)).Sampler
	if got.Preset != presetDraft || got.Steps != 10 || got.Warmup != 1 || got.StepSizeRule != stepSizeGiven {
		t.Errorf("draft: %+v", *got)
	}
	got = parseRun(t, mustRun(t, command(dir, tiny+"--preset released --steps 3 --warmup 2 --adm pixel --denoise fresh --beta 0.5 --sigma-max 50")...)).Sampler
	if got.Steps != 3 || got.Warmup != 2 || got.ADM != "pixel" || got.Denoise != "fresh" || got.Beta != 0.5 || got.SigmaMax != 50 {
		t.Errorf("released with flags: %+v", *got)
	}
	got = parseRun(t, mustRun(t, command(dir, tiny)...)).Sampler
	if got.Steps != 30 || got.Warmup != 2 || got.ADM != "global" || got.Denoise != "stale" || got.Beta != 0.9 || got.SigmaMax != 10 || got.Preset != "default" {
		t.Errorf("default: %+v", *got)
	}
}

// TestStreams: results go to stdout, the log and the progress to stderr, and --quiet ends the
// latter.
func TestStreams(t *testing.T) {
	dir := t.TempDir()
	writeImage(t, filepath.Join(dir, "y.png"), testImage(32, 32, 3), imageio.WriteOptions{})
	args := command(dir, "restore --task sr --scale 4 --noise 0.01 --preset paper --steps 2 --warmup 1 y.png -o out.png")
	r := invoke(t, args...)
	if r.code != exitOK {
		t.Fatalf("exit code %d: %s", r.code, r.errOut)
	}
	for _, part := range []string{"sr:4 on 128x128 pixels", "sigma 0.01 (values in [-1,1])", "natural-small", "c/lambda_max, with c = 0.4375", "lambda_max = 0.06", "step 2 of 2, 100 %", "left"} {
		if !strings.Contains(r.errOut, part) {
			t.Errorf("stderr lacks %q:\n%s", part, r.errOut)
		}
	}
	if strings.Contains(r.errOut, "\x1b") {
		t.Error("stderr is no terminal and gets control codes")
	}
	if strings.Count(r.out, "\n") != 1 || !strings.Contains(r.out, "out.png: sr:4, 128x128, 2 evaluations of the prior and 2 with gradient") {
		t.Errorf("stdout is %q", r.out)
	}
	if r := invoke(t, append(args, "--quiet")...); r.code != exitOK || r.errOut != "" {
		t.Errorf("quiet: exit code %d, stderr %q", r.code, r.errOut)
	}
}
