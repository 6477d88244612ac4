package metric

import (
	"math"

	"github.com/seed-0f004ec9/spgd/imageio"
)

const (
	haarC     = 30.0
	haarAlpha = 4.2
)

// The YIQ transform of HaarPSI.
var (
	haarLuma    = [3]float64{0.299, 0.587, 0.114}
	haarChromaI = [3]float64{0.596, -0.274, -0.322}
	haarChromaQ = [3]float64{0.211, -0.523, 0.312}
)

// HaarPSI is the Haar wavelet-based perceptual similarity index of Reisenhofer, Bosse, Kutyniok and
// Wiegand (Signal Processing: Image Communication 61, 2018; arXiv 1607.06140), 1 for identical
// images and 0 at worst. Images are halved (2x2 means) and split into luma and two chroma
// channels, in the range [0,255]. For each orientation, h_s being the responses to Haar wavelets
// of 2^s pixels and S(a,b) = (2ab+30)/(a^2+b^2+30),
//
//	local similarity = 1/2 sum over s = 1,2 of S(|h_s(a)|, |h_s(b)|),   weight = max(|h_3(a)|, |h_3(b)|)
//
// and for colour the similarity is the mean over both chroma channels of S of 2x2 means, the weight
// the mean of the two orientations' weights. With l(x) = 1/(1+exp(-4.2 x)) the index is
// (l^-1(mean of l(similarity) under the weights)/4.2)^2. Beyond the borders lie zeros, as in the authors'
// code. Two grey images are compared without chroma. The order of the images does not
// matter. Two black images give 1. Errors are those of PSNR.
func HaarPSI(a, b *imageio.Image) (float64, error) {
	a, b, err := pair(a, b)
	if err != nil {
		return 0, err
	}
	var sum, total float64
	add := func(weight, similarity float64) {
		sum += weight / (1 + math.Exp(-haarAlpha*similarity))
		total += weight
	}
	p, q := shrink(mixed(a, haarLuma), 2, zeros), shrink(mixed(b, haarLuma), 2, zeros)
	weights := newPlane(p.height, p.width) // the mean of the orientations' weights
	for _, vertical := range []bool{false, true} {
		local := newPlane(p.height, p.width)
		for s := 1; s <= 3; s++ {
			x, y := haar(p, s, vertical), haar(q, s, vertical)
			for i := range local.v {
				u, v := math.Abs(x.v[i]), math.Abs(y.v[i])
				if s < 3 {
					local.v[i] += similarity(u, v, haarC) / 2
					continue
				}
				w := max(u, v)
				add(w, local.v[i])
				weights.v[i] += w / 2
			}
		}
	}
	if a.Channels == 3 {
		local := newPlane(p.height, p.width)
		for _, chroma := range [][3]float64{haarChromaI, haarChromaQ} {
			x, y := shrink(mixed(a, chroma), 2, zeros).windows(2, 2), shrink(mixed(b, chroma), 2, zeros).windows(2, 2)
			for i := range local.v {
				local.v[i] += similarity(math.Abs(x.v[i])/4, math.Abs(y.v[i])/4, haarC) / 2
			}
		}
		for i, w := range weights.v {
			add(w, local.v[i])
		}
	}
	if total == 0 {
		return 1, nil
	}
	mean := sum / total
	index := math.Log(mean/(1-mean)) / haarAlpha
	return index * index, nil
}

// haar is the response to the Haar wavelet of 2^s x 2^s pixels, the difference of the sums of its
// two halves over 2^s. Pixel i of an axis sees those from i-2^(s-1)+1 to i+2^(s-1).
func haar(p plane, s int, vertical bool) plane {
	side, scale := 1<<s, 1/float64(int(1)<<s)
	half := side / 2
	out := newPlane(p.height, p.width)
	if vertical {
		sums := p.windows(1, side)
		column := func(y, x int) (sum float64) {
			for j := range half {
				sum += sums.at(y+j, x)
			}
			return sum
		}
		for y := range p.height {
			for x := range p.width {
				out.v[y*p.width+x] = scale * (column(y+1, x) - column(y-half+1, x))
			}
		}
		return out
	}
	sums := p.windows(side, 1)
	for y := range p.height {
		for x := range p.width {
			var d float64
			for i := range half {
				d += sums.at(y, x+1+i) - sums.at(y, x-half+1+i)
			}
			out.v[y*p.width+x] = scale * d
		}
	}
	return out
}
