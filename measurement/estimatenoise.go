package measurement

import (
	"fmt"
	"math"

	"github.com/seed-0f004ec9/spgd/operator"
)

// NoiseEstimate is what EstimateNoise found.
type NoiseEstimate struct {
	// Sigma is the standard deviation, in the units of Noise.Sigma.
	Sigma float64
	// Correlated says that the noise is not independent in the three channels, as after JPEG's
	// compression or a camera's smoothing of colours. Sigma is then that of single channels, which
	// texture makes too large and smoothing too small.
	Correlated bool
}

const (
	leastNoise = 1 / (127.5 * 3.4641016) // of rounding to 8 bits: a step over the square root of 12
	// independent is how small the noise of colour differences may be beside that of the channels.
	// Texture makes it 0.4 and more with independent noise of 0.02, and JPEG 0.15 and less.
	independent = 0.2
)

// leastSquares is the number of squares of 2x2 pixels, at overlapping places, that EstimateNoise needs.
const leastSquares = 100

// CanEstimateNoise says whether a picture of a size is large enough for EstimateNoise, if all of it is known.
func CanEstimateNoise(height, width int) bool { return (height-1)*(width-1) >= leastSquares }

// EstimateNoise estimates the noise in the measurement of every image from the measurement alone. It takes
// noise to be Gaussian, everywhere alike and independent from entry to entry and from channel to
// channel. The error is an ErrNoise where the measurement is too small to tell, or the noise model another.
//
// In a picture it is the median absolute value of the diagonal differences of squares of 2x2 pixels, the
// finest diagonal band of Haar's wavelets, divided by 0.6745 (Donoho and Johnstone, "Ideal spatial adaptation
// by wavelet shrinkage", 1994), of the colour differences R - 2G + B and R - B: textures of photographs are
// nearly grey, and the noise is not. In a grey picture texture counts as noise. Squares that are not
// wholly known (inpainting) or in which an entry is -1 or 1, and may have been clipped, do not count. A
// picture's noise is at least that of rounding to 8 bits.
//
// Amplitudes of phase retrieval at opposite frequencies are equal but for their noise.
func (m *Measurement) EstimateNoise() ([]NoiseEstimate, error) {
	if m.Noise.Model == Poisson {
		return nil, fmt.Errorf("measurement: %w: only gaussian noise can be estimated from a measurement, not %s", ErrNoise, Poisson)
	}
	h, w, c := m.Operator.MeasurementSize()
	estimates := make([]NoiseEstimate, m.Len())
	for i := range estimates {
		y := samples{m.Y[i*h*w*c:][:h*w*c], h, w, c, nil}
		var ok bool
		switch o := m.Operator.(type) {
		case *operator.PhaseRetrieval:
			estimates[i].Sigma, ok = y.opposite()
		case *operator.Inpaint:
			y.keep = o.Mask()
			estimates[i], ok = y.noise()
		default:
			estimates[i], ok = y.noise()
		}
		if !ok {
			return nil, fmt.Errorf("measurement: %w: the %dx%d entries of %s tell too little of their noise to estimate it", ErrNoise, w, h, m.Operator.Name())
		}
	}
	return estimates, nil
}

// samples are the measurement of one image.
type samples struct {
	y       []float32
	h, w, c int
	keep    []bool // the known pixels, or nil for all
}

// noise is the noise of a picture.
func (s samples) noise() (e NoiseEstimate, ok bool) {
	known, squares := s.squares(false)
	if squares < leastSquares {
		known, squares = s.squares(true)
	}
	if squares < leastSquares {
		return e, false
	}
	each := s.deviation(known, squares, s.c, func(v []float64, p []float32) {
		for i, x := range p {
			v[i] = float64(x)
		}
	})
	e.Sigma = each
	if s.c == 3 && !s.grey() {
		colour := s.deviation(known, squares, 2, func(v []float64, p []float32) {
			r, g, b := float64(p[0]), float64(p[1]), float64(p[2])
			v[0], v[1] = (r-float64(2*g)+b)/math.Sqrt(6), (r-b)/math.Sqrt2
		})
		if e.Correlated = colour < independent*each; !e.Correlated {
			e.Sigma = colour
		}
	}
	e.Sigma = max(e.Sigma, leastNoise)
	return e, true
}

// grey says whether the three channels are equal, and so is their noise.
func (s samples) grey() bool {
	for i := 0; i < len(s.y); i += 3 {
		if s.y[i] != s.y[i+1] || s.y[i] != s.y[i+2] {
			return false
		}
	}
	return true
}

// squares says which pixels are known, on the picture's whole or without those that may have been clipped, and
// counts the squares of 2x2 known pixels.
func (s samples) squares(clipped bool) (known []bool, count int) {
	known = make([]bool, s.h*s.w)
	for i := range known {
		known[i] = s.keep == nil || s.keep[i]
		for _, v := range s.y[i*s.c:][:s.c] {
			known[i] = known[i] && (clipped || v != -1 && v != 1)
		}
	}
	s.each(known, func(int) { count++ })
	return known, count
}

// each calls f with the number of the upper left pixel of every square of 2x2 known pixels.
func (s samples) each(known []bool, f func(p int)) {
	for i := range s.h - 1 {
		for j := range s.w - 1 {
			if p := i*s.w + j; known[p] && known[p+1] && known[p+s.w] && known[p+s.w+1] {
				f(p)
			}
		}
	}
}

// deviation is the standard deviation of n functions of a pixel that of computes, by the diagonal differences of
// squares.
func (s samples) deviation(known []bool, squares, n int, of func(v []float64, pixel []float32)) float64 {
	values := make([]float64, 4*n)
	a, b, c, e := values[:n], values[n:2*n], values[2*n:3*n], values[3*n:]
	at := func(v []float64, p int) { of(v, s.y[p*s.c:][:s.c]) }
	return ranked(squares*n/2, func(yield func(float64)) {
		s.each(known, func(p int) {
			at(a, p)
			at(b, p+1)
			at(c, p+s.w)
			at(e, p+s.w+1)
			for k := range a {
				yield(math.Abs(a[k]-b[k]-c[k]+e[k]) / 2)
			}
		})
	}) / 0.6744897501960817
}

// ranked is the value that k of the others, which are not negative, come before. It looks at 16 of their bits at a time, from
// the highest on, and keeps none of them: a photograph has a hundred million.
func ranked(k int, values func(yield func(float64))) float64 {
	bits := uint64(0) // of the value, as far as they are known
	for shift := 48; shift >= 0; shift -= 16 {
		counts := make([]int, 1<<16)
		values(func(v float64) {
			if b := math.Float64bits(v) >> shift; b>>16 == bits {
				counts[b&0xffff]++
			}
		})
		next := 0
		for next < len(counts)-1 && k >= counts[next] {
			k -= counts[next]
			next++
		}
		bits = bits<<16 | uint64(next)
	}
	return math.Float64frombits(bits)
}

// opposite is the noise of amplitudes, frequency zero being at row h/2 and column w/2.
func (s samples) opposite() (sigma float64, ok bool) {
	sum, n := 0.0, 0
	for i := range s.h {
		for j := range s.w {
			opposite := (2*(s.h/2)-i+s.h)%s.h*s.w + (2*(s.w/2)-j+s.w)%s.w
			if opposite <= i*s.w+j {
				continue
			}
			for k := range s.c {
				d := float64(s.y[(i*s.w+j)*s.c+k]) - float64(s.y[opposite*s.c+k])
				sum += float64(d*d) / 2
				n++
			}
		}
	}
	return math.Sqrt(sum / float64(max(n, 1))), n >= leastSquares
}
