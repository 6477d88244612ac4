// Package measurement holds what is known about a degraded photograph: the measurement y of
// y = A(x0) + noise, the operator A with its mask or kernel, the noise and the seed. It simulates
// measurements, makes them from pictures, and keeps them in a file.
package measurement

import (
	"errors"
	"fmt"

	"github.com/gomlx/gomlx/pkg/core/tensors"

	"github.com/seed-0f004ec9/spgd/imageio"
	"github.com/seed-0f004ec9/spgd/operator"
)

// Errors that a caller may want to tell apart; those returned wrap them with the details.
var (
	// ErrNoise reports a noise model that is unknown or a sigma that is not usable.
	ErrNoise = errors.New("bad noise")
	// ErrFile reports a measurement file that is damaged or not one at all.
	ErrFile = errors.New("bad measurement file")
	// ErrVersion reports a measurement file of a format that this version does not know.
	ErrVersion = errors.New("unknown version of the measurement file")
	// ErrPicture reports a picture that cannot serve as the task's measurement.
	ErrPicture = errors.New("unsuitable picture")
)

// Measurement is y with all that is known about how it came about.
type Measurement struct {
	// Y is [N,h,w,c] in row order, h, w, c the operator's MeasurementSize: [-1,1] for pictures, amplitudes for
	// phase retrieval.
	Y []float32
	// Task is what Operator was built from.
	Task operator.Task
	// Operator is A.
	Operator operator.Operator
	// Noise is what was added to A(x0), as far as it is known.
	Noise Noise
	// Seed is what masks, kernels and noise were drawn from.
	Seed uint64
}

// Len is the number of images N.
func (m *Measurement) Len() int {
	h, w, c := m.Operator.MeasurementSize()
	return len(m.Y) / (h * w * c)
}

// Like says whether another measurement was made by the same operator with the same noise, so that both can be restored
// as a batch.
func (m *Measurement) Like(other *Measurement) bool {
	return m == other || m.Noise == other.Noise && operator.Equal(m.Operator, other.Operator)
}

// Tensor is a copy of Y as a [N,h,w,c] tensor.
func (m *Measurement) Tensor() *tensors.Tensor {
	h, w, c := m.Operator.MeasurementSize()
	return tensors.FromFlatDataAndDimensions(append([]float32(nil), m.Y...), m.Len(), h, w, c)
}

// Picture is a copy of the measurement of image i as a picture. That of phase retrieval holds
// amplitudes, which no picture file keeps: there it is an error.
func (m *Measurement) Picture(i int) (*imageio.Image, error) {
	if m.Task.Name == operator.TaskPhase {
		return nil, fmt.Errorf("measurement: the amplitudes of phase retrieval are not a picture: %w: write a .safetensors file", ErrPicture)
	}
	if i < 0 || i >= m.Len() {
		return nil, fmt.Errorf("measurement: image %d of %d: %w", i, m.Len(), ErrPicture)
	}
	h, w, c := m.Operator.MeasurementSize()
	img := imageio.New(h, w, c)
	copy(img.Pix, m.Y[i*h*w*c:])
	return img, nil
}

// Mask is the inpainting mask as a picture, white where pixels are kept, or nil.
func (m *Measurement) Mask() *imageio.Image {
	o, ok := m.Operator.(*operator.Inpaint)
	if !ok {
		return nil
	}
	h, w := o.ImageSize()
	return operator.MaskImage(h, w, o.Mask())
}

// Kernel is the blur kernel as a picture, white at its largest weight, or nil.
func (m *Measurement) Kernel() *imageio.Image {
	o, ok := m.Operator.(*operator.Blur)
	if !ok {
		return nil
	}
	return o.Kernel().Image()
}
