package cpu

// forRows walks through an elementwise operation row by row: f gets the range of a row in the
// result and, per operand, the range of its row, which has one element if it is broadcast
// along the row. The result is contiguous.
func (b *Backend) forRows(dims []int, in []*Buffer, f func(lo, hi int, at, to []int)) {
	if product(dims) == 0 {
		return
	}
	strides := make([][]int, 0, len(in)+1)
	strides = append(strides, stridesOf(dims))
	for _, x := range in {
		strides = append(strides, broadcastStrides(x.shape, dims))
	}
	dims, strides = mergeAxes(dims, strides)
	last := len(dims) - 1
	n := dims[last]
	// An operand is contiguous, so its innermost stride is 1, or 0 where it is broadcast.
	inner := make([]int, len(in))
	for k := range in {
		inner[k] = strides[k+1][last]
	}
	outer := dims[:last]
	for k := range strides {
		strides[k] = strides[k][:last]
	}
	if len(outer) == 0 {
		b.parallel(n, 1, func(lo, hi int) {
			at, to := make([]int, len(in)), make([]int, len(in))
			for k := range in {
				at[k] = lo * inner[k]
				to[k] = max(at[k]+1, hi*inner[k])
			}
			f(lo, hi, at, to)
		})
		return
	}
	b.parallel(product(outer), n, func(first, end int) {
		at := make([]int, len(in)+1)
		to := make([]int, len(in))
		for i := first; i < end; i++ {
			offsets(i, outer, strides, at)
			for k := range in {
				to[k] = at[k+1] + max(1, n*inner[k])
			}
			f(at[0], at[0]+n, at[1:], to)
		}
	})
}

// zipRows applies a kernel on rows to two operands with broadcasting. A kernel's operand has
// the length of the result or length 1.
func zipRows[T, R any](b *Backend, out, x, y *Buffer, kernel func(out []R, x, y []T)) {
	o, xs, ys := flatOf[R](out), flatOf[T](x), flatOf[T](y)
	b.forRows(out.shape.Dimensions, []*Buffer{x, y}, func(lo, hi int, at, to []int) {
		kernel(o[lo:hi], xs[at[0]:to[0]], ys[at[1]:to[1]])
	})
}

// mapRows applies a kernel to every element of one operand of the result's shape.
func mapRows[T, R any](b *Backend, out, x *Buffer, kernel func(out []R, x []T)) {
	o, xs := flatOf[R](out), flatOf[T](x)
	b.parallel(len(o), 1, func(lo, hi int) { kernel(o[lo:hi], xs[lo:hi]) })
}

// zip lifts a function of two elements to a kernel on rows.
func zip[T, R any](f func(x, y T) R) func(out []R, x, y []T) {
	return func(out []R, x, y []T) {
		switch {
		case len(x) == len(y):
			for i := range out {
				out[i] = f(x[i], y[i])
			}
		case len(y) == 1:
			for i := range out {
				out[i] = f(x[i], y[0])
			}
		default:
			for i := range out {
				out[i] = f(x[0], y[i])
			}
		}
	}
}

// each lifts a function of one element to a kernel on rows.
func each[T, R any](f func(x T) R) func(out []R, x []T) {
	return func(out []R, x []T) {
		for i, v := range x {
			out[i] = f(v)
		}
	}
}
