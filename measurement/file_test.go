package measurement

import (
	"bytes"
	"errors"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seed-0f004ec9/spgd/imageio"
	"github.com/seed-0f004ec9/spgd/operator"
	"github.com/seed-0f004ec9/spgd/prior/checkpoint"
)

func TestSaveLoad(t *testing.T) {
	dir := t.TempDir()
	img := randomImage(14, 11, 3, 8)
	for i, task := range []operator.Task{
		{Name: "sr", Scale: 3},
		{Name: "inpaint", Mask: "random:0.6"},
		{Name: "inpaint", Mask: "box:5", InvertMask: true},
		{Name: "deblur", Kernel: "gaussian:0.8"},
		{Name: "deblur", Kernel: "motion:6:40"},
		{Name: "denoise"},
		{Name: "colorize"},
		{Name: "phase"},
		{Name: "hdr"},
	} {
		noise := []Noise{{Model: Gaussian, Sigma: 0.05}, {Model: Poisson, Sigma: 0.1}}[i%2]
		m := simulate(t, task, noise, math.MaxUint64-uint64(i), img, img)
		path := filepath.Join(dir, "y.safetensors")
		if err := m.Save(path); err != nil {
			t.Fatalf("%+v: %v", task, err)
		}
		got, err := Load(path)
		if err != nil {
			t.Fatalf("%+v: %v", task, err)
		}
		if !slices.Equal(got.Y, m.Y) || got.Len() != 2 || got.Task != m.Task || got.Noise != m.Noise || got.Seed != m.Seed || got.Operator.Name() != m.Operator.Name() {
			t.Errorf("%+v: read back as %+v", task, got)
		}
		gh, gw := got.Operator.ImageSize()
		if gh != 14 || gw != 11 {
			t.Errorf("%+v: image size %dx%d", task, gh, gw)
		}
		if h, w, err := ReadSize(path); h != 14 || w != 11 || err != nil {
			t.Errorf("%+v: ReadSize says %dx%d, %v", task, w, h, err)
		}
		if o, ok := m.Operator.(*operator.Inpaint); ok && !slices.Equal(o.Mask(), got.Operator.(*operator.Inpaint).Mask()) {
			t.Errorf("%+v: another mask", task)
		}
		if o, ok := m.Operator.(*operator.Blur); ok {
			a, b := o.Kernel(), got.Operator.(*operator.Blur).Kernel()
			for i := range a.Weights {
				if a.Height != b.Height || a.Width != b.Width || math.Abs(a.Weights[i]-b.Weights[i]) > 1e-7 {
					t.Fatalf("%+v: another kernel", task)
				}
			}
			if k := got.Kernel(); k == nil || slices.Max(k.Pix) != 1 {
				t.Errorf("%+v: no kernel picture", task)
			}
		}
		first, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Save(path); err != nil {
			t.Fatal(err)
		}
		if second, _ := os.ReadFile(path); !bytes.Equal(first, second) {
			t.Errorf("%+v: saved twice, the bytes differ", task)
		}
		if !IsFile(path) {
			t.Errorf("%+v: not recognised as a measurement file", task)
		}
		if _, err := got.Picture(0); (err != nil) != (task.Name == "phase") {
			t.Errorf("%+v: Picture: %v", task, err)
		}
		if _, err := got.Picture(2); !errors.Is(err, ErrPicture) {
			t.Errorf("%+v: Picture of a third image: %v", task, err)
		}
		if d := got.Tensor().Shape().Dimensions; len(d) != 4 || d[0] != 2 {
			t.Errorf("%+v: tensor of shape %v", task, d)
		}
	}
}

// The path of a mask or kernel file stays out of the measurement.
func TestSaveHidesPaths(t *testing.T) {
	task := operator.Task{Name: "deblur", Kernel: "/home/someone/kernel.png"}
	img := randomImage(9, 9, 3, 1)
	m, _, err := FromImage(task, img, Noise{}, 0, operator.Files{Kernel: randomImage(3, 4, 1, 2)})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "m.safetensors")
	if err := m.Save(path); err != nil {
		t.Fatal(err)
	}
	if data, _ := os.ReadFile(path); bytes.Contains(data, []byte("someone")) {
		t.Error("the kernel's path is in the file")
	}
	got, err := Load(path)
	if err != nil || got.Operator.Name() != "deblur:kernel" || got.Kernel().Height != 3 || got.Kernel().Width != 4 {
		t.Errorf("read back: %+v, %v", got, err)
	}
}

