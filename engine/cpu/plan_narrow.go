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

// asHalves views floats as memory for twice as many bfloat16 numbers.
func asHalves(x []float32) []uint16 {
	return unsafe.Slice((*uint16)(unsafe.Pointer(unsafe.SliceData(x))), 2*len(x))
}
