package cpu

import (
	"math"
	"math/cmplx"
	"slices"
	"testing"

	"github.com/gomlx/gomlx/backends"
	"github.com/gomlx/gomlx/pkg/core/dtypes"
)

type (
	unaryMethod  func(*Builder, backends.Op) (backends.Op, error)
	binaryMethod func(*Builder, backends.Op, backends.Op) (backends.Op, error)
)

// The arguments include what overflows, vanishes or is not finite.
var floatArgs = []float64{0, math.Copysign(0, -1), 1, -1, 0.5, 1.5, 2.5, -0.5, -2.5, 1e-9, -1e-9, 3.7, -3.7, 12, -12,
	90, -90, 200, -200, 1e30, math.Inf(1), math.Inf(-1), math.NaN()}

var unaryFloatCases = []struct {
	name   string
	method unaryMethod
	want   func(float64) float64
}{
	{"Abs", (*Builder).Abs, math.Abs},
	{"Ceil", (*Builder).Ceil, math.Ceil},
	{"Cos", (*Builder).Cos, math.Cos},
	{"Erf", (*Builder).Erf, math.Erf},
	{"Exp", (*Builder).Exp, math.Exp},
	{"Expm1", (*Builder).Expm1, math.Expm1},
	{"Floor", (*Builder).Floor, math.Floor},
	{"Log", (*Builder).Log, math.Log},
	{"Log1p", (*Builder).Log1p, math.Log1p},
	{"Logistic", (*Builder).Logistic, func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }},
	{"Neg", (*Builder).Neg, func(x float64) float64 { return -x }},
	{"Round", (*Builder).Round, math.RoundToEven},
	{"Rsqrt", (*Builder).Rsqrt, func(x float64) float64 { return 1 / math.Sqrt(x) }},
	{"Sign", (*Builder).Sign, func(x float64) float64 {
		if x == 0 || x != x {
			return x
		}
		return math.Copysign(1, x)
	}},
	{"Sin", (*Builder).Sin, math.Sin},
	{"Sqrt", (*Builder).Sqrt, math.Sqrt},
	{"Tanh", (*Builder).Tanh, math.Tanh},
}

// rounded makes what a data type cannot hold infinite.
func rounded(t dtypes.DType, x float64) float64 {
	limit := math.Inf(1)
	switch t {
	case dtypes.Float16:
		limit = 65520
	case dtypes.Float32, dtypes.BFloat16:
		limit = 3.4028236e38
	}
	if math.Abs(x) >= limit {
		return math.Copysign(math.Inf(1), x)
	}
	return x
}

func TestUnaryFloat(t *testing.T) {
	for _, c := range unaryFloatCases {
		for _, dtype := range []dtypes.DType{dtypes.Float16, dtypes.BFloat16, dtypes.Float32, dtypes.Float64} {
			t.Run(c.name+"/"+dtype.String(), func(t *testing.T) {
				// The arguments as the data type rounds them.
				in := convertArg(t, floatArgs, dtype)
				var want []complex128
				for _, x := range numbers(in.flat) {
					want = append(want, complex(rounded(dtype, c.want(real(x))), 0))
				}
				evaluate(t, func(bd *Builder, x []backends.Op) []backends.Op {
					return []backends.Op{op(c.method(bd, x[0]))}
				}, func(t *testing.T, out []*Buffer) {
					near(t, values(out[0]), want, 2*precision(dtype))
				}, in)
			})
		}
	}
}

// convertArg rounds numbers to a data type.
func convertArg(t *testing.T, x []float64, dtype dtypes.DType) arg {
	t.Helper()
	out, err := runBuilder(newInterpreted(t), func(bd *Builder, x []backends.Op) []backends.Op {
		return []backends.Op{op(bd.ConvertDType(x[0], dtype))}
	}, tensor(x, len(x)))
	if err != nil {
		t.Fatal(err)
	}
	return arg{out[0].flat, []int{len(x)}}
}

