package operator

import (
	"math"

	"github.com/seed-0f004ec9/spgd/internal/rng"
)

// StepSizer is implemented by operators that know the two numbers of their default step size.
// Operators outside this package may implement it too.
type StepSizer interface {
	// StepConstants returns the published factor c and lambda, the largest eigenvalue of
	// A^T A (1 for an operator that is not linear).
	StepConstants() (c, lambda float64)
}

// DefaultStepSize is c / lambda: c = 2.5 for masks, 7/16 for super-resolution, 2 for phase
// retrieval and 1 otherwise, the values published with SPGD, and 1/2 for denoising, which was not
// published; lambda is the largest eigenvalue of
// A^T A, computed for this operator. The operators that are not linear (phase retrieval and HDR)
// use the published step itself, lambda = 1. An operator without StepConstants has c = 1 and
// lambda = NormSquared.
func DefaultStepSize(op Operator) (stepSize, c, lambda float64) {
	if s, ok := op.(StepSizer); ok {
		c, lambda = s.StepConstants()
	} else {
		c, lambda = 1, NormSquared(op)
	}
	return c / lambda, c, lambda
}

// StepConstants is 2.5 and 1: a mask is a projection.
func (o *Inpaint) StepConstants() (c, lambda float64) { return 2.5, 1 }

// StepConstants is 1/2 and 1. Nothing was published; a step of 1 reproduces the noise.
func (o *Denoise) StepConstants() (c, lambda float64) { return 0.5, 1 }

// StepConstants is 1 and the sum of the squared weights.
func (o *Colorize) StepConstants() (c, lambda float64) {
	for _, w := range lumaWeights {
		lambda += w * w
	}
	return 1, lambda
}

// StepConstants is 1 and 1: the published step.
func (o *HighDynamicRange) StepConstants() (c, lambda float64) { return 1, 1 }

// StepConstants is 2 and 1: the published step.
func (o *PhaseRetrieval) StepConstants() (c, lambda float64) { return 2, 1 }

// StepConstants is 7/16 and the product of the two resize matrices' largest squared singular
// values: 1/16 for factor 4 but for what the borders change.
func (o *SuperResolution) StepConstants() (c, lambda float64) {
	return 7.0 / 16, o.normSquared
}

// StepConstants is 1 and the largest squared singular value of the blur. The eigenvector sits on
// the image's borders, where the reflection counts pixels twice. For a kernel that is no product of
// two lines an image side beyond four times the kernel's reach and 64 pixels counts as that,
// which moves lambda by less than 1 %.
func (o *Blur) StepConstants() (c, lambda float64) {
	if _, ok := o.form.(*lines); ok {
		return 1, o.normSquared
	}
	return 1, o.kernel.normSquared(o.height, o.width)
}

// normSquared is the largest squared singular value of correlation with the kernel on a reflected
// image, whose sides are limited as (*Blur).StepConstants says.
func (k *Kernel) normSquared(height, width int) float64 {
	top, bottom, left, right := k.support()
	cy, cx := k.Height/2, k.Width/2
	h := min(height, 4*max(cy-top, bottom-cy)+64)
	w := min(width, 4*max(cx-left, right-cx)+64)
	padded := w + right - left
	columns := make([]int, padded)
	for j := range columns {
		columns[j] = reflect(j+left-cx, w)
	}
	wide := make([]float64, padded) // one row with its reflection
	y := make([]float64, h*w)
	return largestEigenvalue(h*w, func(dst, x []float64) {
		clear(y)
		for r := top; r < h+bottom; r++ {
			row := x[reflect(r-cy, h)*w:][:w]
			for j, c := range columns {
				wide[j] = row[c]
			}
			k.eachTap(r, h, func(i, d int, weight float64) {
				axpy(y[i*w:][:w], weight, wide[d-left:])
			})
		}
		clear(dst)
		for r := top; r < h+bottom; r++ {
			clear(wide)
			k.eachTap(r, h, func(i, d int, weight float64) {
				axpy(wide[d-left:][:w], weight, y[i*w:])
			})
			row := dst[reflect(r-cy, h)*w:][:w]
			for j, c := range columns {
				row[c] += wide[j]
			}
		}
	})
}

