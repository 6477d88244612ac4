package cpu

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/gomlx/gomlx/backends"
)

// indexing is a random layout of index vectors and windows, for Gather and Scatter.
type indexing struct {
	operand    []int // dimensions
	batch      []int // of the indices, without their vectors
	vectorAxis int   // len(batch) means the last axis; with implicit, there is none
	implicit   bool
	indices    []int // dimensions, the vectors included
	axes       []int // operand axis of each component
	collapsed  []int
	sizes      []int // of the window, per operand axis
	windowAxes []int // where the window's axes lie in the result (or in the updates)
	result     []int // dimensions
}

func newIndexing(r *rand.Rand) indexing {
	x := indexing{operand: randomDims(r, 1+r.IntN(3), 5), batch: randomDims(r, r.IntN(3), 4)}
	rank := len(x.operand)
	x.axes = r.Perm(rank)[:1+r.IntN(rank)]
	x.implicit = len(x.axes) == 1 && r.IntN(2) == 0
	x.vectorAxis = r.IntN(len(x.batch) + 1)
	x.indices = slices.Clone(x.batch)
	if x.implicit {
		x.vectorAxis = len(x.batch)
	} else {
		x.indices = slices.Insert(x.indices, x.vectorAxis, len(x.axes))
	}
	var window []int
	for a, d := range x.operand {
		n := 1 + r.IntN(d)
		if r.IntN(2) == 0 {
			n = 1
			x.collapsed = append(x.collapsed, a)
		} else {
			window = append(window, n)
		}
		x.sizes = append(x.sizes, n)
	}
	all := len(x.batch) + len(window)
	x.windowAxes = slices.Sorted(slices.Values(r.Perm(all)[:len(window)]))
	b, w := 0, 0
	for a := range all {
		if slices.Contains(x.windowAxes, a) {
			x.result = append(x.result, window[w])
			w++
		} else {
			x.result = append(x.result, x.batch[b])
			b++
		}
	}
	return x
}

// place returns the start of the window and the index within it for an index of the result.
func (x indexing) place(indices []int, at []int) (start, within []int) {
	start, within = make([]int, len(x.operand)), make([]int, len(x.operand))
	var batch, window []int
	for a, i := range at {
		if slices.Contains(x.windowAxes, a) {
			window = append(window, i)
		} else {
			batch = append(batch, i)
		}
	}
	for c, a := range x.axes {
		p := slices.Clone(batch)
		if !x.implicit {
			p = slices.Insert(p, x.vectorAxis, c)
		}
		start[a] = indices[position(x.indices, p)]
	}
	w := 0
	for a := range within {
		if !slices.Contains(x.collapsed, a) {
			within[a] = window[w]
			w++
		}
	}
	return start, within
}

// randomIndices are partly out of range.
func (x indexing) randomIndices(r *rand.Rand) ([]int, arg) {
	ints := make([]int, product(x.indices))
	flat := make([]int32, len(ints))
	for i := range ints {
		ints[i] = r.IntN(8) - 2
		flat[i] = int32(ints[i])
	}
	return ints, arg{flat, x.indices}
}

func TestGather(t *testing.T) {
	r := newRand()
	for _, dtype := range supportedDTypes {
		for range 15 {
			l := newIndexing(r)
			x := fill(r, dtype, l.operand...)
			ints, idx := l.randomIndices(r)
			evaluate(t, func(bd *Builder, in []backends.Op) []backends.Op {
				return []backends.Op{op(bd.Gather(in[0], in[1], l.vectorAxis, l.windowAxes, l.collapsed, l.axes, l.sizes, false))}
			}, func(t *testing.T, out []*Buffer) {
				if !slices.Equal(out[0].shape.Dimensions, l.result) {
					t.Fatalf("dimensions %v, want %v", out[0].shape.Dimensions, l.result)
				}
				var want []complex128
				allIndices(l.result, func(at []int) {
					start, within := l.place(ints, at)
					for a := range start {
						start[a] = min(max(start[a], 0), l.operand[a]-l.sizes[a]) + within[a]
					}
					want = append(want, numbers(x.flat)[position(l.operand, start)])
				})
				near(t, values(out[0]), want, 0)
			}, x, idx)
			if t.Failed() {
				t.Fatalf("%s %+v", dtype, l)
			}
		}
	}
}

func TestScatter(t *testing.T) {
	type method func(bd *Builder, x, idx, u backends.Op, vectorAxis int, window, inserted, axes []int, sorted, unique bool) (backends.Op, error)
	cases := []struct {
		name    string
		method  method
		kinds   kind
		combine func(x, y complex128) complex128
	}{
		{"Sum", (*Builder).ScatterSum, kindNumber, func(x, y complex128) complex128 { return x + y }},
		{"Max", (*Builder).ScatterMax, kindOrdered, func(x, y complex128) complex128 { return complex(max(real(x), real(y)), 0) }},
		{"Min", (*Builder).ScatterMin, kindOrdered, func(x, y complex128) complex128 { return complex(min(real(x), real(y)), 0) }},
	}
	r := newRand()
	for _, c := range cases {
		for _, dtype := range supportedDTypes {
			if kindOf(dtype)&c.kinds == 0 {
				continue
			}
			for range 10 {
				l := newIndexing(r)
				x, u := fill(r, dtype, l.operand...), fill(r, dtype, l.result...)
				ints, idx := l.randomIndices(r)
				evaluate(t, func(bd *Builder, in []backends.Op) []backends.Op {
					return []backends.Op{op(c.method(bd, in[0], in[1], in[2], l.vectorAxis, l.windowAxes, l.collapsed, l.axes, false, false))}
				}, func(t *testing.T, out []*Buffer) {
					want := slices.Clone(numbers(x.flat))
					allIndices(l.result, func(at []int) {
						start, within := l.place(ints, at)
						for a := range start {
							if start[a] < 0 || start[a] > l.operand[a]-l.sizes[a] {
								return
							}
							start[a] += within[a]
						}
						p := position(l.operand, start)
						want[p] = c.combine(want[p], numbers(u.flat)[position(l.result, at)])
					})
					wrapAround(want, dtype)
					near(t, values(out[0]), want, 16*precision(dtype))
				}, x, idx, u)
				if t.Failed() {
					t.Fatalf("%s of %s %+v", c.name, dtype, l)
				}
			}
		}
	}
}

// TestIndexTypes gathers with indices of every type, one of which is beyond int.
func TestIndexTypes(t *testing.T) {
	x := tensor([]float32{10, 20, 30}, 3)
	for _, flat := range []any{[]int8{-1, 1}, []int16{-1, 1}, []int32{-1, 1}, []int64{-1 << 63, 1},
		[]uint8{0, 1}, []uint16{0, 1}, []uint32{0, 1}, []uint64{0, 1}} {
		evaluate(t, func(bd *Builder, in []backends.Op) []backends.Op {
			return []backends.Op{op(bd.Gather(in[0], in[1], 1, nil, []int{0}, []int{0}, []int{1}, false))}
		}, func(t *testing.T, out []*Buffer) {
			near(t, values(out[0]), []complex128{10, 20}, 0)
		}, x, arg{flat, []int{2}})
	}
	evaluate(t, func(bd *Builder, in []backends.Op) []backends.Op {
		return []backends.Op{op(bd.Gather(in[0], in[1], 1, nil, []int{0}, []int{0}, []int{1}, false))}
	}, func(t *testing.T, out []*Buffer) {
		near(t, values(out[0]), []complex128{30}, 0)
	}, x, tensor([]uint64{1<<64 - 1}, 1))
}
