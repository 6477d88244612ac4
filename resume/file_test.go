package resume_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/seed-0f004ec9/spgd/operator"
	"github.com/seed-0f004ec9/spgd/prior/checkpoint"
	"github.com/seed-0f004ec9/spgd/report"
	"github.com/seed-0f004ec9/spgd/resume"
	"github.com/seed-0f004ec9/spgd/sampler"
)

// saved runs a method and returns the checkpoint of its first step, with the file that holds it.
func saved(t testing.TB, path string) (*sampler.Checkpoint, *report.Run) {
	t.Helper()
	op := build(t, operator.Task{Name: "sr", Scale: 4})
	record := resume.Record(newEngine(t))
	record.Seed, record.Input = 3, &report.File{Path: "in.png", SHA256: "abc"}
	stop := errors.New("enough")
	var c *sampler.Checkpoint
	_, err := newDriver(t, op, 0.1).Run(context.Background(), method(t, "spgd", op, nil), sampler.Job{
		Y: measurement(op, 1), Seed: 3,
		Observers: []sampler.Observer{sampler.ObserverFunc(func(s *sampler.Snapshot) error {
			if err := s.Checkpoint(func(now *sampler.Checkpoint) error {
				c = now.Clone()
				return resume.Save(path, now, record)
			}); err != nil {
				return err
			}
			return stop
		})},
	})
	if !errors.Is(err, stop) {
		t.Fatal(err)
	}
	return c, record
}

