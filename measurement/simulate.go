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
	h, w, c := op.MeasurementSize()
	entries := h * w * c
	m := &Measurement{Y: make([]float32, len(images)*entries), Task: task, Operator: op, Noise: noise, Seed: seed}
	err := apply(ctx, e, images, op, func(i int, clean []float32) error {
		y := m.Y[i*entries:][:entries]
		copy(y, clean)
		return noise.Add(y, op, seed, uint32(i))
	})
	if err != nil {
		return nil, err
	}
	return m, nil
}

// apply calls see with A(x) of one image after the other, which see must not keep.
func apply(ctx context.Context, e *engine.Engine, images []*imageio.Image, op operator.Operator, see func(i int, y []float32) error) error {
	if len(images) == 0 {
		return fmt.Errorf("measurement: no image to measure: %w", ErrPicture)
	}
	h, w := op.ImageSize()
	in := append([]shapes.Shape{shapes.Make(dtypes.Float32, 1, h, w, 3)}, operator.DataShapes(op)...)
	program, done, err := e.Kept(op, sameMeasure, "measure "+op.Name(), in, func(in []*graph.Node) []*graph.Node {
		return []*graph.Node{graph.Identity(op.Apply(in[1:], in[0]))}
	})
	if err != nil {
		return fmt.Errorf("measurement: %w", err)
	}
	defer done()
	if err := e.Share(op.Data()...); err != nil {
		return fmt.Errorf("measurement: %w", err)
	}
	for i, img := range images {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("measurement: %w", err)
		}
		if err := checkChannels(img); err != nil {
			return err
		}
		if img.Height != h || img.Width != w {
			return fmt.Errorf("measurement: image of %dx%d pixels for %s on %dx%d: %w", img.Width, img.Height, op.Name(), w, h, operator.ErrSize)
		}
		x, err := e.Borrow(img.RGB().Pix, 1, h, w, 3)
		if err != nil {
			return fmt.Errorf("measurement: %w", err)
		}
		inputs := append([]*tensors.Tensor{x}, op.Data()...)
		donated := make([]bool, len(inputs))
		donated[0] = true
		out, err := program.RunDonating(inputs, donated)
		if err != nil {
			return fmt.Errorf("measurement: %w", err)
		}
		if err := e.View(out[0], func(y []float32) error { return see(i, y) }); err != nil {
			return err
		}
		if err := out[0].FinalizeAll(); err != nil {
			return fmt.Errorf("measurement: %w", err)
		}
	}
	return nil
}

// sameMeasure says whether one program measures by either of two operators.
func sameMeasure(a, b any) bool {
	return operator.SamePrograms(a.(operator.Operator), b.(operator.Operator))
}

// checkChannels says what is wrong with a picture's channels, as an ErrPicture.
func checkChannels(img *imageio.Image) error {
	if n := img.Height * img.Width; n < 1 || len(img.Pix) != n*img.Channels || img.Channels != 1 && img.Channels != 3 {
		return fmt.Errorf("measurement: picture of %dx%d pixels with %d channels: %w: it must have 1 or 3 channels", img.Width, img.Height, img.Channels, ErrPicture)
	}
	return nil
}
