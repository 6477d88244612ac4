package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"github.com/seed-0f004ec9/spgd/engine/cpu"
	"github.com/seed-0f004ec9/spgd/imageio"
	"github.com/seed-0f004ec9/spgd/sampler"
)

// TestBatchProgress: the time left follows pixels times evaluations over all pictures, those of several
// in progress are added, and one that fails is taken out.
func TestBatchProgress(t *testing.T) {
	make := func(name string, side, vjps int, state jobState) *job {
		return &job{restoration: &restoration{input: name}, state: state, height: side, width: side, steps: sampler.Cost{VJPs: vjps}}
	}
	small, large, broken := make("small", 10, 10, jobRestore), make("large", 20, 10, jobRestore), make("broken", 10, 50, jobRestore)
	jobs := []*job{make("finished", 100, 10, jobFinished), small, large, broken}
	for _, terminal := range []bool{true, false} {
		var b bytes.Buffer
		p := newBatchProgress(&console{stderr: &b, terminal: terminal}, jobs)
		now := p.start
		p.now = func() time.Time { return now }
		none := func() error { return nil }
		last := func(seconds int, do func()) string {
			now = p.start.Add(time.Duration(seconds) * time.Second)
			b.Reset()
			do()
			text := strings.TrimSuffix(b.String(), "\n")
			return text[strings.LastIndex(text, "\x1b[K")+1:]
		}
		// The work is 1 for small, 4 for large and 5 for broken.
		for i, step := range []struct {
			seconds int
			do      func()
			want    string
		}{
			{0, func() { p.end(jobs[0], false, none) }, ""},
			{10, func() { p.of(small)(sampler.Progress{Step: 0, Steps: 2, Done: 15, Total: 30}) }, "0 of 3 pictures, 5 %, 3 min 10 s left: small step 1 of 2"},
			{20, func() { p.of(large)(sampler.Progress{Step: 2, Steps: 4, Done: 3, Total: 8}) }, "0 of 3 pictures, 20 %, 1 min 20 s left: large step 3 of 4"},
			{30, func() { p.end(small, false, none) }, "1 of 3 pictures, 25 %, 1 min 30 s left: small"},
			{40, func() { p.end(broken, true, none) }, "2 of 3 pictures, 50 %, 40 s left: broken"},
			{80, func() { p.end(large, false, none) }, "3 of 3 pictures, 100 %: large"},
		} {
			got := last(step.seconds, step.do)
			want := step.want
			if terminal && want != "" {
				want = "[K" + want
			}
			if i == 1 && !terminal {
				want = "" // less than a tenth
			}
			if got != want {
				t.Errorf("terminal %v, step %d: %q, want %q", terminal, i, got, want)
			}
		}
	}
}

// TestLogRepair: an incomplete last line goes, a complete one that only lacks its end gets it, and a file
// that is no log is left alone.
func TestLogRepair(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log.jsonl")
	for _, c := range []struct {
		before, after string
		fails         bool
	}{
		{"", "", false},
		{"{\"a\":1}\n", "{\"a\":1}\n", false},
		{"{\"a\":1}\n{\"b\":", "{\"a\":1}\n", false},
		{"{\"a\":1}\n{\"b\":2}", "{\"a\":1}\n{\"b\":2}\n", false},
		{"{\"a", "", false},
		{"dear diary", "dear diary", true},
		{"{\"a\":1}\n" + strings.Repeat("{", 2*maxLogLine), "{\"a\":1}\n" + strings.Repeat("{", 2*maxLogLine), true},
	} {
		writeBytes(t, path, []byte(c.before))
		l, err := openLog(path)
		if (err != nil) != c.fails {
			t.Errorf("%.20q: error %v", c.before, err)
		}
		after := c.after
		if err == nil {
			if err := l.add(batchEntry{Input: "x"}); err != nil {
				t.Error(err)
			}
			l.Close()
			after += "{\"input\":\"x\",\"output\":\"\",\"status\":\"\",\"seconds\":0}\n"
		}
		if got := string(readBytes(t, path)); got != after {
			t.Errorf("%.20q became %.60q, want %.60q", c.before, got, after)
		}
	}
	if _, err := openLog(filepath.Join(filepath.Dir(path), "none", "log")); err == nil {
		t.Error("a log in a folder that is not there: no error")
	}
	if _, err := os.Stat("/dev/null"); err == nil {
		if l, err := openLog("/dev/null"); err != nil || l.add(batchEntry{}) != nil {
			t.Errorf("/dev/null: %v", err)
		}
	}
}

