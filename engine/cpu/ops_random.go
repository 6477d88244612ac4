package cpu

import (
	"encoding/binary"
	"fmt"
	"math/bits"

	"github.com/gomlx/gomlx/backends"
	"github.com/gomlx/gomlx/pkg/core/dtypes"
	"github.com/gomlx/gomlx/pkg/core/shapes"
)

func init() { register(execRNG, backends.OpTypeRNGBitGenerator) }

// RNGBitGenerator returns random bits and the state from which to go on. It is Philox4x32-10
// (J. Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC11): state[0] is the key,
// state[1] and state[2] are the low and the high half of the counter of the next block of 128
// bits. The blocks fill the result in order, little-endian; a call uses a whole number of
// blocks. The bits are not those of XLA, which scrambles the key first.
func (bd *Builder) RNGBitGenerator(state backends.Op, shape shapes.Shape) (newState, values backends.Op, err error) {
	in, err := bd.check("RNGBitGenerator", state)
	if err != nil {
		return nil, nil, err
	}
	if !in[0].shape.Equal(backends.RNGStateShape) {
		return nil, nil, fmt.Errorf("cpu: RNGBitGenerator: the state has shape %s, want %s", in[0].shape, backends.RNGStateShape)
	}
	if err := checkShape("RNGBitGenerator", shape); err != nil {
		return nil, nil, err
	}
	if shape.DType == dtypes.Bool {
		return nil, nil, fmt.Errorf("cpu: RNGBitGenerator of %s is not supported", shape.DType)
	}
	n := bd.addMulti(backends.OpTypeRNGBitGenerator, []shapes.Shape{in[0].shape, shape.Clone()}, nil, in...)
	return n.results[0], n.results[1], nil
}

func execRNG(b *Backend, _ *node, in, out []*Buffer) error {
	state := flatOf[uint64](in[0])
	key, low, high := state[0], state[1], state[2]
	data := rawBytes(out[1])
	blocks := (len(data) + 15) / 16
	b.parallel(blocks, 64, func(first, end int) {
		for i := first; i < end; i++ {
			lo, carry := bits.Add64(low, uint64(i), 0)
			x := philox([4]uint32{uint32(lo), uint32(lo >> 32), uint32(high + carry), uint32((high + carry) >> 32)},
				[2]uint32{uint32(key), uint32(key >> 32)})
			var block [16]byte
			for w, v := range x {
				binary.LittleEndian.PutUint32(block[4*w:], v)
			}
			copy(data[16*i:], block[:])
		}
	})
	next := flatOf[uint64](out[0])
	lo, carry := bits.Add64(low, uint64(blocks), 0)
	next[0], next[1], next[2] = key, lo, high+carry
	return nil
}

// philox is the block function of Philox4x32-10.
func philox(x [4]uint32, key [2]uint32) [4]uint32 {
	for range 10 {
		h0, l0 := bits.Mul32(0xD2511F53, x[0])
		h1, l1 := bits.Mul32(0xCD9E8D57, x[2])
		x = [4]uint32{h1 ^ x[1] ^ key[0], l1, h0 ^ x[3] ^ key[1], l0}
		key[0] += 0x9E3779B9
		key[1] += 0xBB67AE85
	}
	return x
}
