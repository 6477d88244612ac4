package measurement

import (
	"context"
	"fmt"

	"github.com/gomlx/gomlx/pkg/core/dtypes"
	"github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/shapes"
	"github.com/gomlx/gomlx/pkg/core/tensors"

	"github.com/seed-0f004ec9/spgd/engine"
	"github.com/seed-0f004ec9/spgd/imageio"
	"github.com/seed-0f004ec9/spgd/operator"
)

// Simulate measures clean images: A on the engine, then noise, drawn for image i from the seed and
// i. The images are of the operator's size, with three channels or one (grey, used for all
// three). task is recorded with the measurement; it is what op was built from.
func Simulate(ctx context.Context, e *engine.Engine, images []*imageio.Image, op operator.Operator, task operator.Task, noise Noise, seed uint64) (*Measurement, error) {
	if err := noise.Validate(); err != nil {
		return nil, err
	}
	if len(images) == 0 {
		return nil, fmt.Errorf("measurement: no image to measure: %w", ErrPicture)
	}
	h, w := op.ImageSize()
	in := append([]shapes.Shape{shapes.Make(dtypes.Float32, 1, h, w, 3)}, operator.DataShapes(op)...)
	program, err := e.Compile("measure "+op.Name(), in, func(in []*graph.Node) []*graph.Node {
		return []*graph.Node{graph.Identity(op.Apply(in[1:], in[0]))}
	})
	if err != nil {
		return nil, fmt.Errorf("measurement: %w", err)
	}
	defer program.Close()

	mh, mw, mc := op.MeasurementSize()
	entries := mh * mw * mc
	m := &Measurement{Y: make([]float32, len(images)*entries), Task: task, Operator: op, Noise: noise, Seed: seed}
	for i, img := range images {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("measurement: %w", err)
		}
		pix, err := threeChannels(img)
		if err != nil {
			return nil, err
		}
		if img.Height != h || img.Width != w {
			return nil, fmt.Errorf("measurement: image of %dx%d pixels for %s on %dx%d: %w", img.Width, img.Height, op.Name(), w, h, operator.ErrSize)
		}
		x := tensors.FromFlatDataAndDimensions(pix, 1, h, w, 3)
		out, err := program.Run(append([]*tensors.Tensor{x}, op.Data()...)...)
		if err != nil {
			return nil, fmt.Errorf("measurement: %w", err)
		}
		y := m.Y[i*entries:][:entries]
		if err := out[0].ConstFlatData(func(flat any) { copy(y, flat.([]float32)) }); err != nil {
			return nil, fmt.Errorf("measurement: reading the result: %w", err)
		}
		if err := noise.Add(y, op, seed, uint32(i)); err != nil {
			return nil, err
		}
		for _, t := range []*tensors.Tensor{x, out[0]} {
			if err := t.FinalizeAll(); err != nil {
				return nil, fmt.Errorf("measurement: %w", err)
			}
		}
	}
	return m, nil
}

// threeChannels copies the picture's values, repeating a single channel.
func threeChannels(img *imageio.Image) ([]float32, error) {
	n := img.Height * img.Width
	switch {
	case n < 1 || len(img.Pix) != n*img.Channels:
	case img.Channels == 3:
		return append([]float32(nil), img.Pix...), nil
	case img.Channels == 1:
		pix := make([]float32, 0, 3*n)
		for _, v := range img.Pix {
			pix = append(pix, v, v, v)
		}
		return pix, nil
	}
	return nil, fmt.Errorf("measurement: picture of %dx%d pixels with %d channels: %w: it must have 1 or 3 channels", img.Width, img.Height, img.Channels, ErrPicture)
}
