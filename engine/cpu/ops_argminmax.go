package cpu

import (
	"fmt"

	"github.com/gomlx/gomlx/backends"
	"github.com/gomlx/gomlx/backends/shapeinference"
	"github.com/gomlx/gomlx/pkg/core/dtypes"
)

func init() { register(widenHalf(execArgMinMax), backends.OpTypeArgMinMax) }

type argMinMaxAttr struct {
	axis int
	min  bool
}

// ArgMinMax returns the index of the smallest or largest element along an axis: of the first
// one if there are several, and of the first NaN if there is one.
func (bd *Builder) ArgMinMax(x backends.Op, axis int, t dtypes.DType, isMin bool) (backends.Op, error) {
	in, err := bd.check("ArgMinMax", x)
	if err != nil {
		return nil, err
	}
	s, err := shapeinference.ArgMinMaxOp(in[0].shape, axis, t)
	if err != nil {
		return nil, fmt.Errorf("cpu: %w", err)
	}
	if in[0].shape.Dimensions[axis] == 0 {
		return nil, fmt.Errorf("cpu: ArgMinMax of %s: axis %d has no elements", in[0].shape, axis)
	}
	return bd.add(backends.OpTypeArgMinMax, s, &argMinMaxAttr{axis, isMin}, in...), nil
}

func execArgMinMax(b *Backend, n *node, in, out []*Buffer) error {
	var index []int64
	switch in[0].shape.DType {
	case dtypes.Float32:
		index = argMinMax[float32](b, n, in[0])
	case dtypes.Float64:
		index = argMinMax[float64](b, n, in[0])
	case dtypes.Int8:
		index = argMinMax[int8](b, n, in[0])
	case dtypes.Int16:
		index = argMinMax[int16](b, n, in[0])
	case dtypes.Int32:
		index = argMinMax[int32](b, n, in[0])
	case dtypes.Int64:
		index = argMinMax[int64](b, n, in[0])
	case dtypes.Uint8:
		index = argMinMax[uint8](b, n, in[0])
	case dtypes.Uint16:
		index = argMinMax[uint16](b, n, in[0])
	case dtypes.Uint32:
		index = argMinMax[uint32](b, n, in[0])
	case dtypes.Uint64:
		index = argMinMax[uint64](b, n, in[0])
	default:
		return errDType(n, in[0].shape.DType)
	}
	return convertInt(b, n, out[0], index)
}

func argMinMax[T ordered](b *Backend, n *node, x *Buffer) []int64 {
	attr := n.attr.(*argMinMaxAttr)
	xs := flatOf[T](x)
	dims := x.shape.Dimensions
	length := dims[attr.axis]
	step := product(dims[attr.axis+1:])
	index := make([]int64, len(xs)/length)
	b.parallel(len(index), length, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			from := i/step*length*step + i%step
			best := xs[from]
			at := 0
			for k := 1; k < length && best == best; k++ {
				v := xs[from+k*step]
				if v != v || attr.min && v < best || !attr.min && v > best {
					best, at = v, k
				}
			}
			index[i] = int64(at)
		}
	})
	return index
}
