package checkpoint

import (
	"bufio"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
)

// A safetensors file (https://huggingface.co/docs/safetensors) is the length of a header in 8
// bytes, the header in JSON, and the tensors' bytes, which fill the rest of the file without gaps.

// maxHeader bounds the header. A thousand tensors need about 100 KB.
const maxHeader = 16 << 20

// maxDims bounds the dimensions of a tensor; PyTorch has the same limit.
const maxDims = 64

const metadataKey = "__metadata__"

var safetensorsTypes = map[string]*dtype{
	"F64": float64Type, "F32": float32Type, "F16": float16Type, "BF16": bfloat16Type,
	"I64": int64Type, "I32": int32Type, "I16": int16Type, "I8": int8Type, "U8": uint8Type,
	"U64": {"uint64", 8, nil}, "U32": {"uint32", 4, nil}, "U16": {"uint16", 2, nil},
	"BOOL": boolType, "C64": {"complex64", 8, nil},
}

// tensorInfo is one tensor of the header.
type tensorInfo struct {
	name       string
	dtype      *dtype
	shape      []int
	begin, end int64 // within the data
}

func readSafetensors(s *source, cfg *config) (*File, error) {
	if len(cfg.key) > 0 {
		return nil, fmt.Errorf("a safetensors file has no inner dictionary %q: %w", cfg.key, ErrFormat)
	}
	var head [8]byte
	if err := s.readFull(head[:], 0); err != nil {
		return nil, err
	}
	n := binary.LittleEndian.Uint64(head[:])
	if n > maxHeader {
		return nil, fmt.Errorf("a header of %d bytes (the limit is %d): %w", n, maxHeader, ErrFormat)
	}
	if !s.contains(8, int64(n)) {
		return nil, fmt.Errorf("a header of %d bytes in a file of %d bytes: %w", n, s.size, ErrTruncated)
	}
	f := &File{Format: FormatSafetensors, Skipped: make(map[string]string)}
	r := bufio.NewReader(io.NewSectionReader(s, 8, int64(n)))
	infos, metadata, err := parseHeader(r)
	if err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	f.Metadata = metadata
	if cfg.header {
		return f, nil
	}
	start := 8 + int64(n)
	if err := checkOffsets(infos, s.size-start); err != nil {
		return nil, err
	}
	entries := make([]entry, 0, len(infos))
	for _, t := range infos {
		if t.dtype.convert == nil {
			f.Skipped[t.name] = t.dtype.name
			continue
		}
		entries = append(entries, entry{
			name: t.name, shape: t.shape, n: (t.end - t.begin) / t.dtype.size,
			load: func(dst []float32) error { return s.readDense(dst, t.dtype, start+t.begin) },
		})
	}
	return loadAll(s, cfg, f, entries)
}

// checkOffsets holds the tensors to the rule that they cover the data of size bytes exactly, which
// excludes overlaps and hidden content, and to their shapes. It sorts infos by offset.
func checkOffsets(infos []tensorInfo, size int64) error {
	slices.SortStableFunc(infos, func(a, b tensorInfo) int {
		return cmp.Or(cmp.Compare(a.begin, b.begin), cmp.Compare(a.end, b.end))
	})
	var end int64
	for _, t := range infos {
		n, ok := elements(t.shape, math.MaxInt64/16)
		switch {
		case t.begin < 0 || t.end < t.begin:
			return fmt.Errorf("tensor %.100q has the offsets %d to %d: %w", t.name, t.begin, t.end, ErrFormat)
		case !ok:
			return fmt.Errorf("tensor %.100q has the impossible shape %v: %w", t.name, t.shape, ErrFormat)
		case n*t.dtype.size != t.end-t.begin:
			return fmt.Errorf("tensor %.100q has %d bytes, and shape %v in %s needs %d: %w",
				t.name, t.end-t.begin, t.shape, t.dtype.name, n*t.dtype.size, ErrFormat)
		case t.begin < end:
			return fmt.Errorf("tensor %.100q overlaps another one: %w", t.name, ErrFormat)
		case t.begin > end:
			return fmt.Errorf("tensor %.100q leaves a gap of %d bytes before it: %w", t.name, t.begin-end, ErrFormat)
		case t.end > size:
			return fmt.Errorf("tensor %.100q ends at byte %d of %d: %w", t.name, t.end, size, ErrTruncated)
		}
		end = t.end
	}
	if end != size {
		return fmt.Errorf("%d bytes after the last tensor: %w", size-end, ErrFormat)
	}
	return nil
}

