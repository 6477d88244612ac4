package kernel

import "math"

// FFTLanes is the number of Fourier transforms that are computed side by side.
const FFTLanes = 8

// FFTBlock is one element of FFTLanes complex sequences: the real parts, then the imaginary ones.
// Transforms are in float64, so that the one rounding of a float32 result is all its error.
type FFTBlock [2 * FFTLanes]float64

// FFTPass is one pass of a transform of n elements by the self-sorting method of T. Stockham,
// decimated in frequency. The passes before it had factors whose product is Stride.
type FFTPass struct {
	Radix  int
	Stride int
	groups int       // n / (Radix Stride)
	twist  []float64 // per group p: exp(-2 pi i p k / (groups Radix)) for 0 < k < Radix
	roots  []float64 // exp(-2 pi i k / Radix), for a radix without code of its own
}

// NewFFTPass prepares a pass of a transform of n elements.
func NewFFTPass(n, radix, stride int) FFTPass {
	p := FFTPass{Radix: radix, Stride: stride, groups: n / (radix * stride)}
	for g := range p.groups {
		for k := 1; k < radix; k++ {
			p.twist = appendRoot(p.twist, g*k, p.groups*radix)
		}
	}
	if radix > 5 {
		for k := range radix {
			p.roots = appendRoot(p.roots, k, radix)
		}
	}
	return p
}

func appendRoot(list []float64, k, n int) []float64 {
	sin, cos := math.Sincos(2 * math.Pi * float64(k%n) / float64(n))
	return append(list, cos, -sin)
}

// Run writes the result of the pass on src to dst, which must not overlap. Both have n elements.
func (p *FFTPass) Run(dst, src []FFTBlock) { p.run(active, dst, src) }

func (p *FFTPass) run(s isa, dst, src []FFTBlock) {
	n := p.groups * p.Radix * p.Stride
	dst, src = dst[:n], src[:n]
	if p.Radix <= 5 && (s == isaAVX2 || s == isaAVX512) {
		fftAssembly(p.Radix, &fftArg{&dst[0], &src[0], &p.twist[0], p.groups, p.Stride})
		return
	}
	switch p.Radix {
	case 2:
		p.radix2(dst, src)
	case 3:
		p.radix3(dst, src)
	case 4:
		p.radix4(dst, src)
	case 5:
		p.radix5(dst, src)
	default:
		p.radixN(dst, src)
	}
}

// fftArg is the argument of the assembly, which knows its layout through go_asm.h.
type fftArg struct {
	dst, src       *FFTBlock
	twist          *float64
	groups, stride int
}

// FFTLoad fills every block of dst with FFTLanes complex numbers, pairs of real ones, that lie
// together in src; those of the next block begin stride real numbers later. With exchange, real
// and imaginary parts change places.
func FFTLoad(dst []FFTBlock, src []float32, stride int, exchange bool) {
	fftLoad(active, dst, src, stride, exchange)
}

func fftLoad(s isa, dst []FFTBlock, src []float32, stride int, exchange bool) {
	re, im := fftParts(exchange)
	if len(dst) == 0 {
		return
	}
	src = src[:(len(dst)-1)*stride+2*FFTLanes]
	if s == isaAVX2 || s == isaAVX512 {
		fftLoadAssembly(&fftMove{&dst[0], &src[0], len(dst), 4 * stride, 8 * re, 8 * im, 1})
		return
	}
	for k := range dst {
		z, v := &dst[k], (*[2 * FFTLanes]float32)(src[k*stride:])
		for l := range FFTLanes {
			z[re+l], z[im+l] = float64(v[2*l]), float64(v[2*l+1])
		}
	}
}

// FFTStore undoes FFTLoad, and multiplies by scale.
func FFTStore(dst []float32, stride int, src []FFTBlock, scale float64, exchange bool) {
	fftStore(active, dst, stride, src, scale, exchange)
}

func fftStore(s isa, dst []float32, stride int, src []FFTBlock, scale float64, exchange bool) {
	re, im := fftParts(exchange)
	if len(src) == 0 {
		return
	}
	dst = dst[:(len(src)-1)*stride+2*FFTLanes]
	if s == isaAVX2 || s == isaAVX512 {
		fftStoreAssembly(&fftMove{&src[0], &dst[0], len(src), 4 * stride, 8 * re, 8 * im, scale})
		return
	}
	for k := range src {
		z, v := &src[k], (*[2 * FFTLanes]float32)(dst[k*stride:])
		for l := range FFTLanes {
			v[2*l], v[2*l+1] = float32(scale*z[re+l]), float32(scale*z[im+l])
		}
	}
}

// fftParts returns where in a block the real and the imaginary parts begin.
func fftParts(exchange bool) (re, im int) {
	if exchange {
		return FFTLanes, 0
	}
	return 0, FFTLanes
}

// fftMove is the argument of the assembly of FFTLoad and FFTStore. Distances are in bytes.
type fftMove struct {
	blocks *FFTBlock
	data   *float32
	n      int
	stride int
	re, im int
	scale  float64
}

// Half the square root of 3, and the cosines and sines of the fifth parts of the circle.
const (
	sin60  = 0.866025403784438646763723170752936183
	cos72  = 0.309016994374947424102293417182819059
	cos144 = -0.809016994374947424102293417182819059
	sin72  = 0.951056516295153572116439333379382143
	sin144 = 0.587785252292473129168705954639072769
)

//lint:ignore U1000 The assembly uses it.
var fftConstants = [...]float64{0.5, sin60, cos72, cos144, sin72, sin144}

