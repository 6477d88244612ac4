package main

import (
	"bytes"
	"encoding/json"
	"math"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seed-0f004ec9/spgd/imageio"
	"github.com/seed-0f004ec9/spgd/report"
	"github.com/seed-0f004ec9/spgd/sampler"
)

// TestHelp: every command explains itself, its exit codes and an example.
func TestHelp(t *testing.T) {
	for _, command := range []string{"restore", "degrade", "compare", "priors", "version"} {
		out := mustRun(t, command, "--help")
		for _, part := range []string{"EXIT STATUS\n    0  done", "Usage:\n  spgd " + command, "Examples:\n  spgd " + command, "--json"} {
			if !strings.Contains(out, part) {
				t.Errorf("help of %s lacks %q", command, part)
			}
		}
	}
	out := mustRun(t)
	for _, part := range []string{"SPGD_ISA", "130", `{"error": `, "degrade", "restore", "compare", "priors"} {
		if !strings.Contains(out, part) {
			t.Errorf("help lacks %q", part)
		}
	}
	restore := mustRun(t, "restore", "--help")
	for _, part := range []string{"[-1,1]", "degrees counter-clockwise", "fraction of the pixels that is dropped", "white is kept, black is filled", "side of the dropped square in pixels", "lambda_max"} {
		if !strings.Contains(restore, part) {
			t.Errorf("help of restore lacks %q", part)
		}
	}
	if r := invoke(t, "help", "restor"); r.code != exitUsage {
		t.Errorf("help of an unknown command: exit code %d", r.code)
	}
}

// TestCompare: a constant difference d on [0,1] has a PSNR of -20 log10 d.
func TestCompare(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a.png"), filepath.Join(dir, "b.png")
	writeImage(t, a, solid(20, 30, -1), imageio.WriteOptions{})
	writeImage(t, b, solid(20, 30, 51/127.5-1), imageio.WriteOptions{}) // 0.2 on [0,1]
	want := -20 * math.Log10(0.2)
	var v map[string]report.Number
	if err := json.Unmarshal([]byte(mustRun(t, "compare", "--json", a, b)), &v); err != nil {
		t.Fatal(err)
	}
	if math.Abs(float64(v["psnr"])-want) > 1e-5 {
		t.Errorf("PSNR %g, want %g", float64(v["psnr"]), want)
	}
	// Constant images: SSIM is (2ab+C1)/(a^2+b^2+C1) with a = 0.
	if ssim := 1e-4 / (0.04 + 1e-4); math.Abs(float64(v["ssim"])-ssim) > 1e-6 {
		t.Errorf("SSIM %g, want %g", float64(v["ssim"]), ssim)
	}
	if out := mustRun(t, "compare", a, b); !strings.HasPrefix(out, "PSNR 13.98 dB\nSSIM 0.0025\nHaarPSI 0.") || strings.Count(out, "\n") != 4 {
		t.Errorf("text result %q", out)
	}
	out := mustRun(t, "compare", a, a, "--json")
	if err := json.Unmarshal([]byte(out), &v); err != nil || !math.IsInf(float64(v["psnr"]), 1) || v["ssim"] != 1 || math.Abs(float64(v["haarpsi"])-1) > 1e-9 || v["mdsi"] != 0 {
		t.Errorf("identical images: %s (%v)", out, err)
	}
	large := filepath.Join(dir, "large.png")
	writeImage(t, large, testImage(180, 190, 3), imageio.WriteOptions{})
	if out := mustRun(t, "compare", large, large); !strings.Contains(out, "\nMS-SSIM 1.0000\n") {
		t.Errorf("text result %q", out)
	}
}

func TestPriors(t *testing.T) {
	out := mustRun(t, "priors")
	for _, part := range []string{"natural-small (embedded", "natural-medium (not embedded", "6.17 million parameters", "licence", "limits"} {
		if !strings.Contains(out, part) {
			t.Errorf("the list lacks %q:\n%s", part, out)
		}
	}
	var list struct{ Priors []map[string]any }
	if err := json.Unmarshal([]byte(mustRun(t, "priors", "--json")), &list); err != nil {
		t.Fatal(err)
	}
	cards := list.Priors
	if len(cards) != 2 || cards[0]["name"] != "natural-small" || cards[0]["embedded"] != true || cards[0]["licence"] == "" {
		t.Errorf("the cards are %v", cards)
	}
}

func TestVersion(t *testing.T) {
	var v versionInfo
	if err := json.Unmarshal([]byte(mustRun(t, "version", "--json")), &v); err != nil {
		t.Fatal(err)
	}
	if v.Name != "spgd" || v.Version == "" || v.ISA == "" || !strings.HasPrefix(v.Go, "go") {
		t.Errorf("version %+v", v)
	}
	if a, b := mustRun(t, "--version"), mustRun(t, "version"); a != b {
		t.Errorf("--version prints %q, version %q", a, b)
	}
	if out := mustRun(t, "version"); !strings.HasPrefix(out, "spgd "+v.Version) || !strings.Contains(out, v.ISA+" kernels") {
		t.Errorf("text result %q", out)
	}
}

