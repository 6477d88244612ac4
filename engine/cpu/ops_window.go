package cpu

import (
	"fmt"
	"math"
	"slices"

	"github.com/gomlx/gomlx/backends"
	"github.com/gomlx/gomlx/backends/shapeinference"
	"github.com/gomlx/gomlx/pkg/core/dtypes"
	"github.com/gomlx/gomlx/pkg/core/shapes"
)

func init() {
	register(widenHalf(execReduceWindow), backends.OpTypeReduceWindow)
	register(widenHalf(execSelectAndScatter), backends.OpTypeSelectAndScatterMax, backends.OpTypeSelectAndScatterMin)
}

// windowReductions maps the kinds of reduction to the operation on whole axes.
var windowReductions = map[backends.ReduceOpType]backends.OpType{
	backends.ReduceOpSum:     backends.OpTypeReduceSum,
	backends.ReduceOpProduct: backends.OpTypeReduceProduct,
	backends.ReduceOpMax:     backends.OpTypeReduceMax,
	backends.ReduceOpMin:     backends.OpTypeReduceMin,
}

// newWindow fills in what is missing: strides are the window's sizes, dilations 1, paddings 0.
func newWindow(op string, rank int, sizes, strides []int, paddings [][2]int, baseDilations, dilations []int) (*windowAttr, error) {
	w := &windowAttr{
		sizes:         atLeastOne(sizes, rank),
		paddings:      slices.Clone(paddings),
		baseDilations: atLeastOne(baseDilations, rank),
		dilations:     atLeastOne(dilations, rank),
	}
	if len(strides) == 0 {
		strides = w.sizes
	}
	w.strides = atLeastOne(strides, rank)
	if len(w.paddings) == 0 {
		w.paddings = make([][2]int, rank)
	}
	if len(w.sizes) != rank || len(w.strides) != rank || len(w.paddings) != rank ||
		len(w.baseDilations) != rank || len(w.dilations) != rank {
		return nil, fmt.Errorf("cpu: %s: the window %v with strides %v, paddings %v and dilations %v, %v does not fit rank %d",
			op, sizes, strides, paddings, baseDilations, dilations, rank)
	}
	return w, nil
}

// ReduceWindow reduces under a window that slides over x.
func (bd *Builder) ReduceWindow(x backends.Op, kind backends.ReduceOpType,
	sizes, strides, baseDilations, windowDilations []int, paddings [][2]int) (backends.Op, error) {
	in, err := bd.check("ReduceWindow", x)
	if err != nil {
		return nil, err
	}
	s := in[0].shape
	op, ok := windowReductions[kind]
	if !ok || kindOf(s.DType)&reduceKinds[op] == 0 {
		return nil, fmt.Errorf("cpu: ReduceWindow with %s of %s is not supported", kind, s.DType)
	}
	w, err := newWindow("ReduceWindow", s.Rank(), sizes, strides, paddings, baseDilations, windowDilations)
	if err != nil {
		return nil, err
	}
	w.kind = kind
	out, err := shapeinference.ReduceWindowOp(s, w.sizes, w.strides, w.baseDilations, w.dilations, w.paddings)
	if err != nil {
		return nil, fmt.Errorf("cpu: %w", err)
	}
	return bd.add(backends.OpTypeReduceWindow, out, w, in...), nil
}

func execReduceWindow(b *Backend, n *node, in, out []*Buffer) error {
	w := n.attr.(*windowAttr)
	op := windowReductions[w.kind]
	x, o := in[0], out[0]
	switch x.shape.DType {
	case dtypes.Float32:
		return windowFloat[float32](b, n, op, x, o)
	case dtypes.Float64:
		return windowFloat[float64](b, n, op, x, o)
	case dtypes.Complex64:
		return foldWindow(b, n, x, o, foldNumber[complex64, complex128](op, widenComplex, narrowComplex))
	case dtypes.Complex128:
		return foldWindow(b, n, x, o, foldNumber[complex128, complex128](op, same, same))
	case dtypes.Int8:
		return foldWindow(b, n, x, o, intFolder[int8](op, math.MinInt8, math.MaxInt8))
	case dtypes.Int16:
		return foldWindow(b, n, x, o, intFolder[int16](op, math.MinInt16, math.MaxInt16))
	case dtypes.Int32:
		return foldWindow(b, n, x, o, intFolder[int32](op, math.MinInt32, math.MaxInt32))
	case dtypes.Int64:
		return foldWindow(b, n, x, o, intFolder[int64](op, math.MinInt64, math.MaxInt64))
	case dtypes.Uint8:
		return foldWindow(b, n, x, o, intFolder[uint8](op, 0, math.MaxUint8))
	case dtypes.Uint16:
		return foldWindow(b, n, x, o, intFolder[uint16](op, 0, math.MaxUint16))
	case dtypes.Uint32:
		return foldWindow(b, n, x, o, intFolder[uint32](op, 0, math.MaxUint32))
	case dtypes.Uint64:
		return foldWindow(b, n, x, o, intFolder[uint64](op, 0, math.MaxUint64))
	}
	return errDType(n, x.shape.DType)
}

func windowFloat[T float](b *Backend, n *node, op backends.OpType, x, out *Buffer) error {
	if f := extremeFolder[T](op); f != nil {
		return foldWindow(b, n, x, out, f)
	}
	return foldWindow(b, n, x, out, foldNumber(op, convert[float64, T], convert[T, float64]))
}

