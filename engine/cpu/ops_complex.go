package cpu

import (
	"fmt"
	"math"

	"github.com/gomlx/gomlx/backends"
	"github.com/gomlx/gomlx/pkg/core/dtypes"
	"github.com/gomlx/gomlx/pkg/core/shapes"
)

func init() {
	register(execComplex, backends.OpTypeComplex)
	register(execParts, backends.OpTypeReal, backends.OpTypeImag, backends.OpTypeConj)
	register(widenHalf(execAbs), backends.OpTypeAbs)
}

// Complex joins real and imaginary parts of Float32 or Float64, broadcast like those of Add.
func (bd *Builder) Complex(re, im backends.Op) (backends.Op, error) {
	in, err := bd.check("Complex", re, im)
	if err != nil {
		return nil, err
	}
	x, y := in[0].shape, in[1].shape
	t := dtypes.Complex64
	if x.DType == dtypes.Float64 {
		t = dtypes.Complex128
	}
	if x.DType != y.DType || x.DType != t.RealDType() {
		return nil, fmt.Errorf("cpu: Complex(%s, %s): want two of Float32 or two of Float64", x, y)
	}
	dims, err := broadcastDims("Complex", x, y)
	if err != nil {
		return nil, err
	}
	return bd.add(backends.OpTypeComplex, shapes.Shape{DType: t, Dimensions: dims}, nil, in...), nil
}

func execComplex(b *Backend, n *node, in, out []*Buffer) error {
	if in[0].shape.DType == dtypes.Float32 {
		zipRows(b, out[0], in[0], in[1], zip(func(re, im float32) complex64 { return complex(re, im) }))
	} else {
		zipRows(b, out[0], in[0], in[1], zip(func(re, im float64) complex128 { return complex(re, im) }))
	}
	return nil
}

// Real returns the real part; of a real number, the number.
func (bd *Builder) Real(x backends.Op) (backends.Op, error) {
	in, err := bd.check("Real", x)
	if err != nil {
		return nil, err
	}
	switch kindOf(in[0].shape.DType) {
	case kindComplex:
		return bd.add(backends.OpTypeReal, realShape(in[0].shape), nil, in...), nil
	case kindFloat:
		return bd.add(backends.OpTypeIdentity, in[0].shape, nil, in...), nil
	}
	return nil, fmt.Errorf("cpu: Real of %s is not supported", in[0].shape.DType)
}

// Imag returns the imaginary part; of a real number, 0.
func (bd *Builder) Imag(x backends.Op) (backends.Op, error) {
	in, err := bd.check("Imag", x)
	if err != nil {
		return nil, err
	}
	s := in[0].shape
	switch kindOf(s.DType) {
	case kindComplex:
		return bd.add(backends.OpTypeImag, realShape(s), nil, in...), nil
	case kindFloat:
		zero := bd.add(backends.OpTypeConstant, shapes.Shape{DType: s.DType}, &constantAttr{flat: makeFlat(s.DType, 1)})
		return bd.BroadcastInDim(zero, s, nil)
	}
	return nil, fmt.Errorf("cpu: Imag of %s is not supported", s.DType)
}

// Conj returns the complex conjugate.
func (bd *Builder) Conj(x backends.Op) (backends.Op, error) {
	in, err := bd.check("Conj", x)
	if err != nil {
		return nil, err
	}
	if !in[0].shape.DType.IsComplex() {
		return nil, fmt.Errorf("cpu: Conj of %s is not supported", in[0].shape.DType)
	}
	return bd.add(backends.OpTypeConj, in[0].shape, nil, in...), nil
}

// Abs returns the absolute value. That of complex numbers has the data type of their parts.
func (bd *Builder) Abs(x backends.Op) (backends.Op, error) {
	in, err := bd.check("Abs", x)
	if err != nil {
		return nil, err
	}
	if in[0].shape.DType.IsComplex() {
		return bd.add(backends.OpTypeAbs, realShape(in[0].shape), nil, in...), nil
	}
	return bd.unary(backends.OpTypeAbs, x)
}

func realShape(s shapes.Shape) shapes.Shape {
	return shapes.Shape{DType: s.DType.RealDType(), Dimensions: s.Dimensions}
}

func execParts(b *Backend, n *node, in, out []*Buffer) error {
	x, o := in[0], out[0]
	single := x.shape.DType == dtypes.Complex64
	switch {
	case n.op == backends.OpTypeReal && single:
		mapRows(b, o, x, each(func(z complex64) float32 { return real(z) }))
	case n.op == backends.OpTypeReal:
		mapRows(b, o, x, each(func(z complex128) float64 { return real(z) }))
	case n.op == backends.OpTypeImag && single:
		mapRows(b, o, x, each(func(z complex64) float32 { return imag(z) }))
	case n.op == backends.OpTypeImag:
		mapRows(b, o, x, each(func(z complex128) float64 { return imag(z) }))
	case single:
		mapRows(b, o, x, each(func(z complex64) complex64 { return complex(real(z), -imag(z)) }))
	default:
		mapRows(b, o, x, each(func(z complex128) complex128 { return complex(real(z), -imag(z)) }))
	}
	return nil
}

func execAbs(b *Backend, n *node, in, out []*Buffer) error {
	x, o := in[0], out[0]
	switch x.shape.DType {
	case dtypes.Complex64: // squares of float32 cannot overflow or vanish in float64
		mapRows(b, o, x, each(func(z complex64) float32 {
			re, im := float64(real(z)), float64(imag(z))
			return float32(math.Sqrt(re*re + im*im))
		}))
	case dtypes.Complex128:
		mapRows(b, o, x, each(func(z complex128) float64 { return math.Hypot(real(z), imag(z)) }))
	default:
		return execUnary(b, n, in, out)
	}
	return nil
}