func TestUnaryComplex(t *testing.T) {
	cases := []struct {
		name   string
		method unaryMethod
		want   func(complex128) complex128
	}{
		{"Abs", (*Builder).Abs, func(z complex128) complex128 { return complex(cmplx.Abs(z), 0) }},
		{"Conj", (*Builder).Conj, cmplx.Conj},
		{"Exp", (*Builder).Exp, cmplx.Exp},
		{"Expm1", (*Builder).Expm1, func(z complex128) complex128 { return cmplx.Exp(z) - 1 }},
		{"Imag", (*Builder).Imag, func(z complex128) complex128 { return complex(imag(z), 0) }},
		{"Log", (*Builder).Log, cmplx.Log},
		{"Log1p", (*Builder).Log1p, func(z complex128) complex128 { return cmplx.Log(1 + z) }},
		{"Neg", (*Builder).Neg, func(z complex128) complex128 { return -z }},
		{"Real", (*Builder).Real, func(z complex128) complex128 { return complex(real(z), 0) }},
		{"Rsqrt", (*Builder).Rsqrt, func(z complex128) complex128 { return cmplx.Pow(z, -0.5) }},
		{"Sign", (*Builder).Sign, func(z complex128) complex128 { return cmplx.Rect(1, cmplx.Phase(z)) }},
		{"Sqrt", (*Builder).Sqrt, func(z complex128) complex128 { return cmplx.Pow(z, 0.5) }},
	}
	r := newRand()
	for _, c := range cases {
		for _, dtype := range []dtypes.DType{dtypes.Complex64, dtypes.Complex128} {
			t.Run(c.name+"/"+dtype.String(), func(t *testing.T) {
				in := fill(r, dtype, 3, 5)
				var want []complex128
				for _, z := range numbers(in.flat) {
					want = append(want, c.want(z))
				}
				evaluate(t, func(bd *Builder, x []backends.Op) []backends.Op {
					return []backends.Op{op(c.method(bd, x[0]))}
				}, func(t *testing.T, out []*Buffer) {
					near(t, values(out[0]), want, 8*precision(dtype))
				}, in)
			})
		}
	}
	// Small numbers keep their digits.
	evaluate(t, func(bd *Builder, x []backends.Op) []backends.Op {
		return []backends.Op{op(bd.Expm1(x[0])), op(bd.Log1p(x[0]))}
	}, func(t *testing.T, out []*Buffer) {
		for _, o := range out {
			if d := cmplx.Abs(values(o)[0]/1e-12 - (3 + 4i)); d > 1e-9 {
				t.Errorf("relative error %g", d)
			}
		}
	}, tensor([]complex128{3e-12 + 4e-12i}, 1))
}

// TestBroadcasting checks the arithmetic for all data types and all ways to broadcast.
func TestBroadcasting(t *testing.T) {
	cases := []struct {
		name   string
		method binaryMethod
		want   func(x, y complex128) complex128
	}{
		{"Add", (*Builder).Add, func(x, y complex128) complex128 { return x + y }},
		{"Sub", (*Builder).Sub, func(x, y complex128) complex128 { return x - y }},
		{"Mul", (*Builder).Mul, func(x, y complex128) complex128 { return x * y }},
	}
	dims := []struct{ x, y []int }{
		{[]int{2, 3, 4}, []int{2, 3, 4}},
		{[]int{}, []int{2, 3}},
		{[]int{2, 3}, []int{}},
		{[]int{}, []int{}},
		{[]int{1, 3, 1}, []int{2, 1, 4}},
		{[]int{2, 3, 4}, []int{1, 1, 4}},
		{[]int{2, 3, 4}, []int{2, 3, 1}},
		{[]int{1, 1}, []int{5, 1}},
		{[]int{0, 3}, []int{1, 3}},
		{[]int{40, 1000}, []int{1, 1000}},
	}
	r := newRand()
	for _, c := range cases {
		for _, dtype := range supportedDTypes[1:] {
			for _, d := range dims {
				x, y := fill(r, dtype, d.x...), fill(r, dtype, d.y...)
				evaluate(t, func(bd *Builder, in []backends.Op) []backends.Op {
					return []backends.Op{op(c.method(bd, in[0], in[1]))}
				}, func(t *testing.T, out []*Buffer) {
					var want []complex128
					shape := out[0].shape.Dimensions
					xs, ys := numbers(x.flat), numbers(y.flat)
					allIndices(shape, func(at []int) {
						want = append(want, c.want(xs[broadcastPosition(d.x, at)], ys[broadcastPosition(d.y, at)]))
					})
					wrapAround(want, dtype)
					near(t, values(out[0]), want, precision(dtype))
				}, x, y)
				if t.Failed() {
					t.Fatalf("%s of %s %v %v", c.name, dtype, d.x, d.y)
				}
			}
		}
	}
}

func broadcastPosition(dims, at []int) int {
	if len(dims) == 0 {
		return 0
	}
	at = slices.Clone(at)
	for a, d := range dims {
		if d == 1 {
			at[a] = 0
		}
	}
	return position(dims, at)
}

