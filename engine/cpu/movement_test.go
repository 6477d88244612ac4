package cpu

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/gomlx/gomlx/backends"
	"github.com/gomlx/gomlx/pkg/core/shapes"
)

// moved checks an operation that only moves elements: source gives, for an index of the result,
// that of the operand, or nil for the number fill.
func moved(t *testing.T, x arg, build func(bd *Builder, x backends.Op) backends.Op, source func(at []int) []int, fill complex128) {
	t.Helper()
	evaluate(t, func(bd *Builder, in []backends.Op) []backends.Op {
		return []backends.Op{build(bd, in[0])}
	}, func(t *testing.T, out []*Buffer) {
		var want []complex128
		from := numbers(x.flat)
		allIndices(out[0].shape.Dimensions, func(at []int) {
			if s := source(at); s != nil {
				want = append(want, from[position(x.dims, s)])
			} else {
				want = append(want, fill)
			}
		})
		near(t, values(out[0]), want, 0)
	}, x)
}

func randomDims(r *rand.Rand, rank, limit int) []int {
	dims := make([]int, rank)
	for i := range dims {
		dims[i] = 1 + r.IntN(limit)
	}
	return dims
}

func TestMovement(t *testing.T) {
	r := newRand()
	for _, dtype := range supportedDTypes {
		for range 6 {
			rank := r.IntN(5)
			dims := randomDims(r, rank, 7)
			x := fill(r, dtype, dims...)

			p := r.Perm(rank)
			moved(t, x, func(bd *Builder, x backends.Op) backends.Op { return op(bd.Transpose(x, p...)) },
				func(at []int) []int {
					s := make([]int, rank)
					for a, from := range p {
						s[from] = at[a]
					}
					return s
				}, 0)

			axes := r.Perm(rank)[:r.IntN(rank+1)]
			moved(t, x, func(bd *Builder, x backends.Op) backends.Op { return op(bd.Reverse(x, axes...)) },
				func(at []int) []int {
					s := slices.Clone(at)
					for _, a := range axes {
						s[a] = dims[a] - 1 - s[a]
					}
					return s
				}, 0)

			var starts, limits, strides []int
			for _, d := range dims {
				s := r.IntN(d + 1)
				starts, limits = append(starts, s), append(limits, s+r.IntN(d-s+1))
				strides = append(strides, 1+r.IntN(3))
			}
			moved(t, x, func(bd *Builder, x backends.Op) backends.Op { return op(bd.Slice(x, starts, limits, strides)) },
				func(at []int) []int {
					s := make([]int, rank)
					for a := range s {
						s[a] = starts[a] + at[a]*strides[a]
					}
					return s
				}, 0)

			to := slices.Sorted(slices.Values(r.Perm(rank + 2)[:rank]))
			wide := randomDims(r, rank+2, 5)
			narrow := slices.Clone(dims)
			for a, o := range to {
				if r.IntN(2) == 0 {
					narrow[a] = 1
				} else {
					wide[o] = narrow[a]
				}
			}
			y := fill(r, dtype, narrow...)
			moved(t, y, func(bd *Builder, x backends.Op) backends.Op {
				return op(bd.BroadcastInDim(x, shapes.Make(dtype, wide...), to))
			}, func(at []int) []int {
				s := make([]int, rank)
				for a, o := range to {
					if narrow[a] != 1 {
						s[a] = at[o]
					}
				}
				return s
			}, 0)

			flat := []int{product(dims)}
			moved(t, x, func(bd *Builder, x backends.Op) backends.Op { return op(bd.Reshape(x, flat...)) },
				func(at []int) []int {
					s := make([]int, rank)
					unravel(at[0], dims, s)
					return s
				}, 0)
			moved(t, x, func(bd *Builder, x backends.Op) backends.Op { return op(bd.Identity(x)) },
				func(at []int) []int { return at }, 0)
		}
	}
}