// TestDegradeFiles: what degrade writes beside the picture.
func TestDegradeFiles(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	writeImage(t, in("photo.png"), testImage(33, 40, 3), imageio.WriteOptions{})
	writeImage(t, in("white.png"), solid(33, 40, 1), imageio.WriteOptions{})
	for _, c := range []struct {
		args    string
		files   []string // made by it, the picture first
		warning string
	}{
		{"--task denoise --noise 0.01 photo.png -o y.png", []string{"y.png"}, ""},
		{"--task denoise --noise 0.01 white.png -o y.png", []string{"y.png"}, "were clipped"},
		{"--task sr --scale 2 photo.png -o y.png", []string{"y.png"}, "40x34"},
		{"--task sr --scale 2 photo.png -o y.safetensors", []string{"y.safetensors"}, ""},
		{"--task inpaint --mask box:9 photo.png -o y.jpg", []string{"y.jpg", "y.mask.png"}, ""},
		{"--task inpaint --mask white.png photo.png -o y.png", []string{"y.png", "y.mask.png"}, ""},
		{"--task deblur --kernel motion:5:0 photo.png -o y.png", []string{"y.png", "y.kernel.png"}, ""},
	} {
		t.Run(c.args, func(t *testing.T) {
			out := t.TempDir()
			args := command(dir, "degrade "+c.args)
			args[len(args)-1] = filepath.Join(out, filepath.Base(args[len(args)-1]))
			r := invoke(t, args...)
			if r.code != exitOK {
				t.Fatalf("exit code %d: %s", r.code, r.errOut)
			}
			if (c.warning == "") != (r.errOut == "") || !strings.Contains(r.errOut, c.warning) {
				t.Errorf("stderr is %q, want a warning about %q", r.errOut, c.warning)
			}
			files := listing(t, out)
			if len(files) != len(c.files) {
				t.Errorf("%d files, want %v", len(files), c.files)
			}
			for _, name := range c.files {
				path := filepath.Join(out, name)
				if files[path] == "" || !strings.Contains(r.out, path) {
					t.Errorf("%s is not there or not named: %s", name, r.out)
				}
			}
			if text, err := imageio.ReadMetadata(filepath.Join(out, c.files[0])); !strings.HasSuffix(c.files[0], ".safetensors") {
				if err != nil {
					t.Fatal(err)
				}
				if record, err := report.Parse([]byte(text[report.MetadataKey])); err != nil || record.Command != "degrade" {
					t.Errorf("the picture carries %q (%v)", text, err)
				}
			}
		})
	}
	kernel := in("line.png")
	mustRun(t, "degrade", "--task", "deblur", "--kernel", "motion:5:0", in("photo.png"), "-o", kernel)
	line, info := readImage(t, in("line.kernel.png"))
	white := 0
	for _, v := range line.Pix {
		if v == 1 {
			white++
		}
	}
	if white != 5 || info.BitDepth != 16 || !info.Gray {
		t.Errorf("the kernel has %d white pixels in %d bits, want 5 in 16", white, info.BitDepth)
	}
}

// TestProgress: on a terminal one line with the time left, elsewhere a line for a tenth of the
// work.
func TestProgress(t *testing.T) {
	for _, terminal := range []bool{true, false} {
		var b bytes.Buffer
		c := newConsole(&b, &b)
		c.terminal = terminal
		p := newProgress(c)
		clock := time.Unix(0, 0)
		p.now = func() time.Time { return clock }
		for done := 1; done <= 1000; done++ {
			clock = clock.Add(time.Second)
			p.report(sampler.Progress{Step: (done - 1) / 100, Steps: 10, Done: float64(done), Total: 1000})
		}
		c.line("end")
		out := b.String()
		if terminal {
			if n := strings.Count(out, "\r\x1b[Kstep "); n != 1000 || strings.Count(out, "\n") != 1 || !strings.HasSuffix(out, "\r\x1b[Kend\n") {
				t.Errorf("terminal: %d redrawn lines, %d ends of line", n, strings.Count(out, "\n"))
			}
		} else if n := strings.Count(out, "\n"); n != 11 || strings.Contains(out, "\x1b") {
			t.Errorf("no terminal: %d lines, want 11", n)
		}
		for _, part := range []string{"step 1 of 10, 10 %, 15 min 0 s left", "step 10 of 10, 100 %"} {
			if !strings.Contains(out, part) {
				t.Errorf("terminal %t: no %q", terminal, part)
			}
		}
	}
	for seconds, want := range map[float64]string{0: "0 s", 59.4: "59 s", 59.6: "1 min 0 s", 3599: "59 min 59 s", 7260: "2 h 1 min"} {
		if got := duration(seconds); got != want {
			t.Errorf("duration(%g) is %q, want %q", seconds, got, want)
		}
	}
}

func TestSuggestions(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "abc", 3}, {"abc", "abc", 0}, {"kitten", "sitting", 3}, {"flaw", "lawn", 2}} {
		if got := editDistance(c.a, c.b); got != c.want {
			t.Errorf("editDistance(%q, %q) is %d, want %d", c.a, c.b, got, c.want)
		}
	}
	if s := didYouMean("xyzzy", []string{"restore", "degrade"}); s != "" {
		t.Errorf("xyzzy is near to %q", s)
	}
}