func TestBinaryFloat(t *testing.T) {
	cases := []struct {
		name   string
		method binaryMethod
		want   func(x, y float64) float64
	}{
		{"Div", (*Builder).Div, func(x, y float64) float64 { return x / y }},
		{"Max", (*Builder).Max, math.Max},
		{"Min", (*Builder).Min, math.Min},
		{"Pow", (*Builder).Pow, math.Pow},
		{"Rem", (*Builder).Rem, math.Mod},
	}
	args := []float64{0, 1, -1, 0.5, 2, -2, 3, 7.25, -7.25, math.Inf(1), math.Inf(-1), math.NaN()}
	n := len(args)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var want []complex128
			for _, x := range args {
				for _, y := range args {
					w := c.want(x, y)
					if x != x || y != y { // math.Max(Inf, NaN) is Inf, but NaN must not get lost
						if c.name == "Max" || c.name == "Min" {
							w = math.NaN()
						}
					}
					want = append(want, complex(w, 0))
				}
			}
			for _, dtype := range []dtypes.DType{dtypes.Float16, dtypes.BFloat16, dtypes.Float32, dtypes.Float64} {
				x := convertArg(t, args, dtype)
				y := x
				x.dims, y.dims = []int{n, 1}, []int{1, n}
				evaluate(t, func(bd *Builder, in []backends.Op) []backends.Op {
					return []backends.Op{op(c.method(bd, in[0], in[1]))}
				}, func(t *testing.T, out []*Buffer) {
					limited := make([]complex128, len(want))
					for i, w := range want {
						limited[i] = complex(rounded(dtype, real(w)), 0)
					}
					near(t, values(out[0]), limited, 2*precision(dtype))
				}, x, y)
			}
		})
	}
}

func TestBinaryComplex(t *testing.T) {
	r := newRand()
	for _, dtype := range []dtypes.DType{dtypes.Complex64, dtypes.Complex128} {
		x, y := fill(r, dtype, 20), fill(r, dtype, 20)
		re, im := fill(r, dtype.RealDType(), 20), fill(r, dtype.RealDType(), 1)
		evaluate(t, func(bd *Builder, in []backends.Op) []backends.Op {
			return []backends.Op{op(bd.Div(in[0], in[1])), op(bd.Pow(in[0], in[1])), op(bd.Complex(in[2], in[3]))}
		}, func(t *testing.T, out []*Buffer) {
			var div, pow, joined []complex128
			for i, z := range numbers(x.flat) {
				w := numbers(y.flat)[i]
				div, pow = append(div, z/w), append(pow, cmplx.Pow(z, w))
				joined = append(joined, complex(real(numbers(re.flat)[i]), real(numbers(im.flat)[0])))
			}
			near(t, values(out[0]), div, 4*precision(dtype))
			near(t, values(out[1]), pow, 16*precision(dtype))
			near(t, values(out[2]), joined, 0)
		}, x, y, re, im)
	}
}

