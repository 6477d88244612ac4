package cpu

import (
	"math"

	"github.com/gomlx/gomlx/backends"
	"github.com/gomlx/gomlx/pkg/core/dtypes"
	"github.com/gomlx/gomlx/pkg/core/shapes"
)

// compareKinds lists the comparisons with the data types they are defined for.
var compareKinds = map[backends.OpType]kind{
	backends.OpTypeEqual:                    kindAny,
	backends.OpTypeEqualTotalOrder:          kindAny,
	backends.OpTypeGreaterOrEqual:           kindOrdered | kindBool,
	backends.OpTypeGreaterOrEqualTotalOrder: kindOrdered | kindBool,
	backends.OpTypeGreaterThan:              kindOrdered | kindBool,
	backends.OpTypeGreaterThanTotalOrder:    kindOrdered | kindBool,
	backends.OpTypeLessOrEqual:              kindOrdered | kindBool,
	backends.OpTypeLessOrEqualTotalOrder:    kindOrdered | kindBool,
	backends.OpTypeLessThan:                 kindOrdered | kindBool,
	backends.OpTypeLessThanTotalOrder:       kindOrdered | kindBool,
	backends.OpTypeNotEqual:                 kindAny,
	backends.OpTypeNotEqualTotalOrder:       kindAny,
}

// plainOrder maps the comparisons in total order to the usual ones, from which they differ for
// floats only.
var plainOrder = map[backends.OpType]backends.OpType{
	backends.OpTypeEqualTotalOrder:          backends.OpTypeEqual,
	backends.OpTypeGreaterOrEqualTotalOrder: backends.OpTypeGreaterOrEqual,
	backends.OpTypeGreaterThanTotalOrder:    backends.OpTypeGreaterThan,
	backends.OpTypeLessOrEqualTotalOrder:    backends.OpTypeLessOrEqual,
	backends.OpTypeLessThanTotalOrder:       backends.OpTypeLessThan,
	backends.OpTypeNotEqualTotalOrder:       backends.OpTypeNotEqual,
}

func init() {
	for op := range compareKinds {
		register(widenHalf(execCompare), op)
	}
}

func (bd *Builder) compare(op backends.OpType, x, y backends.Op) (backends.Op, error) {
	in, err := bd.check(op.String(), x, y)
	if err != nil {
		return nil, err
	}
	shape, err := binaryShape(op, in[0].shape, in[1].shape, compareKinds[op])
	if err != nil {
		return nil, err
	}
	return bd.add(op, shapes.Shape{DType: dtypes.Bool, Dimensions: shape.Dimensions}, nil, in...), nil
}

// Equal tells where x = y.
func (bd *Builder) Equal(x, y backends.Op) (backends.Op, error) {
	return bd.compare(backends.OpTypeEqual, x, y)
}

// EqualTotalOrder is Equal in the order -NaN < -Inf < -0 < +0 < +Inf < +NaN.
func (bd *Builder) EqualTotalOrder(x, y backends.Op) (backends.Op, error) {
	return bd.compare(backends.OpTypeEqualTotalOrder, x, y)
}

// GreaterOrEqual tells where x >= y.
func (bd *Builder) GreaterOrEqual(x, y backends.Op) (backends.Op, error) {
	return bd.compare(backends.OpTypeGreaterOrEqual, x, y)
}

// GreaterOrEqualTotalOrder is GreaterOrEqual in the order -NaN < -Inf < -0 < +0 < +Inf < +NaN.
func (bd *Builder) GreaterOrEqualTotalOrder(x, y backends.Op) (backends.Op, error) {
	return bd.compare(backends.OpTypeGreaterOrEqualTotalOrder, x, y)
}

// GreaterThan tells where x > y.
func (bd *Builder) GreaterThan(x, y backends.Op) (backends.Op, error) {
	return bd.compare(backends.OpTypeGreaterThan, x, y)
}

// GreaterThanTotalOrder is GreaterThan in the order -NaN < -Inf < -0 < +0 < +Inf < +NaN.
func (bd *Builder) GreaterThanTotalOrder(x, y backends.Op) (backends.Op, error) {
	return bd.compare(backends.OpTypeGreaterThanTotalOrder, x, y)
}

// LessOrEqual tells where x <= y.
func (bd *Builder) LessOrEqual(x, y backends.Op) (backends.Op, error) {
	return bd.compare(backends.OpTypeLessOrEqual, x, y)
}

// LessOrEqualTotalOrder is LessOrEqual in the order -NaN < -Inf < -0 < +0 < +Inf < +NaN.
func (bd *Builder) LessOrEqualTotalOrder(x, y backends.Op) (backends.Op, error) {
	return bd.compare(backends.OpTypeLessOrEqualTotalOrder, x, y)
}

