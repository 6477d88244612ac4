package cpu

import (
	"fmt"
	"math"
	"slices"

	"github.com/gomlx/gomlx/backends"
	"github.com/gomlx/gomlx/pkg/core/dtypes"
	"github.com/gomlx/gomlx/pkg/core/shapes"
)

// reduceAttr: the axes that go away, in increasing order.
type reduceAttr struct{ axes []int }

// reduceKinds lists the reductions with the data types they are defined for.
var reduceKinds = map[backends.OpType]kind{
	backends.OpTypeReduceBitwiseAnd: kindInt,
	backends.OpTypeReduceBitwiseOr:  kindInt,
	backends.OpTypeReduceBitwiseXor: kindInt,
	backends.OpTypeReduceLogicalAnd: kindBool,
	backends.OpTypeReduceLogicalOr:  kindBool,
	backends.OpTypeReduceLogicalXor: kindBool,
	backends.OpTypeReduceMax:        kindOrdered,
	backends.OpTypeReduceMin:        kindOrdered,
	backends.OpTypeReduceProduct:    kindNumber,
	backends.OpTypeReduceSum:        kindNumber,
}

func init() {
	for op := range reduceKinds {
		register(widenHalf(execReduce), op)
	}
}

func (bd *Builder) reduce(op backends.OpType, x backends.Op, axes []int) (backends.Op, error) {
	in, err := bd.check(op.String(), x)
	if err != nil {
		return nil, err
	}
	s := in[0].shape
	if kindOf(s.DType)&reduceKinds[op] == 0 {
		return nil, fmt.Errorf("cpu: %s of %s is not supported", op, s.DType)
	}
	if err := checkAxes(op.String(), axes, s.Rank()); err != nil {
		return nil, err
	}
	attr := &reduceAttr{axes: slices.Clone(axes)}
	if len(axes) == 0 { // all of them
		for a := range s.Rank() {
			attr.axes = append(attr.axes, a)
		}
	}
	slices.Sort(attr.axes)
	var dims []int
	for a, d := range s.Dimensions {
		if !slices.Contains(attr.axes, a) {
			dims = append(dims, d)
		}
	}
	return bd.add(op, shapes.Shape{DType: s.DType, Dimensions: dims}, attr, in...), nil
}

// ReduceBitwiseAnd combines the bits along the axes, or along all of them if none is given.
func (bd *Builder) ReduceBitwiseAnd(x backends.Op, axes ...int) (backends.Op, error) {
	return bd.reduce(backends.OpTypeReduceBitwiseAnd, x, axes)
}

// ReduceBitwiseOr combines the bits along the axes, or along all of them if none is given.
func (bd *Builder) ReduceBitwiseOr(x backends.Op, axes ...int) (backends.Op, error) {
	return bd.reduce(backends.OpTypeReduceBitwiseOr, x, axes)
}

// ReduceBitwiseXor combines the bits along the axes, or along all of them if none is given.
func (bd *Builder) ReduceBitwiseXor(x backends.Op, axes ...int) (backends.Op, error) {
	return bd.reduce(backends.OpTypeReduceBitwiseXor, x, axes)
}

// ReduceLogicalAnd combines booleans along the axes, or along all of them if none is given.
func (bd *Builder) ReduceLogicalAnd(x backends.Op, axes ...int) (backends.Op, error) {
	return bd.reduce(backends.OpTypeReduceLogicalAnd, x, axes)
}

// ReduceLogicalOr combines booleans along the axes, or along all of them if none is given.
func (bd *Builder) ReduceLogicalOr(x backends.Op, axes ...int) (backends.Op, error) {
	return bd.reduce(backends.OpTypeReduceLogicalOr, x, axes)
}

// ReduceLogicalXor combines booleans along the axes, or along all of them if none is given.
func (bd *Builder) ReduceLogicalXor(x backends.Op, axes ...int) (backends.Op, error) {
	return bd.reduce(backends.OpTypeReduceLogicalXor, x, axes)
}

// ReduceMax takes the maximum along the axes, or along all of them if none is given; NaN if there is one.
func (bd *Builder) ReduceMax(x backends.Op, axes ...int) (backends.Op, error) {
	return bd.reduce(backends.OpTypeReduceMax, x, axes)
}

// ReduceMin takes the minimum along the axes, or along all of them if none is given; NaN if there is one.
func (bd *Builder) ReduceMin(x backends.Op, axes ...int) (backends.Op, error) {
	return bd.reduce(backends.OpTypeReduceMin, x, axes)
}