// TestOutputNames: a result has its input's name, and its extension where that can be written.
func TestOutputNames(t *testing.T) {
	for input, want := range map[string][3]string{
		"dir/a.png": {"a.png", "a.png", "a.jpg"}, "b.JPG": {"b.JPG", "b.png", "b.jpg"}, "c.jpeg": {"c.jpeg", "c.png", "c.jpg"},
		"d.webp": {"d.png", "d.png", "d.jpg"}, "e.safetensors": {"e.png", "e.png", "e.jpg"}, "f.1.png": {"f.1.png", "f.1.png", "f.1.jpg"}, "g": {"g.png", "g.png", "g.jpg"},
	} {
		for i, format := range []string{"", "png", "jpg"} {
			if got := (&batchOptions{format: format}).outputName(input); got != want[i] {
				t.Errorf("%s as %q: %s, want %s", input, format, got, want[i])
			}
		}
	}
}

// TestParallel: large pictures have all threads, small ones share them and the memory, and what was asked for counts.
func TestParallel(t *testing.T) {
	const plenty = 1 << 40
	for _, c := range []struct {
		side, pictures, threads, jobs int
		room                          float64 // for this many
		want                          [2]int
	}{
		{64, 10, 2, 0, plenty, [2]int{2, 1}}, {128, 10, 2, 0, plenty, [2]int{2, 1}}, {256, 10, 2, 0, plenty, [2]int{1, 2}}, {1000, 10, 8, 0, plenty, [2]int{1, 8}},
		{64, 3, 8, 0, plenty, [2]int{3, 2}}, {256, 10, 8, 0, plenty, [2]int{2, 4}}, {64, 1, 8, 0, plenty, [2]int{1, 8}}, {256, 10, 2, 4, plenty, [2]int{4, 1}}, {64, 10, 8, 1, plenty, [2]int{1, 8}}, {64, 0, 2, 0, plenty, [2]int{1, 2}},
		{64, 10, 8, 0, 5.5, [2]int{5, 1}}, {64, 10, 8, 0, 1.5, [2]int{1, 8}}, {64, 10, 8, 0, 0.5, [2]int{1, 8}}, {64, 10, 8, 4, 0.5, [2]int{4, 2}},
	} {
		p := &plan{restore: c.pictures}
		for range c.pictures {
			p.jobs = append(p.jobs, &job{state: jobRestore, height: c.side, width: c.side})
		}
		o := &restoreOptions{engineOptions: engineOptions{threads: c.threads}, batch: batchOptions{jobs: c.jobs}}
		const room = 1 << 38
		o.memory = fmt.Sprintf("%dB", cpu.ResidentMemory()+room)
		asked := false
		takes := func() int { asked = true; return int(room / c.room) }
		if jobs, threads := p.parallel(o, takes); !slices.Equal([]int{jobs, threads}, c.want[:]) || asked && jobs == c.jobs {
			t.Errorf("%d pictures of %dx%d, %d threads, --jobs %d, memory for %g: %d at once with %d threads, want %v", c.pictures, c.side, c.side, c.threads, c.jobs, c.room, jobs, threads, c.want)
		}
	}
}

// TestPlanTakes: what a folder's restorations take one by one is what the one that takes the most announces, whatever is
// broken among them.
func TestPlanTakes(t *testing.T) {
	dir := t.TempDir()
	for name, side := range map[string]int{"small": 16, "large": 96, "middle": 48} {
		writeImage(t, filepath.Join(dir, name+".png"), testImage(side, side, 3), imageio.WriteOptions{})
	}
	prior := filepath.Join(dir, "tiny.safetensors")
	writeCheckpoint(t, prior, nil)
	takes := func(names ...string) int {
		t.Helper()
		c := &console{stdout: io.Discard, stderr: io.Discard, quiet: true}
		args := []string{"-o", filepath.Join(dir, "out"), "--task", "inpaint", "--mask", "random:0.5", "--prior", prior, "--tile", "off"}
		q, err := equip(engineOptions{threads: 1, device: "cpu", precision: "f32"}, priorOptions{prior: prior}, budget{})
		if err != nil {
			t.Fatal(err)
		}
		defer q.Close()
		if _, _, err := q.prior(); err != nil {
			t.Fatal(err)
		}
		p := &plan{}
		for _, name := range names {
			o := &restoreOptions{}
			f := pflag.NewFlagSet("picture", pflag.ContinueOnError)
			o.AddFlags(f)
			if err := f.Parse(args); err != nil {
				t.Fatal(err)
			}
			j, err := o.job(c, f, &manifestLine{}, source{path: filepath.Join(dir, name+".png")})
			if err != nil {
				t.Fatal(err)
			}
			j.inspect(q, &fileHashes{})
			p.jobs = append(p.jobs, j)
		}
		return p.takes(q)
	}
	large, small := takes("large"), takes("small")
	if large < small+96*96*100 {
		t.Errorf("96x96 pixels take %d bytes, 16x16 %d", large, small)
	}
	if err := os.WriteFile(filepath.Join(dir, "broken.png"), readBytes(t, filepath.Join(dir, "large.png"))[:2000], 0o644); err != nil {
		t.Fatal(err)
	}
	if all := takes("small", "broken", "large", "middle"); all != large {
		t.Errorf("all take %d bytes, the largest %d", all, large)
	}
}
