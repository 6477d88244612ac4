package prior

import (
	"github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/tensors"
)

// Denoiser is D(x; sigma), an estimate of E[x0 | x] for x = x0 + sigma n, n ~ N(0, I): the
// variance-exploding state, with images in [-1,1]. It is a graph function, so gradients
// through it come from GoMLX's autodiff.
type Denoiser interface {
	// Name says which prior this is, for logs and reports.
	Name() string

	// Weights are the network's tensors, the same ones at every call, which never change. They are
	// passed to every program as inputs, in this order. Engines read them where they are if they
	// are told to (engine.Share); otherwise each uploads them once.
	Weights() []*tensors.Tensor

	// Denoise builds x0hat = D(x; sigma) in the graph of x: x and the result are [N,H,W,C] with
	// H and W multiples of SizeMultiple, sigma is [N], weights are the parameters made
	// for Weights. x0hat is not clipped. Shape errors are raised as panics, as GoMLX does.
	Denoise(weights []*graph.Node, x, sigma *graph.Node) *graph.Node

	// SizeMultiple divides the height and width of every image that the network takes.
	SizeMultiple() int

	// Channels is C, the number of image channels.
	Channels() int
}

// TileSide is the side of the tiles in which a prior wants to see larger images (see Tiling): 0 if it
// takes any size as well, and the size of its training images if it has attention, which has learned how
// many positions there are.
func TileSide(d Denoiser) int {
	if t, ok := d.(interface{ TileSide() int }); ok {
		return t.TileSide()
	}
	return 0
}
