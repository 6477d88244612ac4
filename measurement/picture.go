package measurement

import (
	"fmt"
	"slices"

	"github.com/seed-0f004ec9/spgd/imageio"
	"github.com/seed-0f004ec9/spgd/operator"
)

// ImageSize is the size of the image that a picture of height x width measures under the task:
// factor times it for super-resolution, the same otherwise.
func ImageSize(task operator.Task, height, width int) (int, int) {
	if task.Name == operator.TaskSuperResolution {
		return height * task.Scale, width * task.Scale
	}
	return height, width
}

// FromImage takes a degraded picture as the measurement of one image.
//
// For super-resolution the image is the picture's size times the factor. For inpainting
// the dropped pixels of y are set to 0, what A makes of them, whatever the picture shows there. For
// colourisation a colour picture is converted by the operator's luma. Other tasks take a
// grey picture as three equal channels. Phase retrieval is an error: its measurements are no
// pictures. The measurement may share the memory of the picture, which must not change any more. warnings are one sentence each, for the user.
func FromImage(task operator.Task, img *imageio.Image, noise Noise, seed uint64, files operator.Files) (m *Measurement, warnings []string, err error) {
	if err := task.Validate(); err != nil {
		return nil, nil, err
	}
	if err := noise.Validate(); err != nil {
		return nil, nil, err
	}
	if task.Name == operator.TaskPhase {
		return nil, nil, fmt.Errorf("measurement: phase retrieval measures amplitudes, not a picture: %w: give it a .safetensors measurement", ErrPicture)
	}
	if err := checkChannels(img); err != nil {
		return nil, nil, err
	}
	h, w := ImageSize(task, img.Height, img.Width)
	op, warnings, err := operator.Build(task, h, w, seed, files)
	if err != nil {
		return nil, nil, err
	}
	pix := img.RGB().Pix
	switch o := op.(type) {
	case *operator.Inpaint:
		if img.Channels == 3 {
			pix = slices.Clone(pix)
		}
		for i, keep := range o.Mask() {
			if !keep {
				clear(pix[3*i:][:3])
			}
		}
	case *operator.Colorize:
		var coloured bool
		if pix, coloured = grey(img); coloured {
			warnings = append(warnings, "the picture has colours; only its brightness is used")
		}
	}
	return &Measurement{Y: pix, Task: task, Operator: op, Noise: noise, Seed: seed}, warnings, nil
}

// grey is the picture's luma, and whether it has colours beyond the rounding of 8 bits and of
// lossy compression.
func grey(img *imageio.Image) (luma []float32, coloured bool) {
	if img.Channels == 1 {
		return append([]float32(nil), img.Pix...), false
	}
	luma = make([]float32, img.Height*img.Width)
	for i := range luma {
		r, g, b := img.Pix[3*i], img.Pix[3*i+1], img.Pix[3*i+2]
		if r == g && g == b {
			luma[i] = r
			continue
		}
		luma[i] = float32(0.299*float64(r) + 0.587*float64(g) + 0.114*float64(b))
		if max(r, g, b)-min(r, g, b) > 4.0/255 {
			coloured = true
		}
	}
	return luma, coloured
}
