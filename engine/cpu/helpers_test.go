package cpu

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/gomlx/gomlx/backends"
	"github.com/gomlx/gomlx/pkg/core/dtypes"
	"github.com/gomlx/gomlx/pkg/core/dtypes/bfloat16"
	"github.com/gomlx/gomlx/pkg/core/shapes"
	"github.com/x448/float16"
)

// arg is an input of a test's computation.
type arg struct {
	flat any
	dims []int
}

func tensor[T any](flat []T, dims ...int) arg { return arg{flat, dims} }

func (a arg) shape() shapes.Shape {
	return shapes.Make(dtypes.FromGoType(reflect.TypeOf(a.flat).Elem()), a.dims...)
}

// op unwraps what a builder method returns. The panic ends in evaluate.
func op(o backends.Op, err error) backends.Op {
	if err != nil {
		panic(err)
	}
	return o
}

// evaluate runs a computation with the executors alone and as a plan, and hands the outputs of
// both to check.
func evaluate(t *testing.T, build func(bd *Builder, x []backends.Op) []backends.Op, check func(t *testing.T, out []*Buffer), args ...arg) {
	t.Helper()
	for name, b := range map[string]*Backend{"executors": newInterpreted(t), "plan": newTestBackend(t, 2)} {
		t.Run(name, func(t *testing.T) {
			out, err := runBuilder(b, build, args...)
			if err != nil {
				t.Fatal(err)
			}
			check(t, out)
		})
	}
}

func runBuilder(b *Backend, build func(bd *Builder, x []backends.Op) []backends.Op, args ...arg) (out []*Buffer, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v", r)
		}
	}()
	bd := b.Builder("test").(*Builder)
	var x []backends.Op
	var in []backends.Buffer
	for i, a := range args {
		x = append(x, op(bd.Parameter(fmt.Sprint(i), a.shape(), nil)))
		buf, err := b.BufferFromFlatData(0, a.flat, a.shape())
		if err != nil {
			return nil, err
		}
		in = append(in, buf)
	}
	e, err := bd.Compile(build(bd, x), nil)
	if err != nil {
		return nil, err
	}
	res, err := e.Execute(in, nil, 0)
	if err != nil {
		return nil, err
	}
	for i, r := range res {
		buf := r.(*Buffer)
		if !buf.shape.Equal(e.Outputs()[i]) {
			return nil, fmt.Errorf("output %d has shape %s, want %s", i, buf.shape, e.Outputs()[i])
		}
		out = append(out, buf)
	}
	return out, nil
}

// values converts a buffer to complex128, exactly except for large whole numbers.
func values(b *Buffer) []complex128 { return numbers(b.flat) }

func numbers(flat any) []complex128 {
	var out []complex128
	switch flat := flat.(type) {
	case []bool:
		for _, v := range flat {
			n := 0.0
			if v {
				n = 1
			}
			out = append(out, complex(n, 0))
		}
	case []complex64:
		for _, v := range flat {
			out = append(out, complex128(v))
		}
	case []complex128:
		out = append(out, flat...)
	case []float16.Float16:
		for _, v := range flat {
			out = append(out, complex(float64(v.Float32()), 0))
		}
	case []bfloat16.BFloat16:
		for _, v := range flat {
			out = append(out, complex(float64(v.Float32()), 0))
		}
	case []float32:
		out = fromReal(flat)
	case []float64:
		out = fromReal(flat)
	case []int8:
		out = fromReal(flat)
	case []int16:
		out = fromReal(flat)
	case []int32:
		out = fromReal(flat)
	case []int64:
		out = fromReal(flat)
	case []uint8:
		out = fromReal(flat)
	case []uint16:
		out = fromReal(flat)
	case []uint32:
		out = fromReal(flat)
	case []uint64:
		out = fromReal(flat)
	}
	return out
}

func fromReal[T ordered](flat []T) []complex128 {
	out := make([]complex128, len(flat))
	for i, v := range flat {
		out[i] = complex(float64(v), 0)
	}
	return out
}

// fill makes an argument of small random numbers of a data type; whole ones in [-4, 4], or
// [0, 8] without sign.
func fill(r *rand.Rand, t dtypes.DType, dims ...int) arg {
	a := arg{makeFlat(t, product(dims)), dims}
	for i := range product(dims) {
		x, n := r.NormFloat64(), r.IntN(9)-4
		switch flat := a.flat.(type) {
		case []bool:
			flat[i] = n > 0
		case []int8:
			flat[i] = int8(n)
		case []int16:
			flat[i] = int16(n)
		case []int32:
			flat[i] = int32(n)
		case []int64:
			flat[i] = int64(n)
		case []uint8:
			flat[i] = uint8(n + 4)
		case []uint16:
			flat[i] = uint16(n + 4)
		case []uint32:
			flat[i] = uint32(n + 4)
		case []uint64:
			flat[i] = uint64(n + 4)
		case []float16.Float16:
			flat[i] = float16.Fromfloat32(float32(x))
		case []bfloat16.BFloat16:
			flat[i] = roundBFloat16(float32(x))
		case []float32:
			flat[i] = float32(x)
		case []float64:
			flat[i] = x
		case []complex64:
			flat[i] = complex64(complex(x, r.NormFloat64()))
		case []complex128:
			flat[i] = complex(x, r.NormFloat64())
		}
	}
	return a
}

// precision is a bound on the relative rounding error of one operation.
func precision(t dtypes.DType) float64 {
	switch t {
	case dtypes.Float16:
		return 1.0 / 1024
	case dtypes.BFloat16:
		return 1.0 / 128
	case dtypes.Float32, dtypes.Complex64:
		return 3e-7
	case dtypes.Float64, dtypes.Complex128:
		return 1e-15
	}
	return 0
}

// near compares with a tolerance that is relative for numbers above 1 and absolute below. NaN
// is near NaN and an infinity near itself.
func near(t *testing.T, got, want []complex128, tolerance float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d elements, want %d", len(got), len(want))
	}
	same := func(a, b float64) bool {
		return a == b || math.IsNaN(a) && math.IsNaN(b) || math.Abs(a-b) <= tolerance*max(1, math.Abs(b))
	}
	for i, w := range want {
		if g := got[i]; !same(real(g), real(w)) || !same(imag(g), imag(w)) {
			t.Fatalf("element %d: %v, want %v", i, g, w)
		}
	}
}

func newRand() *rand.Rand { return rand.New(rand.NewPCG(1, 2)) }

// allIndices calls f with every index of the dimensions, in row-major order.
func allIndices(dims []int, f func(at []int)) {
	at := make([]int, len(dims))
	for i := range product(dims) {
		unravel(i, dims, at)
		f(at)
	}
}

// position is the place of an index in row-major order.
func position(dims, at []int) int {
	p := 0
	for a, i := range at {
		p = p*dims[a] + i
	}
	return p
}

// wrapAround brings the results of whole-number arithmetic into the range of the type. They
// must be below 2^53 to be exact.
func wrapAround(x []complex128, t dtypes.DType) {
	if !t.IsInt() {
		return
	}
	span := math.Ldexp(1, 8*t.Size())
	low := -span / 2
	if t.IsUnsigned() {
		low = 0
	}
	end := low + span
	if t.Size() == 8 { // the largest number rounds to the end itself
		end = math.Nextafter(end, math.Inf(1))
	}
	for i, v := range x {
		if real(v) >= low && real(v) < end {
			continue
		}
		w := math.Mod(real(v), span)
		if w < 0 {
			w += span
		}
		if w >= end {
			w -= span
		}
		x[i] = complex(w, 0)
	}
}
