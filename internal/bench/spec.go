package bench

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// DefaultSize is the side of the square that is cut out of every image.
const DefaultSize = 256

// Bounds of a specification.
const (
	maxSize  = 4096
	maxSeeds = 1000
	maxNFE   = 1_000_000
)

// Spec says what is compared, as a YAML file or the flags of a command have it.
type Spec struct {
	Images  []string `yaml:"images"`  // files; NewPlan's caller replaces folders and patterns
	Size    int      `yaml:"size"`    // side of the central square, in pixels
	Suite   string   `yaml:"suite"`   // tasks and methods by name, for those not given
	Tasks   []string `yaml:"tasks"`   // as ParseTask reads them
	Methods []Method `yaml:"methods"` // as ParseMethod reads them, or with method, set and label
	Seeds   Seeds    `yaml:"seeds"`   // a number of seeds, from 0, or a list of them
	NFE     int      `yaml:"nfe"`     // evaluations of the prior that every method gets; 0 for its own number
	// Reference is the label of the method that the others are compared with, the first if empty.
	Reference string `yaml:"reference"`

	Prior     string   `yaml:"prior"`
	Network   string   `yaml:"network"`
	Precision string   `yaml:"precision"`
	Tile      string   `yaml:"tile"`  // side of the tiles in pixels, auto or off
	LPIPS     []string `yaml:"lpips"` // files of the network and its heads
}

// Seeds are the seeds of the random numbers.
type Seeds []uint64

// FirstSeeds are the seeds from 0 to n-1.
func FirstSeeds(n int) Seeds {
	s := make(Seeds, n)
	for i := range s {
		s[i] = uint64(i)
	}
	return s
}

// UnmarshalYAML reads a number of seeds or a list of them.
func (s *Seeds) UnmarshalYAML(n *yaml.Node) error {
	var count int
	if n.Kind == yaml.ScalarNode && n.Decode(&count) == nil {
		if count < 1 || count > maxSeeds {
			return fmt.Errorf("line %d: %d seeds: there must be 1 to %d", n.Line, count, maxSeeds)
		}
		*s = FirstSeeds(count)
		return nil
	}
	var list []uint64
	if err := n.Decode(&list); err != nil {
		return fmt.Errorf("line %d: seeds are a whole number or a list of whole numbers", n.Line)
	}
	*s = list
	return nil
}

// UnmarshalYAML reads a method from a word or from method, set and label.
func (m *Method) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		parsed, err := ParseMethod(n.Value)
		*m = parsed
		return err
	}
	if n.Kind != yaml.MappingNode {
		return fmt.Errorf("line %d: a method is a word, or method, set and label", n.Line)
	}
	*m = Method{Set: map[string]string{}}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, v := n.Content[i], n.Content[i+1]
		switch {
		case key.Value == "method" && v.Kind == yaml.ScalarNode:
			m.Name = v.Value
		case key.Value == "label" && v.Kind == yaml.ScalarNode:
			m.Label = v.Value
		case key.Value == "set" && v.Kind == yaml.MappingNode:
			for j := 0; j+1 < len(v.Content); j += 2 {
				// Words such as off stay as they are written, whatever YAML takes them for.
				if v.Content[j+1].Kind != yaml.ScalarNode {
					return fmt.Errorf("line %d: the setting %s is not one value", v.Content[j].Line, v.Content[j].Value)
				}
				m.Set[v.Content[j].Value] = v.Content[j+1].Value
			}
		default:
			return fmt.Errorf("line %d: %s is not method, label or set", key.Line, key.Value)
		}
	}
	if m.Name == "" {
		return fmt.Errorf("line %d: a method without its name", n.Line)
	}
	if m.Label == "" {
		m.Label = m.text()
	}
	return nil
}

// ReadSpec reads a YAML file. Relative paths in it are taken from its folder. Its errors wrap ErrSpec
// or are those of the file.
func ReadSpec(path string) (*Spec, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	defer f.Close()
	var s Spec
	d := yaml.NewDecoder(f)
	d.KnownFields(true)
	if err := d.Decode(&s); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("bench: %s: %w: it is empty", path, ErrSpec)
		}
		return nil, fmt.Errorf("bench: %s: %w: %s", path, ErrSpec, oneLine(err.Error()))
	}
	if d.Decode(new(yaml.Node)) == nil {
		return nil, fmt.Errorf("bench: %s: %w: it holds more than one document", path, ErrSpec)
	}
	dir := filepath.Dir(path)
	for _, list := range [][]string{s.Images, s.LPIPS} {
		for i, p := range list {
			list[i] = beside(dir, p)
		}
	}
	if _, err := os.Stat(beside(dir, s.Prior)); err == nil && s.Prior != "" {
		s.Prior = beside(dir, s.Prior)
	}
	return &s, nil
}

func beside(dir, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

// oneLine brings the library's report, with a line for each mistake, into one sentence.
func oneLine(text string) string {
	text = strings.TrimPrefix(text, "yaml: ")
	text = strings.TrimPrefix(text, "unmarshal errors:")
	var parts []string
	for _, line := range strings.Split(text, "\n") {
		if line = strings.TrimSpace(line); line != "" {
			parts = append(parts, line)
		}
	}
	return strings.Join(parts, "; ")
}

// settle fills in what is left out and checks the rest, but for images and settings of methods.
func (s *Spec) settle() ([]Task, error) {
	fail := func(format string, args ...any) ([]Task, error) {
		return nil, fmt.Errorf("bench: %w: %s", ErrSpec, fmt.Sprintf(format, args...))
	}
	if s.Size == 0 {
		s.Size = DefaultSize
	}
	if len(s.Seeds) == 0 {
		s.Seeds = FirstSeeds(1)
	}
	if err := s.apply(); err != nil {
		return nil, err
	}
	switch {
	case s.Size < 1 || s.Size > maxSize:
		return fail("size %d: it must be 1 to %d pixels", s.Size, maxSize)
	case s.NFE < 0 || s.NFE > maxNFE:
		return fail("nfe %d: it must be at most %d", s.NFE, maxNFE)
	case len(s.Seeds) > maxSeeds:
		return fail("%d seeds: there can be at most %d", len(s.Seeds), maxSeeds)
	case len(s.Images) == 0:
		return fail("no images are given")
	case len(s.Tasks) == 0:
		return fail("no tasks are given, and no suite")
	case len(s.Methods) == 0:
		return fail("no methods are given, and no suite")
	}
	for i, seed := range s.Seeds {
		if slices.Contains(s.Seeds[:i], seed) {
			return fail("the seed %d is given twice", seed)
		}
	}
	var tasks []Task
	for _, text := range s.Tasks {
		t, err := ParseTask(text)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(tasks, func(o Task) bool { return o.Name == t.Name }) {
			return fail("the task %s is given twice", t.Name)
		}
		tasks = append(tasks, t)
	}
	for i, m := range s.Methods {
		if slices.ContainsFunc(s.Methods[:i], func(o Method) bool { return o.Label == m.Label }) {
			return fail("the method %s is given twice: give one of them another label", m.Label)
		}
	}
	if s.Reference == "" {
		s.Reference = s.Methods[0].Label
	}
	if !slices.ContainsFunc(s.Methods, func(m Method) bool { return m.Label == s.Reference }) {
		return fail("the reference %q is none of the methods", s.Reference)
	}
	return tasks, nil
}
