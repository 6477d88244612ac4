package sampler

import (
	"errors"
	"fmt"
	"slices"

	"github.com/gomlx/gomlx/pkg/core/dtypes"
	"github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/shapes"
	"github.com/gomlx/gomlx/pkg/core/tensors"

	"github.com/seed-0f004ec9/spgd/engine"
	"github.com/seed-0f004ec9/spgd/engine/xla"
	"github.com/seed-0f004ec9/spgd/prior"
)

// Tiles say how a driver cuts images that are too large for the denoiser: see prior.Tiling. The zero
// value leaves them whole.
type Tiles struct {
	// Side is the largest height and width of a tile, in pixels. Images that are no larger are left
	// whole. 0 means that all are.
	Side int
	// Overlap is the least number of pixels that neighbours share; 0 means prior.DefaultOverlap.
	Overlap int
	// Batch is the number of tiles that are evaluated at once. It does not change the result. 0 means 1 on the CPU,
	// since a tile of 128x128 pixels keeps many cores busy, and on an accelerator as many as fill it and find memory.
	Batch int
}

// tiler evaluates a denoiser and its VJP tile by tile, on images in the host's memory, with the
// activations of one batch of tiles alive at a time. All tiles are of one shape, so that there is one
// program for either.
type tiler struct {
	engine   *engine.Engine
	denoiser prior.Denoiser // for any size
	tiling   *prior.Tiling
	batch    int
	chosen   bool            // the batch may become smaller
	forward  *engine.Program // once it has been needed
	vjp      *engine.Program
}

// newTiler returns a tiler for images of h x w, or nil if they stay whole.
func newTiler(e *engine.Engine, d prior.Denoiser, h, w int, t Tiles) (*tiler, error) {
	if t.Side < 0 || t.Overlap < 0 || t.Batch < 0 {
		return nil, fmt.Errorf("sampler: %w: batches of %d tiles of %d pixels that overlap by %d", ErrSettings, t.Batch, t.Side, t.Overlap)
	}
	if t.Side == 0 || t.Side >= max(h, w) {
		return nil, nil
	}
	tiling, err := prior.NewTiling(h, w, t.Side, t.Overlap, d.SizeMultiple())
	if err != nil {
		return nil, fmt.Errorf("sampler: %w: %w", ErrSettings, err)
	}
	tl := &tiler{engine: e, denoiser: prior.AnySize(d), tiling: tiling, batch: t.Batch}
	if t.Batch == 0 {
		tl.batch, tl.chosen = min(tiling.Tiles(), fill(e, d, tiling.TileHeight, tiling.TileWidth, 1)), true
	}
	return tl, nil
}

// close releases the programs.
func (t *tiler) close() {
	for _, p := range []*engine.Program{t.forward, t.vjp} {
		if p != nil {
			p.Close()
		}
	}
	t.forward, t.vjp = nil, nil
}

// compile returns the program for D(x; sigma) of a batch of tiles, or for its VJP. Inputs are the
// weights, x, sigma [batch], and for the VJP the cotangent of the result.
func (t *tiler) compile(vjp bool) (*engine.Program, error) {
	place, name := &t.forward, "tile"
	if vjp {
		place, name = &t.vjp, "VJP of a tile"
	}
	if *place != nil {
		return *place, nil
	}
	var in []shapes.Shape
	weights := t.denoiser.Weights()
	for _, w := range weights {
		in = append(in, w.Shape())
	}
	tile := shapes.Make(dtypes.Float32, t.dimensions()...)
	in = append(in, tile, shapes.Make(dtypes.Float32, t.batch))
	if vjp {
		in = append(in, tile)
	}
	p, err := t.engine.Compile(name, in, func(in []*graph.Node) []*graph.Node {
		weights, in := in[:len(weights)], in[len(weights):]
		x0hat := t.denoiser.Denoise(weights, in[0], in[1])
		if !vjp {
			return []*graph.Node{x0hat}
		}
		return graph.Gradient(graph.ReduceAllSum(graph.Mul(x0hat, in[2])), in[0])
	})
	if err != nil {
		return nil, err
	}
	*place = p
	return p, nil
}

