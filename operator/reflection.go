package operator

import (
	"github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/shapes"
)

// reflection reads entries first, first+1, ..., count of them, of an axis of n entries that
// continues by reflection at both ends. All are within one image of either border: see reflect.
type reflection struct {
	axis, n, first, count int
	repeat                bool // the edge, see imageio.Mirror
}

// mirrored are the reflections that one after the other read count entries from first on of an axis
// that repeats its edges: a chain, for an axis shorter than what is read beyond it.
func mirrored(axis, n, first, count int) []reflection {
	before, after := max(0, -first), max(0, first+count-n)
	if before <= n && after <= n {
		return []reflection{{axis, n, first, count, true}}
	}
	before, after = min(before, n), min(after, n)
	all := before + n + after
	return append([]reflection{{axis, n, -before, all, true}}, mirrored(axis, all, first+before, count)...)
}

// skipped is the number of entries at an end that the reflection does not show again.
func (r reflection) skipped() int {
	if r.repeat {
		return 0
	}
	return 1
}

// before and after are the numbers of entries read beyond the two ends.
func (r reflection) before() int { return max(0, -r.first) }
func (r reflection) after() int  { return max(0, r.first+r.count-r.n) }

// extend builds the entries that are read. GoMLX does not know its gradient: see fold.
func (r reflection) extend(x *graph.Node) *graph.Node { return r.extendAs(x, asImages) }

// extendAs is extend in another form, which the parts that are put together have: what a reader of a convolution's
// form finds put together in it need not be stored.
func (r reflection) extendAs(x *graph.Node, form func(*graph.Node) *graph.Node) *graph.Node {
	skip := r.skipped()
	return joinAs(form, r.axis,
		graph.Reverse(part(x, r.axis, skip, r.before()+skip), r.axis),
		part(x, r.axis, max(0, r.first), min(r.n, r.first+r.count)),
		graph.Reverse(part(x, r.axis, r.n-skip-r.after(), r.n-skip), r.axis))
}

// fold builds the adjoint of extend.
func (r reflection) fold(v *graph.Node) *graph.Node { return r.foldAs(v, asImages) }

// foldAs is fold in another form, as extendAs.
func (r reflection) foldAs(v *graph.Node, form func(*graph.Node) *graph.Node) *graph.Node {
	before, after, skip := r.before(), r.after(), r.skipped()
	first, last := graph.Reverse(part(v, r.axis, 0, before), r.axis), graph.Reverse(part(v, r.axis, r.count-after, r.count), r.axis)
	if low, high := skip+before, r.n-skip-after; low <= high && r.first <= 0 && r.first+r.count >= r.n {
		// What comes back from the two ends goes to different places, and all can be put together at once.
		x := func(from, to int) *graph.Node { return part(v, r.axis, before+from, before+to) }
		return joinAs(form, r.axis, x(0, skip), sum(x(skip, low), first), x(low, high), sum(x(high, r.n-skip), last), x(r.n-skip, r.n))
	}
	x := join(r.axis,
		r.zeros(v, max(0, r.first)),
		part(v, r.axis, before, r.count-after),
		r.zeros(v, max(0, r.n-r.first-r.count)))
	return form(r.addAt(r.addAt(x, skip, first), r.n-skip-after, last))
}

// sum adds two nodes, which may be empty.
func sum(x, y *graph.Node) *graph.Node {
	if x.Shape().Size() == 0 {
		return x
	}
	return graph.Add(x, y)
}

// addAt adds y to the entries of x from at on.
func (r reflection) addAt(x *graph.Node, at int, y *graph.Node) *graph.Node {
	n := y.Shape().Dimensions[r.axis]
	if n == 0 {
		return x
	}
	return join(r.axis, part(x, r.axis, 0, at), graph.Add(part(x, r.axis, at, at+n), y), part(x, r.axis, at+n, r.n))
}

// zeros are n entries of the axis.
func (r reflection) zeros(like *graph.Node, n int) *graph.Node {
	s := like.Shape().Clone()
	s.Dimensions[r.axis] = n
	return graph.Zeros(like.Graph(), shapes.Make(s.DType, s.Dimensions...))
}
