package cpu

import (
	"github.com/seed-0f004ec9/spgd/engine/cpu/internal/kernel"
)

// productStep multiplies matrices, [batch, m, k] by [batch, k, n]: both operands are views.
type productStep struct {
	v       *vertex
	l, r    *vertex
	batch   int
	m, k, n int
	packs   []*kernel.Packed // per worker: right operands that are not kept
}

func newProductStep(p *plan, v *vertex) *productStep {
	l, r := v.in[0], v.in[1]
	return &productStep{
		v: v, l: l, r: r,
		batch: l.shape.Dimensions[0], m: l.shape.Dimensions[1], k: l.shape.Dimensions[2], n: r.shape.Dimensions[2],
		packs: make([]*kernel.Packed, p.workers),
	}
}

func (s *productStep) run(x *execution) error {
	out, a, b := x.array(s.v), x.array(s.l.base), x.array(s.r.base)
	lv, rv := s.l.view, s.r.view
	left := func(i int) []float32 { return a[lv.off+i*lv.strides[0]:] }
	if s.batch == 1 {
		pack := func(dst *kernel.Packed) *kernel.Packed {
			return kernel.PackMatrix(dst, s.k, s.n, b, rv.off, rv.strides[1], rv.strides[2])
		}
		var w *kernel.Packed
		if s.r.base.kind == vertexParameter {
			w = x.bufs[s.r.base.id].packedAs(packKey(packMatrix, rv), pack)
		} else {
			s.packs[0] = pack(s.packs[0])
			w = s.packs[0]
		}
		kernel.Gemm(x.b.pool, out, s.n, left(0), lv.strides[1], s.m, w, kernel.Epilogue{})
		return nil
	}
	x.b.pool.Run(s.batch, func(worker, i int) {
		s.packs[worker] = kernel.PackMatrix(s.packs[worker], s.k, s.n, b, rv.off+i*rv.strides[0], rv.strides[1], rv.strides[2])
		kernel.GemmSerial(out[i*s.m*s.n:], s.n, left(i), lv.strides[1], s.m, s.packs[worker], kernel.Epilogue{})
	})
	return nil
}

// packedForm identifies a packed form of a buffer's data.
type packedForm struct {
	use           packedUse
	tile          int              // of Winograd's method
	precision     kernel.Precision // of a convolution
	off           int
	dims, strides [4]int
}

type packedUse uint8

const (
	packMatrix packedUse = iota
	packConvolution
)

// packKey describes the packed form of a view with at most four axes.
func packKey(use packedUse, v view) packedForm {
	k := packedForm{use: use, off: v.off}
	copy(k.dims[:], v.dims)
	copy(k.strides[:], v.strides)
	return k
}

// packedAs returns the packed form of the buffer's data, made by pack once: buffers never
// change. b.mu of the backend is held.
func (b *Buffer) packedAs(form packedForm, pack func(dst *kernel.Packed) *kernel.Packed) *kernel.Packed {
	w := b.packed[form]
	if w == nil {
		w = pack(nil)
		if b.packed == nil {
			b.packed = make(map[packedForm]*kernel.Packed)
		}
		b.packed[form] = w
	}
	return w
}