func TestFileRoundTrip(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.checkpoint")
	c, record := saved(t, path)
	f, err := resume.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(f.Run, c) || f.Path != path {
		t.Errorf("read %+v, want %+v", f.Run, c)
	}
	if f.Record.Program != record.Program || f.Record.Engine.ISA != record.Engine.ISA || f.Record.Seed != 3 || f.Record.Input.SHA256 != "abc" {
		t.Errorf("record %+v, want %+v", f.Record, record)
	}
	if got := slices.Sorted(maps.Keys(c.State)); !slices.Equal(got, []string{"last direction", "last push", "mean", "x", "x0hat"}) {
		t.Errorf("the state is %v", got)
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 {
		t.Errorf("the folder holds %v (%v)", entries, err)
	}
	for range 2 {
		if err := resume.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := resume.Load(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
}

// A checkpoint of anything else is refused with the first difference.
func TestCheck(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.checkpoint")
	_, record := saved(t, path)
	f, err := resume.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	same := *record
	same.Engine.Threads, same.Input = 7, &report.File{Path: "elsewhere/in.png", SHA256: "abc"}
	if err := f.Check(&same); err != nil {
		t.Errorf("other threads and another path: %v", err)
	}
	for want, change := range map[string]func(r *report.Run){
		`program.version is "9.9" here and `:                   func(r *report.Run) { r.Program.Version = "9.9" },
		`engine.name is "xla" here and "spgd" in it`:           func(r *report.Run) { r.Engine.Name = "xla" },
		`engine.isa is "none" here`:                            func(r *report.Run) { r.Engine.ISA = "none" },
		`engine.precision is "bf16" here and "f32" in it`:      func(r *report.Run) { r.Engine.Precision = "bf16" },
		`engine.convolution is "direct" here and "auto" in it`: func(r *report.Run) { r.Engine.Convolution = "direct" },
		`input.sha256 is "def" here and "abc" in it`:           func(r *report.Run) { r.Input = &report.File{SHA256: "def"} },
		`seed is 4 here and 3 in it`:                           func(r *report.Run) { r.Seed = 4 },
		`sampler.name is "dps" here and not set in it`:         func(r *report.Run) { r.Sampler = &report.Sampler{Name: "dps"} },
	} {
		other := *record
		change(&other)
		err := f.Check(&other)
		if !errors.Is(err, resume.ErrOther) {
			t.Errorf("%s: %v, want ErrOther", want, err)
			continue
		}
		if text := err.Error(); !strings.Contains(text, path) || strings.Contains(text, "\n") || !strings.Contains(text, want) {
			t.Errorf("%q does not say %q", text, want)
		}
	}
}

// rewrite writes a file with other metadata or tensors.
func rewrite(t *testing.T, from, to string, change func(tensors map[string]checkpoint.Tensor, meta map[string]string)) {
	t.Helper()
	f, err := checkpoint.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	change(f.Tensors, f.Metadata)
	var buf bytes.Buffer
	if err := checkpoint.Write(&buf, f.Tensors, f.Metadata); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, buf.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestDamagedFiles(t *testing.T) {
	dir := t.TempDir()
	good, bad := filepath.Join(dir, "good"), filepath.Join(dir, "bad")
	saved(t, good)
	whole, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	type tensorMap = map[string]checkpoint.Tensor
	type meta = map[string]string
	run := func(change func(c map[string]any)) func(tensorMap, meta) {
		return func(_ tensorMap, m meta) {
			var c map[string]any
			if err := json.Unmarshal([]byte(m["run"]), &c); err != nil {
				t.Fatal(err)
			}
			change(c)
			b, err := json.Marshal(c)
			if err != nil {
				t.Fatal(err)
			}
			m["run"] = string(b)
		}
	}
	for _, c := range []struct {
		want   string
		is     error
		change func(tensorMap, meta)
	}{
		{`its format is ""`, resume.ErrFile, func(_ tensorMap, m meta) { delete(m, "format") }},
		{`its format is "spgd.measurement"`, resume.ErrFile, func(_ tensorMap, m meta) { m["format"] = "spgd.measurement" }},
		{`"2" (this program reads "1")`, resume.ErrVersion, func(_ tensorMap, m meta) { m["version"] = "2" }},
		{"checksum", resume.ErrFile, func(v tensorMap, _ meta) { v["x"].Data[5]++ }},
		{"checksum", resume.ErrFile, func(v tensorMap, _ meta) { delete(v, "last push") }},
		{"checksum", resume.ErrFile, func(_ tensorMap, m meta) { delete(m, "checksum") }},
		{"its record", resume.ErrFile, func(_ tensorMap, m meta) { m["record"] = "[]" }},
		{"its record", resume.ErrFile, func(_ tensorMap, m meta) { m["record"] = `{"schema":99}` }},
		{"no JSON of one", resume.ErrFile, func(_ tensorMap, m meta) { m["run"] = "{" }},
		{"no JSON of one", resume.ErrFile, func(_ tensorMap, m meta) { m["run"] = `{"step":-1e99}` }},
		{"0 records after 0 of -1 steps", resume.ErrFile, func(_ tensorMap, m meta) { m["run"] = "{}" }},
		{"records after 5 of 4 steps", resume.ErrFile, run(func(c map[string]any) { c["step"] = 5 })},
		{"records after 2 of 4 steps", resume.ErrFile, run(func(c map[string]any) { c["step"] = 2 })},
		{"records after -1 of 4 steps", resume.ErrFile, run(func(c map[string]any) { c["step"] = -1 })},
		{"0 records after 1 of 4", resume.ErrFile, run(func(c map[string]any) { c["records"] = nil })},
	} {
		rewrite(t, good, bad, c.change)
		expect(t, bad, c.want, c.is)
	}
	header := func(from, to string) []byte {
		n := binary.LittleEndian.Uint64(whole)
		h := bytes.Replace(whole[8:8+n], []byte(from), []byte(to), 1)
		if bytes.Equal(h, whole[8:8+n]) {
			t.Fatalf("the header does not hold %s", from)
		}
		return slices.Concat(binary.LittleEndian.AppendUint64(nil, uint64(len(h))), h, whole[8+n:])
	}
	for name, c := range map[string]struct {
		content []byte
		want    string
	}{
		"empty":           {nil, "truncated"},
		"cut in the head": {whole[:100], "truncated"},
		"cut in the data": {whole[:len(whole)-1], "truncated"},
		"longer":          {append(slices.Clone(whole), 0), "after the last tensor"},
		"a picture":       {[]byte("\x89PNG\r\n\x1a\n-------------------"), ""},
		"integers":        {header(`"F32"`, `"I32"`), "int32"},
		"other bytes":     {header(`"F32"`, `"F64"`), "shape"},
		"huge":            {header(`"shape":[1,`, `"shape":[99999999999,`), ""},
		"NaN":             {append(slices.Clone(whole[:len(whole)-4]), 0, 0, 0xc0, 0x7f), "not finite"},
	} {
		if err := os.WriteFile(bad, c.content, 0o600); err != nil {
			t.Fatal(err)
		}
		t.Run(name, func(t *testing.T) { expect(t, bad, c.want, resume.ErrFile) })
	}
}

// expect loads a file that is wrong.
func expect(t *testing.T, path, want string, is error) {
	t.Helper()
	f, err := resume.Load(path)
	if !errors.Is(err, is) || f != nil {
		t.Errorf("%s: %v, want %v", want, err, is)
		return
	}
	if text := err.Error(); !strings.Contains(text, want) || strings.Contains(text, "\n") || strings.Count(text, path) != 1 {
		t.Errorf("%q does not say %q once and in one line", text, want)
	}
}

// FuzzLoad: any bytes are a checkpoint that can be saved again or an error of this package.
func FuzzLoad(f *testing.F) {
	path := filepath.Join(f.TempDir(), "a")
	saved(f, path)
	whole, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	n := binary.LittleEndian.Uint64(whole)
	f.Add(whole[8:8+n], whole[8+n:])
	f.Add([]byte(`{"__metadata__":{"format":"spgd.checkpoint","version":"1","record":"{\"schema\":1}","run":"{\"sigmas\":[2,1],\"step\":1,\"records\":[{}]}","checksum":"0"}}`), []byte{})
	f.Add([]byte(`{"__metadata__":{"format":"spgd.checkpoint","version":"1"},"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`), make([]byte, 4))
	f.Fuzz(func(t *testing.T, header, data []byte) {
		path := filepath.Join(t.TempDir(), "a")
		content := slices.Concat(binary.LittleEndian.AppendUint64(nil, uint64(len(header))), header, data)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		file, err := resume.Load(path)
		if err != nil {
			if !errors.Is(err, resume.ErrFile) && !errors.Is(err, resume.ErrVersion) {
				t.Fatalf("an error of another kind: %v", err)
			}
			return
		}
		if err := file.Check(file.Record); err != nil {
			t.Errorf("it is of another run than itself: %v", err)
		}
		if err := resume.Save(path, file.Run, file.Record); err != nil {
			t.Fatal(err)
		}
		again, err := resume.Load(path)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(again.Run.State, file.Run.State) || again.Run.Step != file.Run.Step {
			t.Error("it is another one when it is read again")
		}
	})
}
