package checkpoint

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// entry is a tensor that a format has found and checked, but not read.
type entry struct {
	name  string
	shape []int
	n     int64 // elements
	// same identifies the bytes of the tensor; entries with an equal, non-empty value share Data.
	same string
	// load fills the tensor's n elements.
	load func(dst []float32) error
}

// loadAll selects the entries and reads them. The memory for all tensors is bounded by a
// multiple of the file's size, whatever shapes, strides and shared storages claim.
func loadAll(s *source, cfg *config, f *File, entries []entry) (*File, error) {
	names, err := selectNames(cfg, entries, f.Skipped)
	if err != nil {
		return nil, err
	}
	skipped := make(map[string]string)
	for name, why := range f.Skipped {
		if short, ok := names[name]; ok {
			skipped[short] = why
		}
	}
	f.Skipped = skipped
	f.Tensors = make(map[string]Tensor, len(entries))
	budget := 2*s.size + 4<<20 // elements
	shared := make(map[string][]float32)
	for i := range entries {
		e := &entries[i]
		short, ok := names[e.name]
		if !ok {
			continue
		}
		if data, ok := shared[e.same]; ok && e.same != "" {
			f.Tensors[short] = Tensor{e.shape, data}
			continue
		}
		if budget -= e.n; budget < 0 {
			return nil, fmt.Errorf("tensor %.100q: the tensors need far more memory than the file of %d bytes holds: %w", e.name, s.size, ErrFormat)
		}
		if e.n > math.MaxInt/4 {
			return nil, fmt.Errorf("tensor %.100q: %d elements are too many for this machine: %w", e.name, e.n, ErrUnsupported)
		}
		data := make([]float32, e.n)
		if err := e.load(data); err != nil {
			return nil, fmt.Errorf("tensor %.100q: %w", e.name, err)
		}
		if e.same != "" {
			shared[e.same] = data
		}
		f.Tensors[short] = Tensor{e.shape, data}
	}
	return f, nil
}

// selectNames applies Prefix and TrimCommon: it maps the names that are kept to their short forms.
func selectNames(cfg *config, entries []entry, skipped map[string]string) (map[string]string, error) {
	names := make(map[string]string, len(entries)+len(skipped))
	keep := func(name string) {
		if short, ok := strings.CutPrefix(name, cfg.prefix); ok {
			names[name] = short
		}
	}
	for i := range entries {
		keep(entries[i].name)
	}
	for name := range skipped {
		keep(name)
	}
	if len(names) == 0 && cfg.prefix != "" {
		return nil, fmt.Errorf("no tensor's name begins with %.100q: %w", cfg.prefix, ErrTensors)
	}
	for trimmed := true; trimmed && len(names) > 0; {
		trimmed = false
		for _, prefix := range cfg.trim {
			if prefix == "" || !all(names, prefix) {
				continue
			}
			for name, short := range names {
				names[name] = short[len(prefix):]
			}
			trimmed = true
		}
	}
	return names, nil
}

func all(names map[string]string, prefix string) bool {
	for _, short := range names {
		if !strings.HasPrefix(short, prefix) {
			return false
		}
	}
	return true
}

// Check compares the tensors of a file with those that are wanted, given by their shapes. Its error
// wraps [ErrTensors] and names the tensors that are missing, unexpected or of another shape, up to
// ten of each. Entries in f.Skipped are not unexpected.
func Check(f *File, want map[string][]int) error {
	var missing, unexpected, misshapen []string
	for _, name := range slices.Sorted(maps.Keys(want)) {
		t, ok := f.Tensors[name]
		switch {
		case !ok && f.Skipped[name] != "":
			missing = append(missing, fmt.Sprintf("%s (stored as %s)", show(name), f.Skipped[name]))
		case !ok:
			missing = append(missing, show(name))
		case !slices.Equal(t.Shape, want[name]):
			misshapen = append(misshapen, fmt.Sprintf("%s is %v instead of %v", show(name), t.Shape, want[name]))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(f.Tensors)) {
		if _, ok := want[name]; !ok {
			unexpected = append(unexpected, show(name))
		}
	}
	var parts []string
	for _, list := range []struct {
		what  string
		names []string
	}{{"missing", missing}, {"unexpected", unexpected}, {"misshapen", misshapen}} {
		if len(list.names) > 0 {
			parts = append(parts, fmt.Sprintf("%d %s: %s", len(list.names), list.what, enumerate(list.names)))
		}
	}
	if parts == nil {
		return nil
	}
	return fmt.Errorf("checkpoint: %s: %w: %s", f.Name, ErrTensors, strings.Join(parts, "; "))
}

// show returns a name as it is, or quoted and cut if it would disturb a sentence.
func show(name string) string {
	odd := func(r rune) bool { return r == utf8.RuneError || !unicode.IsGraphic(r) || unicode.IsSpace(r) }
	if name != "" && len(name) <= 100 && !strings.ContainsFunc(name, odd) {
		return name
	}
	return fmt.Sprintf("%.100q", name)
}

// enumerate joins up to ten names and counts the rest.
func enumerate(names []string) string {
	const most = 10
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}
