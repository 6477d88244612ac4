package prior

import (
	"github.com/gomlx/gomlx/pkg/core/graph"

	"github.com/seed-0f004ec9/spgd/internal/autodiff"
)

// AnySize returns a denoiser like d for images of any size: what d sees is the image mirrored at
// its lower and right sides, with the edge repeated, up to the next multiples of d.SizeMultiple,
// and the estimate is cut back. Its weights are those of d.
func AnySize(d Denoiser) Denoiser {
	if d.SizeMultiple() == 1 {
		return d
	}
	return anySize{d}
}

type anySize struct{ Denoiser }

// SizeMultiple is 1.
func (anySize) SizeMultiple() int { return 1 }

// Denoise implements Denoiser.
func (a anySize) Denoise(weights []*graph.Node, x, sigma *graph.Node) *graph.Node {
	d, m := x.Shape().Dimensions, a.Denoiser.SizeMultiple()
	up := func(n int) int { return (n + m - 1) / m * m }
	x0hat := a.Denoiser.Denoise(weights, mirror(mirror(x, 1, up(d[1])), 2, up(d[2])), sigma)
	if up(d[1]) == d[1] && up(d[2]) == d[2] {
		return x0hat
	}
	return graph.Slice(x0hat, graph.AxisRange(), graph.AxisRange(0, d[1]), graph.AxisRange(0, d[2]))
}

// mirror extends an axis of x [N,H,W,C] to the given size by reflections, as often as it takes.
func mirror(x *graph.Node, axis, size int) *graph.Node {
	n := x.Shape().Dimensions[axis]
	if n == size {
		return x
	}
	span := func(x *graph.Node, from, to int) *graph.Node {
		ranges := []graph.SliceAxisSpec{graph.AxisRange(), graph.AxisRange(), graph.AxisRange(), graph.AxisRange()}
		ranges[axis] = graph.AxisRange(from, to)
		return graph.Slice(x, ranges...)
	}
	parts := []*graph.Node{x}
	for have, flip := n, true; have < size; flip = !flip {
		take := min(n, size-have)
		if flip {
			parts = append(parts, autodiff.Reverse(span(x, n-take, n), axis))
		} else {
			parts = append(parts, span(x, 0, take))
		}
		have += take
	}
	return graph.Concatenate(parts, axis)
}
