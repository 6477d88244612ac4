package bench

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/seed-0f004ec9/spgd/imageio"
	"github.com/seed-0f004ec9/spgd/operator"
	"github.com/seed-0f004ec9/spgd/sampler"
)

func TestParseTask(t *testing.T) {
	for text, name := range map[string]string{
		"sr:4@0.01":                           "sr:4@0.01",
		"inpaint:random:0.80@0.010":           "inpaint:random:0.8@0.01",
		"inpaint:box:32@0.05":                 "inpaint:box:32@0.05",
		"deblur:gaussian:3":                   "deblur:gaussian:3",
		"deblur:motion:15:30@gaussian:0.01":   "deblur:motion:15:30@0.01",
		"deblur:motion:random:0.5@poisson:.1": "deblur:motion:random:0.5@poisson:0.1",
		"denoise@0.2":                         "denoise@0.2",
		"phase@0":                             "phase",
		"phase@0.05*4":                        "phase@0.05*4",
		"hdr*1":                               "hdr",
	} {
		task, err := ParseTask(text)
		if err != nil || task.Name != name {
			t.Errorf("%s is %q (%v), want %q", text, task.Name, err, name)
			continue
		}
		again, err := ParseTask(task.Name)
		if err != nil || again.Name != name || again.Noise != task.Noise {
			t.Errorf("%s is read as %+v (%v), not %+v", task.Name, again, err, task)
		}
	}
	for text, says := range map[string]string{
		"sr@0.01": "sr:FACTOR", "sr:1": "factor", "nothing@1": "unknown task", "denoise@x": "not a number",
		"denoise@-1": "at least 0", "denoise:3": "no settings", "inpaint@0.1": "needs a mask",
		"inpaint:mask.png@0.1": "not read from files", "deblur:kernel.png": "not read from files", "denoise@salt:1": "salt",
		"phase*0": "starts", "phase@0.1*x": "starts",
	} {
		if _, err := ParseTask(text); !errors.Is(err, ErrSpec) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want one that says %q", text, err, says)
		}
	}
}

func problem(t *testing.T) sampler.Problem {
	t.Helper()
	op, err := operator.NewColorize(16, 16)
	if err != nil {
		t.Fatal(err)
	}
	return sampler.Problem{Operator: op, SigmaY: 0.1}
}