// dimensions are those of a batch of tiles.
func (t *tiler) dimensions() []int {
	return []int{t.batch, t.tiling.TileHeight, t.tiling.TileWidth, t.denoiser.Channels()}
}

// denoise returns D(x; sigma) for x [N,H,W,C]. done is called after every batch of tiles with the
// share of them that are done; its error ends the evaluation.
func (t *tiler) denoise(x *tensors.Tensor, sigma float32, done func(share float64) error) (*tensors.Tensor, error) {
	return t.evaluate(false, sigma, []tileInput{{x, t.tiling.Cut}}, t.tiling.AddWeighted, done)
}

// pullBack returns the product of the cotangent v of D(x; sigma) with the Jacobian, [N,H,W,C]. The tiles'
// forward passes are computed again.
func (t *tiler) pullBack(x, v *tensors.Tensor, sigma float32, done func(share float64) error) (*tensors.Tensor, error) {
	return t.evaluate(true, sigma, []tileInput{{x, t.tiling.Cut}, {v, t.tiling.CutWeighted}}, t.tiling.Add, done)
}

// onTile moves a tile into or out of an image of a number of channels: methods of prior.Tiling.
type onTile func(to, from []float32, tile, channels int)

// tileInput is an image [N,H,W,C] of which a program gets tiles.
type tileInput struct {
	image *tensors.Tensor
	cut   onTile
}

// evaluate runs the program for D or its VJP for all tiles of all images and adds up its results. Tiles are added
// in one order, whatever the batch.
func (t *tiler) evaluate(vjp bool, sigma float32, inputs []tileInput, add onTile, done func(share float64) error) (*tensors.Tensor, error) {
	d := inputs[0].image.Shape().Dimensions
	tiles := d[0] * t.tiling.Tiles()
	return t.engine.Make(func(image []float32) error {
		clear(image)
		for first := 0; first < tiles; {
			err := t.evaluateBatch(vjp, first, tiles, sigma, inputs, image, add)
			if t.chosen && t.batch > 1 && errors.Is(err, xla.ErrMemory) { // nothing has been added
				t.close()
				t.batch /= 2
				continue
			}
			if err != nil {
				return err
			}
			first += t.batch
			if err := done(float64(min(first, tiles)) / float64(tiles)); err != nil {
				return err
			}
		}
		return nil
	}, d...)
}

// evaluateBatch runs it for the batch of tiles that starts with the given one of all images'.
func (t *tiler) evaluateBatch(vjp bool, first, tiles int, sigma float32, inputs []tileInput, image []float32, add onTile) error {
	p, err := t.compile(vjp)
	if err != nil {
		return err
	}
	channels := t.denoiser.Channels()
	size, perImage := t.tiling.Size()*channels, t.tiling.Height*t.tiling.Width*channels
	each := func(f func(slot, image, tile int)) {
		for slot := range min(t.batch, tiles-first) {
			f(slot, (first+slot)/t.tiling.Tiles(), (first+slot)%t.tiling.Tiles())
		}
	}
	level, err := t.engine.Make(func(data []float32) error {
		for i := range data {
			data[i] = sigma
		}
		return nil
	}, t.batch)
	if err != nil {
		return err
	}
	defer free(level)
	var in []*tensors.Tensor
	defer func() {
		for _, x := range in {
			free(x)
		}
	}()
	for _, input := range inputs {
		x, err := t.engine.Make(func(data []float32) error {
			clear(data[min(t.batch, tiles-first)*size:]) // places that no tile is left for
			return t.engine.View(input.image, func(whole []float32) error {
				each(func(slot, image, tile int) {
					input.cut(data[slot*size:][:size], whole[image*perImage:][:perImage], tile, channels)
				})
				return nil
			})
		}, t.dimensions()...)
		if err != nil {
			return err
		}
		in = append(in, x)
	}
	out, err := p.Run(slices.Concat(t.denoiser.Weights(), in[:1], []*tensors.Tensor{level}, in[1:])...)
	if err != nil {
		return err
	}
	defer free(out[0])
	return t.engine.View(out[0], func(data []float32) error {
		each(func(slot, at, tile int) {
			add(image[at*perImage:][:perImage], data[slot*size:][:size], tile, channels)
		})
		return nil
	})
}