func TestSaveErrors(t *testing.T) {
	dir := t.TempDir()
	img := randomImage(6, 6, 3, 1)
	m, _, err := FromImage(operator.Task{Name: "denoise"}, img, Noise{}, 0, operator.Files{})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Save(filepath.Join(dir, "missing", "m.safetensors")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing directory: %v", err)
	}
	path := filepath.Join(dir, "m.safetensors")
	bad := *m
	bad.Noise.Sigma = math.NaN()
	if err := bad.Save(path); !errors.Is(err, ErrNoise) {
		t.Errorf("NaN sigma: %v", err)
	}
	bad = *m
	bad.Y = slices.Clone(m.Y)
	bad.Y[3] = float32(math.NaN())
	if err := bad.Save(path); !errors.Is(err, checkpoint.ErrNotFinite) {
		t.Errorf("NaN in y: %v", err)
	}
	bad = *m
	bad.Task = operator.Task{Name: "hdr"}
	if err := bad.Save(path); !errors.Is(err, operator.ErrTask) {
		t.Errorf("a task that is not the operator's: %v", err)
	}
	if names, _ := os.ReadDir(dir); len(names) != 0 {
		t.Errorf("failed writes left %v", names)
	}
}

// Every field and array of a good file, spoilt in turn.
func TestLoadErrors(t *testing.T) {
	dir := t.TempDir()
	img := randomImage(6, 8, 3, 1)
	encode := func(task operator.Task) (map[string]checkpoint.Tensor, map[string]string) {
		m, _, err := FromImage(task, img, Noise{Model: Gaussian, Sigma: 0.1}, 3, operator.Files{})
		if err != nil {
			t.Fatal(err)
		}
		tensors, metadata, err := m.encode()
		if err != nil {
			t.Fatal(err)
		}
		return tensors, metadata
	}
	denoise := operator.Task{Name: "denoise"}
	inpaint := operator.Task{Name: "inpaint", Mask: "box:3"}
	deblur := operator.Task{Name: "deblur", Kernel: "motion:3:30"}
	sr := operator.Task{Name: "sr", Scale: 2}
	set := func(key, value string) func(map[string]checkpoint.Tensor, map[string]string) {
		return func(_ map[string]checkpoint.Tensor, m map[string]string) { m[key] = value }
	}
	unset := func(key string) func(map[string]checkpoint.Tensor, map[string]string) {
		return func(_ map[string]checkpoint.Tensor, m map[string]string) { delete(m, key) }
	}
	tensor := func(name string, data float32, shape ...int) func(map[string]checkpoint.Tensor, map[string]string) {
		return func(ts map[string]checkpoint.Tensor, _ map[string]string) {
			n := 1
			for _, d := range shape {
				n *= d
			}
			ts[name] = checkpoint.Tensor{Shape: shape, Data: slices.Repeat([]float32{data}, n)}
		}
	}
	for _, c := range []struct {
		name  string
		task  operator.Task
		spoil func(map[string]checkpoint.Tensor, map[string]string)
		want  error
		says  string
	}{
		{"another format", denoise, set("format", "pt"), ErrFile, `"pt"`},
		{"no format", denoise, unset("format"), ErrFile, "not a measurement"},
		{"version 2", denoise, set("version", "2"), ErrVersion, `"2"`},
		{"no version", denoise, unset("version"), ErrVersion, `""`},
		{"no height", denoise, unset("height"), ErrFile, "height"},
		{"height 6.5", denoise, set("height", "6.5"), ErrFile, "6.5"},
		{"negative width", denoise, set("width", "-8"), ErrFile, "-8"},
		{"huge width", denoise, set("width", "99999999999"), ErrFile, "99999999999"},
		{"wrong width", denoise, set("width", "9"), ErrFile, "[1 6 8 3]"},
		{"no task", denoise, unset("task"), ErrFile, "no task"},
		{"unknown task", denoise, set("task", "cook"), ErrFile, "cook"},
		{"another task", denoise, set("task", "hdr"), ErrFile, "denoise"},
		{"another name", denoise, set("operator", "hdr"), ErrFile, "hdr"},
		{"a mask for denoising", denoise, set("mask", "box:3"), ErrFile, "no mask"},
		{"no sigma", denoise, unset("noise_sigma"), ErrFile, "noise_sigma"},
		{"negative sigma", denoise, set("noise_sigma", "-0.1"), ErrNoise, "-0.1"},
		{"NaN sigma", denoise, set("noise_sigma", "NaN"), ErrNoise, "NaN"},
		{"no noise model", denoise, unset("noise_model"), ErrFile, "noise_model"},
		{"unknown noise", denoise, set("noise_model", "salt"), ErrNoise, "salt"},
		{"negative seed", denoise, set("seed", "-1"), ErrFile, "-1"},
		{"no y", denoise, func(ts map[string]checkpoint.Tensor, _ map[string]string) { delete(ts, "y") }, ErrFile, "y is missing"},
		{"flat y", denoise, tensor("y", 0, 6*8*3), ErrFile, "[144]"},
		{"grey y", denoise, tensor("y", 0, 1, 6, 8, 1), ErrFile, "[1 6 8 1]"},
		{"no images", denoise, tensor("y", 0, 0, 6, 8, 3), ErrFile, "[0 6 8 3]"},
		{"an extra tensor", denoise, tensor("mask", 1, 6, 8), ErrFile, `"mask"`},
		{"no mask", inpaint, func(ts map[string]checkpoint.Tensor, _ map[string]string) { delete(ts, "mask") }, ErrFile, "mask"},
		{"mask of another size", inpaint, tensor("mask", 1, 8, 6), ErrFile, "[8 6]"},
		{"grey mask", inpaint, tensor("mask", 0.5, 6, 8), ErrFile, "0.5"},
		{"empty mask", inpaint, tensor("mask", 0, 6, 8), operator.ErrMask, "keeps no pixel"},
		{"invert maybe", inpaint, set("invert_mask", "maybe"), ErrFile, "maybe"},
		{"no mask setting", inpaint, unset("mask"), ErrFile, "needs a mask"},
		{"no kernel", deblur, func(ts map[string]checkpoint.Tensor, _ map[string]string) { delete(ts, "kernel") }, ErrFile, "kernel"},
		{"negative kernel", deblur, func(ts map[string]checkpoint.Tensor, _ map[string]string) {
			ts["kernel"] = checkpoint.Tensor{Shape: []int{1, 2}, Data: []float32{1.5, -0.5}}
		}, operator.ErrKernel, "-0.5"},
		{"kernel not normalised", deblur, tensor("kernel", 1, 3, 3), ErrFile, "sums to 9"},
		{"kernel too large", deblur, tensor("kernel", 1.0/51, 1, 51), operator.ErrSize, "across"},
		{"no scale", sr, unset("scale"), ErrFile, "factor 0"},
		{"scale 2x", sr, set("scale", "2x"), ErrFile, "2x"},
		{"another scale", sr, set("scale", "4"), ErrFile, "sr:4"},
	} {
		tensors, metadata := encode(c.task)
		tensors, metadata = maps.Clone(tensors), maps.Clone(metadata)
		c.spoil(tensors, metadata)
		path := filepath.Join(dir, "m.safetensors")
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := checkpoint.Write(f, tensors, metadata); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		f.Close()
		m, err := Load(path)
		if err == nil || !errors.Is(err, c.want) || !(errors.Is(err, ErrFile) || errors.Is(err, ErrVersion)) || !strings.Contains(err.Error(), c.says) || m != nil {
			t.Errorf("%s: measurement %v, error %v, want one that is %q and says %q", c.name, m, err, c.want, c.says)
		}
		if h, w, err := ReadSize(path); err == nil && (h < 1 || w < 1) || err != nil && !errors.Is(err, ErrFile) && !errors.Is(err, ErrVersion) {
			t.Errorf("%s: ReadSize says %dx%d, %v", c.name, w, h, err)
		}
	}
}

func TestLoadOtherFiles(t *testing.T) {
	dir := t.TempDir()
	if _, err := Load(filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
	m, _, err := FromImage(operator.Task{Name: "denoise"}, randomImage(6, 6, 3, 1), Noise{}, 0, operator.Files{})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "m.safetensors")
	if err := m.Save(path); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for n := 0; n < len(data); n += 1 + n/16 {
		cut := filepath.Join(dir, "cut")
		if err := os.WriteFile(cut, data[:n], 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(cut); !errors.Is(err, ErrFile) {
			t.Errorf("cut to %d of %d bytes: %v", n, len(data), err)
		}
	}
	png := filepath.Join(dir, "p.png")
	if err := imageio.Write(png, imageio.New(40, 40, 3), imageio.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	if IsFile(png) || IsFile(filepath.Join(dir, "none")) || IsFile(dir) {
		t.Error("a picture or nothing passes for a measurement file")
	}
	if _, err := Load(png); !errors.Is(err, ErrFile) {
		t.Errorf("a picture: %v", err)
	}
}
