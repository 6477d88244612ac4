package checkpoint

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// raw assembles a safetensors file from a header as written and data.
func raw(header string, data ...byte) []byte {
	n := len(header)
	b := []byte{byte(n), byte(n >> 8), byte(n >> 16), 0, 0, 0, 0, 0}
	return append(append(b, header...), data...)
}

func readBytes(b []byte, opts ...Option) (*File, error) {
	return Read(bytes.NewReader(b), int64(len(b)), "test", opts...)
}

func TestSafetensorsTypes(t *testing.T) {
	header := `{"__metadata__":{"a":"b"},` +
		`"f64":{"dtype":"F64","shape":[1],"data_offsets":[0,8]},` +
		`"f32":{"dtype":"F32","shape":[1,1],"data_offsets":[8,12]},` +
		`"bf16":{"dtype":"BF16","shape":[2],"data_offsets":[12,16]},` +
		`"f16":{"dtype":"F16","shape":[2,1],"data_offsets":[16,20]},` +
		`"scalar":{"dtype":"F16","shape":[],"data_offsets":[20,22]},` +
		`"empty":{"dtype":"F32","shape":[3,0],"data_offsets":[22,22]},` +
		`"steps":{"dtype":"I64","shape":[1],"data_offsets":[22,30]}}`
	f, err := readBytes(raw(header,
		0, 0, 0, 0, 0, 0, 0xf8, 0xbf, // -1.5
		0, 0, 0x20, 0x41, // 10
		0x80, 0x3f, 0x49, 0xc0, // 1, -3.140625
		0x00, 0x3c, 0x01, 0x80, // 1, -2^-24
		0xff, 0x7b, // 65504
		1, 2, 3, 4, 5, 6, 7, 8))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]Tensor{
		"f64": {[]int{1}, []float32{-1.5}}, "f32": {[]int{1, 1}, []float32{10}},
		"bf16": {[]int{2}, []float32{1, -3.140625}}, "f16": {[]int{2, 1}, []float32{1, -0x1p-24}},
		"scalar": {nil, []float32{65504}}, "empty": {[]int{3, 0}, nil},
	}
	equalTensors(t, f.Tensors, want)
	if f.Skipped["steps"] != "int64" || len(f.Skipped) != 1 {
		t.Errorf("skipped %v", f.Skipped)
	}
	if f.Format != FormatSafetensors || f.Metadata["a"] != "b" || f.Name != "test" {
		t.Errorf("format %q, metadata %v, name %q", f.Format, f.Metadata, f.Name)
	}
}

func equalTensors(t *testing.T, got, want map[string]Tensor) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%d tensors, want %d", len(got), len(want))
	}
	for name, w := range want {
		g, ok := got[name]
		if !ok || !slices.Equal(g.Shape, w.Shape) || !slices.Equal(g.Data, w.Data) {
			t.Errorf("%s: got %v (present: %v), want %v", name, brief(g), ok, brief(w))
		}
	}
}

func brief(t Tensor) string {
	return fmt.Sprintf("%v %v", t.Shape, t.Data[:min(8, len(t.Data))])
}

