package report

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"runtime/debug"
	"strings"
	"testing"
)

func TestNumber(t *testing.T) {
	for _, c := range []struct {
		v    float64
		want string
	}{
		{0, "0"}, {-1.5, "-1.5"}, {math.NaN(), `"nan"`}, {math.Inf(1), `"inf"`}, {math.Inf(-1), `"-inf"`},
		{math.MaxFloat64, "1.7976931348623157e+308"}, {5e-324, "5e-324"},
	} {
		b, err := json.Marshal(Number(c.v))
		if err != nil || string(b) != c.want {
			t.Errorf("%v is written %s (%v), want %s", c.v, b, err, c.want)
		}
		var back Number
		if err := json.Unmarshal(b, &back); err != nil || math.Float64bits(float64(back)) != math.Float64bits(c.v) && !math.IsNaN(c.v) {
			t.Errorf("%s is read as %v (%v)", b, back, err)
		}
	}
	var n Number
	for _, bad := range []string{`"x"`, `true`, `1e999`, `[]`} {
		if err := json.Unmarshal([]byte(bad), &n); err == nil {
			t.Errorf("%s is read as %v", bad, n)
		}
	}
	if err := n.UnmarshalJSON([]byte("null")); err != nil || !math.IsNaN(float64(n)) {
		t.Errorf("null is %v (%v)", n, err)
	}
	if Numbers(nil) != nil || len(Numbers([]float64{1, 2})) != 2 {
		t.Error("Numbers")
	}
}

func full() *Run {
	r := New("restore")
	r.Task, r.Operator, r.Seed = "sr", "sr:4", math.MaxUint64
	r.Noise = Noise{Model: "gaussian", Sigma: 0.01}
	r.Input = &File{Path: "/home/a/y.png", Format: "png", Width: 64, Height: 64, Channels: 4, BitDepth: 8, HasAlpha: true, Orientation: 6}
	r.Output = &File{Path: "/home/a/x.png"}
	r.Image = Size{256, 256, 3}
	r.Measurement, r.Padded = &Size{64, 64, 3}, &Size{256, 256, 3}
	r.Prior = &Prior{Name: "natural-small", SHA256: strings.Repeat("0f", 32), File: "/p.safetensors", Parameters: 6e6}
	r.Engine = Engine{Name: "spgd", ISA: "avx512", Precision: "f32", Threads: 2}
	r.Sampler = &Sampler{"spgd", "default", 30, 3, 0.9, "global", "fresh", 100, 0.1, 7, "given", 0.01, true, true, true, map[string]any{"eta": 0.5, "clip": true}}
	r.Cost = &Cost{30, 90, 120}
	r.DataFit = NewDataFit(12, 3, 0)
	r.Timings = &Timings{0.1, 1, 100, 101.5}
	angle := Number(90)
	r.Steps = []Step{{K: 0, Sigma: 100, Loss: Number(math.NaN()), Alpha: Numbers([]float64{0.5, 1}), AngleDenoiseLikelihood: &angle}}
	r.Warnings = []string{"mask thresholded"}
	return r
}

