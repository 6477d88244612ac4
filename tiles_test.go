package spgd_test

import (
	"context"
	"math"
	"os"
	"strconv"
	"testing"

	"github.com/seed-0f004ec9/spgd"
	"github.com/seed-0f004ec9/spgd/imageio"
	"github.com/seed-0f004ec9/spgd/measurement"
	"github.com/seed-0f004ec9/spgd/metric"
	"github.com/seed-0f004ec9/spgd/operator"
	"github.com/seed-0f004ec9/spgd/prior"
)

// Environment variables of TestTilesAgainstWhole: a photograph, of 512x512 pixels say, in place of a
// small one, with all tasks at the default settings; the largest side of the tiles; and the number of steps.
const (
	envPhoto = "SPGD_TEST_TILES_PHOTO"
	envSide  = "SPGD_TEST_TILES_SIDE"
	envSteps = "SPGD_TEST_TILES_STEPS"
)

// tileTask is a task of TestTilesAgainstWhole.
type tileTask struct {
	task  operator.Task
	noise float64
}

// TestTilesAgainstWhole restores a photograph in tiles and whole. Tiles must not cost more than 0.05 dB,
// and the two results must not differ more where tiles meet than elsewhere: neither in the mean absolute
// difference, where tiles overlap, nor in how that difference jumps from one pixel to the next, across the tiles'
// edges. Results differ most where the photograph is hard to restore: what is compared lies beside the
// borders.
//
// The tiles of the small photograph are smaller than the prior's training images, which costs some 2 dB
// where a measurement says little of the details: so its tasks are denoising and inpainting.
func TestTilesAgainstWhole(t *testing.T) {
	photo, side := examplePhoto(t), 96
	s := spgd.PaperSettings() // whose published step size makes denoising take all steps too
	s.Steps, s.Warmup, s.SigmaMax = 5, 2, 10
	tasks := []tileTask{
		{operator.Task{Name: operator.TaskDenoise}, 0.2},
		{operator.Task{Name: operator.TaskInpaint, Mask: "random:0.8"}, 0.01},
	}
	if path := os.Getenv(envPhoto); path != "" {
		var err error
		if photo, _, err = imageio.Read(path); err != nil {
			t.Fatal(err)
		}
		s, side = spgd.DefaultSettings(), 384
		tasks = append(tasks,
			tileTask{operator.Task{Name: operator.TaskSuperResolution, Scale: 4}, 0.01},
			tileTask{operator.Task{Name: operator.TaskDeblur, Kernel: "gaussian:3"}, 0.01})
	} else if testing.Short() {
		t.Skip("evaluates the network for ten seconds")
	}
	for name, v := range map[string]*int{envSide: &side, envSteps: &s.Steps} {
		if text := os.Getenv(name); text != "" {
			var err error
			if *v, err = strconv.Atoi(text); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
	}
	d, err := spgd.LoadPrior("natural-small")
	if err != nil {
		t.Fatal(err)
	}
	tiling, err := prior.NewTiling(photo.Height, photo.Width, side, 0, d.SizeMultiple())
	if err != nil {
		t.Fatal(err)
	}
	if tiling.Tiles() == 1 {
		t.Fatalf("a tile of %d pixels holds the whole photograph", side)
	}
	t.Logf("%d tiles of %dx%d, which overlap by at least %d; %d steps of %d", tiling.Tiles(), tiling.TileHeight, tiling.TileWidth, tiling.Overlap, s.Steps, s.Warmup)
	e := newEngine(t)
	for _, c := range tasks {
		t.Run(c.task.Name, func(t *testing.T) {
			ctx := context.Background()
			m, err := spgd.Degrade(ctx, e, c.task, photo, measurement.Noise{Sigma: c.noise}, 1)
			if err != nil {
				t.Fatal(err)
			}
			restored := map[int]*imageio.Image{}
			psnr := map[int]float64{}
			for _, tile := range []int{0, side} {
				res, err := spgd.Restore(ctx, e, d, m, s, spgd.Options{Seed: 1, Tile: tile})
				if err != nil {
					t.Fatal(err)
				}
				restored[tile] = res.Images[0]
				last := res.Run.Records[len(res.Run.Records)-1]
				t.Logf("tiles of %d: the loss ends at %.1f", tile, last.Loss[0])
				if psnr[tile], err = metric.PSNR(res.Images[0], photo); err != nil {
					t.Fatal(err)
				}
			}
			gain := psnr[side] - psnr[0]
			mean, jump := atBorders(tiling, restored[side], restored[0])
			t.Logf("PSNR %.3f dB whole, %+.3f in tiles; differences at borders %.3f of those elsewhere, jumps %.3f", psnr[0], gain, mean, jump)
			if gain < -0.05 {
				t.Errorf("PSNR is %.3f dB with tiles and %.3f without", psnr[side], psnr[0])
			}
			if limit := 1.1; mean > limit || jump > limit {
				t.Errorf("differences at borders are %.3f of those elsewhere, their jumps %.3f, want at most %g", mean, jump, limit)
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
	photo := imageio.New(side, side, 3)
	y0, x0 := (whole.Height-side)/2, (whole.Width-side)/2
	for y := range side {
		copy(photo.Pix[y*side*3:][:side*3], whole.Pix[((y0+y)*whole.Width+x0)*3:])
	}
	return photo
}

// atBorders compares two images at the borders of tiles with what lies beside them: the mean absolute
// difference where several tiles have a weight, and the mean absolute change of the difference from one
// pixel to the next across the edges of tiles, each divided by that elsewhere up to the distance of half
// the overlap from where several tiles have a weight.
func atBorders(g *prior.Tiling, a, b *imageio.Image) (mean, jump float64) {
	tiles, edge := make([]int, g.Height*g.Width), make([][]bool, 2) // edge: between a pixel and the next right, below
	owner := make([][]int, g.Tiles())
	for i := range g.Tiles() {
		ones, image := make([]float32, g.Size()), make([]float32, len(tiles))
		for j := range ones {
			ones[j] = 1
		}
		g.Add(image, ones, i, 1)
		owner[i] = make([]int, len(tiles))
		for p, v := range image {
			tiles[p] += int(v)
			owner[i][p] = int(v)
		}
	}
	step := []int{1, g.Width}
	for k := range edge {
		edge[k] = make([]bool, len(tiles))
		for p := range tiles {
			if p+step[k] >= len(tiles) || k == 0 && p%g.Width == g.Width-1 {
				continue
			}
			for i := range owner {
				edge[k][p] = edge[k][p] || owner[i][p] != owner[i][p+step[k]]
			}
		}
	}
	var sum, count, jumps, pairs [2]float64 // elsewhere, at borders
	index := func(is bool) int {
		if is {
			return 1
		}
		return 0
	}
	difference := func(p, c int) float64 { return float64(a.Pix[3*p+c]) - float64(b.Pix[3*p+c]) }
	beside := func(p int) bool {
		y, x := p/g.Width, p%g.Width
		for _, d := range [][2]int{{g.Overlap / 2, 0}, {-g.Overlap / 2, 0}, {0, g.Overlap / 2}, {0, -g.Overlap / 2}} {
			if y, x := y+d[0], x+d[1]; y >= 0 && y < g.Height && x >= 0 && x < g.Width && tiles[y*g.Width+x] > 1 {
				return true
			}
		}
		return false
	}
	for p := range tiles {
		if tiles[p] == 1 && !beside(p) {
			continue
		}
		for c := range 3 {
			at := index(tiles[p] > 1)
			sum[at] += math.Abs(difference(p, c))
			count[at]++
			for k := range edge {
				if p+step[k] >= len(tiles) || k == 0 && p%g.Width == g.Width-1 {
					continue
				}
				at := index(edge[k][p])
				jumps[at] += math.Abs(difference(p+step[k], c) - difference(p, c))
				pairs[at]++
			}
		}
	}
	ratio := func(s, n [2]float64) float64 { return s[1] / n[1] / (s[0] / n[0]) }
	return ratio(sum, count), ratio(jumps, pairs)
}
