package checkpoint

import (
	"bytes"
	"errors"
	"math"
	"os"
	"path/filepath"
	"runtime/metrics"
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

// seed adds the first part of the files that match the pattern, which is the whole of small ones.
func seed(f *testing.F, pattern string) {
	names, err := filepath.Glob(pattern)
	if err != nil || len(names) == 0 {
		f.Fatalf("no file %s (%v)", pattern, err)
	}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b[:min(len(b), 8192)])
	}
}

func FuzzSafetensors(f *testing.F) {
	var buf bytes.Buffer
	if err := Write(&buf, sample(), map[string]string{"config": "{}"}); err != nil {
		f.Fatal(err)
	}
	f.Add(buf.Bytes())
	f.Add(raw(`{"a":{"dtype":"BF16","shape":[2,1],"data_offsets":[0,4]},"b":{"dtype":"I8","shape":[],"data_offsets":[4,5]}}`, 0, 0, 1, 1, 2))
	f.Add(raw(`{"h":{"dtype":"F16","shape":[1],"data_offsets":[0,2]},"d":{"dtype":"F64","shape":[1],"data_offsets":[2,10]}}`, make([]byte, 10)...))
	f.Add(raw(`{}`))
	seed(f, "../testdata/unet_attention.safetensors")
	f.Fuzz(func(t *testing.T, data []byte) {
		file := fuzzRead(t, data)
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
	f.Add(torchZip(f, items))
	f.Add(legacyOf(dictOf(items)))
	seed(f, "testdata/*.pt")
	seed(f, "testdata/*.pth")
	f.Fuzz(func(t *testing.T, data []byte) { fuzzRead(t, data) })
}
