package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/seed-0f004ec9/spgd/imageio"
	"github.com/seed-0f004ec9/spgd/internal/bench"
	"github.com/seed-0f004ec9/spgd/prior/checkpoint"
	"github.com/seed-0f004ec9/spgd/report"
)

// benchFolder makes two pictures, a small prior and a specification with two tasks, one of which a
// method does not apply to, four methods, of which one diverges, and two seeds: 32 cells.
func benchFolder(t *testing.T) (dir, spec string) {
	t.Helper()
	dir = t.TempDir()
	writeImage(t, filepath.Join(dir, "a.png"), testImage(40, 36, 3), imageio.WriteOptions{})
	writeImage(t, filepath.Join(dir, "b.png"), testImage(50, 70, 3), imageio.WriteOptions{})
	writeCheckpoint(t, filepath.Join(dir, "prior.safetensors"), nil)
	spec = filepath.Join(dir, "bench.yaml")
	writeBytes(t, spec, []byte(`images: ["*.png"]
size: 32
tasks: [inpaint:random:0.5@0.02, hdr@0.05]
methods:
  - spgd
  - {method: spgd, set: {adm: off, step-size: 0.2}, label: no ADM}
  - ddnm+
  - spgd:step-size=1e30
seeds: 2
nfe: 8
prior: prior.safetensors
`))
	return dir, spec
}

// cells reads a journal.
func cells(t *testing.T, dir string) []bench.Cell {
	t.Helper()
	var list []bench.Cell
	for _, line := range strings.Split(strings.TrimSuffix(string(readBytes(t, filepath.Join(dir, benchJournal))), "\n"), "\n") {
		var c bench.Cell
		if err := json.Unmarshal([]byte(line), &c); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		list = append(list, c)
	}
	return list
}

// TestBenchKilled: a bench killed at random moments and restarted until it ends gives the same tables,
// byte for byte, as one left alone, and computes no cell twice.
func TestBenchKilled(t *testing.T) {
	dir, spec := benchFolder(t)
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	start := func(out string) (*exec.Cmd, *bytes.Buffer, *bytes.Buffer) {
		cmd := exec.Command(program, "bench", spec, "-o", out, "--no-timing", "--threads", "1")
		cmd.Env = append(os.Environ(), "SPGD_TEST_AS_PROGRAM=1")
		var stdout, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		return cmd, &stdout, &stderr
	}
	alone := filepath.Join(dir, "alone")
	cmd, stdout, stderr := start(alone)
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v: %s", err, stderr)
	}
	want := stdout.String()
	for _, text := range []string{"does not apply", "diverged", "no ADM"} {
		if !strings.Contains(want, text) {
			t.Fatalf("the table lacks %q:\n%s", text, want)
		}
	}

	broken := filepath.Join(dir, "broken")
	random := rand.New(rand.NewPCG(5, 6))
	kills := 0
	for {
		cmd, stdout, stderr := start(broken)
		ended := make(chan struct{})
		// After some bytes of the journal, so that no run ends unhurt for being fast, and a moment more.
		until := size(filepath.Join(broken, benchJournal)) + random.Int64N(10_000)
		moment := time.Duration(random.Int64N(int64(30 * time.Millisecond)))
		go func() {
			for size(filepath.Join(broken, benchJournal)) < until {
				select {
				case <-ended:
					return
				case <-time.After(time.Millisecond):
				}
			}
			time.Sleep(moment)
			_ = cmd.Process.Kill()
		}()
		err := cmd.Wait()
		close(ended)
		if err == nil {
			if got := stdout.String(); got != want {
				t.Errorf("the table after %d kills:\n%s\nleft alone:\n%s", kills, got, want)
			}
			break
		}
		if cmd.ProcessState.ExitCode() != -1 {
			t.Fatalf("%v: %s", err, stderr)
		}
		if kills++; kills > 200 {
			t.Fatal("the bench makes no progress")
		}
		if kills%2 == 0 { // what the loss of power leaves
			tear(t, filepath.Join(broken, benchJournal), random)
		}
	}
	t.Logf("%d kills", kills)
	if kills < 3 {
		t.Errorf("the bench was killed %d times", kills)
	}
	for _, name := range []string{benchMarkdown, benchCSV, benchJSON} {
		if !bytes.Equal(readBytes(t, filepath.Join(alone, name)), readBytes(t, filepath.Join(broken, name))) {
			t.Errorf("%s is another", name)
		}
	}
	keys := map[string]bool{}
	for _, c := range cells(t, broken) {
		if keys[c.Key] {
			t.Errorf("a cell was computed twice: %s, %s", c.Causes.Task, c.Label)
		}
		keys[c.Key] = true
	}
	if len(keys) != 32 {
		t.Errorf("%d cells, want 32", len(keys))
	}
	if entries, err := os.ReadDir(broken); err != nil || len(entries) != 4 {
		t.Errorf("files %v (%v)", entries, err)
	}
}

