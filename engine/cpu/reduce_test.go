package cpu

import (
	"math"
	"slices"
	"testing"

	"github.com/gomlx/gomlx/backends"
	"github.com/gomlx/gomlx/pkg/core/dtypes"
)

type reduceMethod func(*Builder, backends.Op, ...int) (backends.Op, error)

var reduceCases = []struct {
	name   string
	method reduceMethod
	kinds  kind
	start  complex128
	step   func(a, x complex128) complex128
}{
	{"Sum", (*Builder).ReduceSum, kindNumber, 0, func(a, x complex128) complex128 { return a + x }},
	{"Product", (*Builder).ReduceProduct, kindNumber, 1, func(a, x complex128) complex128 { return a * x }},
	{"Max", (*Builder).ReduceMax, kindOrdered, complex(math.Inf(-1), 0), func(a, x complex128) complex128 { return complex(max(real(a), real(x)), 0) }},
	{"Min", (*Builder).ReduceMin, kindOrdered, complex(math.Inf(1), 0), func(a, x complex128) complex128 { return complex(min(real(a), real(x)), 0) }},
	{"LogicalAnd", (*Builder).ReduceLogicalAnd, kindBool, 1, func(a, x complex128) complex128 { return a * x }},
	{"LogicalOr", (*Builder).ReduceLogicalOr, kindBool, 0, func(a, x complex128) complex128 { return a + x - a*x }},
	{"LogicalXor", (*Builder).ReduceLogicalXor, kindBool, 0, func(a, x complex128) complex128 { return a + x - 2*a*x }},
	{"BitwiseAnd", (*Builder).ReduceBitwiseAnd, kindInt, -1, func(a, x complex128) complex128 { return bitwise(a, x, func(a, b int64) int64 { return a & b }) }},
	{"BitwiseOr", (*Builder).ReduceBitwiseOr, kindInt, 0, func(a, x complex128) complex128 { return bitwise(a, x, func(a, b int64) int64 { return a | b }) }},
	{"BitwiseXor", (*Builder).ReduceBitwiseXor, kindInt, 0, func(a, x complex128) complex128 { return bitwise(a, x, func(a, b int64) int64 { return a ^ b }) }},
}

func bitwise(a, x complex128, f func(a, b int64) int64) complex128 {
	return complex(float64(f(int64(real(a)), int64(real(x)))), 0)
}

func TestReduce(t *testing.T) {
	r := newRand()
	dims := []int{3, 2, 4, 5}
	for _, c := range reduceCases {
		for _, dtype := range supportedDTypes {
			if kindOf(dtype)&c.kinds == 0 {
				continue
			}
			for subset := range 16 {
				var axes []int
				for a := range dims {
					if subset>>a&1 == 1 {
						axes = append(axes, a)
					}
				}
				shape := dims
				if c.name == "Product" { // 120 factors would overflow
					shape = []int{2, 1, 2, 2}
				}
				x := fill(r, dtype, shape...)
				evaluate(t, func(bd *Builder, in []backends.Op) []backends.Op {
					return []backends.Op{op(c.method(bd, in[0], axes...))}
				}, func(t *testing.T, out []*Buffer) {
					gone := axes
					if len(axes) == 0 {
						gone = []int{0, 1, 2, 3}
					}
					var kept []int
					for a, d := range shape {
						if !slices.Contains(gone, a) {
							kept = append(kept, d)
						}
					}
					if !slices.Equal(out[0].shape.Dimensions, kept) {
						t.Fatalf("dimensions %v, want %v", out[0].shape.Dimensions, kept)
					}
					want := make([]complex128, product(kept))
					for i := range want {
						want[i] = c.start
					}
					allIndices(shape, func(at []int) {
						var to []int
						for a, i := range at {
							if !slices.Contains(gone, a) {
								to = append(to, i)
							}
						}
						p := position(kept, to)
						want[p] = c.step(want[p], numbers(x.flat)[position(shape, at)])
					})
					wrapAround(want, dtype)
					near(t, values(out[0]), want, 4*precision(dtype))
				}, x)
				if t.Failed() {
					t.Fatalf("%s of %s over %v", c.name, dtype, axes)
				}
			}
		}
	}
}

