package cpu

import (
	"fmt"

	"github.com/gomlx/gomlx/backends"
	"github.com/gomlx/gomlx/pkg/core/dtypes"
	"github.com/gomlx/gomlx/pkg/core/shapes"
)

func init() {
	register(execWhere, backends.OpTypeWhere)
	register(widenHalf(execClamp), backends.OpTypeClamp)
}

// Where takes elements from onTrue or onFalse. Operands are broadcast like those of Add.
func (bd *Builder) Where(condition, onTrue, onFalse backends.Op) (backends.Op, error) {
	in, err := bd.check("Where", condition, onTrue, onFalse)
	if err != nil {
		return nil, err
	}
	c, t, f := in[0].shape, in[1].shape, in[2].shape
	if c.DType != dtypes.Bool || t.DType != f.DType {
		return nil, fmt.Errorf("cpu: Where(%s, %s, %s): want a condition of Bool and two values of one data type", c, t, f)
	}
	dims, err := broadcastDims("Where", c, t, f)
	if err != nil {
		return nil, err
	}
	return bd.add(backends.OpTypeWhere, shapes.Shape{DType: t.DType, Dimensions: dims}, nil, in...), nil
}

func execWhere(b *Backend, n *node, in, out []*Buffer) error {
	if out[0].shape.Size() == 0 {
		return nil
	}
	switch out[0].shape.DType.Size() {
	case 1:
		where[uint8](b, in, out[0])
	case 2:
		where[uint16](b, in, out[0])
	case 4:
		where[uint32](b, in, out[0])
	case 8:
		where[uint64](b, in, out[0])
	case 16:
		where[u128](b, in, out[0])
	default:
		return errDType(n, out[0].shape.DType)
	}
	return nil
}

func where[W word](b *Backend, in []*Buffer, out *Buffer) {
	o, c, t, f := words[W](out), flatOf[bool](in[0]), words[W](in[1]), words[W](in[2])
	b.forRows(out.shape.Dimensions, in, func(lo, hi int, at, to []int) {
		row, cond := o[lo:hi], c[at[0]:to[0]]
		if len(cond) == 1 {
			from, k := f, 2
			if cond[0] {
				from, k = t, 1
			}
			spread(row, from[at[k]:to[k]])
			return
		}
		spread(row, f[at[2]:to[2]])
		ts := t[at[1]:to[1]]
		if len(ts) == 1 {
			for i, c := range cond {
				if c {
					row[i] = ts[0]
				}
			}
			return
		}
		for i, c := range cond {
			if c {
				row[i] = ts[i]
			}
		}
	})
}

// spread copies a row, or fills it with the one element of from.
func spread[W word](row, from []W) {
	if len(from) == len(row) {
		copy(row, from)
		return
	}
	for i := range row {
		row[i] = from[0]
	}
}

// Clamp computes min(max(x, lo), hi). The bounds are scalars or have the shape of x.
func (bd *Builder) Clamp(lo, x, hi backends.Op) (backends.Op, error) {
	in, err := bd.check("Clamp", lo, x, hi)
	if err != nil {
		return nil, err
	}
	l, s, h := in[0].shape, in[1].shape, in[2].shape
	if l.DType != s.DType || h.DType != s.DType || kindOf(s.DType)&kindOrdered == 0 {
		return nil, fmt.Errorf("cpu: Clamp(%s, %s, %s): want one data type of ordered numbers", l, s, h)
	}
	for _, bound := range []shapes.Shape{l, h} {
		if bound.Rank() != 0 && !bound.Equal(s) {
			return nil, fmt.Errorf("cpu: Clamp: a bound of shape %s is neither a scalar nor of the shape %s", bound, s)
		}
	}
	return bd.add(backends.OpTypeClamp, s, nil, in...), nil
}

func execClamp(b *Backend, n *node, in, out []*Buffer) error {
	switch in[1].shape.DType {
	case dtypes.Float32:
		clamp[float32](b, in, out[0])
	case dtypes.Float64:
		clamp[float64](b, in, out[0])
	case dtypes.Int8:
		clamp[int8](b, in, out[0])
	case dtypes.Int16:
		clamp[int16](b, in, out[0])
	case dtypes.Int32:
		clamp[int32](b, in, out[0])
	case dtypes.Int64:
		clamp[int64](b, in, out[0])
	case dtypes.Uint8:
		clamp[uint8](b, in, out[0])
	case dtypes.Uint16:
		clamp[uint16](b, in, out[0])
	case dtypes.Uint32:
		clamp[uint32](b, in, out[0])
	case dtypes.Uint64:
		clamp[uint64](b, in, out[0])
	default:
		return errDType(n, in[1].shape.DType)
	}
	return nil
}

func clamp[T ordered](b *Backend, in []*Buffer, out *Buffer) {
	o, l, x, h := flatOf[T](out), flatOf[T](in[0]), flatOf[T](in[1]), flatOf[T](in[2])
	b.forRows(out.shape.Dimensions, in, func(lo, hi int, at, to []int) {
		ls, hs := l[at[0]:to[0]], h[at[2]:to[2]]
		row := o[lo:hi]
		for i, v := range x[at[1]:to[1]] {
			row[i] = min(max(v, ls[min(i, len(ls)-1)]), hs[min(i, len(hs)-1)])
		}
	})
}
