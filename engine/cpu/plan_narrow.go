package cpu

import (
	"unsafe"

	"github.com/seed-0f004ec9/spgd/engine/cpu/internal/kernel"
)

// A plan of a bfloat16 backend keeps large feature maps as bfloat16, half of the memory and half
// of what is moved. They are rounded where they are stored and widened where programs read them,
// tile by tile or row by row; all that is computed is computed in float32. Parameters, constants,
// outputs, operands of products and of generic operations, images and small values stay float32.

// narrowing says which values a plan keeps as bfloat16.
type narrowing struct {
	// elements is the number of elements in an image from which on a value is narrowed; 0: none is.
	elements int
	// channels is the length of the last axis from which on a value counts as a feature map.
	channels int
}

// featureMaps narrows what does not stay in the cache. An image with its few channels is not
// rounded: it is compared with the measurement.
var featureMaps = narrowing{elements: 1 << 16, channels: 8}

// narrow chooses the values that are kept as bfloat16. It looks at the shape of one image only, so
// that an image has the same result in every batch.
func (p *plan) narrow(by narrowing) {
	if by.elements == 0 {
		return
	}
	for _, v := range p.vertices {
		v.narrow = v.stored && v.output < 0 && isFloat32(v.shape) && by.fits(v.shape.Dimensions) && v.fromPrograms()
	}
	for _, v := range p.vertices {
		for i, x := range v.in {
			wide := v.kind == vertexProduct || v.kind == vertexGeneric || v.kind == vertexConvolution && i == 1
			if wide && x.base != nil {
				x.base.narrow = false
			}
		}
	}
}

// fits says whether an array, [images, ...], is large enough.
func (by narrowing) fits(dims []int) bool {
	n := len(dims)
	return n >= 4 && dims[n-1] >= by.channels && product(dims[1:]) >= by.elements
}

// fromPrograms says whether the step that stores v can round it.
func (v *vertex) fromPrograms() bool {
	switch v.kind {
	case vertexPoint, vertexView, vertexReduce, vertexConvolution, vertexConcatenate:
		return true
	}
	return false
}

// bytes is the memory that a stored value takes.
func (v *vertex) bytes() int {
	if v.narrow {
		return 2 * v.size()
	}
	return int(v.shape.Memory())
}

// half is the array of a stored value that is narrowed.
func (x *execution) half(v *vertex) []uint16 { return x.halves[v.id] }

// runNarrow is run with results rounded to bfloat16.
func (e *evaluator) runNarrow(start int, out []uint16) {
	for len(out) > 0 {
		n := min(e.p.tile, len(out))
		e.tiles(start, n)
		kernel.Narrow(out[:n], e.tile(0, n))
		start += n
		out = out[n:]
	}
}

// narrowed says whether the leaf reads an array of bfloat16 numbers.
func (f *leaf) narrowed() bool { return f.kind != leafJoin && f.base.narrow && !f.row }

// copied says whether the elements of the leaf in a tile are copied to be read.
func (f *leaf) copied() bool {
	return !f.part && !f.direct && (f.kind >= leafRepeat || f.kind == leafDense && f.narrowed())
}

// widenStrided copies elements [start, start+len(dst)) of a strided leaf in the array a.
func (e *evaluator) widenStrided(f *leaf, a []uint16, start int, dst []float32) {
	if c, n := f.repeatedRow(); n > 1 {
		block := n * c
		if head := min((block-start%block)%block, len(dst)); head > 0 {
			e.widenGathered(f, a, start, dst[:head])
			start, dst = start+head, dst[head:]
		}
		for len(dst) >= block {
			at, rows := f.rowsAt(start / block)
			rows = min(rows, len(dst)/block)
			for i := range n {
				kernel.WidenRows(dst[i*c:], a[at:], rows, c, block)
			}
			start, dst = start+rows*block, dst[rows*block:]
		}
	}
	if len(dst) > 0 {
		e.widenGathered(f, a, start, dst)
	}
}

// widenGathered is widenStrided in two steps, whatever the strides are.
func (e *evaluator) widenGathered(f *leaf, a []uint16, start int, dst []float32) {
	copyStrided(f, a, start, e.before[:len(dst)], e.idx)
	kernel.Widen(dst, e.before[:len(dst)])
}

// repeatedRow says that the leaf has every row of c consecutive elements n times, and that rows follow
// one another in the array: a row of pixels that is doubled. Otherwise n is 0.
func (f *leaf) repeatedRow() (c, n int) {
	v := &f.view
	k := len(v.dims) - 1
	if k < 2 || v.strides[k] != 1 || v.strides[k-1] != 0 || v.strides[k-2] != v.dims[k] {
		return 0, 0
	}
	return v.dims[k], v.dims[k-1]
}

// rowsAt is where row i of a leaf with repeated rows is in its array, and how many follow it there,
// with itself.
func (f *leaf) rowsAt(i int) (at, rows int) {
	v := &f.view
	k := len(v.dims) - 3
	rows = v.dims[k] - i%v.dims[k]
	at = v.off
	for ; k >= 0; k-- {
		at += i % v.dims[k] * v.strides[k]
		i /= v.dims[k]
	}
	return at, rows
}

// asHalves views floats as memory for twice as many bfloat16 numbers.
func asHalves(x []float32) []uint16 {
	return unsafe.Slice((*uint16)(unsafe.Pointer(unsafe.SliceData(x))), 2*len(x))
}