func TestRunRoundTrip(t *testing.T) {
	r := full()
	var buf bytes.Buffer
	if err := r.WriteJSON(&buf); err != nil {
		t.Fatal(err)
	}
	back, err := Parse(buf.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if !math.IsNaN(float64(back.Steps[0].Loss)) {
		t.Errorf("NaN came back as %v", back.Steps[0].Loss)
	}
	r.Steps[0].Loss, back.Steps[0].Loss = 0, 0
	if !reflect.DeepEqual(r, back) {
		t.Errorf("got %+v, want %+v", back, r)
	}
	// Every name is in snake case.
	for _, m := range regexp.MustCompile(`"([^"]+)":`).FindAllStringSubmatch(buf.String(), -1) {
		if !regexp.MustCompile(`^[a-z0-9]+(_[a-z0-9]+)*$`).MatchString(m[1]) {
			t.Errorf("field %q", m[1])
		}
	}
}

func TestCompact(t *testing.T) {
	a, b := full(), full()
	b.Timings, b.Steps = &Timings{Total: 7}, nil
	b.Engine.Threads, b.Input.Path, b.Output.Path, b.Prior.File = 16, "other", "elsewhere", ""
	ca, err := a.Compact()
	if err != nil {
		t.Fatal(err)
	}
	cb, err := b.Compact()
	if err != nil {
		t.Fatal(err)
	}
	if ca != cb {
		t.Errorf("compact forms differ:\n%s\n%s", ca, cb)
	}
	if strings.Contains(ca, "/home") || strings.Contains(ca, "\n") {
		t.Errorf("compact form: %s", ca)
	}
	if a.Input.Path != "/home/a/y.png" || a.Prior.File == "" || a.Engine.Threads != 2 || a.Steps == nil {
		t.Error("Compact changed the record")
	}
	back, err := Parse([]byte(ca))
	if err != nil {
		t.Fatal(err)
	}
	if back.Seed != math.MaxUint64 || back.Sampler.StepSize != 7 || back.DataFit.ResidualRMS != 2 || !math.IsInf(float64(back.DataFit.Ratio), 1) {
		t.Errorf("compact form read back: %+v", back)
	}
	b.Seed++
	if cb, _ = b.Compact(); ca == cb {
		t.Error("another seed gives the same compact form")
	}
}

func TestParseErrors(t *testing.T) {
	for _, bad := range []string{"", "{", "[]", "{}", `{"schema":2}`, `{"schema":1,"seed":-1}`} {
		if _, err := Parse([]byte(bad)); err == nil {
			t.Errorf("%q is read", bad)
		}
	}
}

func TestProgram(t *testing.T) {
	p := Program{Version: "(devel)"}
	p.fill(&debug.BuildInfo{Main: debug.Module{Version: "v1.2.3"}, Settings: []debug.BuildSetting{
		{Key: "vcs.modified", Value: "true"}, {Key: "vcs.revision", Value: "abc"}}})
	if p.Version != "v1.2.3" || p.Revision != "abc+dirty" {
		t.Errorf("%+v", p)
	}
	if p := ThisProgram(); p.Version == "" || !strings.HasPrefix(p.Go, "go") || !strings.Contains(p.Platform, "/") {
		t.Errorf("%+v", p)
	}
}

func TestHashFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "abc")
	if err := os.WriteFile(path, []byte("abc"), 0o600); err != nil {
		t.Fatal(err)
	}
	// FIPS 180-2, appendix B.1.
	const want = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
	if got, err := HashFile(path); err != nil || got != want {
		t.Errorf("hash %s (%v)", got, err)
	}
	if _, err := HashFile(path + "x"); err == nil {
		t.Error("no error for a missing file")
	}
}

// TestDifferences: what decides about a result is compared, what came out is not.
func TestDifferences(t *testing.T) {
	a, b := full(), full()
	b.Timings, b.Steps, b.Cost, b.DataFit, b.Warnings, b.Repeat = nil, nil, nil, NewDataFit(1, 1, 1), nil, &Repeat{Identical: true}
	b.Engine.Threads, b.Input.Path, b.Prior.File = 16, "other", ""
	if d, err := a.Differences(b, "b.png"); err != nil || len(d) > 0 {
		t.Errorf("differences %q (%v)", d, err)
	}
	b.Engine.ISA, b.Seed, b.TaskSettings = "avx2", 0, &TaskSettings{Scale: 4}
	b.Sampler.StepSize = Number(math.NaN())
	want := []string{
		`engine.isa is "avx512" here and "avx2" in b.png`,
		`sampler.step_size is 7 here and "nan" in b.png`,
		`seed is 18446744073709551615 here and 0 in b.png`,
		`task_settings.scale is not set here and 4 in b.png`,
	}
	if d, err := a.Differences(b, "b.png"); err != nil || !reflect.DeepEqual(d, want) {
		t.Errorf("differences %q (%v), want %q", d, err, want)
	}
}
