package measurement

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"slices"
	"strconv"

	"github.com/seed-0f004ec9/spgd/imageio"
	"github.com/seed-0f004ec9/spgd/operator"
	"github.com/seed-0f004ec9/spgd/prior/checkpoint"
)

// A measurement file is a safetensors file in float32. Its metadata:
//
//	format       "spgd.measurement"
//	version      "1"
//	task         sr, inpaint, deblur, denoise, colorize, phase or hdr
//	scale        the factor (sr only)
//	mask         random:FRACTION, box:SIZE or "file" (inpaint only)
//	invert_mask  "true" if the mask was inverted (inpaint only)
//	kernel       gaussian:STD, motion:LENGTH:ANGLE, motion:random:INTENSITY or "file" (deblur only)
//	operator     the operator's canonical name
//	height       of the image, in pixels
//	width        of the image, in pixels
//	noise_model  gaussian or poisson
//	noise_sigma  in the measurement's units
//	seed         what mask, kernel and noise were drawn from
//
// Its tensors: y [N,h,w,c]; mask [H,W] for inpainting, 1 where a pixel is kept, 0 where it was
// dropped (after any inversion); kernel [kh,kw] for deblurring. The arrays count: a reader
// draws nothing from the seed.
const (
	fileFormat  = "spgd.measurement"
	fileVersion = "1"
	fromFile    = "file" // stands for the path of a mask or kernel
)

// Save writes the measurement to a file, whole or not at all. Equal measurements give equal bytes.
func (m *Measurement) Save(path string) error {
	tensors, metadata, err := m.encode()
	if err != nil {
		return err
	}
	if err := imageio.WriteFileAtomic(path, func(w io.Writer) error { return checkpoint.Write(w, tensors, metadata) }); err != nil {
		return fmt.Errorf("measurement: %w", err)
	}
	return nil
}

func (m *Measurement) encode() (map[string]checkpoint.Tensor, map[string]string, error) {
	if err := m.Noise.Validate(); err != nil {
		return nil, nil, err
	}
	task := m.Task
	if _, needed := task.MaskFile(); needed {
		task.Mask = fromFile
	}
	if _, needed := task.KernelFile(); needed {
		task.Kernel = fromFile
	}
	name, err := task.OperatorName()
	if err != nil {
		return nil, nil, err
	}
	if name != m.Operator.Name() {
		return nil, nil, fmt.Errorf("measurement: the operator is %s and the task makes %s: %w", m.Operator.Name(), name, operator.ErrTask)
	}
	model := m.Noise.Model
	if model == "" {
		model = Gaussian
	}
	height, width := m.Operator.ImageSize()
	h, w, c := m.Operator.MeasurementSize()
	metadata := map[string]string{
		"format": fileFormat, "version": fileVersion,
		"task": task.Name, "operator": name,
		"height": strconv.Itoa(height), "width": strconv.Itoa(width),
		"noise_model": model, "noise_sigma": strconv.FormatFloat(m.Noise.Sigma, 'g', -1, 64),
		"seed": strconv.FormatUint(m.Seed, 10),
	}
	tensors := map[string]checkpoint.Tensor{"y": {Shape: []int{m.Len(), h, w, c}, Data: m.Y}}
	switch o := m.Operator.(type) {
	case *operator.SuperResolution:
		metadata["scale"] = strconv.Itoa(task.Scale)
	case *operator.Inpaint:
		metadata["mask"] = task.Mask
		if task.InvertMask {
			metadata["invert_mask"] = "true"
		}
		mask := make([]float32, height*width)
		for i, keep := range o.Mask() {
			if keep {
				mask[i] = 1
			}
		}
		tensors["mask"] = checkpoint.Tensor{Shape: []int{height, width}, Data: mask}
	case *operator.Blur:
		metadata["kernel"] = task.Kernel
		k := o.Kernel()
		weights := make([]float32, len(k.Weights))
		for i, v := range k.Weights {
			weights[i] = float32(v)
		}
		tensors["kernel"] = checkpoint.Tensor{Shape: []int{k.Height, k.Width}, Data: weights}
	}
	return tensors, metadata, nil
}

