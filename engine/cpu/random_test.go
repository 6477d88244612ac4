package cpu

import (
	"math"
	"testing"

	"github.com/gomlx/gomlx/backends"
	"github.com/gomlx/gomlx/pkg/core/dtypes"
	"github.com/gomlx/gomlx/pkg/core/shapes"
)

// TestPhilox uses the known answers that the generator's authors publish with Random123.
func TestPhilox(t *testing.T) {
	const all = math.MaxUint32
	cases := []struct {
		counter [4]uint32
		key     [2]uint32
		want    [4]uint32
	}{
		{[4]uint32{}, [2]uint32{}, [4]uint32{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
		{[4]uint32{all, all, all, all}, [2]uint32{all, all}, [4]uint32{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
		{[4]uint32{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, [2]uint32{0xa4093822, 0x299f31d0},
			[4]uint32{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
	}
	for _, c := range cases {
		if got := philox(c.counter, c.key); got != c.want {
			t.Errorf("philox(%x, %x) = %x, want %x", c.counter, c.key, got, c.want)
		}
	}
}

func TestRNGBitGenerator(t *testing.T) {
	state := []uint64{0x299f31d0a4093822, 0x85a308d3243f6a88, 0x0370734413198a2e}
	evaluate(t, func(bd *Builder, in []backends.Op) []backends.Op {
		next, bits := bd.mustRandom(in[0], shapes.Make(dtypes.Uint32, 2, 3))
		next2, more := bd.mustRandom(next, shapes.Make(dtypes.Uint8, 16))
		_, whole := bd.mustRandom(in[0], shapes.Make(dtypes.Uint8, 48))
		_, carried := bd.mustRandom(in[1], shapes.Make(dtypes.Uint64, 4))
		return []backends.Op{bits, more, whole, next2, carried}
	}, func(t *testing.T, out []*Buffer) {
		bits := flatOf[uint32](out[0])
		for i, w := range []uint32{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1} {
			if bits[i] != w {
				t.Errorf("word %d is %x, want %x", i, bits[i], w)
			}
		}
		// The second call goes on where the whole blocks of the first end.
		for i, v := range flatOf[uint8](out[1]) {
			if w := flatOf[uint8](out[2])[32+i]; v != w {
				t.Errorf("byte %d is %x, want %x", i, v, w)
			}
		}
		next := flatOf[uint64](out[3])
		if next[0] != state[0] || next[1] != state[1]+3 || next[2] != state[2] {
			t.Errorf("state %x", next)
		}
		// The counter carries into its high half: the last block of the first and the first of
		// the second.
		a, b := philox([4]uint32{math.MaxUint32, math.MaxUint32, 5, 0}, [2]uint32{}), philox([4]uint32{0, 0, 6, 0}, [2]uint32{})
		got := flatOf[uint64](out[4])
		for i, w := range []uint64{uint64(a[1])<<32 | uint64(a[0]), uint64(a[3])<<32 | uint64(a[2]),
			uint64(b[1])<<32 | uint64(b[0]), uint64(b[3])<<32 | uint64(b[2])} {
			if got[i] != w {
				t.Errorf("carried word %d is %x, want %x", i, got[i], w)
			}
		}
	}, tensor(state, 3), tensor([]uint64{0, math.MaxUint64, 5}, 3))
}

func (bd *Builder) mustRandom(state backends.Op, shape shapes.Shape) (next, values backends.Op) {
	next, values, err := bd.RNGBitGenerator(state, shape)
	if err != nil {
		panic(err)
	}
	return next, values
}