// ReduceProduct multiplies along the axes, or along all of them if none is given.
func (bd *Builder) ReduceProduct(x backends.Op, axes ...int) (backends.Op, error) {
	return bd.reduce(backends.OpTypeReduceProduct, x, axes)
}

// ReduceSum sums along the axes, or along all of them if none is given; float32 in float64.
func (bd *Builder) ReduceSum(x backends.Op, axes ...int) (backends.Op, error) {
	return bd.reduce(backends.OpTypeReduceSum, x, axes)
}

func execReduce(b *Backend, n *node, in, out []*Buffer) error {
	switch in[0].shape.DType {
	case dtypes.Bool:
		return fold(b, n, in[0], out[0], foldBool(n.op))
	case dtypes.Float32:
		// Sums and products are accumulated in float64.
		return foldFloat[float32](b, n, in[0], out[0])
	case dtypes.Float64:
		return foldFloat[float64](b, n, in[0], out[0])
	case dtypes.Complex64:
		return fold(b, n, in[0], out[0], foldNumber[complex64, complex128](n.op, widenComplex, narrowComplex))
	case dtypes.Complex128:
		return fold(b, n, in[0], out[0], foldNumber[complex128, complex128](n.op, same, same))
	case dtypes.Int8:
		return fold(b, n, in[0], out[0], intFolder[int8](n.op, math.MinInt8, math.MaxInt8))
	case dtypes.Int16:
		return fold(b, n, in[0], out[0], intFolder[int16](n.op, math.MinInt16, math.MaxInt16))
	case dtypes.Int32:
		return fold(b, n, in[0], out[0], intFolder[int32](n.op, math.MinInt32, math.MaxInt32))
	case dtypes.Int64:
		return fold(b, n, in[0], out[0], intFolder[int64](n.op, math.MinInt64, math.MaxInt64))
	case dtypes.Uint8:
		return fold(b, n, in[0], out[0], intFolder[uint8](n.op, 0, math.MaxUint8))
	case dtypes.Uint16:
		return fold(b, n, in[0], out[0], intFolder[uint16](n.op, 0, math.MaxUint16))
	case dtypes.Uint32:
		return fold(b, n, in[0], out[0], intFolder[uint32](n.op, 0, math.MaxUint32))
	case dtypes.Uint64:
		return fold(b, n, in[0], out[0], intFolder[uint64](n.op, 0, math.MaxUint64))
	}
	return errDType(n, in[0].shape.DType)
}

func same[T any](x T) T                    { return x }
func widenComplex(x complex64) complex128  { return complex128(x) }
func narrowComplex(x complex128) complex64 { return complex64(x) }
func convert[D, S float](x S) D            { return D(x) }

func foldFloat[T float](b *Backend, n *node, x, out *Buffer) error {
	if f := extremeFolder[T](n.op); f != nil {
		return fold(b, n, x, out, f)
	}
	return fold(b, n, x, out, foldNumber(n.op, convert[float64, T], convert[T, float64]))
}

// extremeFolder takes the maximum or the minimum, NaN if there is one. It is nil for other
// operations.
func extremeFolder[T float](op backends.OpType) *folder[T, T] {
	switch op {
	case backends.OpTypeReduceMax:
		return folding(T(math.Inf(-1)), maxOf[T], same[T])
	case backends.OpTypeReduceMin:
		return folding(T(math.Inf(1)), minOf[T], same[T])
	}
	return nil
}

// foldNumber sums or multiplies in the type A.
func foldNumber[T, A number](op backends.OpType, widen func(T) A, narrow func(A) T) *folder[T, A] {
	switch op {
	case backends.OpTypeReduceSum:
		return folding(A(0), func(a A, x T) A { return a + widen(x) }, narrow)
	case backends.OpTypeReduceProduct:
		return folding(A(1), func(a A, x T) A { return a * widen(x) }, narrow)
	}
	return nil
}

// intFolder reduces whole numbers within [lo, hi], the range of T.
func intFolder[T integer](op backends.OpType, lo, hi T) *folder[T, T] {
	switch op {
	case backends.OpTypeReduceBitwiseAnd:
		return folding(^T(0), func(a, x T) T { return a & x }, same[T])
	case backends.OpTypeReduceBitwiseOr:
		return folding(0, func(a, x T) T { return a | x }, same[T])
	case backends.OpTypeReduceBitwiseXor:
		return folding(0, func(a, x T) T { return a ^ x }, same[T])
	case backends.OpTypeReduceMax:
		return folding(lo, maxOf[T], same[T])
	case backends.OpTypeReduceMin:
		return folding(hi, minOf[T], same[T])
	}
	return foldNumber(op, same[T], same[T])
}