func TestWholeNumbers(t *testing.T) {
	binary := []struct {
		name       string
		method     binaryMethod
		x, y, want any
	}{
		{"Div", (*Builder).Div, []int32{7, -7, 7, -7, 5, math.MinInt32}, []int32{2, 2, -2, -2, 0, -1}, []int32{3, -3, -3, 3, -1, math.MinInt32}},
		{"Div", (*Builder).Div, []uint8{7, 200, 5}, []uint8{2, 3, 0}, []uint8{3, 66, 255}},
		{"Rem", (*Builder).Rem, []int32{7, -7, 7, -7, 5, math.MinInt32}, []int32{2, 2, -2, -2, 0, -1}, []int32{1, -1, 1, -1, 5, 0}},
		{"Pow", (*Builder).Pow, []int64{3, -2, 7, 1, -1, -1, 0, 2}, []int64{4, 5, 0, -3, -3, -2, -1, 62}, []int64{81, -32, 1, 1, -1, 1, 0, 1 << 62}},
		{"Pow", (*Builder).Pow, []uint8{2, 3}, []uint8{9, 5}, []uint8{0, 243}},
		{"Max", (*Builder).Max, []uint64{1 << 63, 3}, []uint64{5, 4}, []uint64{1 << 63, 4}},
		{"Min", (*Builder).Min, []int16{-4, 3}, []int16{5, 3}, []int16{-4, 3}},
		{"Min", (*Builder).Min, []bool{true, true, false}, []bool{true, false, false}, []bool{true, false, false}},
		{"BitwiseAnd", (*Builder).BitwiseAnd, []uint16{0b1100}, []uint16{0b1010}, []uint16{0b1000}},
		{"BitwiseOr", (*Builder).BitwiseOr, []int8{0b1100}, []int8{0b1010}, []int8{0b1110}},
		{"BitwiseXor", (*Builder).BitwiseXor, []uint64{0b1100}, []uint64{0b1010}, []uint64{0b0110}},
		{"LogicalAnd", (*Builder).LogicalAnd, []bool{true, true, false}, []bool{true, false, false}, []bool{true, false, false}},
		{"LogicalOr", (*Builder).LogicalOr, []bool{true, true, false}, []bool{true, false, false}, []bool{true, true, false}},
		{"LogicalXor", (*Builder).LogicalXor, []bool{true, true, false}, []bool{true, false, false}, []bool{false, true, false}},
		{"ShiftLeft", (*Builder).ShiftLeft, []int8{-1, 3, 1, 1, 1}, []int8{1, 2, 7, 8, -1}, []int8{-2, 12, -128, 0, 0}},
		{"ShiftRightArithmetic", (*Builder).ShiftRightArithmetic, []int8{-2, -128, 64, -1}, []int8{1, 9, 3, 127}, []int8{-1, -1, 8, -1}},
		{"ShiftRightArithmetic", (*Builder).ShiftRightArithmetic, []uint8{0x80, 0x40}, []uint8{1, 1}, []uint8{0xc0, 0x20}},
		{"ShiftRightLogical", (*Builder).ShiftRightLogical, []int8{-2, -128, 64}, []int8{1, 9, 3}, []int8{127, 0, 8}},
		{"ShiftRightLogical", (*Builder).ShiftRightLogical, []int64{-1}, []int64{60}, []int64{15}},
	}
	for _, c := range binary {
		t.Run(c.name, func(t *testing.T) {
			n := len(numbers(c.x))
			evaluate(t, func(bd *Builder, in []backends.Op) []backends.Op {
				return []backends.Op{op(c.method(bd, in[0], in[1]))}
			}, func(t *testing.T, out []*Buffer) {
				near(t, values(out[0]), numbers(c.want), 0)
			}, arg{c.x, []int{n}}, arg{c.y, []int{n}})
		})
	}
	unary := []struct {
		name    string
		method  unaryMethod
		x, want any
	}{
		{"Abs", (*Builder).Abs, []int16{-3, 3, 0}, []int16{3, 3, 0}},
		{"Abs", (*Builder).Abs, []uint16{3}, []uint16{3}},
		{"BitCount", (*Builder).BitCount, []int8{-1, 5, 0}, []int8{8, 2, 0}},
		{"BitCount", (*Builder).BitCount, []uint64{math.MaxUint64}, []uint64{64}},
		{"BitwiseNot", (*Builder).BitwiseNot, []uint8{1}, []uint8{254}},
		{"BitwiseNot", (*Builder).BitwiseNot, []int32{1}, []int32{-2}},
		{"Clz", (*Builder).Clz, []int8{-1, 0, 1, 64}, []int8{0, 8, 7, 1}},
		{"Clz", (*Builder).Clz, []uint32{1}, []uint32{31}},
		{"LogicalNot", (*Builder).LogicalNot, []bool{true, false}, []bool{false, true}},
		{"Neg", (*Builder).Neg, []int64{5, math.MinInt64}, []int64{-5, math.MinInt64}},
		{"Sign", (*Builder).Sign, []int32{-9, 0, 9}, []int32{-1, 0, 1}},
		{"Sign", (*Builder).Sign, []uint32{0, 9}, []uint32{0, 1}},
		{"IsNaN", (*Builder).IsNaN, []int32{1}, []bool{false}},
		{"IsFinite", (*Builder).IsFinite, []int32{1}, []bool{true}},
		{"IsNaN", (*Builder).IsNaN, []float32{1, float32(math.NaN()), float32(math.Inf(1))}, []bool{false, true, false}},
		{"IsFinite", (*Builder).IsFinite, []float64{1, math.NaN(), math.Inf(-1)}, []bool{true, false, false}},
		{"IsFinite", (*Builder).IsFinite, []complex64{1, complex64(complex(0, math.Inf(1)))}, []bool{true, false}},
		{"IsNaN", (*Builder).IsNaN, []complex128{1, complex(0, math.NaN())}, []bool{false, true}},
	}
	for _, c := range unary {
		t.Run(c.name, func(t *testing.T) {
			evaluate(t, func(bd *Builder, in []backends.Op) []backends.Op {
				return []backends.Op{op(c.method(bd, in[0]))}
			}, func(t *testing.T, out []*Buffer) {
				near(t, values(out[0]), numbers(c.want), 0)
			}, arg{c.x, []int{len(numbers(c.x))}})
		})
	}
}