// parseHeader reads the JSON token by token, so that duplicates are seen and memory follows
// the input.
func parseHeader(r io.Reader) ([]tensorInfo, map[string]string, error) {
	dec := json.NewDecoder(r)
	dec.UseNumber()
	var infos []tensorInfo
	var metadata map[string]string
	seen := make(map[string]bool)
	err := object(dec, func(name string) error {
		if seen[name] {
			return fmt.Errorf("%.100q appears twice: %w", name, ErrFormat)
		}
		seen[name] = true
		if name == metadataKey {
			metadata = make(map[string]string)
			return object(dec, func(key string) error {
				if _, ok := metadata[key]; ok {
					return fmt.Errorf("metadata %.100q appears twice: %w", key, ErrFormat)
				}
				v, err := token[string](dec)
				metadata[key] = v
				return err
			})
		}
		t, err := parseTensor(dec, name)
		if err != nil {
			return fmt.Errorf("tensor %.100q: %w", name, err)
		}
		infos = append(infos, t)
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, nil, fmt.Errorf("something follows the JSON object: %w", ErrFormat)
	}
	return infos, metadata, nil
}

func parseTensor(dec *json.Decoder, name string) (tensorInfo, error) {
	t := tensorInfo{name: name}
	seen := make(map[string]bool, 3)
	err := object(dec, func(field string) error {
		if seen[field] {
			return fmt.Errorf("%.100q appears twice: %w", field, ErrFormat)
		}
		seen[field] = true
		switch field {
		case "dtype":
			v, err := token[string](dec)
			if err != nil {
				return err
			}
			if t.dtype = safetensorsTypes[v]; t.dtype == nil {
				return fmt.Errorf("the element type %.100q: %w", v, ErrUnsupported)
			}
			return nil
		case "shape":
			dims, err := integers(dec, maxDims)
			for _, d := range dims {
				if d > math.MaxInt {
					return fmt.Errorf("the dimension %d: %w", d, ErrFormat)
				}
				t.shape = append(t.shape, int(d))
			}
			return err
		case "data_offsets":
			v, err := integers(dec, 2)
			if err == nil && len(v) != 2 {
				err = fmt.Errorf("%d data_offsets: %w", len(v), ErrFormat)
			}
			if err == nil {
				t.begin, t.end = v[0], v[1]
			}
			return err
		}
		return fmt.Errorf("the field %.100q: %w", field, ErrUnsupported)
	})
	if err != nil {
		return t, err
	}
	for _, field := range []string{"dtype", "shape", "data_offsets"} {
		if !seen[field] {
			return t, fmt.Errorf("%.100q is missing: %w", field, ErrFormat)
		}
	}
	return t, nil
}

// object reads a JSON object and calls field for every key; field consumes the value.
func object(dec *json.Decoder, field func(key string) error) error {
	if err := delim(dec, '{'); err != nil {
		return err
	}
	for dec.More() {
		key, err := token[string](dec)
		if err != nil {
			return err
		}
		if err := field(key); err != nil {
			return err
		}
	}
	return delim(dec, '}')
}

// integers reads a JSON array of at most limit non-negative integers.
func integers(dec *json.Decoder, limit int) ([]int64, error) {
	if err := delim(dec, '['); err != nil {
		return nil, err
	}
	var list []int64
	for dec.More() {
		num, err := token[json.Number](dec)
		if err != nil {
			return nil, err
		}
		v, err := strconv.ParseInt(num.String(), 10, 64)
		if err != nil || v < 0 {
			return nil, fmt.Errorf("%.40s where a size belongs: %w", num, ErrFormat)
		}
		if list = append(list, v); len(list) > limit {
			return nil, fmt.Errorf("more than %d numbers: %w", limit, ErrFormat)
		}
	}
	return list, delim(dec, ']')
}

func delim(dec *json.Decoder, want json.Delim) error {
	got, err := token[json.Delim](dec)
	if err == nil && got != want {
		err = fmt.Errorf("%v instead of %v: %w", got, want, ErrFormat)
	}
	return err
}

// token reads the next JSON token, which must be of type T.
func token[T any](dec *json.Decoder) (T, error) {
	var zero T
	tok, err := dec.Token()
	if err != nil {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			err = fmt.Errorf("not JSON (%v): %w", err, ErrFormat)
		}
		return zero, err
	}
	v, ok := tok.(T)
	if !ok {
		return zero, fmt.Errorf("unexpected %.40q in the JSON: %w", fmt.Sprint(tok), ErrFormat)
	}
	return v, nil
}