// TestLargeTranspose takes the way through tiles, with sizes that they do not divide.
func TestLargeTranspose(t *testing.T) {
	r := newRand()
	x := fill(r, supportedDTypes[11], 3, 70, 5, 97)
	p := []int{3, 0, 2, 1}
	moved(t, x, func(bd *Builder, x backends.Op) backends.Op { return op(bd.Transpose(x, p...)) },
		func(at []int) []int { return []int{at[1], at[3], at[2], at[0]} }, 0)
}

func TestPad(t *testing.T) {
	r := newRand()
	for _, dtype := range supportedDTypes {
		for range 12 {
			rank := r.IntN(4)
			dims := randomDims(r, rank, 6)
			var config []backends.PadAxis
			for _, d := range dims[:r.IntN(rank+1)] {
				p := backends.PadAxis{Start: r.IntN(7) - 3, End: r.IntN(7) - 3, Interior: r.IntN(3)}
				if d+(d-1)*p.Interior+p.Start+p.End < 0 {
					p = backends.PadAxis{}
				}
				config = append(config, p)
			}
			x := fill(r, dtype, dims...)
			// The fill value is 1 for all types.
			moved(t, x, func(bd *Builder, x backends.Op) backends.Op {
				one := op(bd.ConvertDType(op(bd.Constant([]float32{1})), dtype))
				return op(bd.Pad(x, one, config...))
			}, func(at []int) []int {
				s := slices.Clone(at)
				for a, p := range config {
					i := at[a] - p.Start
					if i < 0 || i%(p.Interior+1) != 0 || i/(p.Interior+1) >= dims[a] {
						return nil
					}
					s[a] = i / (p.Interior + 1)
				}
				return s
			}, 1)
		}
	}
}

func TestConcatenate(t *testing.T) {
	r := newRand()
	for _, dtype := range supportedDTypes {
		for axis := range 3 {
			var args []arg
			for _, n := range []int{2, 0, 1, 4} {
				dims := []int{3, 2, 5}
				dims[axis] = n
				args = append(args, fill(r, dtype, dims...))
			}
			evaluate(t, func(bd *Builder, in []backends.Op) []backends.Op {
				return []backends.Op{op(bd.Concatenate(axis, in...)), op(bd.Concatenate(axis, in[0]))}
			}, func(t *testing.T, out []*Buffer) {
				var want []complex128
				allIndices(out[0].shape.Dimensions, func(at []int) {
					at = slices.Clone(at)
					for _, a := range args {
						if at[axis] < a.dims[axis] {
							want = append(want, numbers(a.flat)[position(a.dims, at)])
							return
						}
						at[axis] -= a.dims[axis]
					}
				})
				near(t, values(out[0]), want, 0)
				near(t, values(out[1]), numbers(args[0].flat), 0)
			}, args...)
		}
	}
}

func TestDynamicSlices(t *testing.T) {
	r := newRand()
	for _, dtype := range supportedDTypes {
		x, u := fill(r, dtype, 5, 6), fill(r, dtype, 2, 3)
		for _, start := range [][]int32{{1, 2}, {-7, 4}, {9, 9}} {
			clamped := []int{min(max(int(start[0]), 0), 3), min(max(int(start[1]), 0), 3)}
			evaluate(t, func(bd *Builder, in []backends.Op) []backends.Op {
				vector := []backends.Op{in[4]}
				return []backends.Op{op(bd.DynamicSlice(in[0], in[2:4], []int{2, 3})), op(bd.DynamicSlice(in[0], vector, []int{2, 3})),
					op(bd.DynamicUpdateSlice(in[0], in[1], in[2:4]))}
			}, func(t *testing.T, out []*Buffer) {
				var slice, updated []complex128
				allIndices(x.dims, func(at []int) {
					v := numbers(x.flat)[position(x.dims, at)]
					i, j := at[0]-clamped[0], at[1]-clamped[1]
					if i >= 0 && i < 2 && j >= 0 && j < 3 {
						slice = append(slice, v)
						v = numbers(u.flat)[i*3+j]
					}
					updated = append(updated, v)
				})
				near(t, values(out[0]), slice, 0)
				near(t, values(out[1]), slice, 0)
				near(t, values(out[2]), updated, 0)
			}, x, u, tensor(start[:1]), tensor([]int64{int64(start[1])}), tensor(start, 2))
		}
	}
}
