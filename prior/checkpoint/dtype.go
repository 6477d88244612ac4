package checkpoint

import (
	"encoding/binary"
	"fmt"
	"math"
)

// dtype is an element type.
type dtype struct {
	name string
	size int64 // bytes per element
	// convert decodes len(dst) little-endian elements, and returns the index of the first one that
	// is not finite in float32, or -1. It is nil for a type that is not read.
	convert func(dst []float32, src []byte) int
}

var (
	float64Type  = &dtype{"float64", 8, fromFloat64}
	float32Type  = &dtype{"float32", 4, fromFloat32}
	float16Type  = &dtype{"float16", 2, fromFloat16}
	bfloat16Type = &dtype{"bfloat16", 2, fromBFloat16}
	int64Type    = &dtype{"int64", 8, nil}
	int32Type    = &dtype{"int32", 4, nil}
	int16Type    = &dtype{"int16", 2, nil}
	int8Type     = &dtype{"int8", 1, nil}
	uint8Type    = &dtype{"uint8", 1, nil}
	boolType     = &dtype{"bool", 1, nil}
)

const exponent32 = 0x7f800000

func fromFloat32(dst []float32, src []byte) int {
	for i := range dst {
		b := binary.LittleEndian.Uint32(src[4*i:])
		if b&exponent32 == exponent32 {
			return i
		}
		dst[i] = math.Float32frombits(b)
	}
	return -1
}

func fromBFloat16(dst []float32, src []byte) int {
	for i := range dst {
		b := uint32(binary.LittleEndian.Uint16(src[2*i:])) << 16
		if b&exponent32 == exponent32 {
			return i
		}
		dst[i] = math.Float32frombits(b)
	}
	return -1
}

func fromFloat16(dst []float32, src []byte) int {
	for i := range dst {
		h := uint32(binary.LittleEndian.Uint16(src[2*i:]))
		if h&0x7c00 == 0x7c00 {
			return i
		}
		// The exponent's bias is 15 in float16 and 127 in float32. The multiplication makes up for
		// the difference, and normalises what is subnormal in float16.
		v := math.Float32frombits(h&0x7fff<<13) * 0x1p112
		dst[i] = math.Float32frombits(math.Float32bits(v) | h&0x8000<<16)
	}
	return -1
}

func fromFloat64(dst []float32, src []byte) int {
	for i := range dst {
		v := float32(math.Float64frombits(binary.LittleEndian.Uint64(src[8*i:])))
		if math.Float32bits(v)&exponent32 == exponent32 {
			return i
		}
		dst[i] = v
	}
	return -1
}

// readDense fills dst with elements of type t that lie one after another from off.
func (s *source) readDense(dst []float32, t *dtype, off int64) error {
	for done := 0; done < len(dst); {
		buf := s.chunk(int64(len(dst)-done) * t.size)
		n := len(buf) / int(t.size)
		if err := s.readFull(buf, off); err != nil {
			return err
		}
		if bad := t.convert(dst[done:done+n], buf); bad >= 0 {
			return notFinite(done + bad)
		}
		done += n
		off += int64(len(buf))
	}
	return nil
}

func notFinite(i int) error {
	return fmt.Errorf("element %d is NaN, infinite or too large for float32: %w", i, ErrNotFinite)
}

// elements returns the product of shape, or false if a dimension is negative or the product exceeds
// limit.
func elements(shape []int, limit int64) (int64, bool) {
	n := int64(1)
	for _, d := range shape {
		if d < 0 {
			return 0, false
		}
		if d == 0 {
			n = 0
		}
	}
	if n == 0 {
		return 0, true
	}
	for _, d := range shape {
		if int64(d) > limit/n {
			return 0, false
		}
		n *= int64(d)
	}
	return n, true
}
