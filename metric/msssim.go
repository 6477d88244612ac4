package metric

import (
	"fmt"
	"math"

	"github.com/seed-0f004ec9/spgd/imageio"
)

// msssimWeights are the exponents of the five scales, the finest first (Wang et al. 2003, section
// 3.2).
var msssimWeights = [...]float64{0.0448, 0.2856, 0.3001, 0.2363, 0.1333}

// MinMSSSIM is the smallest side of images that MSSSIM takes: the coarsest of its five scales, a
// sixteenth of the image, has to hold the window of 11 pixels.
const MinMSSSIM = ssimTaps << (len(msssimWeights) - 1)

// MSSSIM is the multi-scale structural similarity of Wang, Simoncelli and Bovik (Asilomar 2003):
//
//	product over j = 1..4 of cs_j^w_j, times ssim_5^w_5
//
// where scale j has half the resolution of the one before (means of 2x2 pixels, the last row and
// column of an odd size repeated), cs_j is the mean of the factor of contrast and structure and
// ssim_5 that of the whole similarity, with the window and constants of SSIM. A negative mean
// counts as 0. Channels are taken apart and the results averaged. Errors are those of PSNR; an
// image with a side below MinMSSSIM is an ErrSize, since fewer scales would be another measure.
func MSSSIM(a, b *imageio.Image) (float64, error) {
	a, b, err := pair(a, b)
	if err != nil {
		return 0, err
	}
	if a.Height < MinMSSSIM || a.Width < MinMSSSIM {
		return 0, fmt.Errorf("%w: MS-SSIM needs at least %dx%d pixels, the images have %dx%d",
			ErrSize, MinMSSSIM, MinMSSSIM, a.Width, a.Height)
	}
	var sum float64
	for c := range a.Channels {
		p, q := channel(a, c), channel(b, c)
		product := 1.0
		for j, weight := range msssimWeights {
			if j > 0 {
				p, q = shrink(p, 2, mirror).grid(), shrink(q, 2, mirror).grid()
			}
			mean, structure := ssimMeans(p, q)
			if j < len(msssimWeights)-1 {
				mean = structure
			}
			product *= math.Pow(max(mean, 0), weight)
		}
		sum += product
	}
	return sum / float64(a.Channels), nil
}
