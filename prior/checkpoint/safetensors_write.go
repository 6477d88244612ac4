package checkpoint

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"unicode/utf8"
)

// Write writes a safetensors file in float32. Tensors are ordered by name, so equal content gives
// equal bytes, and the data begin at a multiple of 8 bytes. It refuses what [Read] would refuse:
// data that do not match their shape, values that are not finite, and names that are not UTF-8.
func Write(w io.Writer, tensors map[string]Tensor, metadata map[string]string) error {
	names := slices.Sorted(maps.Keys(tensors))
	header, err := encodeHeader(names, tensors, metadata)
	if err != nil {
		return err
	}
	// Look at every value before the first byte is written, so that a refusal leaves nothing behind.
	for _, name := range names {
		for i, v := range tensors[name].Data {
			if math.Float32bits(v)&exponent32 == exponent32 {
				return fmt.Errorf("checkpoint: tensor %q: element %d is %v: %w", name, i, v, ErrNotFinite)
			}
		}
	}
	out := bufio.NewWriterSize(w, 1<<16)
	var length [8]byte
	binary.LittleEndian.PutUint64(length[:], uint64(len(header)))
	// bufio.Writer keeps its first error, which Flush returns.
	out.Write(length[:])
	out.Write(header)
	for _, name := range names {
		for _, v := range tensors[name].Data {
			out.Write(binary.LittleEndian.AppendUint32(out.AvailableBuffer(), math.Float32bits(v)))
		}
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	return nil
}

func encodeHeader(names []string, tensors map[string]Tensor, metadata map[string]string) ([]byte, error) {
	var buf bytes.Buffer
	buf.WriteByte('{')
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	// field writes "name":value, where value marshals to JSON.
	field := func(name string, value any) error {
		if !utf8.ValidString(name) {
			return fmt.Errorf("checkpoint: the name %q is not UTF-8: %w", name, ErrFormat)
		}
		if buf.Len() > 1 {
			buf.WriteByte(',')
		}
		for i, v := range []any{name, value} {
			if err := enc.Encode(v); err != nil {
				return fmt.Errorf("checkpoint: %w", err)
			}
			buf.Truncate(buf.Len() - 1) // the newline that Encode appends
			if i == 0 {
				buf.WriteByte(':')
			}
		}
		return nil
	}
	if len(metadata) > 0 {
		for key, value := range metadata {
			if !utf8.ValidString(key) || !utf8.ValidString(value) {
				return nil, fmt.Errorf("checkpoint: the metadata %q is not UTF-8: %w", key, ErrFormat)
			}
		}
		if err := field(metadataKey, metadata); err != nil {
			return nil, err
		}
	}
	var end int64
	for _, name := range names {
		t := tensors[name]
		n, ok := elements(t.Shape, math.MaxInt64/4)
		if !ok || n != int64(len(t.Data)) || len(t.Shape) > maxDims || name == metadataKey {
			return nil, fmt.Errorf("checkpoint: tensor %q of shape %v with %d values cannot be written: %w", name, t.Shape, len(t.Data), ErrFormat)
		}
		begin := end
		end += 4 * n
		err := field(name, struct {
			DType   string   `json:"dtype"`
			Shape   []int    `json:"shape"`
			Offsets [2]int64 `json:"data_offsets"`
		}{"F32", append([]int{}, t.Shape...), [2]int64{begin, end}})
		if err != nil {
			return nil, err
		}
	}
	buf.WriteByte('}')
	for buf.Len()%8 != 0 {
		buf.WriteByte(' ')
	}
	if buf.Len() > maxHeader {
		return nil, fmt.Errorf("checkpoint: a header of %d bytes (the limit is %d): %w", buf.Len(), maxHeader, ErrFormat)
	}
	return buf.Bytes(), nil
}
