package cpu

import (
	"math"
	"testing"

	"github.com/gomlx/gomlx/backends"
	"github.com/gomlx/gomlx/pkg/core/dtypes"
)

// compareCases has for each comparison the results for less, equal and greater.
var compareCases = []struct {
	name         string
	plain, total binaryMethod
	want         [3]bool
}{
	{"Equal", (*Builder).Equal, (*Builder).EqualTotalOrder, [3]bool{false, true, false}},
	{"NotEqual", (*Builder).NotEqual, (*Builder).NotEqualTotalOrder, [3]bool{true, false, true}},
	{"GreaterOrEqual", (*Builder).GreaterOrEqual, (*Builder).GreaterOrEqualTotalOrder, [3]bool{false, true, true}},
	{"GreaterThan", (*Builder).GreaterThan, (*Builder).GreaterThanTotalOrder, [3]bool{false, false, true}},
	{"LessOrEqual", (*Builder).LessOrEqual, (*Builder).LessOrEqualTotalOrder, [3]bool{true, true, false}},
	{"LessThan", (*Builder).LessThan, (*Builder).LessThanTotalOrder, [3]bool{true, false, false}},
}

func compareAll(t *testing.T, m binaryMethod, x arg, want func(i, j int) bool) {
	t.Helper()
	n := len(numbers(x.flat))
	y := x
	x.dims, y.dims = []int{n, 1}, []int{1, n}
	evaluate(t, func(bd *Builder, in []backends.Op) []backends.Op {
		return []backends.Op{op(m(bd, in[0], in[1]))}
	}, func(t *testing.T, out []*Buffer) {
		for k, got := range flatOf[bool](out[0]) {
			if got != want(k/n, k%n) {
				t.Errorf("elements %d and %d: %v", k/n, k%n, got)
			}
		}
	}, x, y)
}

func TestComparisons(t *testing.T) {
	nan := math.NaN()
	// In total order. The signs of -0 and -NaN count there only.
	floats := []float64{math.Copysign(nan, -1), math.Inf(-1), -2, -1, math.Copysign(0, -1), 0, 1, 2, math.Inf(1), nan}
	for _, c := range compareCases {
		t.Run(c.name, func(t *testing.T) {
			order := func(less, equal bool) bool {
				switch {
				case equal:
					return c.want[1]
				case less:
					return c.want[0]
				}
				return c.want[2]
			}
			for _, dtype := range []dtypes.DType{dtypes.Float16, dtypes.BFloat16, dtypes.Float32, dtypes.Float64} {
				x := convertArg(t, floats, dtype)
				compareAll(t, c.plain, x, func(i, j int) bool {
					if math.IsNaN(floats[i]) || math.IsNaN(floats[j]) {
						return c.name == "NotEqual"
					}
					return order(floats[i] < floats[j], floats[i] == floats[j])
				})
				compareAll(t, c.total, x, func(i, j int) bool { return order(i < j, i == j) })
			}
			for _, flat := range []any{
				[]bool{false, true}, []int8{-128, 0, 127}, []int16{-5, 5}, []int32{-5, 5}, []int64{math.MinInt64, math.MaxInt64},
				[]uint8{0, 255}, []uint16{1, 2}, []uint32{1, math.MaxUint32}, []uint64{1, math.MaxInt64, math.MaxUint64},
			} {
				x := arg{flat, nil}
				compareAll(t, c.plain, x, func(i, j int) bool { return order(i < j, i == j) })
				compareAll(t, c.total, x, func(i, j int) bool { return order(i < j, i == j) })
			}
			if c.name == "Equal" || c.name == "NotEqual" {
				compareAll(t, c.plain, tensor([]complex64{1, 1i, 1 + 1i}), func(i, j int) bool { return order(i < j, i == j) })
				compareAll(t, c.plain, tensor([]complex128{1, 1i, 1 + 1i}), func(i, j int) bool { return order(i < j, i == j) })
			}
		})
	}
}

