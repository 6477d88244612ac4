package cpu

import (
	"fmt"
	"slices"

	"github.com/gomlx/gomlx/backends"
	"github.com/gomlx/gomlx/pkg/core/dtypes"
)

func init() {
	register(widenHalf(execScatter), backends.OpTypeScatterSum, backends.OpTypeScatterMax, backends.OpTypeScatterMin)
}

// scatterAttr: the updates' window axes, in order, lie along the operand's axes that are not
// inserted; each index vector says where the window goes, its component c along operand axis
// toOperand[c].
type scatterAttr struct {
	indexVectorAxis      int
	windowAxes, inserted []int // increasing
	toOperand            []int
}

// ScatterSum adds the updates to the operand. An update that is not wholly inside is skipped.
func (bd *Builder) ScatterSum(operand, scatterIndices, updates backends.Op, indexVectorAxis int,
	updateWindowAxes, insertedWindowAxes, scatterAxesToOperandAxes []int, _, _ bool) (backends.Op, error) {
	return bd.scatter(backends.OpTypeScatterSum, kindNumber, operand, scatterIndices, updates, indexVectorAxis,
		updateWindowAxes, insertedWindowAxes, scatterAxesToOperandAxes)
}

// ScatterMax is ScatterSum with the maximum in place of the sum.
func (bd *Builder) ScatterMax(operand, scatterIndices, updates backends.Op, indexVectorAxis int,
	updateWindowAxes, insertedWindowAxes, scatterAxesToOperandAxes []int, _, _ bool) (backends.Op, error) {
	return bd.scatter(backends.OpTypeScatterMax, kindOrdered, operand, scatterIndices, updates, indexVectorAxis,
		updateWindowAxes, insertedWindowAxes, scatterAxesToOperandAxes)
}

// ScatterMin is ScatterSum with the minimum in place of the sum.
func (bd *Builder) ScatterMin(operand, scatterIndices, updates backends.Op, indexVectorAxis int,
	updateWindowAxes, insertedWindowAxes, scatterAxesToOperandAxes []int, _, _ bool) (backends.Op, error) {
	return bd.scatter(backends.OpTypeScatterMin, kindOrdered, operand, scatterIndices, updates, indexVectorAxis,
		updateWindowAxes, insertedWindowAxes, scatterAxesToOperandAxes)
}

func (bd *Builder) scatter(op backends.OpType, kinds kind, operand, scatterIndices, updates backends.Op,
	indexVectorAxis int, windowAxes, inserted, toOperand []int) (backends.Op, error) {
	in, err := bd.check(op.String(), operand, scatterIndices, updates)
	if err != nil {
		return nil, err
	}
	attr := &scatterAttr{indexVectorAxis, slices.Sorted(slices.Values(windowAxes)),
		slices.Sorted(slices.Values(inserted)), slices.Clone(toOperand)}
	x, idx, u := in[0].shape, in[1].shape, in[2].shape
	if x.DType != u.DType || kindOf(x.DType)&kinds == 0 {
		return nil, fmt.Errorf("cpu: %s of %s into %s is not supported", op, u, x)
	}
	batch, err := indexBatch(op.String(), idx, indexVectorAxis, len(toOperand))
	if err != nil {
		return nil, err
	}
	if err := checkAxes(op.String(), toOperand, x.Rank()); err != nil {
		return nil, err
	}
	if err := checkAxes(op.String(), attr.inserted, x.Rank()); err != nil {
		return nil, err
	}
	if err := checkAxes(op.String(), attr.windowAxes, u.Rank()); err != nil {
		return nil, err
	}
	if len(attr.windowAxes)+len(attr.inserted) != x.Rank() || len(attr.windowAxes)+len(batch) != u.Rank() {
		return nil, fmt.Errorf("cpu: %s of %s into %s with indices %s: %d window axes and %d inserted axes do not fit",
			op, u, x, idx, len(attr.windowAxes), len(attr.inserted))
	}
	for i, a := range otherAxes(u.Rank(), attr.windowAxes) {
		if u.Dimensions[a] != batch[i] {
			return nil, fmt.Errorf("cpu: %s: updates %s do not match the indices %s", op, u, idx)
		}
	}
	for i, a := range otherAxes(x.Rank(), attr.inserted) {
		if u.Dimensions[attr.windowAxes[i]] > x.Dimensions[a] {
			return nil, fmt.Errorf("cpu: %s: updates %s are larger than the operand %s", op, u, x)
		}
	}
	return bd.add(op, x, attr, in...), nil
}