// set stores (re, im) times root k-1 of the group's.
func set(dst *FFTBlock, l int, re, im float64, w []float64, k int) {
	wr, wi := w[2*k-2], w[2*k-1]
	dst[l] = re*wr - im*wi
	dst[l+FFTLanes] = re*wi + im*wr
}

func (p *FFTPass) radix2(dst, src []FFTBlock) {
	s, at := p.Stride, p.Stride*p.groups
	for i := range at {
		g, q := i/s, i%s
		w := p.twist[2*g : 2*g+2]
		a0, a1 := &src[i], &src[i+at]
		y0, y1 := &dst[2*g*s+q], &dst[(2*g+1)*s+q]
		for l := range FFTLanes {
			y0[l], y0[l+FFTLanes] = a0[l]+a1[l], a0[l+FFTLanes]+a1[l+FFTLanes]
			set(y1, l, a0[l]-a1[l], a0[l+FFTLanes]-a1[l+FFTLanes], w, 1)
		}
	}
}

func (p *FFTPass) radix3(dst, src []FFTBlock) {
	s, at := p.Stride, p.Stride*p.groups
	for i := range at {
		g, q := i/s, i%s
		w := p.twist[4*g : 4*g+4]
		a0, a1, a2 := &src[i], &src[i+at], &src[i+2*at]
		y0, y1, y2 := &dst[3*g*s+q], &dst[(3*g+1)*s+q], &dst[(3*g+2)*s+q]
		for l := range FFTLanes {
			m := l + FFTLanes
			tr, ti := a1[l]+a2[l], a1[m]+a2[m]
			dr, di := sin60*(a1[l]-a2[l]), sin60*(a1[m]-a2[m])
			cr, ci := a0[l]-0.5*tr, a0[m]-0.5*ti
			y0[l], y0[m] = a0[l]+tr, a0[m]+ti
			set(y1, l, cr+di, ci-dr, w, 1)
			set(y2, l, cr-di, ci+dr, w, 2)
		}
	}
}

func (p *FFTPass) radix4(dst, src []FFTBlock) {
	s, at := p.Stride, p.Stride*p.groups
	for i := range at {
		g, q := i/s, i%s
		w := p.twist[6*g : 6*g+6]
		a0, a1, a2, a3 := &src[i], &src[i+at], &src[i+2*at], &src[i+3*at]
		y := dst[4*g*s+q : (4*g+3)*s+q+1]
		y0, y1, y2, y3 := &y[0], &y[s], &y[2*s], &y[3*s]
		for l := range FFTLanes {
			m := l + FFTLanes
			br, bi := a0[l]+a2[l], a0[m]+a2[m]
			cr, ci := a0[l]-a2[l], a0[m]-a2[m]
			dr, di := a1[l]+a3[l], a1[m]+a3[m]
			er, ei := a1[l]-a3[l], a1[m]-a3[m]
			y0[l], y0[m] = br+dr, bi+di
			set(y1, l, cr+ei, ci-er, w, 1)
			set(y2, l, br-dr, bi-di, w, 2)
			set(y3, l, cr-ei, ci+er, w, 3)
		}
	}
}

func (p *FFTPass) radix5(dst, src []FFTBlock) {
	s, at := p.Stride, p.Stride*p.groups
	for i := range at {
		g, q := i/s, i%s
		w := p.twist[8*g : 8*g+8]
		a0, a1, a2, a3, a4 := &src[i], &src[i+at], &src[i+2*at], &src[i+3*at], &src[i+4*at]
		y := dst[5*g*s+q : (5*g+4)*s+q+1]
		for l := range FFTLanes {
			m := l + FFTLanes
			br, bi, er, ei := a1[l]+a4[l], a1[m]+a4[m], a1[l]-a4[l], a1[m]-a4[m]
			cr, ci, fr, fi := a2[l]+a3[l], a2[m]+a3[m], a2[l]-a3[l], a2[m]-a3[m]
			y[0][l], y[0][m] = a0[l]+br+cr, a0[m]+bi+ci
			ur, ui := a0[l]+cos72*br+cos144*cr, a0[m]+cos72*bi+cos144*ci
			vr, vi := sin72*er+sin144*fr, sin72*ei+sin144*fi
			set(&y[s], l, ur+vi, ui-vr, w, 1)
			set(&y[4*s], l, ur-vi, ui+vr, w, 4)
			ur, ui = a0[l]+cos144*br+cos72*cr, a0[m]+cos144*bi+cos72*ci
			vr, vi = sin144*er-sin72*fr, sin144*ei-sin72*fi
			set(&y[2*s], l, ur+vi, ui-vr, w, 2)
			set(&y[3*s], l, ur-vi, ui+vr, w, 3)
		}
	}
}

// radixN is by the definition of the transform.
func (p *FFTPass) radixN(dst, src []FFTBlock) {
	r, s, at := p.Radix, p.Stride, p.Stride*p.groups
	for i := range at {
		g, q := i/s, i%s
		for k := range r {
			var sum FFTBlock
			for j := range r {
				a := &src[i+j*at]
				wr, wi := p.roots[2*(j*k%r)], p.roots[2*(j*k%r)+1]
				for l := range FFTLanes {
					re, im := a[l], a[l+FFTLanes]
					sum[l] += re*wr - im*wi
					sum[l+FFTLanes] += re*wi + im*wr
				}
			}
			y := &dst[(r*g+k)*s+q]
			if k == 0 {
				*y = sum
				continue
			}
			w := p.twist[2*(r-1)*g : 2*(r-1)*(g+1)]
			for l := range FFTLanes {
				set(y, l, sum[l], sum[l+FFTLanes], w, k)
			}
		}
	}
}