func TestReduceLimits(t *testing.T) {
	nan := float32(math.NaN())
	inf := math.Inf(1)
	evaluate(t, func(bd *Builder, in []backends.Op) []backends.Op {
		return []backends.Op{
			op(bd.ReduceMax(in[0], 1)), op(bd.ReduceMin(in[0], 1)), // NaN comes through
			op(bd.ReduceSum(in[1], 0)), op(bd.ReduceMax(in[1], 0)), op(bd.ReduceProduct(in[1], 0)), // nothing to reduce
			op(bd.ReduceMin(in[2])),
			op(bd.ReduceSum(in[3])), // 1 + 2^24 ones: float32 alone would stop at 2^24
		}
	}, func(t *testing.T, out []*Buffer) {
		near(t, values(out[0]), []complex128{complex(math.NaN(), 0), 3}, 0)
		near(t, values(out[1]), []complex128{complex(math.NaN(), 0), 2}, 0)
		near(t, values(out[2]), []complex128{0, 0}, 0)
		near(t, values(out[3]), []complex128{complex(-inf, 0), complex(-inf, 0)}, 0)
		near(t, values(out[4]), []complex128{1, 1}, 0)
		near(t, values(out[5]), []complex128{127}, 0)
		near(t, values(out[6]), []complex128{1<<24 + 64}, 0)
	}, tensor([]float32{1, nan, 2, 3}, 2, 2), tensor([]float32{}, 0, 2), tensor([]int8{}, 0),
		tensor(append([]float32{1 << 24}, slices.Repeat([]float32{1}, 64)...), 65))
}

func TestArgMinMax(t *testing.T) {
	r := newRand()
	dims := []int{3, 7, 2}
	for _, dtype := range supportedDTypes[1:13] {
		for axis := range dims {
			for _, isMin := range []bool{false, true} {
				x := fill(r, dtype, dims...)
				evaluate(t, func(bd *Builder, in []backends.Op) []backends.Op {
					return []backends.Op{op(bd.ArgMinMax(in[0], axis, dtypes.Int16, isMin))}
				}, func(t *testing.T, out []*Buffer) {
					var want []complex128
					allIndices(out[0].shape.Dimensions, func(at []int) {
						best, where := math.NaN(), 0
						for k := range dims[axis] {
							v := real(numbers(x.flat)[position(dims, slices.Insert(slices.Clone(at), axis, k))])
							if best != best || isMin && v < best || !isMin && v > best {
								best, where = v, k
							}
						}
						want = append(want, complex(float64(where), 0))
					})
					near(t, values(out[0]), want, 0)
				}, x)
			}
		}
	}
	evaluate(t, func(bd *Builder, in []backends.Op) []backends.Op {
		return []backends.Op{op(bd.ArgMinMax(in[0], 0, dtypes.Uint64, true)), op(bd.ArgMinMax(in[0], 0, dtypes.Int32, false))}
	}, func(t *testing.T, out []*Buffer) {
		near(t, values(out[0]), []complex128{2}, 0) // the first NaN
		near(t, values(out[1]), []complex128{2}, 0)
	}, tensor([]float64{5, 7, math.NaN(), 1, math.NaN()}, 5))
}

