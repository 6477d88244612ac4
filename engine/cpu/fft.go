package cpu

import (
	"math"

	"gonum.org/v1/gonum/dsp/fourier"
)

// maxRadix is the largest prime factor that the mixed-radix transform handles well; lengths
// with a larger one go through a convolution of a length with the factors 2, 3 and 5 only.
const maxRadix = 31

// line computes discrete Fourier transforms of one length, without normalisation. It has work
// space of its own, so it serves one goroutine.
type line struct {
	n   int
	fft *fourier.CmplxFFT

	// For Bluestein's algorithm (L. Bluestein, 1970): jk = (j^2 + k^2 - (k-j)^2) / 2 turns the
	// transform into a convolution with a chirp.
	chirp, response, work []complex128
}

func newLine(n int) *line {
	if largestPrimeFactor(n) <= maxRadix {
		return &line{n: n, fft: fourier.NewCmplxFFT(n)}
	}
	m := 2*n - 1
	for largestPrimeFactor(m) > 5 {
		m++
	}
	l := &line{n: n, fft: fourier.NewCmplxFFT(m)}
	l.chirp = make([]complex128, n)
	l.response = make([]complex128, m)
	l.work = make([]complex128, m)
	for k := range n {
		sin, cos := math.Sincos(math.Pi * float64(int64(k)*int64(k)%int64(2*n)) / float64(n)) // exact reduction
		l.chirp[k] = complex(cos, -sin)
		w := complex(cos/float64(m), sin/float64(m))
		l.response[k] = w
		if k > 0 {
			l.response[m-k] = w
		}
	}
	l.fft.Coefficients(l.response, l.response)
	return l
}

func largestPrimeFactor(n int) int {
	largest := 1
	for p := 2; p*p <= n; p++ {
		for n%p == 0 {
			largest, n = p, n/p
		}
	}
	return max(largest, n)
}

// transform replaces x by sum over j of x[j] exp(-2 pi i j k / n).
func (l *line) transform(x []complex128) {
	if l.chirp == nil {
		l.fft.Coefficients(x, x)
		return
	}
	w := l.work
	clear(w)
	for k, c := range l.chirp {
		w[k] = x[k] * c
	}
	l.fft.Coefficients(w, w)
	for k, r := range l.response {
		w[k] *= r
	}
	l.fft.Sequence(w, w)
	for k, c := range l.chirp {
		x[k] = w[k] * c
	}
}

// inverse replaces x by 1/n sum over j of x[j] exp(2 pi i j k / n).
func (l *line) inverse(x []complex128) {
	l.transform(x)
	scale := complex(1/float64(l.n), 0)
	for k := range x {
		x[k] *= scale
	}
	for i, j := 1, len(x)-1; i < j; i, j = i+1, j-1 {
		x[i], x[j] = x[j], x[i]
	}
}