func TestSafetensorsRejects(t *testing.T) {
	one := func(fields string) string { return `{"w":{` + fields + `}}` }
	const ok = `"dtype":"F32","shape":[1],"data_offsets":[0,4]`
	four := make([]byte, 4)
	nan := []byte{0, 0, 0xc0, 0x7f}
	tests := []struct {
		name string
		data []byte
		want error
		says string
	}{
		{"empty", nil, ErrTruncated, "empty"},
		{"seven bytes", make([]byte, 7), ErrTruncated, ""},
		{"text", []byte("this is not a checkpoint at all"), ErrFormat, "neither"},
		{"header longer than file", raw(one(ok), four...)[:20], ErrTruncated, "header"},
		{"header over limit", append([]byte{0, 0, 0, 0, 1, 0, 0, 0, '{'}, four...), ErrFormat, "limit"},
		{"not JSON", raw(`{"w":`), ErrFormat, "JSON"},
		{"array", raw(`[]`), ErrFormat, ""},
		{"after the object", raw(one(ok)+"{}", four...), ErrFormat, "follows"},
		{"duplicate name", raw(`{"w":{`+ok+`},"w":{`+ok+`}}`, four...), ErrFormat, `"w" appears twice`},
		{"duplicate field", raw(one(ok+`,"shape":[1]`), four...), ErrFormat, `"shape" appears twice`},
		{"duplicate metadata", raw(`{"__metadata__":{"a":"b","a":"c"}}`), ErrFormat, `"a" appears twice`},
		{"metadata not text", raw(`{"__metadata__":{"a":1}}`), ErrFormat, ""},
		{"no shape", raw(one(`"dtype":"F32","data_offsets":[0,4]`), four...), ErrFormat, `"shape" is missing`},
		{"unknown type", raw(one(`"dtype":"F8_E4M3","shape":[4],"data_offsets":[0,4]`), four...), ErrUnsupported, "F8_E4M3"},
		{"unknown field", raw(one(ok+`,"crc":1`), four...), ErrUnsupported, "crc"},
		{"negative dimension", raw(one(`"dtype":"F32","shape":[-1],"data_offsets":[0,4]`), four...), ErrFormat, "-1"},
		{"fractional dimension", raw(one(`"dtype":"F32","shape":[1.0],"data_offsets":[0,4]`), four...), ErrFormat, "1.0"},
		{"overflowing shape", raw(one(`"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,4]`), four...), ErrFormat, "shape"},
		{"huge dimension", raw(one(`"dtype":"F32","shape":[99999999999999999999],"data_offsets":[0,4]`), four...), ErrFormat, ""},
		{"65 dimensions", raw(one(`"dtype":"F32","shape":[1`+strings.Repeat(",1", 64)+`],"data_offsets":[0,4]`), four...), ErrFormat, "64"},
		{"wrong size", raw(one(`"dtype":"F32","shape":[2],"data_offsets":[0,4]`), four...), ErrFormat, "needs 8"},
		{"three offsets", raw(one(`"dtype":"F32","shape":[1],"data_offsets":[0,4,4]`), four...), ErrFormat, ""},
		{"reversed offsets", raw(one(`"dtype":"F32","shape":[0],"data_offsets":[4,0]`), four...), ErrFormat, ""},
		{"data cut", raw(one(ok), 0, 0, 0), ErrTruncated, `"w"`},
		{"data too long", raw(one(ok), 0, 0, 0, 0, 0), ErrFormat, "1 bytes after"},
		{"gap", raw(one(`"dtype":"F32","shape":[1],"data_offsets":[4,8]`), make([]byte, 8)...), ErrFormat, "gap"},
		{"overlap", raw(`{"a":{`+ok+`},"b":{"dtype":"F32","shape":[1],"data_offsets":[2,6]}}`, make([]byte, 6)...), ErrFormat, "overlap"},
		{"deep JSON", raw(`{"w":` + strings.Repeat("[", 100000)), ErrFormat, ""},
		{"NaN", raw(one(ok), nan...), ErrNotFinite, `"w"`},
		{"infinity", raw(one(`"dtype":"F16","shape":[2],"data_offsets":[0,4]`), 0, 0, 0, 0x7c), ErrNotFinite, "element 1"},
		{"bfloat16 NaN", raw(one(`"dtype":"BF16","shape":[2],"data_offsets":[0,4]`), 0xc0, 0xff, 0, 0), ErrNotFinite, "element 0"},
		{"too large for float32", raw(one(`"dtype":"F64","shape":[1],"data_offsets":[0,8]`), 0, 0, 0, 0, 0, 0, 0xe0, 0x7f), ErrNotFinite, "element 0"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f, err := readBytes(test.data)
			if !errors.Is(err, test.want) || !strings.Contains(fmt.Sprint(err), test.says) {
				t.Fatalf("got %v, want %v with %q", err, test.want, test.says)
			}
			if f != nil {
				t.Error("a file came with the error")
			}
		})
	}
	if _, err := readBytes(raw(one(ok), four...)); err != nil {
		t.Errorf("the valid file that the others vary: %v", err)
	}
}

