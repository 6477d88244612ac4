package operator

import (
	"fmt"
	"math"
	"math/cmplx"

	"github.com/seed-0f004ec9/spgd/internal/rng"
)

const (
	randomKernelSide = 61
	// motionCanvas is the side of the canvas that the random path is drawn on.
	motionCanvas = 2 * randomKernelSide
	// motionTries bounds the rejected steps before a path takes what is left of its length.
	motionTries = 1000
)

// RandomMotionKernel is a 61x61 motion kernel along a random path, drawn from the seed.
// intensity, in [0,1], sets how long and how crooked the path is. With the canvas of 122x122
// pixels, of diagonal d, and i the intensity, the path has a length up to
// 0.75 d (U(0,1) + U(0,i^2)) in steps of 1.1-i times d Beta(1,30); its heading starts
// uniformly within a bound that is itself uniform in [0, i pi], and then is triangular over
// [0, bound+0.1] with its mode at i times the bound, keeping its sign but for flips of
// probability Beta(2,20). The path is centred on the mean of its points, turned by an angle uniform
// in [0, pi), drawn one pixel wide, smoothed by a Gaussian of one pixel, halved in size by Lanczos
// resampling, quantised to 8 bits and normalised to sum 1.
func RandomMotionKernel(intensity float64, seed uint64) (*Kernel, error) {
	if err := checkIntensity(intensity); err != nil {
		return nil, err
	}
	canvas := newMatrix(motionCanvas, motionCanvas)
	drawPath(canvas, motionPath(intensity, rng.New(seed, 0, 0, rng.Kernel)))
	small := apply2D(lanczosHalf(motionCanvas), apply2D(gaussianRows(motionCanvas, 1), canvas))
	for i, w := range small.v {
		// One pixel of the line is white, as in an 8-bit picture; Lanczos undershoot is black.
		small.v[i] = math.Round(255 * min(max(w, 0), 1))
	}
	return NewKernel(randomKernelSide, randomKernelSide, small.v)
}

func checkIntensity(intensity float64) error {
	if !(intensity >= 0 && intensity <= 1) {
		return fmt.Errorf("operator: random motion kernel of intensity %g: %w: it must be between 0 and 1", intensity, ErrTask)
	}
	return nil
}

// motionPath draws the points of the path, relative to the canvas centre, columns as real and
// rows as imaginary parts.
func motionPath(intensity float64, s *rng.Stream) []complex128 {
	const eps = 0.1
	diagonal := math.Sqrt2 * motionCanvas
	total := 0.75 * diagonal * (s.Uniform() + s.Between(0, intensity*intensity))

	var steps []float64
	sum := 0.0
	for tries := 0; sum < total; tries++ {
		step := s.Beta(1, 30) * (1 - intensity + eps) * diagonal
		if tries == motionTries {
			step = total - sum
		}
		if step < total || tries == motionTries {
			steps = append(steps, step)
			sum += step
		}
	}

	bound := s.Between(0, intensity*math.Pi)
	flip := s.Beta(2, 20)
	heading := s.Between(-bound, bound)
	path := make([]complex128, len(steps))
	var at, mean complex128
	for i, step := range steps {
		if i > 0 {
			turn := s.Triangular(0, intensity*bound, bound+eps)
			if (s.Uniform() < flip) != math.Signbit(heading) {
				turn = -turn
			}
			heading = turn
		}
		at += cmplx.Rect(step, heading)
		path[i] = at
		mean += at / complex(float64(len(steps)), 0)
	}
	turn := cmplx.Rect(1, s.Between(0, math.Pi))
	for i := range path {
		path[i] = (path[i] - mean) * turn
	}
	return path
}

// drawPath draws the polyline one pixel wide, without antialiasing, clipped to the canvas.
func drawPath(canvas *matrix, path []complex128) {
	pixel := func(p complex128) (x, y int) {
		return int(math.Floor(real(p) + motionCanvas/2)), int(math.Floor(imag(p) + motionCanvas/2))
	}
	set := func(x, y int) {
		if x >= 0 && y >= 0 && x < canvas.cols && y < canvas.rows {
			canvas.v[y*canvas.cols+x] = 1
		}
	}
	for i := range path {
		x0, y0 := pixel(path[max(i-1, 0)])
		x1, y1 := pixel(path[i])
		n := max(absInt(x1-x0), absInt(y1-y0))
		set(x0, y0)
		for k := 1; k <= n; k++ {
			t := float64(k) / float64(n)
			set(x0+int(math.Round(t*float64(x1-x0))), y0+int(math.Round(t*float64(y1-y0))))
		}
	}
}

func absInt(i int) int { return max(i, -i) }

// apply2D is m a m^T.
func apply2D(m, a *matrix) *matrix {
	t := newMatrix(m.rows, a.cols)
	for i := range m.rows {
		for k, w := range m.row(i) {
			if w != 0 {
				for j, v := range a.row(k) {
					t.v[i*t.cols+j] += w * v
				}
			}
		}
	}
	out := newMatrix(m.rows, m.rows)
	for i := range t.rows {
		for j := range m.rows {
			sum := 0.0
			for k, w := range m.row(j) {
				sum += w * t.v[i*t.cols+k]
			}
			out.v[i*out.cols+j] = sum
		}
	}
	return out
}

// gaussianRows is smoothing by a Gaussian, the border pixel repeated outside.
func gaussianRows(n int, std float64) *matrix {
	m := newMatrix(n, n)
	for i := range n {
		resampleRow(m.row(i), float64(i), 4*std, func(d float64) float64 { return math.Exp(-0.5 * d * d / (std * std)) })
	}
	return m
}

// lanczosHalf is resampling to half the size by the Lanczos kernel of 3 lobes, stretched by 2
// against aliasing.
func lanczosHalf(n int) *matrix {
	m := newMatrix(n/2, n)
	for i := range m.rows {
		resampleRow(m.row(i), 2*float64(i)+0.5, 6, func(d float64) float64 { return sinc(d/2) * sinc(d/6) })
	}
	return m
}

func sinc(x float64) float64 {
	if x == 0 {
		return 1
	}
	return math.Sin(math.Pi*x) / (math.Pi * x)
}

// resampleRow fills row with the weights, of sum 1, that kernel gives to the samples within
// radius of centre; samples outside the row are left out.
func resampleRow(row []float64, centre, radius float64, kernel func(distance float64) float64) {
	sum := 0.0
	for j := max(0, int(math.Ceil(centre-radius))); j <= min(len(row)-1, int(math.Floor(centre+radius))); j++ {
		row[j] = kernel(float64(j) - centre)
		sum += row[j]
	}
	for j := range row {
		row[j] /= sum
	}
}
