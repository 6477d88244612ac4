package cpu

import (
	"fmt"
	"slices"

	"github.com/gomlx/gomlx/backends"
	"github.com/gomlx/gomlx/pkg/core/dtypes"
	"github.com/gomlx/gomlx/pkg/core/shapes"
)

func init() { register(execGather, backends.OpTypeGather) }

// gatherAttr: each index vector, along axis indexVectorAxis of the indices, places a slice of
// sizes in the operand; its component c is the start along operand axis startIndexMap[c]. The
// operand's axes that are not collapsed become the offset axes of the result, in order, and
// the other axes of the indices become its other axes.
type gatherAttr struct {
	indexVectorAxis          int
	offsetAxes, collapsed    []int // increasing
	startIndexMap, sliceSize []int
}

// Gather collects slices of the operand. A start that would put its slice beyond the operand
// is moved back inside.
func (bd *Builder) Gather(operand, startIndices backends.Op, indexVectorAxis int,
	offsetOutputAxes, collapsedSliceAxes, startIndexMap, sliceSizes []int, _ bool) (backends.Op, error) {
	in, err := bd.check("Gather", operand, startIndices)
	if err != nil {
		return nil, err
	}
	attr := &gatherAttr{indexVectorAxis, slices.Sorted(slices.Values(offsetOutputAxes)),
		slices.Sorted(slices.Values(collapsedSliceAxes)), slices.Clone(startIndexMap), slices.Clone(sliceSizes)}
	x, idx := in[0].shape, in[1].shape
	batch, err := indexBatch("Gather", idx, indexVectorAxis, len(startIndexMap))
	if err != nil {
		return nil, err
	}
	if err := checkAxes("Gather: start index map", startIndexMap, x.Rank()); err != nil {
		return nil, err
	}
	if err := checkAxes("Gather: collapsed axes", attr.collapsed, x.Rank()); err != nil {
		return nil, err
	}
	rank := len(batch) + len(attr.offsetAxes)
	if err := checkAxes("Gather: offset axes", attr.offsetAxes, rank); err != nil {
		return nil, err
	}
	if len(sliceSizes) != x.Rank() || len(attr.offsetAxes)+len(attr.collapsed) != x.Rank() {
		return nil, fmt.Errorf("cpu: Gather from %s: %d slice sizes, %d offset axes and %d collapsed axes do not fit its rank",
			x, len(sliceSizes), len(attr.offsetAxes), len(attr.collapsed))
	}
	var window []int
	for a, n := range sliceSizes {
		if n < 0 || n > x.Dimensions[a] {
			return nil, fmt.Errorf("cpu: Gather from %s: slice size %d at axis %d does not fit", x, n, a)
		}
		if !slices.Contains(attr.collapsed, a) {
			window = append(window, n)
		} else if n != 1 {
			return nil, fmt.Errorf("cpu: Gather from %s: collapsed axis %d has slice size %d, want 1", x, a, n)
		}
	}
	dims := make([]int, rank)
	for a := range dims {
		if slices.Contains(attr.offsetAxes, a) {
			dims[a], window = window[0], window[1:]
		} else {
			dims[a], batch = batch[0], batch[1:]
		}
	}
	return bd.add(backends.OpTypeGather, shapes.Shape{DType: x.DType, Dimensions: dims}, attr, in...), nil
}

// indexBatch returns the dimensions of the indices without the axis of the index vectors, whose
// length must be n. An axis just beyond the rank stands for vectors of one component.
func indexBatch(what string, idx shapes.Shape, axis, n int) ([]int, error) {
	if kindOf(idx.DType)&kindInt == 0 {
		return nil, fmt.Errorf("cpu: %s: indices of %s are not supported", what, idx.DType)
	}
	if axis < 0 || axis > idx.Rank() {
		return nil, fmt.Errorf("cpu: %s: the axis %d of the index vectors is not within the indices %s", what, axis, idx)
	}
	dims := slices.Clone(idx.Dimensions)
	length := 1
	if axis < len(dims) {
		length = dims[axis]
		dims = slices.Delete(dims, axis, axis+1)
	}
	if length != n {
		return nil, fmt.Errorf("cpu: %s: index vectors of %d components for %d axes", what, length, n)
	}
	return dims, nil
}

