package operator

import (
	"math"
	"math/cmplx"

	"gonum.org/v1/gonum/dsp/fourier"
)

// Starter is implemented by operators that are not linear and whose measurements say about what the image is, but only
// to a search that begins with random numbers, others of which may find another image: restorations that
// take their steps from the problem start from what it finds.
type Starter interface {
	// Start finds an image, [H,W,3], that roughly explains the measurement of one, [h,w,c]. uniform draws numbers from
	// [0,1).
	Start(y []float32, uniform func() float64) []float32
}

// The search for the image that phase retrieval starts from.
const (
	coarseSide     = 45 // largest side of the padded coarse image, odd so that every frequency has its opposite
	coarseStarts   = 8  // random images, of which the one counts that has the smallest residual in the end
	coarseInOut    = 300
	coarseErrors   = 40
	coarseFeedback = 0.9
	coarseTaper    = 4 // of the frequencies: exp(-4 f^2), f in cycles a pixel of the coarse image
)

// Start finds a coarse image by 300 steps of hybrid input-output and 40 of error reduction (Fienup, "Phase retrieval
// algorithms: a comparison", Applied Optics 21, 1982) from each of 8 random ones. They know of the image
// that its values are in [0,1] and that it ends where the padding begins, and of y the lowest frequencies
// alone: there amplitudes are far above the noise, and on all of y the same steps end in images of noise. A taper
// keeps the frequencies left out from ringing beyond the image's border. The search is made on the middle
// channel; the others, whose structure is mostly the same, begin with what it finds, so that they are not turned
// against it.
func (o *PhaseRetrieval) Start(y []float32, uniform func() float64) []float32 {
	H, W, _ := o.MeasurementSize()
	c := newCoarse(o.height, o.width, H, W)
	const middle = 1
	amplitude := c.amplitudes(y, middle)
	least, found := math.Inf(1), make([]float64, c.h*c.w)
	for range coarseStarts {
		u := make([]float64, c.h*c.w)
		for i := range u {
			if c.inside(i) {
				u[i] = uniform()
			}
		}
		if r := c.search(u, amplitude, coarseInOut); r < least {
			found, least = u, r
		}
	}
	x := make([]float32, o.height*o.width*imageChannels)
	for channel := range imageChannels {
		u := found
		if channel != middle {
			own := c.amplitudes(y, channel)
			brightness := own[0] / max(amplitude[0], smallMagnitude) // frequency 0 is the sum of the values
			u = make([]float64, len(found))
			for i, v := range found {
				u[i] = min(brightness*v, 1)
			}
			c.search(u, own, coarseInOut/4)
		}
		for i, v := range c.enlarge(u, o.height, o.width) {
			x[i*imageChannels+channel] = float32(2*min(max(v, 0), 1) - 1)
		}
	}
	return x
}

// coarse are the lowest h x w of an image's H x W frequencies, as an image of that many pixels, of which those that
// the padding leaves, and one more in each direction, can be other than zero.
type coarse struct {
	H, W, h, w       int
	insideH, insideW int
	rows, columns    *fourier.CmplxFFT
	z, line          []complex128
}

// newCoarse is for an image of height x width pixels that padding makes H x W.
func newCoarse(height, width, H, W int) *coarse {
	part := min(1, coarseSide/float64(max(H, W)))
	odd := func(n int) int { return max(1, int(part*float64(n)+0.5)-1) | 1 }
	c := &coarse{H: H, W: W, h: odd(H), w: odd(W)}
	c.insideH = min(c.h, (height*c.h+H-1)/H+1)
	c.insideW = min(c.w, (width*c.w+W-1)/W+1)
	c.rows, c.columns = fourier.NewCmplxFFT(c.w), fourier.NewCmplxFFT(c.h)
	c.z, c.line = make([]complex128, c.h*c.w), make([]complex128, c.h)
	return c
}

func (c *coarse) inside(i int) bool { return i/c.w < c.insideH && i%c.w < c.insideW }

