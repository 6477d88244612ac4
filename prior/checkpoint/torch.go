package checkpoint

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// maxNesting is how many dictionaries may lie around the one that holds the tensors.
const maxNesting = 4

// torchFile turns the value that a PyTorch file holds into a File.
func torchFile(s *source, cfg *config, format string, root any) (*File, error) {
	d, err := stateDict(root, cfg.key)
	if err != nil {
		return nil, err
	}
	f := &File{Format: format, Skipped: make(map[string]string)}
	seen := make(map[string]bool, len(d.items))
	var entries []entry
	for _, it := range d.items {
		name, ok := it.key.(string)
		if !ok {
			continue
		}
		if seen[name] {
			return nil, fmt.Errorf("the name %.100q appears twice: %w", name, ErrFormat)
		}
		seen[name] = true
		if !utf8.ValidString(name) {
			return nil, fmt.Errorf("the name %.100q is not UTF-8: %w", name, ErrFormat)
		}
		switch v := it.value.(type) {
		case *tensorView:
			if v.dtype.convert == nil {
				f.Skipped[name] = v.dtype.name
				continue
			}
			entries = append(entries, entry{
				name: name, shape: v.shape, n: v.n,
				same: fmt.Sprintf("%q %s %d %v %v", v.storage.root.key, v.dtype.name, v.storage.first+v.offset, v.shape, v.strides),
				load: func(dst []float32) error { return v.read(s, dst) },
			})
		case *opaque, *global:
			// Elsewhere in the file such objects are of no concern; among the weights they are.
			return nil, fmt.Errorf("%.100q is %s, which is not read: %w", name, aKind(v), ErrUnsupported)
		default:
			f.Skipped[name] = kind(v)
		}
	}
	return loadAll(s, cfg, f, entries)
}

// stateDict finds the dictionary of tensors, by key or by the rule of Key.
func stateDict(root any, key []string) (*dict, error) {
	if len(key) > 0 {
		return follow(root, key)
	}
	type place struct {
		d    *dict
		path string
	}
	d, ok := root.(*dict)
	if !ok {
		return nil, fmt.Errorf("it holds %s instead of a dictionary of tensors: %w", aKind(root), ErrUnsupported)
	}
	level := []place{{d, ""}}
	visited := map[*dict]bool{d: true}
	for range maxNesting + 1 {
		var found, next []place
		for _, p := range level {
			if holdsWeights(p.d) {
				found = append(found, p)
			}
			for _, it := range p.d.items {
				name, ok1 := it.key.(string)
				d, ok2 := it.value.(*dict)
				if ok1 && ok2 && !visited[d] {
					visited[d] = true
					next = append(next, place{d, strings.TrimPrefix(fmt.Sprintf("%s.%.80s", p.path, name), ".")})
				}
			}
		}
		switch len(found) {
		case 0:
			level = next
			continue
		case 1:
			return found[0].d, nil
		}
		names := make([]string, len(found))
		for i, p := range found {
			names[i] = fmt.Sprintf("%q", p.path)
		}
		return nil, fmt.Errorf("tensors are in %s, and one must be chosen: %w", enumerate(names), ErrAmbiguous)
	}
	return nil, fmt.Errorf("it holds no dictionary of floating-point tensors: %w", ErrUnsupported)
}

func follow(root any, key []string) (*dict, error) {
	v := root
	for i, k := range key {
		d, ok := v.(*dict)
		if !ok {
			return nil, fmt.Errorf("%q is %s, not a dictionary: %w", key[:i], aKind(v), ErrTensors)
		}
		n := 0
		for _, it := range d.items {
			if it.key == k {
				v = it.value
				n++
			}
		}
		if n != 1 {
			return nil, fmt.Errorf("%d entries are called %q: %w", n, key[:i+1], ErrTensors)
		}
	}
	d, ok := v.(*dict)
	if !ok {
		return nil, fmt.Errorf("%q is %s, not a dictionary: %w", key, aKind(v), ErrTensors)
	}
	return d, nil
}

func holdsWeights(d *dict) bool {
	for _, it := range d.items {
		_, named := it.key.(string)
		if v, ok := it.value.(*tensorView); ok && named && v.dtype.convert != nil && len(v.shape) > 0 {
			return true
		}
	}
	return false
}