// size is that of a file, 0 if there is none.
func size(path string) int64 {
	st, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return st.Size()
}

// tear adds the beginning of a cell to a journal.
func tear(t *testing.T, path string, random *rand.Rand) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil { // killed before it was made
		return
	}
	line := []byte(`{"key":"0123456789","causes":{"image_sha256":"`)
	writeBytes(t, path, append(data, line[:1+random.IntN(len(line)-1)]...))
}

// TestBenchResumed: a bench that is finished computes nothing again and prints the same, times
// included; further seeds and methods add cells.
func TestBenchResumed(t *testing.T) {
	dir, _ := benchFolder(t)
	out := filepath.Join(dir, "out")
	args := []string{"bench", filepath.Join(dir, "a.png"), "--size", "32", "--task", "denoise@0.1", "--method", "spgd", "--nfe", "8",
		"--prior", filepath.Join(dir, "prior.safetensors"), "-o", out}
	first := mustRun(t, args...)
	if !strings.Contains(first, "time and memory") || !strings.Contains(first, "too small for MS-SSIM") {
		t.Errorf("table:\n%s", first)
	}
	before := readBytes(t, filepath.Join(out, benchJournal))
	if again := mustRun(t, args...); again != first {
		t.Errorf("again:\n%s\nbefore:\n%s", again, first)
	}
	if !bytes.Equal(before, readBytes(t, filepath.Join(out, benchJournal))) {
		t.Error("the journal has changed")
	}
	page := filepath.Join(dir, "page.html")
	more := mustRun(t, append(args, "--method", "spgd:beta=0", "--seeds", "2", "--json", "--report", page, "--pictures")...)
	// The image itself, and the one picture of its first seed: the other method's cell was older than the flag.
	if text := string(readBytes(t, page)); !strings.Contains(text, "spgd:beta=0") || strings.Count(text, "data:image/") != 2 {
		t.Errorf("the page has %d pictures", strings.Count(text, "data:image/"))
	}
	if files, err := os.ReadDir(filepath.Join(out, benchPictures)); err != nil || len(files) != 3 {
		t.Errorf("pictures %v (%v)", files, err)
	}
	if r := invoke(t, "bench", filepath.Join(dir, "a.png"), "--size", "32", "--task", "denoise", "--method", "spgd", "--pictures"); r.code != exitUsage {
		t.Errorf("--pictures without a folder: %d, %s", r.code, r.errOut)
	}
	var table bench.Table
	if err := json.Unmarshal([]byte(more), &table); err != nil || len(table.Groups[0].Rows) != 2 || table.Groups[0].Rows[1].Runs != 2 {
		t.Errorf("table %s (%v)", more, err)
	}
	if n := len(cells(t, out)); n != 4 {
		t.Errorf("%d cells, want 4", n)
	}
	// Where somebody else computes, a second one is refused.
	j, err := bench.OpenJournal(filepath.Join(out, benchJournal))
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	if r := invoke(t, args...); r.code != exitOutput && r.code != exitOK || r.code == exitOutput && !strings.Contains(r.errOut, "another process") {
		t.Errorf("exit code %d: %s", r.code, r.errOut)
	}
}

