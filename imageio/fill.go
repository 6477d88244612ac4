package imageio

import (
	"errors"
	"fmt"
	"math"
)

// FillHoles returns the image with every dropped pixel replaced by the average of the kept ones
// around it, weighted by a Gaussian of the given standard deviation in pixels (normalised
// convolution, Knutsson and Westin 1993). mask has one channel: a pixel is kept where it is
// positive and dropped elsewhere. Holes too wide for the Gaussian are filled with one twice as
// wide, and so on. It is the baseline that an inpainting has to beat.
func FillHoles(img, mask *Image, std float64) (*Image, error) {
	switch {
	case mask.Channels != 1 || mask.Height != img.Height || mask.Width != img.Width:
		return nil, fmt.Errorf("imageio: mask is %dx%d with %d channels, the image %dx%d: want the same size and 1 channel",
			mask.Width, mask.Height, mask.Channels, img.Width, img.Height)
	case !(std > 0) || math.IsInf(std, 0):
		return nil, fmt.Errorf("imageio: standard deviation %v of the filling Gaussian must be positive and finite", std)
	}
	n := img.Channels
	out := img.Clone()
	// One more channel carries the mask itself, so that the weights are blurred with the colours.
	planes := New(img.Height, img.Width, n+1)
	holes, kept := []int(nil), 0
	for i, v := range mask.Pix {
		if v > 0 {
			copy(planes.Pix[i*(n+1):], img.Pix[i*n:][:n])
			planes.Pix[i*(n+1)+n] = 1
			kept++
		} else {
			holes = append(holes, i)
		}
	}
	if kept == 0 {
		return nil, errors.New("imageio: the mask keeps no pixel: there is nothing to fill the holes with")
	}
	for ; len(holes) > 0; std *= 2 {
		blurred := gaussianSum(planes, std)
		var left []int
		for _, i := range holes {
			p := blurred.Pix[i*(n+1):]
			// Beyond the cut-off of the Gaussian the weight is exactly zero.
			if weight := p[n]; weight > 0 {
				for c := range n {
					out.Pix[i*n+c] = p[c] / weight
				}
			} else {
				left = append(left, i)
			}
		}
		holes = left
	}
	return out, nil
}

// gaussianSum convolves each channel with a Gaussian cut off at 4 standard deviations and peak 1,
// with zeros beyond the border.
func gaussianSum(m *Image, std float64) *Image {
	vertical, horizontal := gaussianTaps(m.Height, std), gaussianTaps(m.Width, std)
	return resizeAxis(resizeAxis(m, vertical, true), horizontal, false)
}

func gaussianTaps(n int, std float64) []taps {
	radius := min(int(min(4*std, float64(n))+0.5), n-1)
	list := make([]taps, n)
	for i := range list {
		for j := max(0, i-radius); j <= min(n-1, i+radius); j++ {
			d := float64(j-i) / std
			list[i].index = append(list[i].index, j)
			list[i].weight = append(list[i].weight, math.Exp(-d*d/2))
		}
	}
	return list
}