// TestPreset: a preset sets what it is, but for settings that are given.
func TestPreset(t *testing.T) {
	m, err := ParseMethod("spgd:preset=released,steps=7")
	if err != nil {
		t.Fatal(err)
	}
	s, err := m.Sampler(problem(t))
	if err != nil {
		t.Fatal(err)
	}
	want := sampler.ReleasedSettings()
	got := s.(sampler.SPGD).Settings
	if got.StepSize == 0 || got.Steps != 7 {
		t.Errorf("settings %+v", got)
	}
	want.Steps, want.StepSize = 7, got.StepSize
	if got != want {
		t.Errorf("settings %+v, want %+v", got, want)
	}
	for text, says := range map[string]string{"dps:preset=paper": "presets are for spgd", "spgd:preset=best": "unknown preset", "spgd:wrong=1": "no setting", "other": "unknown method"} {
		m, err := ParseMethod(text)
		if err == nil {
			err = m.check(problem(t))
		}
		if !errors.Is(err, ErrSpec) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", text, err)
		}
	}
	for _, text := range []string{"dps:scale", "dps:=1", "dps:scale=1,scale=2"} {
		if _, err := ParseMethod(text); !errors.Is(err, ErrSpec) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// TestEqualNFE: every method gets the steps whose cost is nearest.
func TestEqualNFE(t *testing.T) {
	p := problem(t)
	for _, name := range sampler.MethodNames() {
		for _, n := range []int{1, 10, 60, 333} {
			m, err := Method{Label: name, Name: name}.clone().atNFE(n, p)
			if err != nil {
				t.Fatal(err)
			}
			cost := func(steps int) int {
				s, err := sampler.New(name, p, nil)
				if err != nil {
					t.Fatal(err)
				}
				return steps * s.StepCost().NFE()
			}
			s, err := m.Sampler(p)
			if err != nil {
				t.Fatal(err)
			}
			steps := len(s.Sigmas()) - 1
			off := max(cost(steps)-n, n-cost(steps))
			for _, other := range []int{steps - 1, steps + 1} {
				if d := max(cost(other)-n, n-cost(other)); other > 0 && (d < off || d == off && other < steps) {
					t.Errorf("%s at %d: %d steps take %d, %d steps %d", name, n, steps, cost(steps), other, cost(other))
				}
			}
		}
	}
	if _, err := (Method{Name: "dps", Set: map[string]string{"steps": "3"}}).atNFE(10, p); !errors.Is(err, ErrSpec) {
		t.Errorf("steps and evaluations: %v", err)
	}
}

func TestReadSpec(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "b.yaml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(`# a comment
images: [photos/*.png, /abs/a.png]
size: 64
tasks: [sr:4@0.01, denoise@0.2]
methods:
  - spgd
  - spgd:adm=off,steps=3
  - {method: dps, set: {scale: 0.50, clip: off}, label: strong}
  - method: ddnm+
seeds: 3
nfe: 60
reference: strong
lpips: [w.pth]
prior: natural-small
tile: off
`)
	got, err := ReadSpec(path)
	if err != nil {
		t.Fatal(err)
	}
	want := &Spec{
		Images: []string{filepath.Join(dir, "photos/*.png"), "/abs/a.png"}, Size: 64,
		Tasks: []string{"sr:4@0.01", "denoise@0.2"},
		Methods: []Method{
			{"spgd", "spgd", map[string]string{}},
			{"spgd:adm=off,steps=3", "spgd", map[string]string{"adm": "off", "steps": "3"}},
			{"strong", "dps", map[string]string{"scale": "0.50", "clip": "off"}},
			{"ddnm+", "ddnm+", map[string]string{}},
		},
		Seeds: Seeds{0, 1, 2}, NFE: 60, Reference: "strong", LPIPS: []string{filepath.Join(dir, "w.pth")}, Prior: "natural-small", Tile: "off",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	write("seeds: [5, 18446744073709551615]")
	if got, err := ReadSpec(path); err != nil || !reflect.DeepEqual(got.Seeds, Seeds{5, 1<<64 - 1}) {
		t.Errorf("%+v (%v)", got, err)
	}
	write("tile: 96")
	if got, err := ReadSpec(path); err != nil || got.Tile != "96" {
		t.Errorf("%+v (%v)", got, err)
	}
	for text, says := range map[string]string{
		"":                                      "empty",
		"sise: 64":                              "sise",
		"seeds: many":                           "whole number",
		"seeds: 0":                              "1 to",
		"methods: [{set: {a: 1}}]":              "without its name",
		"methods: [{method: a, b: 1}]":          "not method, label or set",
		"methods: [[a]]":                        "a word",
		"methods: [{method: a, set: {b: [1]}}]": "not one value",
		"images: {a: 1}":                        "line 1",
		"a: b: c":                               "line 1",
		"size: 1\n---\nsize: 2":                 "more than one document",
	} {
		write(text)
		if _, err := ReadSpec(path); !errors.Is(err, ErrSpec) || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: %v, want one that says %q", text, err, says)
		}
	}
	if _, err := ReadSpec(filepath.Join(dir, "none.yaml")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

// photo is a picture that differs from seed to seed.
func photo(height, width, seed int) *imageio.Image {
	m := imageio.New(height, width, 3)
	for i := range m.Pix {
		m.Pix[i] = float32((i*(7+seed))%201)/100 - 1
	}
	return m
}

func TestSuites(t *testing.T) {
	for _, name := range SuiteNames() {
		p, err := NewPlan(Spec{Images: []string{"spec_test.go"}, Suite: name, Size: 64}, func(string) (*imageio.Image, error) { return photo(70, 64, 1), nil })
		if err != nil {
			t.Errorf("suite %s: %v", name, err)
			continue
		}
		if len(p.Tasks) < 4 || len(p.Spec.Methods) < 2 || p.Spec.Reference != p.Spec.Methods[0].Label {
			t.Errorf("suite %s: %d tasks, %d methods", name, len(p.Tasks), len(p.Spec.Methods))
		}
	}
	s := Spec{Images: []string{"x"}, Suite: "ablation-beta", Methods: []Method{{"spgd:preset=paper", "spgd", map[string]string{"preset": "paper"}}}}
	if _, err := s.settle(); err != nil || s.Methods[1].Label != "spgd:preset=paper,beta=0.3" || len(s.Methods) != 6 {
		t.Errorf("%v (%v)", s.Methods, err)
	}
}

// TestPlan: images are cut, hashed and named; what makes no sense is refused.
func TestPlan(t *testing.T) {
	read := func(path string) (*imageio.Image, error) {
		return photo(20, 33, int(path[0])+5*int(path[2])), nil
	}
	spec := Spec{Images: []string{"x/a.png", "x/b.JPG", "y/a.png"}, Size: 16, Tasks: []string{"denoise@0.1"}, Methods: []Method{{"spgd", "spgd", nil}}, Seeds: Seeds{1, 2}}
	p, err := NewPlan(spec, read)
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Images) != 3 || p.Images[0].Name != "a" || p.Images[1].Name != "b" || p.Images[2].Name != "a (2)" || p.Cells() != 6 {
		t.Errorf("%d images, %d cells: %+v", len(p.Images), p.Cells(), p.Images)
	}
	whole := photo(20, 33, 'x'+5*'a')
	if got, want := p.Images[0].Pixels.Pix[3*(16*5+7)+2], whole.Pix[3*(33*(2+5)+8+7)+2]; got != want {
		t.Errorf("a pixel of the square is %v, want %v", got, want)
	}
	if a, b := drawSeed(p.Images[0].SHA256, 1), drawSeed(p.Images[1].SHA256, 1); a == b || a == drawSeed(p.Images[0].SHA256, 2) {
		t.Errorf("equal draws %d", a)
	}
	same := func(string) (*imageio.Image, error) { return photo(20, 33, 1), nil }
	for name, c := range map[string]struct {
		change func(s *Spec)
		read   func(string) (*imageio.Image, error)
		is     error
	}{
		"too small":      {func(s *Spec) { s.Size = 21 }, read, operator.ErrSize},
		"same picture":   {func(*Spec) {}, same, ErrSpec},
		"no image":       {func(s *Spec) { s.Images = nil }, read, ErrSpec},
		"not there":      {func(*Spec) {}, func(string) (*imageio.Image, error) { return nil, os.ErrNotExist }, os.ErrNotExist},
		"no tasks":       {func(s *Spec) { s.Tasks = nil }, read, ErrSpec},
		"no methods":     {func(s *Spec) { s.Methods = nil }, read, ErrSpec},
		"task twice":     {func(s *Spec) { s.Tasks = []string{"denoise@0.1", "denoise@0.10"} }, read, ErrSpec},
		"method twice":   {func(s *Spec) { s.Methods = append(s.Methods, s.Methods[0]) }, read, ErrSpec},
		"seed twice":     {func(s *Spec) { s.Seeds = Seeds{1, 1} }, read, ErrSpec},
		"reference":      {func(s *Spec) { s.Reference = "dps" }, read, ErrSpec},
		"unknown method": {func(s *Spec) { s.Methods = []Method{{"x", "x", nil}} }, read, ErrSpec},
		"suite":          {func(s *Spec) { s.Suite = "x" }, read, ErrSpec},
		"box too large":  {func(s *Spec) { s.Tasks = []string{"inpaint:box:99"} }, read, operator.ErrSize},
		"negative nfe":   {func(s *Spec) { s.NFE = -1 }, read, ErrSpec},
	} {
		s := spec
		s.Methods = append([]Method(nil), spec.Methods...)
		c.change(&s)
		if _, err := NewPlan(s, c.read); !errors.Is(err, c.is) {
			t.Errorf("%s: %v, want %v", name, err, c.is)
		}
	}
}