// foldWindow folds lanes of elements: the trailing axes along which the window does nothing.
func foldWindow[T, A any](b *Backend, n *node, x, out *Buffer, f *folder[T, A]) error {
	if f == nil {
		return errDType(n, x.shape.DType)
	}
	w := n.attr.(*windowAttr)
	xs, o := flatOf[T](x), flatOf[T](out)
	rank := len(w.sizes)
	for rank > 0 && w.trivial(rank-1) {
		rank--
	}
	w = w.leading(rank)
	lanes := product(x.shape.Dimensions[rank:])
	inDims, outDims := x.shape.Dimensions[:rank], out.shape.Dimensions[:rank]
	where := w.positions(inDims, outDims, lanes)
	taps := product(w.sizes)
	b.parallel(product(outDims), taps*lanes, func(lo, hi int) {
		at, tap := make([]int, rank), make([]int, rank)
		acc := make([]A, lanes)
		for p := lo; p < hi; p++ {
			unravel(p, outDims, at)
			for j := range acc {
				acc[j] = f.start
			}
			for t := range taps {
				unravel(t, w.sizes, tap)
				if off := w.element(where, at, tap); off >= 0 {
					f.lanes(acc, xs[off:off+lanes])
				}
			}
			row := o[p*lanes : (p+1)*lanes]
			for j, a := range acc {
				row[j] = f.done(a)
			}
		}
	})
	return nil
}

// element is the offset of the element under a position of the window, or -1.
func (w *windowAttr) element(where [][]int, at, tap []int) int {
	off := 0
	for a, o := range at {
		i := where[a][o*w.sizes[a]+tap[a]]
		if i < 0 {
			return -1
		}
		off += i
	}
	return off
}

// SelectAndScatterMax adds each element of source to the place of the largest element of
// operand under its window; the first one wins a tie.
func (bd *Builder) SelectAndScatterMax(operand, source backends.Op, sizes, strides []int, paddings [][2]int) (backends.Op, error) {
	return bd.selectAndScatter(backends.OpTypeSelectAndScatterMax, operand, source, sizes, strides, paddings)
}

// SelectAndScatterMin is SelectAndScatterMax for the smallest element.
func (bd *Builder) SelectAndScatterMin(operand, source backends.Op, sizes, strides []int, paddings [][2]int) (backends.Op, error) {
	return bd.selectAndScatter(backends.OpTypeSelectAndScatterMin, operand, source, sizes, strides, paddings)
}

func (bd *Builder) selectAndScatter(op backends.OpType, operand, source backends.Op, sizes, strides []int, paddings [][2]int) (backends.Op, error) {
	in, err := bd.check(op.String(), operand, source)
	if err != nil {
		return nil, err
	}
	x, s := in[0].shape, in[1].shape
	if x.DType != s.DType || kindOf(x.DType)&kindOrdered == 0 {
		return nil, fmt.Errorf("cpu: %s(%s, %s): want one data type of ordered numbers", op, x, s)
	}
	w, err := newWindow(op.String(), x.Rank(), sizes, strides, paddings, nil, nil)
	if err != nil {
		return nil, err
	}
	want, err := shapeinference.ReduceWindowOp(x, w.sizes, w.strides, nil, nil, w.paddings)
	if err != nil {
		return nil, fmt.Errorf("cpu: %w", err)
	}
	if !want.Equal(s) {
		return nil, fmt.Errorf("cpu: %s: the source has shape %s, but the windows %s", op, s, want)
	}
	return bd.add(op, shapes.Shape{DType: x.DType, Dimensions: x.Dimensions}, w, in...), nil
}

func execSelectAndScatter(b *Backend, n *node, in, out []*Buffer) error {
	switch in[0].shape.DType {
	case dtypes.Float32:
		selectAndScatter[float32](n, in, out[0])
	case dtypes.Float64:
		selectAndScatter[float64](n, in, out[0])
	case dtypes.Int8:
		selectAndScatter[int8](n, in, out[0])
	case dtypes.Int16:
		selectAndScatter[int16](n, in, out[0])
	case dtypes.Int32:
		selectAndScatter[int32](n, in, out[0])
	case dtypes.Int64:
		selectAndScatter[int64](n, in, out[0])
	case dtypes.Uint8:
		selectAndScatter[uint8](n, in, out[0])
	case dtypes.Uint16:
		selectAndScatter[uint16](n, in, out[0])
	case dtypes.Uint32:
		selectAndScatter[uint32](n, in, out[0])
	case dtypes.Uint64:
		selectAndScatter[uint64](n, in, out[0])
	default:
		return errDType(n, in[0].shape.DType)
	}
	return nil
}

// selectAndScatter runs in one goroutine: windows may overlap.
func selectAndScatter[T ordered](n *node, in []*Buffer, out *Buffer) {
	w := n.attr.(*windowAttr)
	xs, src, o := flatOf[T](in[0]), flatOf[T](in[1]), flatOf[T](out)
	clear(o)
	smallest := n.op == backends.OpTypeSelectAndScatterMin
	dims := in[1].shape.Dimensions
	where := w.positions(in[0].shape.Dimensions, dims, 1)
	at, tap := make([]int, len(dims)), make([]int, len(dims))
	taps := product(w.sizes)
	for p, v := range src {
		unravel(p, dims, at)
		best := -1
		for t := range taps {
			unravel(t, w.sizes, tap)
			i := w.element(where, at, tap)
			if i < 0 {
				continue
			}
			keep := best >= 0 && (xs[best] >= xs[i] && !smallest || xs[best] <= xs[i] && smallest)
			if !keep {
				best = i
			}
		}
		if best >= 0 {
			o[best] += v
		}
	}
}
