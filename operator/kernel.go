package operator

import (
	"fmt"
	"math"

	"github.com/seed-0f004ec9/spgd/imageio"
)

// Kernel is a blur kernel: Height x Width weights in row order that are not negative and sum to
// 1. Its centre is row Height/2, column Width/2 (rounded down).
type Kernel struct {
	Height, Width int
	Weights       []float64
}

// maxKernelSide bounds a kernel's sides.
const maxKernelSide = 4095

// NewKernel returns the kernel with the given weights divided by their sum. Weights that are
// negative, not finite or all zero are an error.
func NewKernel(height, width int, weights []float64) (*Kernel, error) {
	if height < 1 || width < 1 || height > maxKernelSide || width > maxKernelSide || len(weights) != height*width {
		return nil, fmt.Errorf("operator: kernel of %dx%d pixels with %d weights: %w: sides must be between 1 and %d", width, height, len(weights), ErrSize, maxKernelSide)
	}
	sum := 0.0
	for i, w := range weights {
		if !(w >= 0) || math.IsInf(w, 1) {
			return nil, fmt.Errorf("operator: kernel weight %g at row %d, column %d: %w: weights must be finite and not negative", w, i/width, i%width, ErrKernel)
		}
		sum += w
	}
	if sum == 0 || math.IsInf(sum, 1) {
		return nil, fmt.Errorf("operator: the kernel's weights sum to %g: %w: the sum must be positive and finite", sum, ErrKernel)
	}
	k := &Kernel{height, width, make([]float64, len(weights))}
	for i, w := range weights {
		k.Weights[i] = w / sum
	}
	return k, nil
}

// KernelFromImage reads a kernel from a picture, black being 0, and normalises it to sum 1.
// Colour pictures are read by their luma.
func KernelFromImage(img *imageio.Image) (*Kernel, error) {
	grey, err := luma(img)
	if err != nil {
		return nil, err
	}
	for i, v := range grey {
		grey[i] = (v + 1) / 2
		// Rounding in the picture's encoding, not a negative weight.
		if grey[i] < 0 && grey[i] > -1e-6 {
			grey[i] = 0
		}
	}
	return NewKernel(img.Height, img.Width, grey)
}

// Image draws the kernel as a one-channel picture, black being 0 and white the largest weight;
// KernelFromImage turns it back into the kernel, to the picture's precision.
func (k *Kernel) Image() *imageio.Image {
	peak := 0.0
	for _, w := range k.Weights {
		peak = max(peak, w)
	}
	img := imageio.New(k.Height, k.Width, 1)
	for i, w := range k.Weights {
		img.Pix[i] = float32(2*w/peak - 1)
	}
	return img
}

// GaussianKernel is the Gaussian of the given standard deviation in pixels, sampled at whole
// pixels, cut at the radius int(4 std + 0.5) and normalised to sum 1: the response of
// scipy.ndimage.gaussian_filter, with its default truncation, to a unit impulse.
func GaussianKernel(std float64) (*Kernel, error) {
	if err := checkStd(std); err != nil {
		return nil, err
	}
	radius := int(4*std + 0.5)
	line := make([]float64, 2*radius+1)
	sum := 0.0
	for i := range line {
		d := float64(i-radius) / std
		line[i] = math.Exp(-0.5 * d * d)
		sum += line[i]
	}
	n := len(line)
	weights := make([]float64, n*n)
	for y := range n {
		for x := range n {
			weights[y*n+x] = line[y] / sum * (line[x] / sum)
		}
	}
	return NewKernel(n, n, weights)
}

const maxStd = 500

func checkStd(std float64) error {
	if !(std > 0 && std <= maxStd) {
		return fmt.Errorf("operator: Gaussian kernel of standard deviation %g: %w: it must be above 0 and at most %d pixels", std, ErrTask, maxStd)
	}
	return nil
}

// MotionKernel is an antialiased straight line through the centre: a pixel's weight falls
// linearly from 1 on the line to 0 at a distance of one pixel from it, before normalisation to
// sum 1. The line joins two points length-1 pixels apart, so that a horizontal line of a whole
// odd length is that many equal weights. angle is in degrees, counter-clockwise from the
// horizontal as the picture is seen. length is at least 1.
func MotionKernel(length, angle float64) (*Kernel, error) {
	if err := checkMotion(length, angle); err != nil {
		return nil, err
	}
	half := (length - 1) / 2
	sin, cos := sinCosDegrees(angle)
	// Rows run downward, so counter-clockwise is towards smaller rows.
	dy, dx := -sin, cos
	reach := func(d float64) int { return int(math.Ceil(half * math.Abs(d))) }
	ry, rx := reach(dy), reach(dx)
	k := &Kernel{Height: 2*ry + 3, Width: 2*rx + 3}
	k.Weights = make([]float64, k.Height*k.Width)
	for row := range k.Height {
		for col := range k.Width {
			y, x := float64(row-ry-1), float64(col-rx-1)
			along := min(max(y*dy+x*dx, -half), half)
			distance := math.Hypot(y-along*dy, x-along*dx)
			// The bound removes what rounding leaves at a distance of exactly 1.
			if w := 1 - distance; w > 1e-12 {
				k.Weights[row*k.Width+col] = w
			}
		}
	}
	k.trim()
	return NewKernel(k.Height, k.Width, k.Weights)
}

func checkMotion(length, angle float64) error {
	if !(length >= 1 && length <= maxKernelSide-2) {
		return fmt.Errorf("operator: motion kernel of length %g: %w: it must be between 1 and %d pixels", length, ErrTask, maxKernelSide-2)
	}
	if math.IsNaN(angle) || math.IsInf(angle, 0) {
		return fmt.Errorf("operator: motion kernel at angle %g: %w: it must be finite", angle, ErrTask)
	}
	return nil
}

// sinCosDegrees is exact at multiples of 90 degrees.
func sinCosDegrees(angle float64) (sin, cos float64) {
	switch angle = math.Mod(angle, 360); angle {
	case 0:
		return 0, 1
	case 90, -270:
		return 1, 0
	case 180, -180:
		return 0, -1
	case 270, -90:
		return -1, 0
	}
	return math.Sincos(angle * math.Pi / 180)
}

// trim removes empty rows and columns in pairs, which keeps the centre of a kernel of odd sides.
func (k *Kernel) trim() {
	top, bottom, left, right := k.support()
	cy, cx := k.Height/2, k.Width/2
	ry, rx := max(cy-top, bottom-cy), max(cx-left, right-cx)
	t := &Kernel{Height: 2*ry + 1, Width: 2*rx + 1}
	for y := cy - ry; y <= cy+ry; y++ {
		t.Weights = append(t.Weights, k.Weights[y*k.Width+cx-rx:y*k.Width+cx+rx+1]...)
	}
	*k = *t
}

// support is the smallest rectangle, bounds included, that holds every positive weight.
func (k *Kernel) support() (top, bottom, left, right int) {
	top, left = k.Height, k.Width
	bottom, right = -1, -1
	for i, w := range k.Weights {
		if w > 0 {
			y, x := i/k.Width, i%k.Width
			top, bottom = min(top, y), max(bottom, y)
			left, right = min(left, x), max(right, x)
		}
	}
	return top, bottom, left, right
}
