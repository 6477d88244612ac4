// Package metric compares two images: PSNR, SSIM, MS-SSIM, HaarPSI and MDSI. Package metric/lpips
// compares them by a network.
//
// Values are mapped from [-1,1] to [0,1] by (v+1)/2 and clipped, as they would be when the image
// is written to a file. Computation is in float64.
package metric

import (
	"errors"
	"fmt"
	"math"

	"github.com/seed-0f004ec9/spgd/imageio"
)

// ErrSize says that two images cannot be compared because of their sizes.
var ErrSize = errors.New("metric: image sizes do not fit")

// PSNR is the peak signal-to-noise ratio 10 log10(1/MSE) in dB, the mean squared error being
// over all pixels and channels. Identical images give +Inf. Images of different sizes are an
// ErrSize, values that are not finite an imageio.ErrNotFinite; a grey image is compared with a
// colour image as if its channel were repeated.
func PSNR(a, b *imageio.Image) (float64, error) {
	a, b, err := pair(a, b)
	if err != nil {
		return 0, err
	}
	var total float64
	n := a.Width * a.Channels
	for y := range a.Height {
		var sum float64 // by rows, so that rounding does not grow with the image
		for i, v := range a.Pix[y*n:][:n] {
			d := unit(v) - unit(b.Pix[y*n+i])
			sum += d * d
		}
		total += sum
	}
	return -10 * math.Log10(total/float64(len(a.Pix))), nil
}

// unit maps [-1,1] to [0,1] and clips.
func unit(v float32) float64 { return min(max((float64(v)+1)/2, 0), 1) }

// pair checks that two images can be compared and gives them the same number of channels.
func pair(a, b *imageio.Image) (*imageio.Image, *imageio.Image, error) {
	for i, m := range []*imageio.Image{a, b} {
		if err := m.Check(); err != nil {
			return nil, nil, fmt.Errorf("metric: %s image: %w", [2]string{"first", "second"}[i], err)
		}
	}
	if a.Height != b.Height || a.Width != b.Width {
		return nil, nil, fmt.Errorf("%w: %dx%d pixels against %dx%d", ErrSize, a.Width, a.Height, b.Width, b.Height)
	}
	if a.Channels != b.Channels {
		a, b = a.RGB(), b.RGB()
	}
	return a, b, nil
}
