package operator

import (
	"math"

	"github.com/seed-0f004ec9/spgd/imageio"
)

// filter is one axis of a separable linear operator: count entries made of n by sliding a line of
// weights over them in strides. The axis continues beyond its ends by mirroring.
//
//	y[i] = sum_k weights[k] x[mirror(first + i stride + k, n)]
type filter struct {
	n, count, first, stride int
	weights                 []float64
	mirror                  func(i, n int) int
}

// reflectedFilter is correlation with a line of weights centred at the given index, on n pixels
// that are reflected at both ends without repeating the edge.
func reflectedFilter(line []float64, centre, n int) filter {
	return trimmed(filter{n: n, count: n, first: -centre, stride: 1, weights: line, mirror: reflect})
}

// resizeFilter is one axis of the antialiased cubic resizer from n samples to ceil(n/factor):
// the cubic convolution kernel with a = -1/2 stretched by the factor, centred (counting from 1)
// on p/s + (1-1/s)/2 for output p and s = 1/factor, its weights renormalised to sum 1, the
// boundary mirrored with the edge repeated.
func resizeFilter(n, factor int) filter {
	f := float64(factor)
	centre := 0.5 * (1 + f) // of the first output
	first := int(math.Floor(centre - 2*f))
	weights := make([]float64, 4*factor+2)
	sum := 0.0
	for k := range weights {
		weights[k] = imageio.Cubic((centre - float64(first+k)) / f)
		sum += weights[k]
	}
	for k := range weights {
		weights[k] /= sum
	}
	return trimmed(filter{n: n, count: (n + factor - 1) / factor, first: first - 1, stride: factor, weights: weights, mirror: imageio.Mirror})
}

// trimmed is a filter without the zeros at the ends of its weights.
func trimmed(f filter) filter {
	lo, hi := 0, len(f.weights)
	for f.weights[lo] == 0 {
		lo++
	}
	for f.weights[hi-1] == 0 {
		hi--
	}
	f.first, f.weights = f.first+lo, f.weights[lo:hi]
	return f
}

// read is the number of entries that the filter reads, those beyond the ends included.
func (f filter) read() int { return (f.count-1)*f.stride + len(f.weights) }

// sources are the entries of x that it reads.
func (f filter) sources() []int {
	from := make([]int, f.read())
	for j := range from {
		from[j] = f.mirror(f.first+j, f.n)
	}
	return from
}

// matrix is the filter as a dense matrix.
func (f filter) matrix() *matrix {
	m, from := newMatrix(f.count, f.n), f.sources()
	for i := range f.count {
		for k, w := range f.weights {
			m.row(i)[from[i*f.stride+k]] += w
		}
	}
	return m
}

// normSquared is the largest squared singular value.
func (f filter) normSquared() float64 {
	from := f.sources()
	wide := make([]float64, len(from)) // x with what lies beyond its ends
	return largestEigenvalue(f.n, func(dst, x []float64) {
		for j, i := range from {
			wide[j] = x[i]
		}
		y := make([]float64, f.count)
		for i := range y {
			y[i] = dot(f.weights, wide[i*f.stride:])
		}
		clear(wide)
		for i, v := range y {
			axpy(wide[i*f.stride:][:len(f.weights)], v, f.weights)
		}
		clear(dst)
		for j, i := range from {
			dst[i] += wide[j]
		}
	})
}