func TestWhere(t *testing.T) {
	r := newRand()
	dims := []struct{ c, x, y []int }{
		{[]int{3, 4}, []int{3, 4}, []int{3, 4}},
		{[]int{}, []int{3, 4}, []int{3, 4}},
		{[]int{3, 4}, []int{}, []int{3, 4}},
		{[]int{3, 4}, []int{3, 4}, []int{}},
		{[]int{3, 4}, []int{}, []int{}},
		{[]int{}, []int{}, []int{}},
		{[]int{0}, []int{0}, []int{}},
	}
	for _, dtype := range supportedDTypes {
		for _, d := range dims {
			c, x, y := fill(r, dtypes.Bool, d.c...), fill(r, dtype, d.x...), fill(r, dtype, d.y...)
			evaluate(t, func(bd *Builder, in []backends.Op) []backends.Op {
				return []backends.Op{op(bd.Where(in[0], in[1], in[2]))}
			}, func(t *testing.T, out []*Buffer) {
				var want []complex128
				allIndices(out[0].shape.Dimensions, func(at []int) {
					if c.flat.([]bool)[broadcastPosition(d.c, at)] {
						want = append(want, numbers(x.flat)[broadcastPosition(d.x, at)])
					} else {
						want = append(want, numbers(y.flat)[broadcastPosition(d.y, at)])
					}
				})
				near(t, values(out[0]), want, 0)
			}, c, x, y)
		}
	}
}

func TestClamp(t *testing.T) {
	r := newRand()
	for _, dtype := range supportedDTypes[1:13] {
		x, lo, hi := fill(r, dtype, 5, 7), fill(r, dtype, 5, 7), fill(r, dtype)
		evaluate(t, func(bd *Builder, in []backends.Op) []backends.Op {
			return []backends.Op{op(bd.Clamp(in[1], in[0], in[2]))}
		}, func(t *testing.T, out []*Buffer) {
			h := real(numbers(hi.flat)[0])
			var want []complex128
			for i, v := range numbers(x.flat) {
				want = append(want, complex(min(max(real(v), real(numbers(lo.flat)[i])), h), 0))
			}
			near(t, values(out[0]), want, 0)
		}, x, lo, hi)
	}
}

func TestConvertDType(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	cases := []struct {
		from any
		to   dtypes.DType
		want any
	}{
		{[]float32{1.9, -1.9, 300, -300, float32(nan), float32(inf), float32(-inf)}, dtypes.Int8, []int8{1, -1, 127, -128, 0, 127, -128}},
		{[]float64{1.9, -1.9, 1e10, nan}, dtypes.Uint8, []uint8{1, 0, 255, 0}},
		{[]float64{-1e30, 1e30, 9007199254740993, -0.5}, dtypes.Int64, []int64{math.MinInt64, math.MaxInt64, 9007199254740992, 0}},
		{[]float64{1e30, 1 << 63, -3}, dtypes.Uint64, []uint64{math.MaxUint64, 1 << 63, 0}},
		{[]float32{3e9, -3e9}, dtypes.Int32, []int32{math.MaxInt32, math.MinInt32}},
		{[]float64{1e5, -7.5}, dtypes.Int16, []int16{32767, -7}},
		{[]float64{1e5, 7.5}, dtypes.Uint16, []uint16{65535, 7}},
		{[]float64{1e10, 7.5}, dtypes.Uint32, []uint32{math.MaxUint32, 7}},
		{[]int32{300, -1}, dtypes.Uint8, []uint8{44, 255}},
		{[]uint8{200}, dtypes.Int8, []int8{-56}},
		{[]uint64{math.MaxUint64}, dtypes.Float32, []float32{1 << 63 * 2}},
		{[]int64{math.MinInt64, 3}, dtypes.Float64, []float64{-1 << 63, 3}},
		{[]int16{-3}, dtypes.Complex64, []complex64{-3}},
		{[]uint32{3}, dtypes.Complex128, []complex128{3}},
		{[]bool{true, false}, dtypes.Float32, []float32{1, 0}},
		{[]bool{true, false}, dtypes.Int64, []int64{1, 0}},
		{[]float32{0, 0.5, float32(nan)}, dtypes.Bool, []bool{false, true, true}},
		{[]int8{0, -1}, dtypes.Bool, []bool{false, true}},
		{[]complex64{1i, 0}, dtypes.Bool, []bool{true, false}},
		{[]complex64{2.5 + 3i}, dtypes.Float64, []float64{2.5}},
		{[]complex128{-2.5 + 3i}, dtypes.Int32, []int32{-2}},
		{[]complex128{2.5 + 3i}, dtypes.Complex64, []complex64{2.5 + 3i}},
		{[]float64{0.1}, dtypes.Float32, []float32{0.1}},
		{[]float32{2.5}, dtypes.Complex128, []complex128{2.5}},
		{[]float32{1 + 1.0/512, 1 + 3.0/512}, dtypes.BFloat16, []float64{1, 1 + 1.0/128}},
		{[]float32{1 + 1.0/256, 1 + 3.0/256}, dtypes.BFloat16, []float64{1, 1 + 4.0/256}}, // ties to even
		{[]float32{1 + 1.0/2048, 1 + 3.0/2048, 70000}, dtypes.Float16, []float64{1, 1 + 4.0/2048, inf}},
		{[]float32{float32(nan)}, dtypes.BFloat16, []float64{nan}},
	}
	for _, c := range cases {
		n := len(numbers(c.from))
		evaluate(t, func(bd *Builder, in []backends.Op) []backends.Op {
			return []backends.Op{op(bd.ConvertDType(in[0], c.to))}
		}, func(t *testing.T, out []*Buffer) {
			near(t, values(out[0]), numbers(c.want), 0)
		}, arg{c.from, []int{n}})
		if t.Failed() {
			t.Fatalf("%v to %s", c.from, c.to)
		}
	}
	// Every type to every other: small numbers survive.
	for _, from := range supportedDTypes {
		for _, to := range supportedDTypes {
			x := convertArg(t, []float64{0, 1, 1, 0}, from)
			evaluate(t, func(bd *Builder, in []backends.Op) []backends.Op {
				return []backends.Op{op(bd.ConvertDType(in[0], to))}
			}, func(t *testing.T, out []*Buffer) {
				near(t, values(out[0]), []complex128{0, 1, 1, 0}, 0)
			}, x)
		}
	}
}

