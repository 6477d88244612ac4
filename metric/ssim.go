package metric

import (
	"fmt"
	"math"

	"github.com/seed-0f004ec9/spgd/imageio"
)

const (
	ssimStd    = 1.5
	ssimRadius = 5 // int(3.5*1.5 + 0.5): the Gaussian is cut off at 3.5 standard deviations
	ssimTaps   = 2*ssimRadius + 1
	ssimC1     = 0.01 * 0.01 // (K1 L)^2 with the data range L = 1
	ssimC2     = 0.03 * 0.03
)

// SSIM is the mean structural similarity of Wang et al. (2004): a Gaussian window of standard
// deviation 1.5 and 11 taps, population covariances, K1 = 0.01, K2 = 0.03, averaged over every
// place where the window lies inside the image and over the channels. It is what scikit-image's
// structural_similarity gives with gaussian_weights, sigma=1.5, use_sample_covariance=False and
// data_range=1. Errors are those of PSNR; an image smaller than 11x11 is an ErrSize too.
func SSIM(a, b *imageio.Image) (float64, error) {
	a, b, err := pair(a, b)
	if err != nil {
		return 0, err
	}
	if a.Height < ssimTaps || a.Width < ssimTaps {
		return 0, fmt.Errorf("%w: SSIM needs at least %dx%d pixels, the images have %dx%d",
			ErrSize, ssimTaps, ssimTaps, a.Width, a.Height)
	}
	var sum float64
	for c := range a.Channels {
		mean, _ := ssimMeans(channel(a, c), channel(b, c))
		sum += mean
	}
	return sum / float64(a.Channels), nil
}

func ssimWindow() (w [ssimTaps]float64) {
	var sum float64
	for i := range w {
		d := float64(i-ssimRadius) / ssimStd
		w[i] = math.Exp(-d * d / 2)
		sum += w[i]
	}
	for i := range w {
		w[i] /= sum
	}
	return w
}

// ssimMeans returns the means of the structural similarity and of its factor of contrast and
// structure, (2 cov + C2)/(var + var + C2). It walks down the images with the last 11 rows of a, b,
// aa, bb and ab, each already averaged along the row, so that memory does not grow with their
// height.
func ssimMeans(a, b grid) (similarity, structure float64) {
	window := ssimWindow()
	w := a.width - 2*ssimRadius
	const moments = 5
	var ring [ssimTaps][moments][]float64
	for i := range ring {
		for m := range moments {
			ring[i][m] = make([]float64, w)
		}
	}
	var wide [moments][]float64
	for m := range moments {
		wide[m] = make([]float64, a.width)
	}
	var total, totalStructure float64
	for y := range a.height {
		a.row(y, wide[0])
		b.row(y, wide[1])
		for x, p := range wide[0] {
			q := wide[1][x]
			wide[2][x], wide[3][x], wide[4][x] = p*p, q*q, p*q
		}
		for m, dst := range ring[y%ssimTaps] {
			for x := range dst {
				var sum float64
				for k, v := range wide[m][x : x+ssimTaps] {
					sum += window[k] * v
				}
				dst[x] = sum
			}
		}
		if y < 2*ssimRadius {
			continue
		}
		var rowSum, rowStructure float64
		for x := range w {
			var mean [moments]float64
			for k, weight := range window {
				// The oldest row, y-10, is the one after the newest in the ring.
				r := &ring[(y+1+k)%ssimTaps]
				for m := range moments {
					mean[m] += weight * r[m][x]
				}
			}
			ma, mb := mean[0], mean[1]
			va, vb, vab := mean[2]-ma*ma, mean[3]-mb*mb, mean[4]-ma*mb
			rowSum += (2*ma*mb + ssimC1) * (2*vab + ssimC2) / ((ma*ma + mb*mb + ssimC1) * (va + vb + ssimC2))
			rowStructure += (2*vab + ssimC2) / (va + vb + ssimC2)
		}
		total += rowSum
		totalStructure += rowStructure
	}
	places := float64(w * (a.height - 2*ssimRadius))
	return total / places, totalStructure / places
}