// Every prefix of a valid file must be an error.
func TestSafetensorsTruncated(t *testing.T) {
	var buf bytes.Buffer
	if err := Write(&buf, sample(), map[string]string{"config": "{}"}); err != nil {
		t.Fatal(err)
	}
	for n := range buf.Len() {
		if _, err := readBytes(buf.Bytes()[:n]); err == nil {
			t.Fatalf("the first %d of %d bytes were accepted", n, buf.Len())
		}
	}
}

func sample() map[string]Tensor {
	return map[string]Tensor{
		"conv.weight":   {[]int{2, 3}, []float32{1, -2, 3, 0.25, float32(math.Copysign(0, -1)), math.MaxFloat32}},
		"conv.bias":     {[]int{2}, []float32{1e-45, -1}},
		"scale":         {nil, []float32{7}},
		"none":          {[]int{0, 4}, nil},
		"<odd> & \"é\"": {[]int{1}, []float32{5}},
	}
}

func TestWrite(t *testing.T) {
	metadata := map[string]string{"config": `{"size": 3}`, "b": "", "a": "<&>"}
	var first, second bytes.Buffer
	for _, buf := range []*bytes.Buffer{&first, &second} {
		if err := Write(buf, sample(), metadata); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Error("two runs wrote different bytes")
	}
	if n := first.Bytes()[0]; n%8 != 0 {
		t.Errorf("header of %d bytes", n)
	}
	f, err := readBytes(first.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	equalTensors(t, f.Tensors, sample())
	if len(f.Metadata) != len(metadata) {
		t.Errorf("metadata %v", f.Metadata)
	}
	for k, v := range metadata {
		if f.Metadata[k] != v {
			t.Errorf("metadata %q is %q, want %q", k, f.Metadata[k], v)
		}
	}
}

func TestWriteRejects(t *testing.T) {
	tests := []struct {
		name     string
		tensors  map[string]Tensor
		metadata map[string]string
		want     error
	}{
		{"shape", map[string]Tensor{"w": {[]int{2}, []float32{1}}}, nil, ErrFormat},
		{"negative shape", map[string]Tensor{"w": {[]int{-1, -1}, []float32{1}}}, nil, ErrFormat},
		{"reserved name", map[string]Tensor{"__metadata__": {[]int{1}, []float32{1}}}, nil, ErrFormat},
		{"name", map[string]Tensor{"\xff": {[]int{1}, []float32{1}}}, nil, ErrFormat},
		{"metadata", nil, map[string]string{"a": "\xff"}, ErrFormat},
		{"NaN", map[string]Tensor{"w": {[]int{1}, []float32{float32(math.NaN())}}}, nil, ErrNotFinite},
		{"infinity", map[string]Tensor{"w": {[]int{2}, []float32{0, float32(math.Inf(-1))}}}, nil, ErrNotFinite},
	}
	for _, test := range tests {
		var buf bytes.Buffer
		if err := Write(&buf, test.tensors, test.metadata); !errors.Is(err, test.want) {
			t.Errorf("%s: got %v, want %v", test.name, err, test.want)
		}
		if buf.Len() > 0 {
			t.Errorf("%s: wrote %d bytes before refusing", test.name, buf.Len())
		}
	}
}

type fullDisk struct{ left int }

var errFull = errors.New("no space left")

func (w *fullDisk) Write(p []byte) (int, error) {
	if w.left -= len(p); w.left < 0 {
		return 0, errFull
	}
	return len(p), nil
}

func TestWriteFails(t *testing.T) {
	big := map[string]Tensor{"w": {[]int{1 << 16}, make([]float32, 1<<16)}}
	for _, left := range []int{0, 1 << 17} {
		if err := Write(&fullDisk{left}, big, nil); !errors.Is(err, errFull) {
			t.Errorf("with room for %d bytes: %v", left, err)
		}
	}
}

func TestOpenErrors(t *testing.T) {
	dir := t.TempDir()
	if _, err := Open(filepath.Join(dir, "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
	if _, err := Open(dir); !errors.Is(err, ErrFormat) {
		t.Errorf("directory: %v", err)
	}
}
