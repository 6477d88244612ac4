package cpu

import (
	"fmt"
	"math"

	"github.com/gomlx/gomlx/backends"
	"github.com/gomlx/gomlx/pkg/core/dtypes"
	"github.com/gomlx/gomlx/pkg/core/shapes"
)

func init() {
	register(widenHalf(execConvert), backends.OpTypeConvertDType)
	register(widenHalf(execIota), backends.OpTypeIota)
	register(execBitcast, backends.OpTypeBitcast)
}

type iotaAttr struct{ axis int }

// ConvertDType converts numbers: floats to whole numbers by truncation, limited to the range of
// the type with NaN as 0; whole numbers among each other by wrapping around; complex numbers to
// real ones by dropping the imaginary part; anything to Bool by comparison with 0.
func (bd *Builder) ConvertDType(x backends.Op, t dtypes.DType) (backends.Op, error) {
	in, err := bd.check("ConvertDType", x)
	if err != nil {
		return nil, err
	}
	s := shapes.Shape{DType: t, Dimensions: in[0].shape.Dimensions}
	if err := checkShape("ConvertDType", s); err != nil {
		return nil, err
	}
	return bd.add(backends.OpTypeConvertDType, s, nil, in...), nil
}

// Iota counts along an axis, from 0.
func (bd *Builder) Iota(shape shapes.Shape, axis int) (backends.Op, error) {
	if _, err := bd.check("Iota"); err != nil {
		return nil, err
	}
	if err := checkShape("Iota", shape); err != nil {
		return nil, err
	}
	if shape.DType == dtypes.Bool {
		return nil, fmt.Errorf("cpu: Iota of %s is not supported", shape.DType)
	}
	if err := checkAxes("Iota", []int{axis}, shape.Rank()); err != nil {
		return nil, err
	}
	return bd.add(backends.OpTypeIota, shape.Clone(), &iotaAttr{axis}), nil
}

// Bitcast reinterprets bits, little-endian. A larger type swallows the last axis, a smaller one
// adds one.
func (bd *Builder) Bitcast(x backends.Op, t dtypes.DType) (backends.Op, error) {
	in, err := bd.check("Bitcast", x)
	if err != nil {
		return nil, err
	}
	s := in[0].shape
	out := shapes.Shape{DType: t, Dimensions: append([]int(nil), s.Dimensions...)}
	if err := checkShape("Bitcast", out); err != nil {
		return nil, err
	}
	if (s.DType == dtypes.Bool) != (t == dtypes.Bool) {
		return nil, fmt.Errorf("cpu: Bitcast of %s to %s is not supported", s.DType, t)
	}
	from, to := s.DType.Size(), t.Size()
	switch {
	case from > to:
		out.Dimensions = append(out.Dimensions, from/to)
	case from < to:
		last := s.Rank() - 1
		if last < 0 || s.Dimensions[last] != to/from {
			return nil, fmt.Errorf("cpu: Bitcast of %s to %s: the last axis must have %d elements", s, t, to/from)
		}
		out.Dimensions = out.Dimensions[:last]
	}
	return bd.add(backends.OpTypeBitcast, out, nil, in...), nil
}

func execBitcast(_ *Backend, _ *node, in, out []*Buffer) error {
	copy(rawBytes(out[0]), rawBytes(in[0]))
	return nil
}

func execIota(b *Backend, n *node, in, out []*Buffer) error {
	o := out[0]
	dims := o.shape.Dimensions
	axis := n.attr.(*iotaAttr).axis
	count := make([]int64, dims[axis])
	for i := range count {
		count[i] = int64(i)
	}
	line := &Buffer{shape: shapes.Shape{DType: o.shape.DType, Dimensions: []int{dims[axis]}}}
	line.flat = makeFlat(o.shape.DType, dims[axis])
	convertInt(b, n, line, count)
	from := access{strides: make([]int, len(dims))}
	from.strides[axis] = 1
	return b.copyStrided(o, rowMajor(dims), line, from, dims)
}

func execConvert(b *Backend, n *node, in, out []*Buffer) error {
	x, o := in[0], out[0]
	switch x := x.flat.(type) {
	case []bool:
		return convertInt(b, n, o, words[uint8](in[0])) // a bool is a byte of 0 or 1
	case []int8:
		return convertInt(b, n, o, x)
	case []int16:
		return convertInt(b, n, o, x)
	case []int32:
		return convertInt(b, n, o, x)
	case []int64:
		return convertInt(b, n, o, x)
	case []uint8:
		return convertInt(b, n, o, x)
	case []uint16:
		return convertInt(b, n, o, x)
	case []uint32:
		return convertInt(b, n, o, x)
	case []uint64:
		return convertInt(b, n, o, x)
	case []float32:
		return convertFloat(b, n, o, x)
	case []float64:
		return convertFloat(b, n, o, x)
	case []complex64:
		return convertComplex(b, n, o, x)
	case []complex128:
		return convertComplex(b, n, o, x)
	}
	return errDType(n, x.shape.DType)
}

