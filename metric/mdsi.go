package metric

import (
	"math"
	"math/cmplx"

	"github.com/seed-0f004ec9/spgd/imageio"
)

// Constants of MDSI.
const (
	mdsiC1    = 140.0 // of the similarity of the two gradients
	mdsiC2    = 55.0  // of each with the fused image's
	mdsiC3    = 550.0 // of chromaticity
	mdsiAlpha = 0.6   // the gradients' share
	mdsiScale = 256   // pixels to which the shorter side is brought, about
)

// The luma and the two chromaticity channels of MDSI.
var (
	mdsiL = [3]float64{0.2989, 0.5870, 0.1140}
	mdsiH = [3]float64{0.30, 0.04, -0.35}
	mdsiM = [3]float64{0.34, -0.60, 0.17}
)

// MDSI is the mean deviation similarity index of Nafchi, Shahkolaei, Hedjam and Cheriet (IEEE Access
// 4, 2016; arXiv 1608.07433), with its sum combination: 0 for identical images, larger is
// worse, rarely beyond 0.7. Images in the range [0,255] are averaged over blocks so that their
// shorter side comes near 256 pixels. With gradients (Prewitt) G_R of the reference, G_D of the
// distorted image and G_F of the mean of the two, S(a,b;c) = (2ab+c)/(a^2+b^2+c) and the
// chromaticity channels H and M,
//
//	GS  = S(G_R,G_D;140) + S(G_D,G_F;55) - S(G_R,G_F;55)
//	CS  = (2 (H_R H_D + M_R M_D) + 550)/(H_R^2 + H_D^2 + M_R^2 + M_D^2 + 550)
//	GCS = 0.6 GS + 0.4 CS
//	MDSI = (mean |GCS^(1/4) - mean(GCS^(1/4))|)^(1/4)
//
// so what counts is how unevenly the damage is spread. A negative GCS has a complex root. The order
// of the images matters. Grey images are taken as three equal channels. Errors are those of PSNR.
func MDSI(reference, distorted *imageio.Image) (float64, error) {
	r, d, err := pair(reference, distorted)
	if err != nil {
		return 0, err
	}
	n := max(1, int(math.Round(float64(min(r.Height, r.Width))/mdsiScale)))
	load := func(weights [3]float64) (plane, plane) {
		return shrink(mixed(r, weights), n, zeros), shrink(mixed(d, weights), n, zeros)
	}
	lr, ld := load(mdsiL)
	fused := newPlane(lr.height, lr.width)
	for i := range fused.v {
		fused.v[i] = (lr.v[i] + ld.v[i]) / 2
	}
	gr, gd, gf := prewitt(lr), prewitt(ld), prewitt(fused)
	hr, hd := load(mdsiH)
	mr, md := load(mdsiM)

	roots := make([]complex128, len(fused.v))
	var sum complex128
	for i := range roots {
		gs := similarity(gr.v[i], gd.v[i], mdsiC1) + similarity(gd.v[i], gf.v[i], mdsiC2) - similarity(gr.v[i], gf.v[i], mdsiC2)
		h1, h2, m1, m2 := hr.v[i], hd.v[i], mr.v[i], md.v[i]
		// Grouped and rounded so that equal images give exactly 1, see similarity.
		cs := (2*(float64(h1*h2)+float64(m1*m2)) + mdsiC3) /
			((float64(h1*h1) + float64(m1*m1)) + (float64(h2*h2) + float64(m2*m2)) + mdsiC3)
		roots[i] = fourthRoot(float64(mdsiAlpha*gs) + float64((1-mdsiAlpha)*cs))
		sum += roots[i]
	}
	mean := sum / complex(float64(len(roots)), 0)
	var deviation float64
	for _, v := range roots {
		deviation += cmplx.Abs(v - mean)
	}
	return math.Sqrt(math.Sqrt(deviation / float64(len(roots)))), nil
}

// fourthRoot is the principal fourth root of a real number.
func fourthRoot(v float64) complex128 {
	r := math.Sqrt(math.Sqrt(math.Abs(v)))
	if v < 0 {
		return complex(r*math.Sqrt2/2, r*math.Sqrt2/2)
	}
	return complex(r, 0)
}

// prewitt is the length of the gradient by Prewitt's filters over 3, with zeros beyond the borders.
func prewitt(p plane) plane {
	rows, columns := p.windows(1, 3), p.windows(3, 1)
	out := newPlane(p.height, p.width)
	for y := range p.height {
		for x := range p.width {
			down := (rows.at(y+1, x) - rows.at(y-1, x)) / 3
			right := (columns.at(y, x+1) - columns.at(y, x-1)) / 3
			out.v[y*p.width+x] = math.Sqrt(float64(down*down) + float64(right*right))
		}
	}
	return out
}
