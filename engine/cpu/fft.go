package cpu

import (
	"math"

	"github.com/seed-0f004ec9/spgd/engine/cpu/internal/kernel"
)

// maxRadix is the largest prime factor that the mixed-radix transform handles well; lengths
// with a larger one go through a convolution of a length with the factors 2, 3 and 5 only.
const maxRadix = 31

// dft computes discrete Fourier transforms of one length, without normalisation, several side by
// side. It does not change, so all workers share it.
type dft struct {
	n      int
	passes []kernel.FFTPass
	roots  []complex128 // exp(-2 pi i k / 2n) for k <= n/2: what joins the halves of a real sequence

	// For Bluestein's algorithm (L. Bluestein, 1970): jk = (j^2 + k^2 - (k-j)^2) / 2 turns the
	// transform into a convolution with a chirp.
	chirp, response []complex128
	convolution     *dft
}

func newDFT(n int) *dft {
	d := &dft{n: n}
	for k := range n/2 + 1 {
		sin, cos := math.Sincos(math.Pi * float64(k) / float64(n))
		d.roots = append(d.roots, complex(cos, -sin))
	}
	if largestPrimeFactor(n) <= maxRadix {
		stride := 1
		for _, r := range radices(n) {
			d.passes = append(d.passes, kernel.NewFFTPass(n, r, stride))
			stride *= r
		}
		return d
	}
	m := 2*n - 1
	for largestPrimeFactor(m) > 5 {
		m++
	}
	d.convolution = newDFT(m)
	d.chirp = make([]complex128, n)
	x, y := make([]kernel.FFTBlock, m), make([]kernel.FFTBlock, m)
	for k := range n {
		sin, cos := math.Sincos(math.Pi * float64(int64(k)*int64(k)%int64(2*n)) / float64(n)) // exact reduction
		d.chirp[k] = complex(cos, -sin)
		for _, i := range []int{k, (m - k) % m} {
			x[i][0], x[i][kernel.FFTLanes] = cos/float64(m), sin/float64(m)
		}
	}
	for _, b := range d.convolution.transform(x, y) {
		d.response = append(d.response, complex(b[0], b[kernel.FFTLanes]))
	}
	return d
}

// radices splits a length into factors, those with the best code first.
func radices(n int) []int {
	var list []int
	for _, r := range []int{4, 5, 3, 2} {
		for n%r == 0 {
			list = append(list, r)
			n /= r
		}
	}
	for p := 7; n > 1; p += 2 {
		for n%p == 0 {
			list = append(list, p)
			n /= p
		}
	}
	return list
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

// space is the number of blocks that each of transform's arguments needs.
func (d *dft) space() int {
	if d.convolution != nil {
		return d.convolution.n
	}
	return d.n
}

// transform replaces x[:n] by sum over j of x[j] exp(-2 pi i j k / n) and returns where the result
// is: in x or in y. What else they hold is lost.
func (d *dft) transform(x, y []kernel.FFTBlock) []kernel.FFTBlock {
	if d.convolution == nil {
		for i := range d.passes {
			d.passes[i].Run(y, x)
			x, y = y, x
		}
		return x[:d.n]
	}
	m := d.convolution.n
	x, y = x[:m], y[:m]
	for k, c := range d.chirp {
		scaleBlock(&x[k], c)
	}
	clear(x[d.n:])
	z := d.convolution.transform(x, y)
	if &z[0] == &y[0] {
		x, y = y, x
	}
	// The inverse transform is the conjugate of the transform of the conjugate.
	for k, r := range d.response {
		scaleBlock(&x[k], r)
		conjugateBlock(&x[k])
	}
	z = d.convolution.transform(x, y)[:d.n]
	for k, c := range d.chirp {
		conjugateBlock(&z[k])
		scaleBlock(&z[k], c)
	}
	return z
}

func scaleBlock(b *kernel.FFTBlock, c complex128) {
	cr, ci := real(c), imag(c)
	for l := range kernel.FFTLanes {
		re, im := b[l], b[l+kernel.FFTLanes]
		b[l], b[l+kernel.FFTLanes] = re*cr-im*ci, re*ci+im*cr
	}
}

func conjugateBlock(b *kernel.FFTBlock) {
	for l := kernel.FFTLanes; l < 2*kernel.FFTLanes; l++ {
		b[l] = -b[l]
	}
}

// splitReal turns the transform z of the n pairs of elements of a real sequence into the first
// n+1 elements of the sequence's transform. z has room for them.
func (d *dft) splitReal(z []kernel.FFTBlock) {
	n := d.n
	z[n] = z[0]
	for k, root := range d.roots {
		a, b := &z[k], &z[n-k]
		wr, wi := real(root), imag(root)
		for l := range kernel.FFTLanes {
			m := l + kernel.FFTLanes
			// The transforms of the even elements, e, and of the odd ones, times the root, o.
			er, ei := 0.5*(a[l]+b[l]), 0.5*(a[m]-b[m])
			pr, pi := 0.5*(a[m]+b[m]), 0.5*(b[l]-a[l])
			or, oi := pr*wr-pi*wi, pr*wi+pi*wr
			a[l], a[m] = er+or, ei+oi
			b[l], b[m] = er-or, oi-ei
		}
	}
}

// joinReal undoes splitReal, but leaves real and imaginary parts exchanged, for an inverse
// transform. Of the first element and the last one, only the real part counts.
func (d *dft) joinReal(z []kernel.FFTBlock) {
	n := d.n
	for l := kernel.FFTLanes; l < 2*kernel.FFTLanes; l++ {
		z[0][l], z[n][l] = 0, 0
	}
	for k, root := range d.roots {
		a, b := &z[k], &z[n-k]
		wr, wi := real(root), imag(root)
		for l := range kernel.FFTLanes {
			m := l + kernel.FFTLanes
			er, ei := 0.5*(a[l]+b[l]), 0.5*(a[m]-b[m])
			or, oi := 0.5*(a[l]-b[l]), 0.5*(a[m]+b[m])
			pr, pi := or*wr+oi*wi, oi*wr-or*wi
			a[l], a[m] = ei+pr, er-pi
			b[l], b[m] = pr-ei, er+pi
		}
	}
}