// TestBenchWith: what another folder has is taken, and not computed; a folder without cells is an error.
func TestBenchWith(t *testing.T) {
	dir, _ := benchFolder(t)
	args := []string{"bench", filepath.Join(dir, "a.png"), "--size", "32", "--task", "denoise@0.1", "--nfe", "8", "--prior", filepath.Join(dir, "prior.safetensors"),
		"--method", "spgd", "--no-timing"}
	out, both := filepath.Join(dir, "out"), filepath.Join(dir, "both")
	mustRun(t, append(args, "-o", out)...)
	journal := filepath.Join(out, benchJournal)
	data := readBytes(t, journal)
	program := regexp.MustCompile(`"program":"[^"]*"`)
	writeBytes(t, journal, program.ReplaceAll(data, []byte(`"program":"another build"`)))
	args = append(args, "--method", "dps", "-o", both)
	if got := invoke(t, append(args, "--with", out)...); got.code != exitOK || !strings.Contains(got.errOut, "2 cells, 1 of them kept already") ||
		!strings.Contains(got.out, "program another build") || !strings.Contains(got.out, "1 cell of spgd") {
		t.Errorf("exit %d, %s\n%s", got.code, got.errOut, got.out)
	}
	if lines := bytes.Count(readBytes(t, filepath.Join(both, benchJournal)), []byte("\n")); lines != 1 {
		t.Errorf("the folder has %d cells, want the one that was computed", lines)
	}
	checkError(t, invoke(t, append(args, "--with", dir)...), exitInput, benchJournal)
}

// TestBenchExample: the example's file is understood, and its images are there.
func TestBenchExample(t *testing.T) {
	s, err := bench.ReadSpec("../../examples/bench.yaml")
	if err != nil {
		t.Fatal(err)
	}
	p, err := bench.NewPlan(*s, func(path string) (*imageio.Image, error) {
		img, _, err := imageio.Read(path)
		return img, err
	})
	if err != nil || p.Cells() != 32 {
		t.Errorf("%+v (%v)", p, err)
	}
}

