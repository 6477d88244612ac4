package checkpoint

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// expected reads what PyTorch says that the views files hold.
func expected(t *testing.T) map[string]Tensor {
	t.Helper()
	b, err := os.ReadFile("testdata/expected.json")
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]struct {
		Shape []int
		Data  []float32
	}
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	want := make(map[string]Tensor)
	for name, v := range m {
		want[name] = Tensor{v.Shape, v.Data}
	}
	return want
}

func TestTorchViews(t *testing.T) {
	want := expected(t)
	for name, format := range map[string]string{
		"views.pt": FormatPyTorch, "views_protocol1.pt": FormatPyTorch, "views_protocol3.pt": FormatPyTorch,
		"views_protocol4.pt": FormatPyTorch, "views_protocol5.pt": FormatPyTorch,
		"views_legacy.pth": FormatPyTorchLegacy, "views_legacy_protocol1.pth": FormatPyTorchLegacy,
		"views_legacy_protocol4.pth": FormatPyTorchLegacy,
	} {
		t.Run(name, func(t *testing.T) {
			f, err := Open(filepath.Join("testdata", name))
			if err != nil {
				t.Fatal(err)
			}
			if f.Format != format {
				t.Errorf("format %q, want %q", f.Format, format)
			}
			equalTensors(t, f.Tensors, want)
			skipped := map[string]string{"num_batches_tracked": "int64", "index": "int32",
				"mask": "bool", "complex": "complex64", "note": "str"}
			if fmt.Sprint(f.Skipped) != fmt.Sprint(skipped) {
				t.Errorf("skipped %v, want %v", f.Skipped, skipped)
			}
			if a, b := f.Tensors["tied.a"].Data, f.Tensors["tied.b"].Data; len(a) == 0 || &a[0] != &b[0] {
				t.Error("tied tensors are two copies")
			}
		})
	}
}

// layers are the weights of the training files, without prefixes.
func layers(scale float32) map[string]Tensor {
	ramp := func(n int) []float32 {
		v := make([]float32, n)
		for i := range v {
			v[i] = float32(i) / 4 * scale
		}
		return v
	}
	return map[string]Tensor{
		"0.weight": {[]int{2, 1, 3, 3}, ramp(18)}, "0.bias": {[]int{2}, ramp(2)},
		"1.weight": {[]int{2}, ramp(2)}, "1.bias": {[]int{2}, ramp(2)},
	}
}

func TestTorchNested(t *testing.T) {
	tests := []struct {
		file string
		opts []Option
		want map[string]Tensor
	}{
		{"training.pt", nil, layers(1)},
		{"training.pt", []Option{Key("state_dict")}, layers(1)},
		{"training_legacy.pth", nil, layers(1)},
		{"two_models.pt", []Option{Key("model")}, layers(1)},
		{"two_models.pt", []Option{Key("ema")}, layers(2)},
	}
	for _, test := range tests {
		f, err := Open(filepath.Join("testdata", test.file), append(test.opts, TrimCommon("model.", "module."))...)
		if err != nil {
			t.Errorf("%s: %v", test.file, err)
			continue
		}
		for _, name := range []string{"1.running_mean", "1.running_var"} {
			if len(f.Tensors[name].Data) != 2 {
				t.Errorf("%s: no %s", test.file, name)
			}
			delete(f.Tensors, name)
		}
		equalTensors(t, f.Tensors, test.want)
		if f.Skipped["1.num_batches_tracked"] != "int64" {
			t.Errorf("%s: skipped %v", test.file, f.Skipped)
		}
	}
}

func TestTorchSelectErrors(t *testing.T) {
	tests := []struct {
		file string
		opts []Option
		want error
		says string
	}{
		{"two_models.pt", nil, ErrAmbiguous, `"model", "ema"`},
		{"training.pt", []Option{Key("ema")}, ErrTensors, `0 entries are called ["ema"]`},
		{"training.pt", []Option{Key("epoch")}, ErrTensors, "is an int"},
		{"training.pt", []Option{Key("epoch", "x")}, ErrTensors, "not a dictionary"},
		{"training.pt", []Option{Prefix("conv.")}, ErrTensors, `"conv."`},
		{"module.pt", nil, ErrUnsupported, "torch.nn.modules.container.Sequential"},
		{"evil.pt", nil, ErrUnsupported, `"evil" is a posix.system object`},
		{"evil_legacy.pth", nil, ErrUnsupported, `"evil" is a posix.system object`},
		{"../../testdata/unet_attention.safetensors", []Option{Key("ema")}, ErrFormat, "inner"},
	}
	for _, test := range tests {
		_, err := Open(filepath.Join("testdata", test.file), test.opts...)
		if !errors.Is(err, test.want) || !strings.Contains(fmt.Sprint(err), test.says) {
			t.Errorf("%s: got %v, want %v with %q", test.file, err, test.want, test.says)
		}
	}
	if _, err := os.Stat("pickle_was_executed"); err == nil {
		t.Error("the pickle was executed")
	}
}

// No part of a PyTorch file passes for the whole: a zip archive has its directory at the end, and
// a legacy file its storages.
func TestTorchTruncated(t *testing.T) {
	for _, name := range []string{"views.pt", "views_legacy.pth", "training_legacy.pth"} {
		b, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		for n := range b {
			if _, err := readBytes(b[:n]); err == nil {
				t.Fatalf("the first %d of %d bytes of %s were accepted", n, len(b), name)
			}
		}
	}
}

func TestCheck(t *testing.T) {
	f, err := Open("testdata/views.pt")
	if err != nil {
		t.Fatal(err)
	}
	want := make(map[string][]int)
	for name, tensor := range f.Tensors {
		want[name] = tensor.Shape
	}
	if err := Check(f, want); err != nil {
		t.Errorf("with the same tensors: %v", err)
	}
	delete(want, "half")
	want["dense"] = []int{24}
	want["conv.bias"] = []int{2}
	want["index"] = []int{4}
	err = Check(f, want)
	const says = "checkpoint: testdata/views.pt: tensors do not match: 2 missing: conv.bias, index (stored as int32); " +
		"1 unexpected: half; 1 misshapen: dense is [2 3 4] instead of [24]"
	if !errors.Is(err, ErrTensors) || err.Error() != says {
		t.Errorf("got %v\nwant %s", err, says)
	}
	f.Tensors["a\nb"] = Tensor{nil, []float32{1}}
	if err = Check(f, want); !strings.Contains(fmt.Sprint(err), `2 unexpected: "a\nb", half;`) {
		t.Errorf("with a strange name: %v", err)
	}
	for i := range 12 {
		want[fmt.Sprintf("w%02d", i)] = nil
	}
	if err = Check(f, want); !strings.Contains(fmt.Sprint(err), "14 missing: conv.bias, index (stored as int32), w00, w01, w02, w03, w04, w05, w06, w07 and 4 more;") {
		t.Errorf("with many missing: %v", err)
	}
}