// convertWith sets every element of o from that of x.
func convertWith[S, D any](b *Backend, o []D, x []S, f func(S) D) error {
	b.parallel(len(o), 1, func(lo, hi int) {
		out := o[lo:hi]
		for i, v := range x[lo:hi] {
			out[i] = f(v)
		}
	})
	return nil
}

func convertInt[S integer](b *Backend, n *node, o *Buffer, x []S) error {
	switch d := o.flat.(type) {
	case []bool:
		return convertWith(b, d, x, func(v S) bool { return v != 0 })
	case []int8:
		return convertWith(b, d, x, func(v S) int8 { return int8(v) })
	case []int16:
		return convertWith(b, d, x, func(v S) int16 { return int16(v) })
	case []int32:
		return convertWith(b, d, x, func(v S) int32 { return int32(v) })
	case []int64:
		return convertWith(b, d, x, func(v S) int64 { return int64(v) })
	case []uint8:
		return convertWith(b, d, x, func(v S) uint8 { return uint8(v) })
	case []uint16:
		return convertWith(b, d, x, func(v S) uint16 { return uint16(v) })
	case []uint32:
		return convertWith(b, d, x, func(v S) uint32 { return uint32(v) })
	case []uint64:
		return convertWith(b, d, x, func(v S) uint64 { return uint64(v) })
	case []float32:
		return convertWith(b, d, x, func(v S) float32 { return float32(v) })
	case []float64:
		return convertWith(b, d, x, func(v S) float64 { return float64(v) })
	case []complex64:
		return convertWith(b, d, x, func(v S) complex64 { return complex(float32(v), 0) })
	case []complex128:
		return convertWith(b, d, x, func(v S) complex128 { return complex(float64(v), 0) })
	}
	return errDType(n, o.shape.DType)
}

func convertFloat[S float](b *Backend, n *node, o *Buffer, x []S) error {
	switch d := o.flat.(type) {
	case []bool:
		return convertWith(b, d, x, func(v S) bool { return v != 0 })
	case []int8:
		return convertWith(b, d, x, truncate[S, int8](math.MinInt8, math.MaxInt8))
	case []int16:
		return convertWith(b, d, x, truncate[S, int16](math.MinInt16, math.MaxInt16))
	case []int32:
		return convertWith(b, d, x, truncate[S, int32](math.MinInt32, math.MaxInt32))
	case []int64:
		return convertWith(b, d, x, truncate[S, int64](math.MinInt64, math.MaxInt64))
	case []uint8:
		return convertWith(b, d, x, truncate[S, uint8](0, math.MaxUint8))
	case []uint16:
		return convertWith(b, d, x, truncate[S, uint16](0, math.MaxUint16))
	case []uint32:
		return convertWith(b, d, x, truncate[S, uint32](0, math.MaxUint32))
	case []uint64:
		return convertWith(b, d, x, truncate[S, uint64](0, math.MaxUint64))
	case []float32:
		return convertWith(b, d, x, func(v S) float32 { return float32(v) })
	case []float64:
		return convertWith(b, d, x, func(v S) float64 { return float64(v) })
	case []complex64:
		return convertWith(b, d, x, func(v S) complex64 { return complex(float32(v), 0) })
	case []complex128:
		return convertWith(b, d, x, func(v S) complex128 { return complex(float64(v), 0) })
	}
	return errDType(n, o.shape.DType)
}

func convertComplex[S complexNumber](b *Backend, n *node, o *Buffer, x []S) error {
	switch d := o.flat.(type) {
	case []bool:
		return convertWith(b, d, x, func(v S) bool { return v != 0 })
	case []complex64:
		return convertWith(b, d, x, func(v S) complex64 { return complex64(v) })
	case []complex128:
		return convertWith(b, d, x, func(v S) complex128 { return complex128(v) })
	}
	re := make([]float64, len(x))
	for i, v := range x {
		re[i] = real(complex128(v))
	}
	return convertFloat(b, n, o, re)
}

// truncate drops the fraction and limits to the range of D.
func truncate[S float, D integer](lo, hi D) func(S) D {
	flo, fhi := float64(lo), float64(hi) // fhi may be hi+1 for 64 bits, which the >= below allows
	return func(v S) D {
		switch f := float64(v); {
		case f != f:
			return 0
		case f <= flo:
			return lo
		case f >= fhi:
			return hi
		default:
			return D(f)
		}
	}
}