// indices reads index vectors: start(i) returns the i-th one in row-major order of the indices'
// other axes.
type indices struct {
	flat    []int
	batch   []int
	strides [][]int
	step    int // between the components of a vector
}

func newIndices(idx *Buffer, axis int) *indices {
	ix := &indices{flat: intsOf(idx), batch: slices.Clone(idx.shape.Dimensions)}
	st := stridesOf(ix.batch)
	if axis < len(st) {
		ix.step = st[axis]
		st = slices.Delete(st, axis, axis+1)
		ix.batch = slices.Delete(ix.batch, axis, axis+1)
	}
	ix.strides = [][]int{st}
	return ix
}

// start adds the i-th index vector to at, along the mapped axes.
func (ix *indices) start(i int, axes, at []int) {
	var base [1]int
	offsets(i, ix.batch, ix.strides, base[:])
	for c, a := range axes {
		at[a] += ix.flat[base[0]+c*ix.step]
	}
}

// intsOf converts whole numbers to int. Those beyond its range become its limits.
func intsOf(x *Buffer) []int {
	out := make([]int, x.shape.Size())
	switch flat := x.flat.(type) {
	case []int8:
		toInts(out, flat)
	case []int16:
		toInts(out, flat)
	case []int32:
		toInts(out, flat)
	case []int64:
		toInts(out, flat)
	case []uint8:
		toInts(out, flat)
	case []uint16:
		toInts(out, flat)
	case []uint32:
		toInts(out, flat)
	case []uint64:
		toInts(out, flat)
	}
	return out
}

func toInts[T integer](out []int, x []T) {
	const maxInt = int(^uint(0) >> 1)
	for i, v := range x {
		out[i] = int(v)
		switch {
		case v > 0 && (out[i] < 0 || T(out[i]) != v):
			out[i] = maxInt
		case v < 0 && T(out[i]) != v:
			out[i] = -maxInt - 1
		}
	}
}

func execGather(b *Backend, n *node, in, out []*Buffer) error {
	if out[0].shape.Size() == 0 {
		return nil
	}
	switch out[0].shape.DType.Size() {
	case 1:
		gather[uint8](b, n, in, out[0])
	case 2:
		gather[uint16](b, n, in, out[0])
	case 4:
		gather[uint32](b, n, in, out[0])
	case 8:
		gather[uint64](b, n, in, out[0])
	case 16:
		gather[u128](b, n, in, out[0])
	default:
		return errDType(n, dtypes.InvalidDType)
	}
	return nil
}

func gather[W word](b *Backend, n *node, in []*Buffer, out *Buffer) {
	attr := n.attr.(*gatherAttr)
	x, o := words[W](in[0]), words[W](out)
	ix := newIndices(in[1], attr.indexVectorAxis)
	xDims := in[0].shape.Dimensions
	xStrides, oStrides := stridesOf(xDims), stridesOf(out.shape.Dimensions)
	var window, from, to, batchStrides []int
	for a := range xDims {
		if !slices.Contains(attr.collapsed, a) {
			window = append(window, attr.sliceSize[a])
			from = append(from, xStrides[a])
		}
	}
	for a, s := range oStrides {
		if slices.Contains(attr.offsetAxes, a) {
			to = append(to, s)
		} else {
			batchStrides = append(batchStrides, s)
		}
	}
	window, st := mergeAxes(window, [][]int{to, from})
	last := len(window) - 1
	rows, rowStrides := window[:last], [][]int{st[0][:last], st[1][:last]}
	nRows := product(rows)
	b.parallel(product(ix.batch), nRows*window[last]+len(xDims), func(lo, hi int) {
		start := make([]int, len(xDims))
		var at [2]int
		var base [1]int
		for i := lo; i < hi; i++ {
			clear(start)
			ix.start(i, attr.startIndexMap, start)
			src := 0
			for a, s := range start {
				src += min(max(s, 0), xDims[a]-attr.sliceSize[a]) * xStrides[a]
			}
			offsets(i, ix.batch, [][]int{batchStrides}, base[:])
			for r := range nRows {
				offsets(r, rows, rowStrides, at[:])
				copyRow(o, base[0]+at[0], st[0][last], x, src+at[1], st[1][last], window[last])
			}
		}
	})
}