func execScatter(b *Backend, n *node, in, out []*Buffer) error {
	if err := execCopy(b, n, in, out); err != nil {
		return err
	}
	switch in[0].shape.DType {
	case dtypes.Float32:
		scatterOrdered[float32](n, in, out[0])
	case dtypes.Float64:
		scatterOrdered[float64](n, in, out[0])
	case dtypes.Complex64:
		scatter(n, in, out[0], sumOf[complex64])
	case dtypes.Complex128:
		scatter(n, in, out[0], sumOf[complex128])
	case dtypes.Int8:
		scatterOrdered[int8](n, in, out[0])
	case dtypes.Int16:
		scatterOrdered[int16](n, in, out[0])
	case dtypes.Int32:
		scatterOrdered[int32](n, in, out[0])
	case dtypes.Int64:
		scatterOrdered[int64](n, in, out[0])
	case dtypes.Uint8:
		scatterOrdered[uint8](n, in, out[0])
	case dtypes.Uint16:
		scatterOrdered[uint16](n, in, out[0])
	case dtypes.Uint32:
		scatterOrdered[uint32](n, in, out[0])
	case dtypes.Uint64:
		scatterOrdered[uint64](n, in, out[0])
	default:
		return errDType(n, in[0].shape.DType)
	}
	return nil
}

func sumOf[T number](x, y T) T { return x + y }

func scatterOrdered[T ordered](n *node, in []*Buffer, out *Buffer) {
	switch n.op {
	case backends.OpTypeScatterMax:
		scatter(n, in, out, maxOf[T])
	case backends.OpTypeScatterMin:
		scatter(n, in, out, minOf[T])
	default:
		scatter(n, in, out, sumOf[T])
	}
}

// scatter runs in one goroutine, in the order of the updates: they may meet.
func scatter[T any](n *node, in []*Buffer, out *Buffer, combine func(x, y T) T) {
	attr := n.attr.(*scatterAttr)
	o, u := flatOf[T](out), flatOf[T](in[2])
	if len(u) == 0 {
		return
	}
	ix := newIndices(in[1], attr.indexVectorAxis)
	dims, uDims := out.shape.Dimensions, in[2].shape.Dimensions
	strides, uStrides := stridesOf(dims), stridesOf(uDims)
	sizes := slices.Repeat([]int{1}, len(dims)) // of the window, per operand axis
	var window, to, from, batchStrides []int
	for i, a := range otherAxes(len(dims), attr.inserted) {
		w := attr.windowAxes[i]
		sizes[a] = uDims[w]
		window = append(window, uDims[w])
		to = append(to, strides[a])
		from = append(from, uStrides[w])
	}
	for _, a := range otherAxes(len(uDims), attr.windowAxes) {
		batchStrides = append(batchStrides, uStrides[a])
	}
	window, st := mergeAxes(window, [][]int{to, from})
	last := len(window) - 1
	rows, rowStrides := window[:last], [][]int{st[0][:last], st[1][:last]}
	start := make([]int, len(dims))
	var at [2]int
	var src [1]int
	for i := range product(ix.batch) {
		clear(start)
		ix.start(i, attr.toOperand, start)
		dst, inside := 0, true
		for a, s := range start {
			inside = inside && s >= 0 && s <= dims[a]-sizes[a]
			dst += s * strides[a]
		}
		if !inside {
			continue
		}
		offsets(i, ix.batch, [][]int{batchStrides}, src[:])
		for r := range product(rows) {
			offsets(r, rows, rowStrides, at[:])
			d, s := dst+at[0], src[0]+at[1]
			for range window[last] {
				o[d] = combine(o[d], u[s])
				d += st[0][last]
				s += st[1][last]
			}
		}
	}
}
