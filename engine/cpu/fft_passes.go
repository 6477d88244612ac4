package cpu

import (
	"github.com/gomlx/gomlx/backends"

	"github.com/seed-0f004ec9/spgd/engine/cpu/internal/kernel"
	"github.com/seed-0f004ec9/spgd/engine/cpu/internal/pool"
)

// fftCache is what transforms keep from one execution to the next. b.mu of the backend guards it.
type fftCache struct {
	dfts      map[int]*dft
	work      [][2][]kernel.FFTBlock // per worker
	scratch32 []float32              // the result of the first axes of inverse real transforms
	scratch64 []float64
}

// prepare returns the transform of n elements, and makes room for its work.
func (c *fftCache) prepare(n, workers int) *dft {
	d := c.dfts[n]
	if d == nil {
		if c.dfts == nil {
			c.dfts = make(map[int]*dft)
		}
		d = newDFT(n)
		c.dfts[n] = d
	}
	for len(c.work) < workers {
		c.work = append(c.work, [2][]kernel.FFTBlock{})
	}
	for w := range c.work {
		for i := range c.work[w] {
			if need := d.space() + 1; len(c.work[w][i]) < need { // one more: see splitReal
				c.work[w][i] = make([]kernel.FFTBlock, need)
			}
		}
	}
	return d
}

// fftPasses runs the passes of a transform over one axis after the other. Lines, that is what is
// transformed, are taken kernel.FFTLanes together. Real and imaginary parts are exchanged before
// and after an inverse transform, which then is a transform.
type fftPasses[F float32 | float64] struct {
	cache   *fftCache
	pool    *pool.Pool
	kind    backends.FFTType
	inverse bool
}

// parts returns where in a block the real and the imaginary parts begin.
func (t *fftPasses[F]) parts() (re, im int) {
	if t.inverse {
		return kernel.FFTLanes, 0
	}
	return 0, kernel.FFTLanes
}

// bundles runs f for bundles 0 to n-1 of lines of the given length.
func (t *fftPasses[F]) bundles(n, length int, f func(worker, i int)) {
	step := max(1, grain/(16*kernel.FFTLanes*length))
	t.pool.Run((n+step-1)/step, func(worker, piece int) {
		for i := piece * step; i < min(n, (piece+1)*step); i++ {
			f(worker, i)
		}
	})
}

// columns transforms lines of n complex numbers that are inner numbers apart, from src to dst,
// which may be the same.
func (t *fftPasses[F]) columns(n, inner int, src, dst []F) {
	const lanes = kernel.FFTLanes
	d := t.cache.prepare(n, t.pool.Workers())
	scale := 1.0
	if t.inverse {
		scale = 1 / float64(n)
	}
	perBlock := (inner + lanes - 1) / lanes
	t.bundles(len(src)/(2*n*inner)*perBlock, n, func(worker, i int) {
		work := &t.cache.work[worker]
		column := i % perBlock * lanes
		count := min(lanes, inner-column)
		first := 2 * (i/perBlock*n*inner + column)
		t.gather(work[0][:n], src[first:], 2*inner, count)
		t.scatter(dst[first:], 2*inner, count, d.transform(work[0], work[1]), scale)
	})
}

// gather fills every block with count complex numbers that lie together, those of the next block
// stride real numbers later.
func (t *fftPasses[F]) gather(z []kernel.FFTBlock, src []F, stride, count int) {
	if single, ok := any(src).([]float32); ok && count == kernel.FFTLanes {
		kernel.FFTLoad(z, single, stride, t.inverse)
		return
	}
	re, im := t.parts()
	for k := range z {
		z[k] = kernel.FFTBlock{}
		for l, v := 0, src[k*stride:][:2*count]; l < count; l++ {
			z[k][re+l], z[k][im+l] = float64(v[2*l]), float64(v[2*l+1])
		}
	}
}

// scatter undoes gather, and multiplies by scale.
func (t *fftPasses[F]) scatter(dst []F, stride, count int, z []kernel.FFTBlock, scale float64) {
	if single, ok := any(dst).([]float32); ok && count == kernel.FFTLanes {
		kernel.FFTStore(single, stride, z, scale, t.inverse)
		return
	}
	re, im := t.parts()
	for k := range z {
		for l, v := 0, dst[k*stride:][:2*count]; l < count; l++ {
			v[2*l], v[2*l+1] = F(scale*z[k][re+l]), F(scale*z[k][im+l])
		}
	}
}

