package spgd_test

import (
	"context"
	"testing"

	"github.com/seed-0f004ec9/spgd"
	"github.com/seed-0f004ec9/spgd/imageio"
	"github.com/seed-0f004ec9/spgd/measurement"
	"github.com/seed-0f004ec9/spgd/metric"
	"github.com/seed-0f004ec9/spgd/operator"
)

// TestRestoreInTiles restores a photograph in tiles and whole. Tiles must not cost more than 0.05 dB. What they do at their
// borders, TestTilesAgainstWhole of package sampler measures.
//
// The tiles are smaller than the prior's training images, which costs some 2 dB
// where a measurement says little of the details: so the tasks are denoising and inpainting.
func TestRestoreInTiles(t *testing.T) {
	if testing.Short() {
		t.Skip("evaluates the network for ten seconds")
	}
	photo := examplePhoto(t)
	s := spgd.PaperSettings() // whose published step size makes denoising take all steps too
	s.Steps, s.Warmup, s.SigmaMax = 5, 2, 10
	d, err := spgd.LoadPrior("natural-small")
	if err != nil {
		t.Fatal(err)
	}
	e := newEngine(t)
	for _, c := range []struct {
		task  operator.Task
		noise float64
	}{
		{operator.Task{Name: operator.TaskDenoise}, 0.2},
		{operator.Task{Name: operator.TaskInpaint, Mask: "random:0.8"}, 0.01},
	} {
		t.Run(c.task.Name, func(t *testing.T) {
			ctx := context.Background()
			m, err := spgd.Degrade(ctx, e, c.task, photo, measurement.Noise{Sigma: c.noise}, 1)
			if err != nil {
				t.Fatal(err)
			}
			psnr := map[int]float64{}
			for _, tile := range []int{0, 96} {
				res, err := spgd.Restore(ctx, e, d, m, s, spgd.Options{Seed: 1, Tile: tile})
				if err != nil {
					t.Fatal(err)
				}
				if psnr[tile], err = metric.PSNR(res.Images[0], photo); err != nil {
					t.Fatal(err)
				}
			}
			t.Logf("PSNR %.3f dB whole, %+.3f in tiles", psnr[0], psnr[96]-psnr[0])
			if psnr[96] < psnr[0]-0.05 || psnr[96] == psnr[0] {
				t.Errorf("PSNR is %.3f dB with tiles and %.3f without", psnr[96], psnr[0])
			}
		})
	}
}

// examplePhoto is the middle of one of the example pictures.
func examplePhoto(t *testing.T) *imageio.Image {
	t.Helper()
	const side = 128
	whole, _, err := imageio.Read("examples/coffee.png")
	if err != nil {
		t.Fatal(err)
	}
	photo, err := imageio.CenterCrop(whole, side, side)
	if err != nil {
		t.Fatal(err)
	}
	return photo
}
