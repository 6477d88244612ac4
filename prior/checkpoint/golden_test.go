package checkpoint

import (
	"math"
	"slices"
	"testing"

	"github.com/x448/float16"
)

// The same network in four files: its weights must agree to the bit, after rounding to the type
// that a file stores.
func TestGolden(t *testing.T) {
	want, err := Open("../testdata/unet_attention.safetensors", Prefix("weights/"))
	if err != nil {
		t.Fatal(err)
	}
	if len(want.Tensors) < 50 || want.Metadata["config"] == "" {
		t.Fatalf("%d tensors and the metadata %v", len(want.Tensors), want.Metadata)
	}
	shapes := make(map[string][]int)
	for name, w := range want.Tensors {
		shapes[name] = w.Shape
	}
	tests := []struct {
		file, format string
		round        func(float32) float32
	}{
		{"unet_attention.pt", FormatPyTorch, func(v float32) float32 { return v }},
		{"unet_attention_bf16.pt", FormatPyTorch, roundBFloat16},
		{"unet_attention_legacy_f16.pth", FormatPyTorchLegacy,
			func(v float32) float32 { return float16.Fromfloat32(v).Float32() }},
	}
	for _, test := range tests {
		t.Run(test.file, func(t *testing.T) {
			f, err := Open("testdata/" + test.file)
			if err != nil {
				t.Fatal(err)
			}
			if f.Format != test.format {
				t.Errorf("format %q, want %q", f.Format, test.format)
			}
			if err := Check(f, shapes); err != nil {
				t.Fatal(err)
			}
			for name, w := range want.Tensors {
				rounded := make([]float32, len(w.Data))
				for i, v := range w.Data {
					rounded[i] = test.round(v)
				}
				if !slices.EqualFunc(f.Tensors[name].Data, rounded, func(a, b float32) bool {
					return math.Float32bits(a) == math.Float32bits(b)
				}) {
					t.Errorf("%s differs", name)
				}
			}
		})
	}
}

// Every float16 there is, against another implementation.
func TestFloat16(t *testing.T) {
	for h := range 1 << 16 {
		want := float16.Frombits(uint16(h))
		var got [1]float32
		bad := fromFloat16(got[:], []byte{byte(h), byte(h >> 8)})
		if want.IsFinite() != (bad < 0) || bad < 0 && math.Float32bits(got[0]) != math.Float32bits(want.Float32()) {
			t.Fatalf("%#04x is %v (index of the first that is not finite: %d), want %v", h, got[0], bad, want)
		}
	}
}

// roundBFloat16 rounds to nearest, ties to even.
func roundBFloat16(v float32) float32 {
	b := math.Float32bits(v)
	b += 0x7fff + b>>16&1
	return math.Float32frombits(b &^ 0xffff)
}