// rows transforms lines of n numbers, which are consecutive in memory, from src to dst. Of real
// lines only the first n/2+1 elements of the transform are there. If n is even, a real line is
// taken as n/2 complex numbers.
func (t *fftPasses[F]) rows(n int, src, dst []F) {
	const lanes = kernel.FFTLanes
	inWidth, outWidth, length := 2*n, 2*n, n
	real := t.kind == backends.FFTForwardReal || t.kind == backends.FFTInverseReal
	pairs := real && n%2 == 0
	if pairs {
		length = n / 2
	}
	switch t.kind {
	case backends.FFTForwardReal:
		inWidth, outWidth = n, 2*(n/2+1)
	case backends.FFTInverseReal:
		inWidth, outWidth = 2*(n/2+1), n
	}
	scale := 1.0
	if t.inverse {
		scale = 1 / float64(length)
	}
	d := t.cache.prepare(length, t.pool.Workers())
	re, im := t.parts()
	count := len(src) / inWidth
	t.bundles((count+lanes-1)/lanes, n, func(worker, i int) {
		x, y := t.cache.work[worker][0], t.cache.work[worker][1]
		first := i * lanes
		last := min(first+lanes, count)
		if !t.inverse && allZero(src[first*inWidth:last*inWidth]) {
			clear(dst[first*outWidth : last*outWidth]) // padding
			return
		}
		var from [lanes][]F
		for l := range from {
			row := min(first+l, last-1) // a lane that is left over repeats the last row
			from[l] = src[row*inWidth : (row+1)*inWidth]
		}
		switch {
		case real && !pairs && !t.inverse:
			loadReal(x[:n], &from)
		case real && t.inverse && pairs:
			loadComplex(x[:n/2+1], &from, 0, lanes)
			d.joinReal(x)
		case real && t.inverse:
			loadComplex(x[:n/2+1], &from, lanes, 0)
			mirror(x[:n])
		default:
			loadComplex(x[:inWidth/2], &from, re, im)
		}
		z := d.transform(x, y)
		if pairs && !t.inverse {
			if &z[0] == &x[0] {
				z = x
			} else {
				z = y
			}
			d.splitReal(z)
		}
		var to [lanes][]F
		for l := range last - first {
			to[l] = dst[(first+l)*outWidth : (first+l+1)*outWidth]
		}
		if real && !pairs && t.inverse {
			storeReal(to[:last-first], z[:n], scale)
		} else {
			storeComplex(to[:last-first], z[:outWidth/2], scale, re, im)
		}
	})
}

func allZero[F float32 | float64](x []F) bool {
	for _, v := range x {
		if v != 0 {
			return false
		}
	}
	return true
}

// mirror completes the transform of a real sequence of odd length, with real and imaginary parts
// exchanged, from its first len(z)/2+1 elements.
func mirror(z []kernel.FFTBlock) {
	n := len(z)
	clear(z[0][:kernel.FFTLanes])
	for k := 1; k < n-k; k++ {
		for l := range kernel.FFTLanes {
			z[n-k][l], z[n-k][l+kernel.FFTLanes] = -z[k][l], z[k][l+kernel.FFTLanes]
		}
	}
}

// loadComplex leaves real parts from re on and imaginary ones from im on.
func loadComplex[F float32 | float64](z []kernel.FFTBlock, from *[kernel.FFTLanes][]F, re, im int) {
	for l, row := range from {
		row = row[:2*len(z)]
		r, i := (re+l)%(2*kernel.FFTLanes), (im+l)%(2*kernel.FFTLanes)
		for k := range z {
			z[k][r], z[k][i] = float64(row[2*k]), float64(row[2*k+1])
		}
	}
}

func loadReal[F float32 | float64](z []kernel.FFTBlock, from *[kernel.FFTLanes][]F) {
	for l, row := range from {
		for k, v := range row[:len(z)] {
			z[k][l], z[k][l+kernel.FFTLanes] = float64(v), 0
		}
	}
}

func storeComplex[F float32 | float64](to [][]F, z []kernel.FFTBlock, scale float64, re, im int) {
	for l, row := range to {
		row = row[:2*len(z)]
		r, i := (re+l)%(2*kernel.FFTLanes), (im+l)%(2*kernel.FFTLanes)
		for k := range z {
			row[2*k], row[2*k+1] = F(scale*z[k][r]), F(scale*z[k][i])
		}
	}
}

// storeReal stores the real parts of an inverse transform, which are where the imaginary ones were.
func storeReal[F float32 | float64](to [][]F, z []kernel.FFTBlock, scale float64) {
	for l, row := range to {
		for k := range row[:len(z)] {
			row[k] = F(scale * z[k][l+kernel.FFTLanes])
		}
	}
}