// TestBenchInterrupted: an interruption says that the cells are kept.
func TestBenchInterrupted(t *testing.T) {
	dir, spec := benchFolder(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	r := invokeContext(t, ctx, "bench", spec, "-o", filepath.Join(dir, "out"))
	if r.code != exitInterrupted || !strings.Contains(r.errOut, "holds the cells so far") {
		t.Errorf("exit code %d: %s", r.code, r.errOut)
	}
}

// TestBenchRepeated: spgd degrade and spgd restore with a cell's seed come to its result.
func TestBenchRepeated(t *testing.T) {
	dir, _ := benchFolder(t)
	out := filepath.Join(dir, "out")
	photo := filepath.Join(dir, "square.png")
	writeImage(t, photo, testImage(32, 32, 3), imageio.WriteOptions{})
	mustRun(t, "bench", photo, "--size", "32", "--task", "inpaint:random:0.6@0.05", "--method", "spgd", "--nfe", "8", "-o", out)
	repeatsCell(t, dir, photo, cells(t, out)[0])
}

// TestBenchTiles: a cell is what spgd restore comes to, in the same tiles, of which others make another cell; a picture that
// stays whole has one cell whatever the flag.
func TestBenchTiles(t *testing.T) {
	dir, _ := benchFolder(t)
	out, prior := filepath.Join(dir, "out"), filepath.Join(dir, "prior.safetensors") // with attention, trained at 32x32
	photo := filepath.Join(dir, "square.png")
	writeImage(t, photo, testImage(48, 48, 3), imageio.WriteOptions{})
	args := []string{"bench", photo, "--task", "inpaint:random:0.6@0.05", "--method", "spgd", "--nfe", "8", "--prior", prior, "-o", out, "--size"}
	for _, c := range []struct {
		size, tile  string
		cells, side int
	}{{"48", "auto", 1, 32}, {"48", "32", 1, 32}, {"48", "40", 2, 40}, {"48", "off", 3, 0}, {"48", "48", 3, 0}, {"32", "off", 4, 0}, {"32", "auto", 4, 0}, {"32", "40", 4, 0}} {
		var table bench.Table
		if err := json.Unmarshal([]byte(mustRun(t, append(args, c.size, "--tile", c.tile, "--json")...)), &table); err != nil {
			t.Fatal(err)
		}
		rule := strings.Contains(strings.Join(table.Rules, "\n"), fmt.Sprintf("tiles of at most %d pixels", c.side))
		if list := cells(t, out); len(list) != c.cells || table.Causes.Tile != c.side || rule != (c.side > 0) {
			t.Fatalf("--size %s --tile %s: %d cells, tiles of %d, said: %v; want %d and %d", c.size, c.tile, len(list), table.Causes.Tile, rule, c.cells, c.side)
		}
	}
	list := cells(t, out)
	if list[0].Values["psnr"] == list[2].Values["psnr"] {
		t.Error("tiles change nothing: the test does not see them")
	}
	repeatsCell(t, dir, photo, list[0], "--prior", prior)
	repeatsCell(t, dir, photo, list[1], "--prior", prior, "--tile", "40")
	spec := filepath.Join(dir, "tiles.yaml")
	writeBytes(t, spec, []byte("images: [square.png]\nsize: 48\ntasks: [inpaint:random:0.6@0.05]\nmethods: [spgd]\nnfe: 8\nprior: prior.safetensors\ntile: 40\n"))
	mustRun(t, "bench", spec, "-o", out)
	if n := len(cells(t, out)); n != 4 {
		t.Errorf("the file's tiles made a cell of their own: %d", n)
	}
}

// repeatsCell checks that spgd degrade and spgd restore come to a cell of inpainting 60 % at a noise of 0.05.
func repeatsCell(t *testing.T, dir, photo string, c bench.Cell, flags ...string) {
	t.Helper()
	y, x, seed := filepath.Join(dir, "y.safetensors"), filepath.Join(dir, "x.png"), strconv.FormatUint(c.Draw, 10)
	mustRun(t, "degrade", photo, "--task", "inpaint", "--mask", "random:0.6", "--noise", "0.05", "--seed", seed, "-o", y)
	mustRun(t, append([]string{"restore", y, "-o", x, "--seed", seed, "--depth", "16", "--steps", fmt.Sprint(c.Settings["steps"])}, flags...)...)
	var got map[string]report.Number
	if err := json.Unmarshal([]byte(mustRun(t, "compare", photo, x, "--json")), &got); err != nil {
		t.Fatal(err)
	}
	// 16 bits leave 1e-4 dB.
	if math.Abs(float64(got["psnr"]-c.Values["psnr"])) > 2e-4 {
		t.Errorf("repeated: %v dB, in the cell: %v dB", got["psnr"], c.Values["psnr"])
	}
}

// TestBenchLPIPS: weights add a column; those that do not fit are one sentence.
func TestBenchLPIPS(t *testing.T) {
	dir, _ := benchFolder(t)
	args := []string{"bench", filepath.Join(dir, "a.png"), "--size", "32", "--task", "denoise@0.1", "--method", "spgd", "--nfe", "4", "--prior", filepath.Join(dir, "prior.safetensors")}
	heads := "../../metric/lpips/testdata/heads_alexnet.pth"
	r := invoke(t, append(args, "--lpips", heads)...)
	if r.code != exitCheckpoint || !strings.Contains(r.errOut, "the network is missing") {
		t.Errorf("exit code %d: %s", r.code, r.errOut)
	}
	shapes := map[string][]int{"0": {64, 3, 11, 11}, "3": {192, 64, 5, 5}, "6": {384, 192, 3, 3}, "8": {256, 384, 3, 3}, "10": {256, 256, 3, 3}}
	ts := map[string]checkpoint.Tensor{}
	for name, s := range shapes {
		w := make([]float32, s[0]*s[1]*s[2]*s[3])
		for i := range w {
			w[i] = float32(math.Sin(float64(i))) / float32(math.Sqrt(float64(s[1]*s[2]*s[3])))
		}
		ts["features."+name+".weight"] = checkpoint.Tensor{Shape: s, Data: w}
		ts["features."+name+".bias"] = checkpoint.Tensor{Shape: s[:1], Data: make([]float32, s[0])}
	}
	var b bytes.Buffer
	if err := checkpoint.Write(&b, ts, nil); err != nil {
		t.Fatal(err)
	}
	body := filepath.Join(dir, "alexnet.safetensors")
	writeBytes(t, body, b.Bytes())
	if out := mustRun(t, append(args, "--lpips", body, "--lpips", heads)...); !strings.Contains(out, "LPIPS (alexnet)") {
		t.Errorf("table:\n%s", out)
	}
	photo := filepath.Join(dir, "a.png")
	if out := mustRun(t, "compare", photo, photo, "--lpips", body, "--lpips", heads); !strings.HasSuffix(out, "LPIPS (alexnet) 0.0000\n") {
		t.Errorf("compare prints\n%s", out)
	}
}
