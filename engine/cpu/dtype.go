package cpu

import (
	"math"
	"reflect"
	"unsafe"

	"github.com/gomlx/gomlx/pkg/core/dtypes"
	"github.com/gomlx/gomlx/pkg/core/dtypes/bfloat16"
	"github.com/x448/float16"
)

// The element types, by what can be computed with them. The 16-bit floats are not among them:
// arithmetic on them goes through float32, see widenHalf.
type (
	signedInt   interface{ int8 | int16 | int32 | int64 }
	unsignedInt interface {
		uint8 | uint16 | uint32 | uint64
	}
	integer       interface{ signedInt | unsignedInt }
	float         interface{ float32 | float64 }
	ordered       interface{ integer | float }
	complexNumber interface{ complex64 | complex128 }
	number        interface{ ordered | complexNumber }
	half          interface {
		float16.Float16 | bfloat16.BFloat16
	}
)

var supportedDTypes = []dtypes.DType{
	dtypes.Bool,
	dtypes.Int8, dtypes.Int16, dtypes.Int32, dtypes.Int64,
	dtypes.Uint8, dtypes.Uint16, dtypes.Uint32, dtypes.Uint64,
	dtypes.Float16, dtypes.BFloat16, dtypes.Float32, dtypes.Float64,
	dtypes.Complex64, dtypes.Complex128,
}

// makeFlat allocates n zero elements. It returns nil for a type outside supportedDTypes.
func makeFlat(t dtypes.DType, n int) any {
	switch t {
	case dtypes.Bool:
		return make([]bool, n)
	case dtypes.Int8:
		return make([]int8, n)
	case dtypes.Int16:
		return make([]int16, n)
	case dtypes.Int32:
		return make([]int32, n)
	case dtypes.Int64:
		return make([]int64, n)
	case dtypes.Uint8:
		return make([]uint8, n)
	case dtypes.Uint16:
		return make([]uint16, n)
	case dtypes.Uint32:
		return make([]uint32, n)
	case dtypes.Uint64:
		return make([]uint64, n)
	case dtypes.Float16:
		return make([]float16.Float16, n)
	case dtypes.BFloat16:
		return make([]bfloat16.BFloat16, n)
	case dtypes.Float32:
		return make([]float32, n)
	case dtypes.Float64:
		return make([]float64, n)
	case dtypes.Complex64:
		return make([]complex64, n)
	case dtypes.Complex128:
		return make([]complex128, n)
	}
	return nil
}

func isHalf(t dtypes.DType) bool { return t == dtypes.Float16 || t == dtypes.BFloat16 }

// u128 is a 16-byte element, for moving complex128 values.
type u128 [2]uint64

// word is an element of some size whose value does not matter, as in a copy.
type word interface {
	uint8 | uint16 | uint32 | uint64 | u128
}

// words views a buffer's elements as raw words. W must have the size of the buffer's elements.
func words[W word](b *Buffer) []W {
	v := reflect.ValueOf(b.flat)
	return unsafe.Slice((*W)(v.UnsafePointer()), v.Len())
}

// copyFlat copies between slices of the same length and element size. []int, which GoMLX counts
// as int64, is why the types may differ.
func copyFlat(dst, src any) {
	d, s := reflect.ValueOf(dst), reflect.ValueOf(src)
	n := d.Len() * int(d.Type().Elem().Size())
	copy(unsafe.Slice((*byte)(d.UnsafePointer()), n), unsafe.Slice((*byte)(s.UnsafePointer()), n))
}

// rawBytes views a buffer's elements as bytes, in the machine's order.
func rawBytes(b *Buffer) []byte {
	v := reflect.ValueOf(b.flat)
	return unsafe.Slice((*byte)(v.UnsafePointer()), v.Len()*b.shape.DType.Size())
}

func halfToFloat[H half](out []float32, in []H) {
	switch in := any(in).(type) {
	case []float16.Float16:
		for i, v := range in {
			out[i] = v.Float32()
		}
	case []bfloat16.BFloat16:
		for i, v := range in {
			out[i] = v.Float32()
		}
	}
}

func floatToHalf[H half](out []H, in []float32) {
	switch out := any(out).(type) {
	case []float16.Float16:
		for i, v := range in {
			out[i] = float16.Fromfloat32(v)
		}
	case []bfloat16.BFloat16:
		for i, v := range in {
			out[i] = roundBFloat16(v)
		}
	}
}

// roundBFloat16 rounds to the nearest, ties to even. GoMLX's own conversion truncates.
func roundBFloat16(x float32) bfloat16.BFloat16 {
	u := math.Float32bits(x)
	if x != x {
		return bfloat16.FromBits(uint16(u>>16) | 0x40) // keep it a NaN
	}
	u += 0x7fff + u>>16&1
	return bfloat16.FromBits(uint16(u >> 16))
}