// LessThan tells where x < y.
func (bd *Builder) LessThan(x, y backends.Op) (backends.Op, error) {
	return bd.compare(backends.OpTypeLessThan, x, y)
}

// LessThanTotalOrder is LessThan in the order -NaN < -Inf < -0 < +0 < +Inf < +NaN.
func (bd *Builder) LessThanTotalOrder(x, y backends.Op) (backends.Op, error) {
	return bd.compare(backends.OpTypeLessThanTotalOrder, x, y)
}

// NotEqual tells where x and y differ.
func (bd *Builder) NotEqual(x, y backends.Op) (backends.Op, error) {
	return bd.compare(backends.OpTypeNotEqual, x, y)
}

// NotEqualTotalOrder is NotEqual in the order -NaN < -Inf < -0 < +0 < +Inf < +NaN.
func (bd *Builder) NotEqualTotalOrder(x, y backends.Op) (backends.Op, error) {
	return bd.compare(backends.OpTypeNotEqualTotalOrder, x, y)
}

func execCompare(b *Backend, n *node, in, out []*Buffer) error {
	op := n.op
	plain, total := plainOrder[op]
	if total {
		op = plain
	}
	switch in[0].shape.DType {
	case dtypes.Bool:
		zipRows(b, out[0], in[0], in[1], keyed(op, func(x bool) uint8 {
			if x {
				return 1
			}
			return 0
		}))
	case dtypes.Float32:
		if total {
			zipRows(b, out[0], in[0], in[1], keyed(op, totalKey32))
		} else {
			zipRows(b, out[0], in[0], in[1], comparison[float32](op))
		}
	case dtypes.Float64:
		if total {
			zipRows(b, out[0], in[0], in[1], keyed(op, totalKey64))
		} else {
			zipRows(b, out[0], in[0], in[1], comparison[float64](op))
		}
	case dtypes.Complex64:
		zipRows(b, out[0], in[0], in[1], equality[complex64](op))
	case dtypes.Complex128:
		zipRows(b, out[0], in[0], in[1], equality[complex128](op))
	case dtypes.Int8:
		zipRows(b, out[0], in[0], in[1], comparison[int8](op))
	case dtypes.Int16:
		zipRows(b, out[0], in[0], in[1], comparison[int16](op))
	case dtypes.Int32:
		zipRows(b, out[0], in[0], in[1], comparison[int32](op))
	case dtypes.Int64:
		zipRows(b, out[0], in[0], in[1], comparison[int64](op))
	case dtypes.Uint8:
		zipRows(b, out[0], in[0], in[1], comparison[uint8](op))
	case dtypes.Uint16:
		zipRows(b, out[0], in[0], in[1], comparison[uint16](op))
	case dtypes.Uint32:
		zipRows(b, out[0], in[0], in[1], comparison[uint32](op))
	case dtypes.Uint64:
		zipRows(b, out[0], in[0], in[1], comparison[uint64](op))
	default:
		return errDType(n, in[0].shape.DType)
	}
	return nil
}

func comparison[T ordered](op backends.OpType) func(out []bool, x, y []T) {
	switch op {
	case backends.OpTypeEqual:
		return zip(func(x, y T) bool { return x == y })
	case backends.OpTypeGreaterOrEqual:
		return zip(func(x, y T) bool { return x >= y })
	case backends.OpTypeGreaterThan:
		return zip(func(x, y T) bool { return x > y })
	case backends.OpTypeLessOrEqual:
		return zip(func(x, y T) bool { return x <= y })
	case backends.OpTypeLessThan:
		return zip(func(x, y T) bool { return x < y })
	default:
		return zip(func(x, y T) bool { return x != y })
	}
}

func equality[T complexNumber](op backends.OpType) func(out []bool, x, y []T) {
	if op == backends.OpTypeEqual {
		return zip(func(x, y T) bool { return x == y })
	}
	return zip(func(x, y T) bool { return x != y })
}

// keyed compares by a key.
func keyed[T any, K ordered](op backends.OpType, key func(T) K) func(out []bool, x, y []T) {
	kernel := comparison[K](op)
	keys := func(x []T) []K {
		k := make([]K, len(x))
		for i, v := range x {
			k[i] = key(v)
		}
		return k
	}
	return func(out []bool, x, y []T) { kernel(out, keys(x), keys(y)) }
}

// totalKey32 orders floats as -NaN < -Inf < ... < -0 < +0 < ... < +Inf < +NaN: the bits of a
// negative number are flipped, so that they grow with it.
func totalKey32(x float32) int32 {
	k := int32(math.Float32bits(x))
	return k ^ k>>31&math.MaxInt32
}

func totalKey64(x float64) int64 {
	k := int64(math.Float64bits(x))
	return k ^ k>>63&math.MaxInt64
}
