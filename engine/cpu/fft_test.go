package cpu

import (
	"math"
	"math/cmplx"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/gomlx/gomlx/backends"
	"github.com/gomlx/gomlx/pkg/core/dtypes"
)

// naiveDFT transforms along one axis by the definition.
func naiveDFT(x []complex128, dims []int, axis int, inverse bool) []complex128 {
	n := dims[axis]
	out := make([]complex128, len(x))
	sign, scale := -2*math.Pi/float64(n), 1.0
	if inverse {
		sign, scale = -sign, 1/float64(n)
	}
	allIndices(dims, func(at []int) {
		p := position(dims, at)
		k := at[axis]
		from := slices.Clone(at)
		var sum complex128
		for j := range n {
			from[axis] = j
			sum += x[position(dims, from)] * cmplx.Rect(1, sign*float64(j*k%n))
		}
		out[p] = sum * complex(scale, 0)
	})
	return out
}

// distance is |a-b| / |b| over all elements.
func distance(a, b []complex128) float64 {
	var d, n float64
	for i := range b {
		e := cmplx.Abs(a[i] - b[i])
		d, n = d+e*e, n+cmplx.Abs(b[i])*cmplx.Abs(b[i])
	}
	return math.Sqrt(d / n)
}

func closeTo(t *testing.T, got, want []complex128, dtype dtypes.DType) {
	t.Helper()
	limit := 1e-7
	if dtype == dtypes.Complex128 || dtype == dtypes.Float64 {
		limit = 1e-13
	}
	if len(got) != len(want) {
		t.Fatalf("%d elements, want %d", len(got), len(want))
	}
	if d := distance(got, want); !(d <= limit) {
		t.Errorf("relative error %g, want at most %g", d, limit)
	}
}

// TestFFT covers powers of two, products of small primes, and primes large and small.
func TestFFT(t *testing.T) {
	r := newRand()
	lengths := []int{61, 64, 74, 96, 97, 127, 131, 144, 251, 262, 384}
	for n := 1; n <= 34; n++ {
		lengths = append(lengths, n)
	}
	for _, dtype := range []dtypes.DType{dtypes.Complex64, dtypes.Complex128} {
		for _, n := range lengths {
			dims := []int{3, n}
			x := fill(r, dtype, dims...)
			re := fill(r, dtype.RealDType(), dims...)
			half := n/2 + 1
			evaluate(t, func(bd *Builder, in []backends.Op) []backends.Op {
				forward := op(bd.FFT(in[1], backends.FFTForwardReal, []int{n}))
				return []backends.Op{
					op(bd.FFT(in[0], backends.FFTForward, []int{n})),
					op(bd.FFT(in[0], backends.FFTInverse, []int{n})),
					forward,
					op(bd.FFT(forward, backends.FFTInverseReal, []int{n})),
				}
			}, func(t *testing.T, out []*Buffer) {
				closeTo(t, values(out[0]), naiveDFT(numbers(x.flat), dims, 1, false), dtype)
				closeTo(t, values(out[1]), naiveDFT(numbers(x.flat), dims, 1, true), dtype)
				var want []complex128
				for i, v := range naiveDFT(numbers(re.flat), dims, 1, false) {
					if i%n < half {
						want = append(want, v)
					}
				}
				closeTo(t, values(out[2]), want, dtype)
				closeTo(t, values(out[3]), numbers(re.flat), dtype)
			}, x, re)
			if t.Failed() {
				t.Fatalf("%s, length %d", dtype, n)
			}
		}
	}
}

func TestFFTOfSeveralAxes(t *testing.T) {
	r := newRand()
	for _, lengths := range [][]int{{6, 8}, {5, 7}, {3, 4, 10}, {1, 9}, {9, 1}, {2, 37}} {
		dims := append([]int{2}, lengths...)
		last := len(dims) - 1
		x, re := fill(r, dtypes.Complex64, dims...), fill(r, dtypes.Float32, dims...)
		evaluate(t, func(bd *Builder, in []backends.Op) []backends.Op {
			forward := op(bd.FFT(in[1], backends.FFTForwardReal, lengths))
			return []backends.Op{
				op(bd.FFT(in[0], backends.FFTForward, lengths)),
				op(bd.FFT(in[0], backends.FFTInverse, lengths)),
				forward,
				op(bd.FFT(forward, backends.FFTInverseReal, lengths)),
			}
		}, func(t *testing.T, out []*Buffer) {
			f, b, real := numbers(x.flat), numbers(x.flat), numbers(re.flat)
			for a := 1; a < len(dims); a++ {
				f, b, real = naiveDFT(f, dims, a, false), naiveDFT(b, dims, a, true), naiveDFT(real, dims, a, false)
			}
			closeTo(t, values(out[0]), f, dtypes.Complex64)
			closeTo(t, values(out[1]), b, dtypes.Complex64)
			var want []complex128
			for i, v := range real {
				if i%dims[last] < dims[last]/2+1 {
					want = append(want, v)
				}
			}
			closeTo(t, values(out[2]), want, dtypes.Complex64)
			closeTo(t, values(out[3]), numbers(re.flat), dtypes.Complex64)
		}, x, re)
	}
}

// TestInverseRealFFTIgnores checks that the imaginary parts that no real sequence has do not
// count, as in other libraries.
func TestInverseRealFFTIgnores(t *testing.T) {
	evaluate(t, func(bd *Builder, in []backends.Op) []backends.Op {
		return []backends.Op{op(bd.FFT(in[0], backends.FFTInverseReal, []int{4}))}
	}, func(t *testing.T, out []*Buffer) {
		near(t, values(out[0]), []complex128{3, 0, 1, 0}, 1e-15)
	}, tensor([]complex128{4 + 5i, 2, 4 - 7i}, 3))
}

// TestFFTIsPerLine checks that a line's transform depends, to the bit, neither on the lines beside
// it nor on the number of threads, and that lines of zeros are left out only if they are zeros.
func TestFFTIsPerLine(t *testing.T) {
	const lines, height = 5, 11
	for _, width := range []int{24, 15, 37} {
		x := random32(newRand(), lines*height*width)
		clear(x[:8*width])
		x[height*width+3] = float32(math.NaN())
		run := func(threads int, x []float32) [][]complex128 {
			n := len(x) / (height * width)
			out, err := runBuilder(newTestBackend(t, threads), func(bd *Builder, in []backends.Op) []backends.Op {
				forward := op(bd.FFT(in[0], backends.FFTForwardReal, []int{height, width}))
				return []backends.Op{forward, op(bd.FFT(forward, backends.FFTInverseReal, []int{height, width}))}
			}, tensor(x, n, height, width))
			if err != nil {
				t.Fatal(err)
			}
			return [][]complex128{values(out[0]), values(out[1])}
		}
		same := func(a, b complex128) bool { return a == b || cmplx.IsNaN(a) && cmplx.IsNaN(b) }
		all := run(3, x)
		for k, whole := range all {
			if !slices.EqualFunc(whole, run(1, x)[k], same) {
				t.Errorf("width %d: the number of threads matters", width)
			}
			size := len(whole) / lines
			for i := range lines {
				alone := run(1, x[i*height*width:(i+1)*height*width])[k]
				if !slices.EqualFunc(whole[i*size:(i+1)*size], alone, same) {
					t.Errorf("width %d, result %d: image %d is another one in a batch", width, k, i)
				}
				if nan := cmplx.IsNaN(alone[0]); nan != (i == 1) {
					t.Errorf("width %d, result %d: image %d is NaN: %v", width, k, i, nan)
				}
			}
		}
	}
}

func random32(r *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = 2*r.Float32() - 1
	}
	return x
}