// Load reads a measurement file and rebuilds its operator. Every size and value is checked; what
// is wrong is said in an error that is ErrFile or ErrVersion, or the error of the operating system.
func Load(path string) (*Measurement, error) {
	f, err := open(path)
	if err != nil {
		return nil, err
	}
	m, err := decode(f)
	if err != nil {
		return nil, fmt.Errorf("measurement: %s: %w", path, err)
	}
	return m, nil
}

// open reads a safetensors file. Its errors are those of Load.
func open(path string, options ...checkpoint.Option) (*checkpoint.File, error) {
	f, err := checkpoint.Open(path, options...)
	if system := (*fs.PathError)(nil); errors.As(err, &system) {
		return nil, fmt.Errorf("measurement: %w", err)
	}
	if err != nil {
		return nil, fmt.Errorf("measurement: %w: %w", ErrFile, err)
	}
	return f, nil
}

// ReadSize returns the height and width of the images that a measurement file is about, in pixels,
// from the beginning of the file. Its errors are those of Load, and a file of which it returns the
// size may still be damaged further on.
func ReadSize(path string) (height, width int, err error) {
	f, err := open(path, checkpoint.HeaderOnly())
	if err != nil {
		return 0, 0, err
	}
	if err := checkFormat(f); err != nil {
		return 0, 0, fmt.Errorf("measurement: %s: %w", path, err)
	}
	for name, n := range map[string]*int{"height": &height, "width": &width} {
		if *n, err = strconv.Atoi(f.Metadata[name]); err != nil || *n < 1 {
			return 0, 0, fmt.Errorf("measurement: %s: %w", path, damaged("%s %q is not a number of pixels", name, f.Metadata[name]))
		}
	}
	return height, width, nil
}

// IsFile says whether the file at path begins like a safetensors file, as measurements do and
// pictures do not. A file that cannot be read is not one, nor is a pipe, which looking into would
// empty.
func IsFile(path string) bool {
	if st, err := os.Stat(path); err != nil || !st.Mode().IsRegular() {
		return false
	}
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	var head [9]byte
	if _, err := io.ReadFull(f, head[:]); err != nil {
		return false
	}
	// A header of less than 2^32 bytes, which is a JSON object.
	return slices.Equal(head[4:8], []byte{0, 0, 0, 0}) && head[8] == '{'
}

func damaged(format string, args ...any) error {
	return fmt.Errorf(format+": %w", append(args, ErrFile)...)
}

// checkFormat says whether the file is a measurement that this version reads.
func checkFormat(f *checkpoint.File) error {
	if f.Format != checkpoint.FormatSafetensors || f.Metadata["format"] != fileFormat {
		return damaged("not a measurement (its format is %q, not %q)", f.Metadata["format"], fileFormat)
	}
	if v := f.Metadata["version"]; v != fileVersion {
		return fmt.Errorf("version %q: %w: this program reads version %s", v, ErrVersion, fileVersion)
	}
	return nil
}