// frequency is that of entry i of a transform of n.
func frequency(i, n int) int {
	if 2*i > n {
		return i - n
	}
	return i
}

// amplitudes are those of one channel of y, [H,W,3] with frequency 0 in its middle, tapered.
func (c *coarse) amplitudes(y []float32, channel int) []float64 {
	a := make([]float64, c.h*c.w)
	scale := math.Sqrt(float64(c.h*c.w) / float64(c.H*c.W)) // between orthonormal transforms
	for i := range a {
		p, q := frequency(i/c.w, c.h), frequency(i%c.w, c.w)
		f, g := float64(p)/float64(c.h), float64(q)/float64(c.w)
		v := float64(y[((c.H/2+p)*c.W+c.W/2+q)*imageChannels+channel])
		a[i] = scale * math.Exp(-coarseTaper*(f*f+g*g)) * max(v, 0)
	}
	return a
}

// transform makes the orthonormal transform of z, or takes it back.
func (c *coarse) transform(back bool) {
	apply := func(f *fourier.CmplxFFT, v []complex128) {
		if back {
			f.Sequence(v, v)
		} else {
			f.Coefficients(v, v)
		}
	}
	for i := range c.h {
		apply(c.rows, c.z[i*c.w:][:c.w])
	}
	norm := complex(1/math.Sqrt(float64(c.h*c.w)), 0)
	for j := range c.w {
		for i := range c.line {
			c.line[i] = c.z[i*c.w+j]
		}
		apply(c.columns, c.line)
		for i, v := range c.line {
			c.z[i*c.w+j] = norm * v
		}
	}
}

// spectrum makes z the transform of u.
func (c *coarse) spectrum(u []float64) {
	for i, v := range u {
		c.z[i] = complex(v, 0)
	}
	c.transform(false)
}

// search improves u by steps of hybrid input-output and then of error reduction, and returns the sum of the squared
// residual.
func (c *coarse) search(u, amplitude []float64, inOut int) (residual float64) {
	for step := range inOut + coarseErrors {
		c.spectrum(u)
		for i, a := range amplitude {
			if m := cmplx.Abs(c.z[i]); m > smallMagnitude {
				c.z[i] *= complex(a/m, 0)
			} else {
				c.z[i] = complex(a, 0)
			}
		}
		c.transform(true)
		for i, z := range c.z {
			switch v, inside := real(z), c.inside(i); {
			case inside && v >= 0 && v <= 1:
				u[i] = v
			case step < inOut:
				u[i] -= coarseFeedback * v
			case inside:
				u[i] = min(max(v, 0), 1)
			default:
				u[i] = 0
			}
		}
	}
	c.spectrum(u)
	for i, a := range amplitude {
		d := cmplx.Abs(c.z[i]) - a
		residual += d * d
	}
	return residual
}

// enlarge is u as an image of height x width pixels: its frequencies as those of one of H x W.
func (c *coarse) enlarge(u []float64, height, width int) []float64 {
	c.spectrum(u)
	waves := func(pixels, of, n int) []complex128 {
		e := make([]complex128, pixels*n)
		for i := range pixels {
			for k := range n {
				e[i*n+k] = cmplx.Rect(1, 2*math.Pi*float64(i*frequency(k, n)%of)/float64(of))
			}
		}
		return e
	}
	down, across := waves(height, c.H, c.h), waves(width, c.W, c.w)
	norm := complex(1/math.Sqrt(float64(c.h*c.w)), 0)
	x, row := make([]float64, height*width), make([]complex128, c.w)
	for i := range height {
		clear(row)
		for p, e := range down[i*c.h:][:c.h] {
			for q := range row {
				row[q] += norm * e * c.z[p*c.w+q]
			}
		}
		for j := range width {
			for q, e := range across[j*c.w:][:c.w] {
				x[i*width+j] += real(row[q])*real(e) - imag(row[q])*imag(e)
			}
		}
	}
	return x
}
