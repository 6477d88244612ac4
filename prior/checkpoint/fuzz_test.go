package checkpoint

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"os"
	"path/filepath"
	"runtime/metrics"
	"slices"
	"testing"
)

// allocated returns the bytes that have been allocated since the program began.
func allocated() uint64 {
	s := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}

// fuzzRead reads data as a file and checks what must hold for any input: memory in proportion, an
// error of this package or tensors that are whole and finite.
func fuzzRead(t *testing.T, data []byte) *File {
	before := allocated()
	f, err := readBytes(data)
	if got, limit := allocated()-before, uint64(64<<20+40*len(data)); got > limit {
		t.Errorf("%d bytes allocated for an input of %d", got, len(data))
	}
	if err != nil {
		for _, known := range []error{ErrFormat, ErrTruncated, ErrUnsupported, ErrAmbiguous, ErrNotFinite, ErrTensors} {
			if errors.Is(err, known) {
				return nil
			}
		}
		t.Fatalf("an error of another kind: %v", err)
	}
	for name, w := range f.Tensors {
		n, ok := elements(w.Shape, math.MaxInt32)
		if !ok || n != int64(len(w.Data)) {
			t.Errorf("%q: %d values for shape %v", name, len(w.Data), w.Shape)
		}
		for _, v := range w.Data {
			if v-v != 0 {
				t.Fatalf("%q holds %v", name, v)
			}
		}
	}
	return f
}

func FuzzSafetensors(f *testing.F) {
	var buf bytes.Buffer
	if err := Write(&buf, sample(), map[string]string{"config": "{}"}); err != nil {
		f.Fatal(err)
	}
	n := binary.LittleEndian.Uint64(buf.Bytes())
	f.Add(buf.Bytes()[8:8+n], buf.Bytes()[8+n:])
	f.Add(buf.Bytes(), []byte{})
	f.Add([]byte(`{"a":{"dtype":"BF16","shape":[2,1],"data_offsets":[0,4]},"b":{"dtype":"I8","shape":[],"data_offsets":[4,5]}}`), []byte{0, 0, 1, 1, 2})
	f.Add([]byte(`{"h":{"dtype":"F16","shape":[1],"data_offsets":[0,2]},"d":{"dtype":"F64","shape":[1],"data_offsets":[2,10]}}`), make([]byte, 10))
	f.Add([]byte(`{}`), []byte{})
	golden, err := os.ReadFile("../testdata/unet_attention.safetensors")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(golden[8:1024], golden[:1024])
	f.Fuzz(func(t *testing.T, header, data []byte) {
		// The bytes as they are, and as a header with the right length before it: most mutations
		// of a whole file would only break the length.
		fuzzRead(t, slices.Concat(header, data))
		file := fuzzRead(t, raw(string(header), data...))
		if file == nil || file.Format != FormatSafetensors {
			return
		}
		// What was read can be written, and is the same when it is read again.
		var buf bytes.Buffer
		if err := Write(&buf, file.Tensors, file.Metadata); err != nil {
			t.Fatal(err)
		}
		again, err := readBytes(buf.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		equalTensors(t, again.Tensors, file.Tensors)
	})
}

func FuzzPyTorch(f *testing.F) {
	items := func(p *pickled) {
		p.str("a").tensor("FloatStorage", "0", 4, 0, []int64{2, 2}, []int64{1, 2})
		p.str("b").tensor("FloatStorage", "0", 4, 1, []int64{3}, []int64{1})
	}
	f.Add(dictOf(items))
	f.Add(torchZip(f, items))
	f.Add(legacyOf(dictOf(items)))
	// The whole of the small files, their pickles, and the first part of the golden ones.
	for _, pattern := range []string{"testdata/*.pt", "testdata/*.pth"} {
		names, err := filepath.Glob(pattern)
		if err != nil || len(names) == 0 {
			f.Fatalf("no file %s (%v)", pattern, err)
		}
		for _, name := range names {
			b, err := os.ReadFile(name)
			if err != nil {
				f.Fatal(err)
			}
			if len(b) > 8192 {
				f.Add(b[:1024])
				continue
			}
			f.Add(b)
			if z, err := openZip(newSource(bytes.NewReader(b), int64(len(b)))); err == nil {
				off, size, err := z.locate("data.pkl")
				if err != nil {
					f.Fatal(err)
				}
				f.Add(b[off : off+size])
			}
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		// The bytes as they are, and as the pickle of an archive: most mutations of a whole
		// archive would only break its directory.
		fuzzRead(t, data)
		fuzzRead(t, zipOf(t, zip.Store, map[string][]byte{"data.pkl": data, "data/0": floats(1, 2, 3, 4)}))
	})
}
