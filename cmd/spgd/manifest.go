package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/pflag"
)

// manifestLine is a line of a manifest: a picture with settings of its own. The zero value has none.
type manifestLine struct {
	number int // in the file, from 1
	input  string
	output string
	names  []string            // of the settings, as the flags' names
	values map[string][]string // as the command line has them
	dir    string              // of the manifest, which paths start from
}

// readManifest reads a manifest in JSON Lines. known are the flags of restore.
func readManifest(path string, known *pflag.FlagSet) ([]*manifestLine, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, as(errInput, fmt.Errorf("manifest: %w", err))
	}
	defer f.Close()
	var lines []*manifestLine
	r := bufio.NewReader(f)
	for number := 1; ; number++ {
		text, err := r.ReadBytes('\n')
		if err != nil && err != io.EOF {
			return nil, as(errInput, fmt.Errorf("manifest: %w", err))
		}
		end := err == io.EOF
		if text = bytes.TrimSpace(text); len(text) > 0 {
			line := &manifestLine{number: number, dir: filepath.Dir(path), values: map[string][]string{}}
			if err := line.parse(text, known); err != nil {
				return nil, line.in(path, err)
			}
			lines = append(lines, line)
		}
		if end {
			break
		}
	}
	if len(lines) == 0 {
		return nil, as(errInput, fmt.Errorf("the manifest %s lists no picture", path))
	}
	return lines, nil
}

// in says where in a manifest an error is.
func (l *manifestLine) in(path string, err error) error {
	return fmt.Errorf("%s, line %d: %w", path, l.number, err)
}

// parse reads a line, an object whose members are input, output and flags.
func (l *manifestLine) parse(text []byte, known *pflag.FlagSet) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return usagef("a line has to be a JSON object, such as {\"input\": \"a.png\", \"task\": \"denoise\"}")
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return usagef("not JSON: %w", err)
		}
		var value any
		if err := d.Decode(&value); err != nil {
			return usagef("not JSON: %w", err)
		}
		if err := l.set(key.(string), value, known); err != nil {
			return err
		}
	}
	if _, err := d.Token(); err != nil {
		return usagef("not JSON: %w", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return usagef("a line holds one JSON object, and there is more behind it")
	}
	if l.input == "" {
		return usagef("no input is given")
	}
	return nil
}

// set takes a member of the line.
func (l *manifestLine) set(key string, value any, known *pflag.FlagSet) error {
	texts, ok := manifestValues(value)
	if !ok {
		return usagef("%s is neither a text, a number, true, false nor a list of them", key)
	}
	file := map[string]*string{"input": &l.input, "output": &l.output}[key]
	if file != nil {
		if s, ok := value.(string); !ok || s == "" {
			return usagef("%s is not the name of a file", key)
		}
		if *file != "" {
			return usagef("%s is given twice", key)
		}
		*file = l.path(value.(string))
		return nil
	}
	flag := known.Lookup(key)
	switch {
	case flag == nil || key == "help":
		names := []string{"input", "output"}
		known.VisitAll(func(f *pflag.Flag) {
			if perPicture(f.Name) {
				names = append(names, f.Name)
			}
		})
		return usagef("unknown key %q%s", key, didYouMean(key, names))
	case !perPicture(key):
		return usagef("%s is no setting of one picture of several", key)
	case slices.Contains(l.names, key):
		return usagef("%s is given twice", key)
	}
	if _, list := flag.Value.(pflag.SliceValue); !list && len(texts) != 1 {
		return usagef("%s takes one value, and %d are given", key, len(texts))
	}
	l.names, l.values[key] = append(l.names, key), texts
	return nil
}

// manifestValues are the values of a member in the words of the command line.
func manifestValues(value any) (texts []string, ok bool) {
	switch v := value.(type) {
	case string:
		return []string{v}, true
	case json.Number:
		return []string{v.String()}, true
	case bool:
		return []string{fmt.Sprint(v)}, true
	case []any:
		for _, element := range v {
			text, ok := manifestValues(element)
			if _, nested := element.([]any); !ok || nested {
				return nil, false
			}
			texts = append(texts, text...)
		}
		return texts, true
	}
	return nil, false
}

// path is a path of the line, which starts from the manifest's folder.
func (l *manifestLine) path(p string) string {
	if filepath.IsAbs(p) {
		return p
	}
	return filepath.Join(l.dir, p)
}

// replaced are the flags whose values on the command line do not count for the line: those that it
// gives, and what belongs to another task or method than its own.
func (l *manifestLine) replaced() []string {
	list := slices.Clone(l.names)
	if slices.Contains(l.names, "task") {
		list = append(list, "scale", "mask", "invert-mask", "kernel")
	}
	if slices.Contains(l.names, "method") {
		list = append(append(list, "set"), spgdFlags...)
	}
	return list
}

// apply gives the flags the values of the line.
func (l *manifestLine) apply(f *pflag.FlagSet) error {
	for _, name := range l.names {
		for _, text := range l.values[name] {
			// A mask or kernel with a colon is none of a file, see operator.Task, or a path with one.
			if (name == "mask" || name == "kernel") && !isTaskSpec(text) {
				text = l.path(text)
			}
			if err := f.Set(name, text); err != nil {
				return flagError(nil, err)
			}
		}
	}
	return nil
}

// isTaskSpec says whether a mask or kernel is described in words rather than named as a file.
func isTaskSpec(text string) bool {
	word, _, colon := strings.Cut(text, ":")
	return colon && slices.Contains([]string{"random", "box", "gaussian", "motion"}, word)
}
