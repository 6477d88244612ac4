package operator

import (
	"fmt"

	"github.com/seed-0f004ec9/spgd/imageio"
	"github.com/seed-0f004ec9/spgd/internal/rng"
)

// RandomMask drops exactly int(height*width*fraction) distinct pixels, drawn from the seed. The
// result is in row order, true where a pixel is kept. fraction is in [0,1).
func RandomMask(height, width int, fraction float64, seed uint64) ([]bool, error) {
	if _, err := newSize(height, width); err != nil {
		return nil, err
	}
	if err := checkFraction(fraction); err != nil {
		return nil, err
	}
	n := height * width
	return rng.New(seed, 0, 0, rng.Mask).Others(n, int(float64(n)*fraction)), nil
}

func checkFraction(fraction float64) error {
	if !(fraction >= 0 && fraction < 1) {
		return fmt.Errorf("operator: random mask that drops the fraction %g: %w: it must be at least 0 and below 1", fraction, ErrTask)
	}
	return nil
}

// BoxMask drops a square of side pixels, its place drawn from the seed. Each axis of n pixels
// keeps a margin of m = n/8 where the box leaves room for it: the first dropped index is uniform
// over [m, n-m-side) if that holds a place, otherwise over [0, n-side]. For 256 pixels and a box
// of 128 that is [32, 96). The result is in row order, true where a pixel is kept.
func BoxMask(height, width, side int, seed uint64) ([]bool, error) {
	if _, err := newSize(height, width); err != nil {
		return nil, err
	}
	if side < 1 || side > height || side > width {
		return nil, fmt.Errorf("operator: mask box of %d pixels in an image of %dx%d: %w: its side must be between 1 and the image's", side, width, height, ErrSize)
	}
	s := rng.New(seed, 0, 0, rng.Mask)
	place := func(n int) int {
		m := n / 8
		if room := n - 2*m - side; room > 0 {
			return m + s.Intn(room)
		}
		return s.Intn(n - side + 1)
	}
	top, left := place(height), place(width)
	keep := make([]bool, height*width)
	for y := range height {
		for x := range width {
			keep[y*width+x] = y < top || y >= top+side || x < left || x >= left+side
		}
	}
	return keep, nil
}

// MaskFromImage reads a mask from a picture: white is kept and black is filled. Colour pictures
// are read by their luma. Other values are thresholded at mid-grey; then warning says how many.
// The picture must have the image's size.
func MaskFromImage(img *imageio.Image, height, width int) (keep []bool, warning string, err error) {
	if img.Height != height || img.Width != width {
		return nil, "", fmt.Errorf("operator: mask of %dx%d pixels for an image of %dx%d: %w", img.Width, img.Height, width, height, ErrSize)
	}
	grey, err := luma(img)
	if err != nil {
		return nil, "", err
	}
	keep = make([]bool, len(grey))
	between := 0
	for i, v := range grey {
		keep[i] = v >= 0
		// Half a step of 8 bits, so that rounding in a picture's encoding is no third value.
		if v > -1+1.0/255 && v < 1-1.0/255 {
			between++
		}
	}
	if between > 0 {
		warning = fmt.Sprintf("%d of the mask's %d pixels are neither black nor white; they were thresholded at mid-grey", between, len(grey))
	}
	return keep, warning, nil
}

// MaskImage draws a mask as a one-channel picture: white is kept, black is filled.
func MaskImage(height, width int, keep []bool) *imageio.Image {
	img := imageio.New(height, width, 1)
	for i, k := range keep {
		img.Pix[i] = -1
		if k {
			img.Pix[i] = 1
		}
	}
	return img
}

// luma returns the picture's grey values in [-1,1]: its only channel, or 0.299 R + 0.587 G +
// 0.114 B.
func luma(img *imageio.Image) ([]float64, error) {
	n := img.Height * img.Width
	if n < 1 || img.Channels != 1 && img.Channels != imageChannels || len(img.Pix) != n*img.Channels {
		return nil, fmt.Errorf("operator: picture of %dx%d pixels with %d channels: %w: it must have 1 or %d channels", img.Width, img.Height, img.Channels, ErrSize, imageChannels)
	}
	grey := make([]float64, n)
	for i := range grey {
		if img.Channels == 1 {
			grey[i] = float64(img.Pix[i])
			continue
		}
		for c, w := range lumaWeights {
			grey[i] += w * float64(img.Pix[i*imageChannels+c])
		}
	}
	return grey, nil
}