func TestBitcast(t *testing.T) {
	cases := []struct {
		from arg
		to   dtypes.DType
		dims []int
		want any
	}{
		{tensor([]uint32{0xdeadbeef}, 1), dtypes.Uint16, []int{1, 2}, []uint16{0xbeef, 0xdead}},
		{tensor([]uint16{0xbeef, 0xdead}, 1, 2), dtypes.Uint32, []int{1}, []uint32{0xdeadbeef}},
		{tensor([]float32{1, -2}, 2), dtypes.Int32, []int{2}, []int32{0x3f800000, -0x40000000}},
		{tensor([]float64{1}), dtypes.Uint8, []int{8}, []uint8{0, 0, 0, 0, 0, 0, 0xf0, 0x3f}},
		{tensor([]complex64{1 - 2i}), dtypes.Float32, []int{2}, []float32{1, -2}},
		{tensor([]float64{3, 4}, 2), dtypes.Complex128, []int{}, []complex128{3 + 4i}},
	}
	for _, c := range cases {
		evaluate(t, func(bd *Builder, in []backends.Op) []backends.Op {
			return []backends.Op{op(bd.Bitcast(in[0], c.to))}
		}, func(t *testing.T, out []*Buffer) {
			near(t, values(out[0]), numbers(c.want), 0)
			if product(out[0].shape.Dimensions) != product(c.dims) || out[0].shape.Rank() != len(c.dims) {
				t.Errorf("dimensions %v, want %v", out[0].shape.Dimensions, c.dims)
			}
		}, c.from)
	}
}

func TestIota(t *testing.T) {
	for _, dtype := range supportedDTypes[1:] {
		for axis := range 3 {
			dims := []int{2, 5, 3}
			evaluate(t, func(bd *Builder, _ []backends.Op) []backends.Op {
				s := arg{makeFlat(dtype, 0), dims}.shape()
				return []backends.Op{op(bd.Iota(s, axis))}
			}, func(t *testing.T, out []*Buffer) {
				var want []complex128
				allIndices(dims, func(at []int) { want = append(want, complex(float64(at[axis]), 0)) })
				near(t, values(out[0]), want, 0)
			})
		}
	}
}