// eachTap calls do for every positive weight that takes padded row r (counted from row 0 of the
// kernel over row 0 of the image) to an image row i of [0,h); d is the weight's column.
func (k *Kernel) eachTap(r, h int, do func(i, d int, weight float64)) {
	for a := max(0, r-h+1); a < min(k.Height, r+1); a++ {
		for d, weight := range k.Weights[a*k.Width:][:k.Width] {
			if weight > 0 {
				do(r-a, d, weight)
			}
		}
	}
}

// axpy adds a x to y.
func axpy(y []float64, a float64, x []float64) {
	x = x[:len(y)]
	for i := range y {
		y[i] += a * x[i]
	}
}

// largestEigenvalue finds the largest eigenvalue of a symmetric positive semidefinite map on n
// numbers by the Lanczos iteration with full reorthogonalisation (Golub and Van Loan, Matrix
// Computations, section 10.3), started near the constant vector. It stops where a step changes the
// value by less than 1e-7 of it, or after 60 steps.
func largestEigenvalue(n int, apply func(dst, x []float64)) float64 {
	return largestEigenvalueKeeping(lanczosSteps, n, apply)
}

const lanczosSteps = 60

// largestEigenvalueKeeping is largestEigenvalue with orthogonalisation against the last vectors of the iteration
// only, as many as are kept.
func largestEigenvalueKeeping(kept, n int, apply func(dst, x []float64)) float64 {
	const maxSteps, tolerance = lanczosSteps, 1e-7
	start := rng.New(0, 0, 0, rng.Diagnostic)
	v := make([]float64, n)
	for i := range v {
		v[i] = 1 + 0.1*start.Normal()
	}
	var basis [][]float64
	var alpha, beta []float64
	lambda := 0.0
	for range min(n, maxSteps) {
		norm := math.Sqrt(dot(v, v))
		if len(alpha) > 0 {
			if norm <= 1e-12*lambda {
				break
			}
			beta = append(beta, norm)
		}
		for i := range v {
			v[i] /= norm
		}
		basis = append(basis[max(0, len(basis)-kept+1):], v)
		next := make([]float64, n)
		apply(next, v)
		alpha = append(alpha, dot(next, v))
		for range 2 {
			for _, b := range basis {
				axpy(next, -dot(next, b), b)
			}
		}
		last := lambda
		lambda = largestTridiagonal(alpha, beta)
		if math.Abs(lambda-last) <= tolerance*lambda {
			break
		}
		v = next
	}
	return lambda
}

func dot(a, b []float64) float64 {
	sum := 0.0
	for i, x := range a {
		sum += x * b[i]
	}
	return sum
}

// largestTridiagonal is the largest eigenvalue of the symmetric positive semidefinite matrix with
// diagonal a and off-diagonal b, by bisection: x is above every eigenvalue when all pivots of
// the elimination of T - x I are negative.
func largestTridiagonal(a, b []float64) float64 {
	above := func(x float64) bool {
		pivot := a[0] - x
		for i, e := range b {
			if pivot >= 0 {
				return false
			}
			pivot = a[i+1] - x - e*e/pivot
		}
		return pivot < 0
	}
	lo, hi := 0.0, 0.0
	for i, d := range a {
		bound := math.Abs(d)
		if i > 0 {
			bound += b[i-1]
		}
		if i < len(b) {
			bound += b[i]
		}
		hi = max(hi, bound) // Gershgorin
	}
	for range 60 {
		if mid := (lo + hi) / 2; above(mid) {
			hi = mid
		} else {
			lo = mid
		}
	}
	return hi
}