// TestReduceWindow compares with the definition, over random windows.
func TestReduceWindow(t *testing.T) {
	r := newRand()
	kinds := []backends.ReduceOpType{backends.ReduceOpSum, backends.ReduceOpProduct, backends.ReduceOpMax, backends.ReduceOpMin}
	for _, dtype := range supportedDTypes[1:] {
		for i, kind := range kinds {
			c := reduceCases[i]
			if kindOf(dtype)&c.kinds == 0 {
				continue
			}
			for range 8 {
				dims := randomDims(r, 1+r.IntN(3), 6)
				var size, stride, base, dilation []int
				var pad [][2]int
				for _, d := range dims {
					for {
						s, b, k := 1+r.IntN(3), 1+r.IntN(2), 1+r.IntN(2)
						p := [2]int{r.IntN(3), r.IntN(3)}
						if (s-1)*k+1 <= (d-1)*b+1+p[0]+p[1] {
							size, base, dilation, pad = append(size, s), append(base, b), append(dilation, k), append(pad, p)
							stride = append(stride, 1+r.IntN(3))
							break
						}
					}
				}
				x := fill(r, dtype, dims...)
				evaluate(t, func(bd *Builder, in []backends.Op) []backends.Op {
					return []backends.Op{op(bd.ReduceWindow(in[0], kind, size, stride, base, dilation, pad))}
				}, func(t *testing.T, out []*Buffer) {
					var want []complex128
					allIndices(out[0].shape.Dimensions, func(at []int) {
						a, empty := c.start, true
						allIndices(size, func(tap []int) {
							s := make([]int, len(dims))
							for i := range dims {
								p := at[i]*stride[i] + tap[i]*dilation[i] - pad[i][0]
								if p < 0 || p%base[i] != 0 || p/base[i] >= dims[i] {
									return
								}
								s[i] = p / base[i]
							}
							a, empty = c.step(a, numbers(x.flat)[position(dims, s)]), false
						})
						if empty && dtype.IsInt() {
							switch kind {
							case backends.ReduceOpMax:
								a = numbers(lowest(dtype))[0]
							case backends.ReduceOpMin:
								a = numbers(highest(dtype))[0]
							}
						}
						want = append(want, a)
					})
					wrapAround(want, dtype)
					near(t, values(out[0]), want, 4*precision(dtype))
				}, x)
				if t.Failed() {
					t.Fatalf("%s of %s %v: size %v stride %v base %v dilation %v pad %v", kind, dtype, dims, size, stride, base, dilation, pad)
				}
			}
		}
	}
}

func lowest(t dtypes.DType) any {
	if t.IsUnsigned() {
		return []uint64{0}
	}
	return []float64{-math.Ldexp(1, 8*t.Size()-1)}
}

func highest(t dtypes.DType) any {
	if t.IsUnsigned() {
		return []uint64{math.MaxUint64 >> (64 - 8*t.Size())}
	}
	return []uint64{math.MaxInt64 >> (64 - 8*t.Size())}
}

func TestSelectAndScatter(t *testing.T) {
	r := newRand()
	for _, dtype := range supportedDTypes[1:13] {
		for _, smallest := range []bool{false, true} {
			dims, size, stride := []int{7, 6}, []int{3, 2}, []int{2, 2}
			pad := [][2]int{{1, 1}, {0, 0}}
			x, src := fill(r, dtype, dims...), fill(r, dtype, 4, 3)
			evaluate(t, func(bd *Builder, in []backends.Op) []backends.Op {
				if smallest {
					return []backends.Op{op(bd.SelectAndScatterMin(in[0], in[1], size, stride, pad))}
				}
				return []backends.Op{op(bd.SelectAndScatterMax(in[0], in[1], size, stride, pad))}
			}, func(t *testing.T, out []*Buffer) {
				want := make([]complex128, product(dims))
				allIndices(src.dims, func(at []int) {
					best, where := math.NaN(), -1
					allIndices(size, func(tap []int) {
						i, j := at[0]*2+tap[0]-1, at[1]*2+tap[1]
						if i < 0 || i >= dims[0] || j >= dims[1] {
							return
						}
						v := real(numbers(x.flat)[i*dims[1]+j])
						if best != best || smallest && v < best || !smallest && v > best {
							best, where = v, i*dims[1]+j
						}
					})
					want[where] += numbers(src.flat)[position(src.dims, at)]
				})
				near(t, values(out[0]), want, 2*precision(dtype))
			}, x, src)
		}
	}
}
