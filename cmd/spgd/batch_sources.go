package main

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/seed-0f004ec9/spgd/imageio"
	"github.com/seed-0f004ec9/spgd/report"
)

// source is an input of a batch.
type source struct {
	path string
	// below is the path of its folder from the folder that was given, which the outputs repeat.
	below string
}

// sources are the inputs that a batch has found.
type sources struct {
	files   []source
	ignored map[string]int // what was left out of folders, by what it is
	output  string         // folder of the outputs, whose results are no inputs
	except  []string       // files that are no inputs: masks and kernels
	all     bool           // folders with what is below
	seen    map[string]bool
}

// inputExtensions are those of the files that are taken out of a folder.
var inputExtensions = []string{".png", ".jpg", ".jpeg", ".webp", measurementExtension}

// find lists the inputs that the arguments name: files as they are, patterns, and folders.
func (s *sources) find(args []string) error {
	s.ignored, s.seen = map[string]int{}, map[string]bool{}
	for _, arg := range args {
		paths, err := expand(arg)
		if err != nil {
			return err
		}
		for _, path := range paths {
			st, err := os.Stat(path)
			switch {
			case err != nil:
				return as(errInput, fmt.Errorf("input %s: %w", path, err))
			case st.IsDir():
				err = s.folder(path, "")
			default:
				s.add(path, "")
			}
			if err != nil {
				return err
			}
		}
	}
	if len(s.files) == 0 {
		return as(errInput, fmt.Errorf("there is no picture in %s%s", strings.Join(args, ", "), s.describeIgnored()))
	}
	return nil
}

// add adds a file, once.
func (s *sources) add(path, below string) {
	path = filepath.Clean(path)
	if !s.seen[path] {
		s.seen[path] = true
		s.files = append(s.files, source{path, below})
	}
}

// folder adds the pictures and measurement files of a folder, in the order of their names.
func (s *sources) folder(dir, below string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return as(errInput, fmt.Errorf("folder %s: %w", dir, err))
	}
	results := sameFile(dir, s.output)
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		st, err := os.Stat(path) // of what a link points to
		switch {
		case strings.HasPrefix(e.Name(), ".") || err != nil:
		case st.IsDir():
			// A link may lead back up.
			if s.all && e.IsDir() && !sameFile(path, s.output) {
				if err := s.folder(path, filepath.Join(below, e.Name())); err != nil {
					return err
				}
			}
		case !st.Mode().IsRegular():
		default:
			if why := s.exclude(e, path, entries, results); why != "" {
				s.ignored[why]++
				continue
			}
			s.add(path, below)
		}
	}
	return nil
}

// exclude says why a file of a folder is no input, or nothing.
func (s *sources) exclude(e fs.DirEntry, path string, beside []fs.DirEntry, results bool) string {
	ext := strings.ToLower(filepath.Ext(path))
	switch {
	case results && e.Name() == batchLog:
		return "log"
	case !slices.Contains(inputExtensions, ext):
		return "no picture (" + strings.TrimSpace("*"+ext) + ")"
	case slices.ContainsFunc(s.except, func(other string) bool { return sameFile(path, other) }):
		return "mask or kernel"
	case isDegradeMask(e.Name(), beside):
		return "mask or kernel"
	}
	if results {
		if r, err := recordIn(path); err == nil && r != nil && r.Command == "restore" {
			return "result"
		}
	}
	return ""
}

// isDegradeMask says whether a file is what spgd degrade writes beside a picture: its mask or kernel.
func isDegradeMask(name string, beside []fs.DirEntry) bool {
	stem := strings.TrimSuffix(name, filepath.Ext(name))
	for _, what := range []string{".mask", ".kernel"} {
		picture, ok := strings.CutSuffix(stem, what)
		if ok && slices.ContainsFunc(beside, func(e fs.DirEntry) bool {
			return strings.TrimSuffix(e.Name(), filepath.Ext(e.Name())) == picture
		}) {
			return true
		}
	}
	return false
}

// describeIgnored lists what was left out, in words.
func (s *sources) describeIgnored() string {
	var words []string
	for _, what := range slices.Sorted(maps.Keys(s.ignored)) {
		words = append(words, fmt.Sprintf("%d %s", s.ignored[what], what))
	}
	if words == nil {
		return ""
	}
	return " (left out: " + strings.Join(words, ", ") + ")"
}

// recordIn returns the record that a picture carries, nil if it has none.
func recordIn(path string) (*report.Run, error) {
	text, err := imageio.ReadMetadata(path)
	if err != nil {
		return nil, err
	}
	record, ok := text[report.MetadataKey]
	if !ok {
		return nil, nil
	}
	return report.Parse([]byte(record))
}
