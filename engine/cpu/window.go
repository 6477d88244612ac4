package cpu

import "github.com/gomlx/gomlx/backends"

// windowAttr describes a window that slides over the axes of a tensor. All lists have one entry
// per axis; sizes, strides and dilations are at least 1.
type windowAttr struct {
	kind                     backends.ReduceOpType // for ReduceWindow
	sizes, strides           []int
	paddings                 [][2]int
	baseDilations, dilations []int
}

// positions returns, per axis and then per output position and window position, the offset of
// the element under the window, or -1 if there is none: it lies in the padding or between the
// elements. unit is the offset between neighbours along the last axis.
func (w *windowAttr) positions(in, out []int, unit int) [][]int {
	strides := stridesOf(in)
	where := make([][]int, len(in))
	for a := range in {
		where[a] = make([]int, out[a]*w.sizes[a])
		for o := range out[a] {
			for k := range w.sizes[a] {
				i := o*w.strides[a] + k*w.dilations[a] - w.paddings[a][0]
				at := -1
				if d := w.baseDilations[a]; i >= 0 && i%d == 0 && i/d < in[a] {
					at = i / d * strides[a] * unit
				}
				where[a][o*w.sizes[a]+k] = at
			}
		}
	}
	return where
}

// trivial tells whether the window does nothing along axis a.
func (w *windowAttr) trivial(a int) bool {
	return w.sizes[a] == 1 && w.strides[a] == 1 && w.baseDilations[a] == 1 && w.paddings[a] == [2]int{}
}

// leading is the window along the first n axes.
func (w *windowAttr) leading(n int) *windowAttr {
	return &windowAttr{kind: w.kind, sizes: w.sizes[:n], strides: w.strides[:n], paddings: w.paddings[:n],
		baseDilations: w.baseDilations[:n], dilations: w.dilations[:n]}
}

// unravel writes the index with the number i, in row-major order, to at.
func unravel(i int, dims, at []int) {
	for a := len(dims) - 1; a >= 0; a-- {
		at[a] = i % dims[a]
		i /= dims[a]
	}
}