func decode(f *checkpoint.File) (*Measurement, error) {
	if err := checkFormat(f); err != nil {
		return nil, err
	}
	meta := f.Metadata
	var firstErr error
	number := func(key string) int {
		v, err := strconv.Atoi(meta[key])
		if err != nil && firstErr == nil {
			firstErr = damaged("%s %q is not a whole number", key, meta[key])
		}
		return v
	}
	height, width := number("height"), number("width")
	m := &Measurement{Task: operator.Task{Name: meta["task"], Mask: meta["mask"], Kernel: meta["kernel"]}}
	if _, ok := meta["scale"]; ok {
		m.Task.Scale = number("scale")
	}
	if firstErr != nil {
		return nil, firstErr
	}
	switch meta["invert_mask"] {
	case "true":
		m.Task.InvertMask = true
	case "", "false":
	default:
		return nil, damaged("invert_mask %q is neither true nor false", meta["invert_mask"])
	}
	var err error
	if m.Seed, err = strconv.ParseUint(meta["seed"], 10, 64); err != nil {
		return nil, damaged("seed %q is not a whole number from 0 to 2^64-1", meta["seed"])
	}
	m.Noise.Model = meta["noise_model"]
	if m.Noise.Sigma, err = strconv.ParseFloat(meta["noise_sigma"], 64); err != nil {
		return nil, damaged("noise_sigma %q is not a number", meta["noise_sigma"])
	}
	if m.Noise.Model == "" {
		return nil, damaged("noise_model is missing")
	}
	if err := m.Noise.Validate(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFile, err)
	}
	if m.Operator, err = buildOperator(m.Task, height, width, f.Tensors); err != nil {
		if errors.Is(err, ErrFile) {
			return nil, err
		}
		return nil, fmt.Errorf("%w: %w", ErrFile, err)
	}
	if name := m.Operator.Name(); meta["operator"] != name {
		return nil, damaged("the operator is called %q and the task makes %q", meta["operator"], name)
	}
	y, ok := f.Tensors["y"]
	if !ok {
		return nil, damaged("tensor y is missing")
	}
	h, w, c := m.Operator.MeasurementSize()
	if len(y.Shape) != 4 || y.Shape[0] < 1 || !slices.Equal(y.Shape[1:], []int{h, w, c}) {
		return nil, damaged("tensor y has shape %v, want [N %d %d %d]", y.Shape, h, w, c)
	}
	m.Y = y.Data
	for name := range f.Tensors {
		_, inpaint := m.Operator.(*operator.Inpaint)
		_, blur := m.Operator.(*operator.Blur)
		if !(name == "y" || name == "mask" && inpaint || name == "kernel" && blur) {
			return nil, damaged("unexpected tensor %q", name)
		}
	}
	return m, nil
}

// buildOperator is operator.Build with the file's mask or kernel.
func buildOperator(task operator.Task, height, width int, tensors map[string]checkpoint.Tensor) (operator.Operator, error) {
	name, err := task.OperatorName()
	if err != nil {
		return nil, err
	}
	switch task.Name {
	case operator.TaskInpaint:
		t, ok := tensors["mask"]
		if !ok || !slices.Equal(t.Shape, []int{height, width}) {
			return nil, damaged("tensor mask has shape %v, want [%d %d]", t.Shape, height, width)
		}
		keep := make([]bool, len(t.Data))
		for i, v := range t.Data {
			if v != 0 && v != 1 {
				return nil, damaged("tensor mask holds %g, want 0 or 1", v)
			}
			keep[i] = v == 1
		}
		o, err := operator.NewInpaint(name, height, width, keep)
		if err != nil {
			return nil, err
		}
		return o, nil
	case operator.TaskDeblur:
		t, ok := tensors["kernel"]
		if !ok || len(t.Shape) != 2 {
			return nil, damaged("tensor kernel has shape %v, want [height width]", t.Shape)
		}
		weights := make([]float64, len(t.Data))
		sum := 0.0
		for i, v := range t.Data {
			weights[i] = float64(v)
			sum += weights[i]
		}
		if !(math.Abs(sum-1) <= 1e-3) {
			return nil, damaged("tensor kernel sums to %g, want 1", sum)
		}
		kernel, err := operator.NewKernel(t.Shape[0], t.Shape[1], weights)
		if err != nil {
			return nil, err
		}
		o, err := operator.NewBlur(name, height, width, kernel)
		if err != nil {
			return nil, err
		}
		return o, nil
	}
	op, _, err := operator.Build(task, height, width, 0, operator.Files{})
	return op, err
}