func foldBool(op backends.OpType) *folder[bool, bool] {
	switch op {
	case backends.OpTypeReduceLogicalAnd:
		return folding(true, func(a, x bool) bool { return a && x }, same[bool])
	case backends.OpTypeReduceLogicalOr:
		return folding(false, func(a, x bool) bool { return a || x }, same[bool])
	case backends.OpTypeReduceLogicalXor:
		return folding(false, func(a, x bool) bool { return a != x }, same[bool])
	}
	return nil
}

// folder reduces elements T to one, with accumulators of type A.
type folder[T, A any] struct {
	start A
	run   func(a A, x []T) A // folds a run of elements into one accumulator
	lanes func(a []A, x []T) // folds one element into each accumulator
	done  func(a A) T
}

func folding[T, A any](start A, step func(A, T) A, done func(A) T) *folder[T, A] {
	return &folder[T, A]{
		start: start,
		run: func(a A, x []T) A {
			for _, v := range x {
				a = step(a, v)
			}
			return a
		},
		lanes: func(a []A, x []T) {
			for i, v := range x {
				a[i] = step(a[i], v)
			}
		},
		done: done,
	}
}

// fold reduces over the node's axes, in their order.
func fold[T, A any](b *Backend, n *node, x, out *Buffer, f *folder[T, A]) error {
	if f == nil {
		return errDType(n, x.shape.DType)
	}
	xs, o := flatOf[T](x), flatOf[T](out)
	axes := n.attr.(*reduceAttr).axes
	var kept, gone []int
	var keptStrides, goneStrides []int
	st := stridesOf(x.shape.Dimensions)
	for a, d := range x.shape.Dimensions {
		if slices.Contains(axes, a) {
			gone, goneStrides = append(gone, d), append(goneStrides, st[a])
		} else {
			kept, keptStrides = append(kept, d), append(keptStrides, st[a])
		}
	}
	if product(gone) == 0 {
		for i := range o {
			o[i] = f.done(f.start)
		}
		return nil
	}
	if len(o) == 0 {
		return nil
	}
	kept, ks := mergeAxes(kept, [][]int{keptStrides})
	gone, gs := mergeAxes(gone, [][]int{goneStrides})
	if last := len(gone) - 1; gs[0][last] == 1 || ks[0][len(kept)-1] != 1 {
		foldRuns(b, f, o, xs, kept, ks, gone, gs)
	} else {
		foldLanes(b, f, o, xs, kept, ks, gone, gs)
	}
	return nil
}

// foldRuns is for elements that are contiguous along the last reduced axis.
func foldRuns[T, A any](b *Backend, f *folder[T, A], o, x []T, kept []int, ks [][]int, gone []int, gs [][]int) {
	last := len(gone) - 1
	run := gone[last]
	outer, outerStrides := gone[:last], [][]int{gs[0][:last]}
	runs := product(outer)
	b.parallel(len(o), runs*run, func(lo, hi int) {
		var base, at [1]int
		for i := lo; i < hi; i++ {
			offsets(i, kept, ks, base[:])
			a := f.start
			for r := range runs {
				offsets(r, outer, outerStrides, at[:])
				p := base[0] + at[0]
				a = f.run(a, x[p:p+run])
			}
			o[i] = f.done(a)
		}
	})
}

// foldLanes is for elements that are contiguous along the last kept axis.
func foldLanes[T, A any](b *Backend, f *folder[T, A], o, x []T, kept []int, ks [][]int, gone []int, gs [][]int) {
	const width = 256
	last := len(kept) - 1
	n := kept[last]
	outer, outerStrides := kept[:last], [][]int{ks[0][:last]}
	runs := product(gone)
	blocks := (n + width - 1) / width
	b.parallel(product(outer)*blocks, runs*min(n, width), func(lo, hi int) {
		var base, at [1]int
		var acc [width]A
		for i := lo; i < hi; i++ {
			offsets(i/blocks, outer, outerStrides, base[:])
			first := i % blocks * width
			w := min(width, n-first)
			for j := range w {
				acc[j] = f.start
			}
			for r := range runs {
				offsets(r, gone, gs, at[:])
				p := base[0] + at[0] + first
				f.lanes(acc[:w], x[p:p+w])
			}
			row := o[i/blocks*n+first:]
			for j := range w {
				row[j] = f.done(acc[j])
			}
		}
	})
}
