package cpu

import "slices"

// view describes how the elements of a value are found in the flat array of another: element
// (i0, i1, ...) of dims is at off + sum_k i_k*strides[k]. Stride 0 broadcasts, negative strides
// reverse. Movement operations (Slice, Transpose, Reverse, BroadcastInDim, Reshape) are
// composed into views, so that they cost nothing until somebody reads through them.
type view struct {
	off           int
	dims, strides []int
}

// denseView is the view of a whole array with the given dimensions.
func denseView(dims []int) view {
	return view{dims: slices.Clone(dims), strides: stridesOf(dims)}
}

func (v view) size() int { return product(v.dims) }

// collapse drops axes of length 1 and merges neighbours that are one axis in memory. The
// order of the elements does not change.
func (v view) collapse() view {
	c := view{off: v.off}
	for i, d := range v.dims {
		if d == 1 {
			continue
		}
		s := v.strides[i]
		if n := len(c.dims); n > 0 && c.strides[n-1] == s*d {
			c.dims[n-1] *= d
			c.strides[n-1] = s
			continue
		}
		c.dims = append(c.dims, d)
		c.strides = append(c.strides, s)
	}
	return c
}

// isDense says whether the elements are consecutive in memory, in order.
func (v view) isDense() bool {
	c := v.collapse()
	return len(c.dims) == 0 || len(c.dims) == 1 && c.strides[0] == 1
}

// isScalar says whether all elements are one element of the array.
func (v view) isScalar() bool {
	for i, d := range v.dims {
		if d != 1 && v.strides[i] != 0 {
			return false
		}
	}
	return true
}

// reshape gives the view other dimensions with the same order of elements; it fails where no
// strides describe the result.
func (v view) reshape(dims []int) (view, bool) {
	c := v.collapse()
	r := view{off: v.off, dims: slices.Clone(dims), strides: make([]int, len(dims))}
	if v.size() == 0 {
		return r, true
	}
	j := 0
	for i := 0; i < len(dims); {
		if dims[i] == 1 {
			i++
			continue
		}
		if j == len(c.dims) {
			return view{}, false
		}
		// Axes i..e-1 of the result must multiply to exactly c.dims[j].
		e, p := i, 1
		for e < len(dims) && p < c.dims[j] {
			p *= dims[e]
			e++
		}
		if p != c.dims[j] {
			return view{}, false
		}
		s := c.strides[j]
		for k := e - 1; k >= i; k-- {
			r.strides[k] = s
			s *= dims[k]
		}
		i = e
		j++
	}
	return r, true
}

func (v view) transpose(perm []int) view {
	r := view{off: v.off}
	for _, p := range perm {
		r.dims = append(r.dims, v.dims[p])
		r.strides = append(r.strides, v.strides[p])
	}
	return r
}

// slice keeps dims[a] elements of axis a, from starts[a] on, strides[a] apart.
func (v view) slice(starts, strides, dims []int) view {
	r := view{off: v.off, dims: slices.Clone(dims), strides: make([]int, len(dims))}
	for a := range dims {
		r.off += starts[a] * v.strides[a]
		r.strides[a] = v.strides[a] * strides[a]
	}
	return r
}

func (v view) reverse(axes []int) view {
	r := view{off: v.off, dims: slices.Clone(v.dims), strides: slices.Clone(v.strides)}
	for _, a := range axes {
		r.off += (v.dims[a] - 1) * v.strides[a]
		r.strides[a] = -v.strides[a]
	}
	return r
}

// broadcast places axis i of v at axis axes[i] of dims; other axes, and axes of length 1 that
// become longer, repeat.
func (v view) broadcast(dims, axes []int) view {
	r := view{off: v.off, dims: slices.Clone(dims), strides: make([]int, len(dims))}
	for i, a := range axes {
		if v.dims[i] == dims[a] {
			r.strides[a] = v.strides[i]
		}
	}
	return r
}

// broadcastTo applies the implicit broadcasting of element-wise operations: a scalar, or the
// same rank with axes of length 1.
func (v view) broadcastTo(dims []int) view {
	if len(v.dims) == 0 {
		return view{off: v.off, dims: slices.Clone(dims), strides: make([]int, len(dims))}
	}
	axes := make([]int, len(dims))
	for i := range axes {
		axes[i] = i
	}
	return v.broadcast(dims, axes)
}
