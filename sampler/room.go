package sampler

import (
	"github.com/gomlx/gomlx/pkg/core/dtypes"
	"github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/shapes"

	"github.com/seed-0f004ec9/spgd/engine"
	"github.com/seed-0f004ec9/spgd/operator"
	"github.com/seed-0f004ec9/spgd/prior"
)

// On an accelerator, of whose programs the memory is known only once XLA has compiled them, tiles and batches follow
// from an estimate of what the network's VJP takes, and a batch that does not fit after all is halved.

// fillPixels is how many pixels are taken to keep an accelerator busy: 8 images of 256x256, a guess until it is measured.
const fillPixels = 8 << 16

// fill is how many times n images or tiles of h x w are evaluated at once: on the CPU once, since a single one keeps
// its cores busy, on an accelerator as often as fills it and has room.
func fill(e *engine.Engine, d prior.Denoiser, h, w, n int) int {
	if e.Accelerator() == nil {
		return 1
	}
	most := max(1, fillPixels/(n*h*w))
	room, known := e.Room()
	if most == 1 || !known {
		return most
	}
	return max(1, min(most, fitting(e, d, h, w, n, room)))
}

// Together is how many images of h x w are computed at once: on the CPU one, which a batch does not make faster, on an
// accelerator as many as fill it and are estimated to find room.
func Together(e *engine.Engine, d prior.Denoiser, h, w int) int { return fill(e, d, h, w, 1) }

// fitting is how many times n images of h x w find room, 0 if not even once, and many if their memory cannot be told.
func fitting(e *engine.Engine, d prior.Denoiser, h, w, n, room int) int {
	once, images, err := evaluationMemory(e, d, h, w, n)
	if err != nil { // which is for compiling to say
		return fillPixels
	}
	return (int(roomShare*float64(room)) - once) / images
}

// roomShare is the part of an accelerator's free memory that is planned with. The rest is for what estimates do not
// know: the memory in which convolutions are tried out, programs, and gaps.
const roomShare = 0.8

// stateImages is how many arrays of an image's size are held beside an evaluation, at most: state, noise, what a step
// computes from them, and the conjugate gradients of an operator.
const stateImages = 40

// evaluationMemory is about what an evaluation of the denoiser with its VJP takes: once for any number of images, the
// weights among it, and for every n images of h x w.
func evaluationMemory(e *engine.Engine, d prior.Denoiser, h, w, n int) (once, images int, err error) {
	d = prior.AnySize(d)
	var weights []shapes.Shape
	for _, t := range d.Weights() {
		weights = append(weights, t.Shape())
		once += int(t.Shape().Memory())
	}
	var of [2]int // n images, and twice as many
	for i := range of {
		in := append([]shapes.Shape{shapes.Make(dtypes.Float32, (i+1)*n, h, w, d.Channels()), shapes.Make(dtypes.Float32, (i+1)*n)}, weights...)
		of[i], err = e.Estimate("VJP", in, func(in []*graph.Node) []*graph.Node {
			x0hat := d.Denoise(in[2:], in[0], in[1])
			return graph.Gradient(graph.ReduceAllSum(graph.Mul(x0hat, x0hat)), in[0])
		})
		if err != nil {
			return 0, 0, err
		}
	}
	images = of[1] - of[0]
	return once + max(0, of[0]-images), images + stateImages*int(shapes.Make(dtypes.Float32, n, h, w, d.Channels()).Memory()), nil
}

// fitRoom returns the first of several tiles for which an accelerator has room, or the last, whose lack of memory is
// for the run to find: estimates are not sure. Tiles too small for the prior are left out if there are others.
func fitRoom(e *engine.Engine, d prior.Denoiser, op operator.Operator, n, room int, from []Tiles) (Tiles, error) {
	height, width := op.ImageSize()
	fits := from[0]
	for i, t := range from {
		h, w, images := height, width, n
		tiler, err := newTiler(e, d, height, width, Tiles{Side: t.Side, Overlap: t.Overlap, Batch: max(1, t.Batch)})
		switch {
		case err != nil && i > 0:
			continue
		case err != nil:
			return t, err
		case tiler != nil:
			h, w, images = tiler.tiling.TileHeight, tiler.tiling.TileWidth, tiler.batch
		}
		fits = t
		if fitting(e, d, h, w, images, room) > 0 {
			break
		}
	}
	return fits, nil
}
