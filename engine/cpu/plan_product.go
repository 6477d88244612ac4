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
	packed  func(dst *kernel.Packed) *kernel.Packed // packs the right operand, where there is one
	task    func(worker, i int)
}

func newProductStep(p *plan, v *vertex) *productStep {
	l, r := v.in[0], v.in[1]
	s := &productStep{
		v: v, l: l, r: r,
		batch: l.shape.Dimensions[0], m: l.shape.Dimensions[1], k: l.shape.Dimensions[2], n: r.shape.Dimensions[2],
	}
	s.packed = func(dst *kernel.Packed) *kernel.Packed { return s.pack(p.x, dst, 0) }
	s.task = func(worker, i int) { s.multiply(p.x, worker, i) }
	return s
}

func (s *productStep) run(x *execution) error {
	if s.batch > 1 {
		x.b.pool.Run(s.batch, s.task)
		return nil
	}
	var w *kernel.Packed
	if s.keeps() && !x.mayDrop(s.r.base) {
		w = x.bufs[s.r.base.id].packedAs(packKey(packMatrix, s.r.view), s.packed)
	} else {
		w = s.packed(x.b.packs[0])
		x.b.packs[0] = w
	}
	kernel.Gemm(x.b.pool, x.array(s.v), s.n, s.left(x, 0), s.l.view.strides[1], s.m, w, kernel.Epilogue{})
	return nil
}

// left is where the left operand of product i begins.
func (s *productStep) left(x *execution, i int) []float32 {
	v := s.l.view
	return x.array(s.l.base)[v.off+i*v.strides[0]:]
}

// pack packs the right operand of product i.
func (s *productStep) pack(x *execution, dst *kernel.Packed, i int) *kernel.Packed {
	v := s.r.view
	return kernel.PackMatrix(dst, s.k, s.n, x.array(s.r.base), v.off+i*v.strides[0], v.strides[1], v.strides[2])
}

// multiply computes product i of a batch.
func (s *productStep) multiply(x *execution, worker, i int) {
	w := s.pack(x, x.b.packs[worker], i)
	x.b.packs[worker] = w
	kernel.GemmSerial(x.array(s.v)[i*s.m*s.n:], s.n, s.left(x, i), s.l.view.strides[1], s.m, w, kernel.Epilogue{})
}

// keeps says whether the packed right operand is kept with the buffer, unless that is donated. All
// others are packed into one matrix for each worker of the backend.
func (s *productStep) keeps() bool { return s.batch == 1 && s.r.base.kind == vertexParameter }

// packBytes is the size of a packed right operand.
func (s *productStep) packBytes() int { return 4 * s.k * s.n }

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
