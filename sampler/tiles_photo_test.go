package sampler

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/tabwriter"

	"github.com/seed-0f004ec9/spgd/engine"
	"github.com/seed-0f004ec9/spgd/engine/cpu"
	"github.com/seed-0f004ec9/spgd/imageio"
	"github.com/seed-0f004ec9/spgd/measurement"
	"github.com/seed-0f004ec9/spgd/metric"
	"github.com/seed-0f004ec9/spgd/operator"
	"github.com/seed-0f004ec9/spgd/prior"
)

// Environment variables of TestTilesAgainstWhole: photographs, separated as in PATH, in place of a part
// of an example, with all tasks at the default settings; the largest side of their tiles and the overlap; the
// steps as TxN, 10x2 say; the tasks, by their names with commas; and the precision, f32 in place of bf16 where
// the processor has that.
const (
	envTilesPhotos    = "SPGD_TEST_TILES_PHOTO"
	envTilesSide      = "SPGD_TEST_TILES_SIDE"
	envTilesOverlap   = "SPGD_TEST_TILES_OVERLAP"
	envTilesSteps     = "SPGD_TEST_TILES_STEPS"
	envTilesTasks     = "SPGD_TEST_TILES_TASKS"
	envTilesPrecision = "SPGD_TEST_TILES_PRECISION"
)

// tilesTasks are the tasks with their noise.
var tilesTasks = []struct {
	task  operator.Task
	noise float64
}{
	{operator.Task{Name: operator.TaskDenoise}, 0.2},
	{operator.Task{Name: operator.TaskInpaint, Mask: "random:0.8"}, 0.01},
	{operator.Task{Name: operator.TaskSuperResolution, Scale: 4}, 0.01},
	{operator.Task{Name: operator.TaskDeblur, Kernel: "gaussian:3"}, 0.01},
}

// TestTilesAgainstWhole restores photographs whole, in tiles, and in the tiles of a grid whose borders lie
// inside the tiles of the first. Tiles must not cost more than 0.05 dB; and at borders a result must be no further from the
// photograph than inside tiles, and neither smoother nor rougher. How hard a photograph is to restore differs from place
// to place, so that both are measured at the same pixels, which are at a border of one grid and inside a tile of the
// other.
//
// A result must be hardly further from that of the whole photograph there either. In the small tiles of the example weights
// that fall within 4 pixels give an error of 0.07 dB in super-resolution and differences of 1.30 in inpainting, where
// those of 32 give 0.00 dB and 1.05.
func TestTilesAgainstWhole(t *testing.T) {
	if testing.Short() {
		t.Skip("evaluates the network for a minute")
	}
	s := DefaultSettings()
	tiles, precision := Tiles{Side: 256}, "bf16"
	const errorLimit, contrastLimit, differenceLimit = 0.05, 0.03, 1.1 // at borders
	photos := filepath.SplitList(os.Getenv(envTilesPhotos))
	var tasks []string
	if len(photos) == 0 {
		// Two tiles and three, which is enough for borders inside the others' tiles.
		s.Steps, s.SigmaMax, tiles, precision = 5, 10, Tiles{Side: 112, Overlap: 32}, "f32"
		tasks = []string{operator.TaskInpaint, operator.TaskSuperResolution}
	}
	number := func(name string, to *int) {
		if text := os.Getenv(name); text != "" {
			n, err := strconv.Atoi(text)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			*to = n
		}
	}
	number(envTilesSide, &tiles.Side)
	number(envTilesOverlap, &tiles.Overlap)
	if text := os.Getenv(envTilesSteps); text != "" {
		if _, err := fmt.Sscanf(text, "%dx%d", &s.Steps, &s.Warmup); err != nil {
			t.Fatalf("%s=%s: %v", envTilesSteps, text, err)
		}
	}
	if text := os.Getenv(envTilesTasks); text != "" {
		tasks = strings.Split(text, ",")
	}
	if text := os.Getenv(envTilesPrecision); text != "" {
		precision = text
	}
	e, err := engine.New(engine.Options{Precision: precision})
	if errors.Is(err, cpu.ErrNoBF16) {
		precision = "f32"
		e, err = engine.New(engine.Options{Precision: precision})
	}
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	d, err := prior.Load("natural-small", prior.LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("tiles of at most %d pixels, %d steps of %d, %s", tiles.Side, s.Steps, s.Warmup, precision)
	var table strings.Builder
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "photo\ttask\twhole, dB\tin tiles\tshifted\tborders: error, dB\tcontrast\tdifference from whole")
	compare := func(name string, photo *imageio.Image) {
		for _, c := range tilesTasks {
			if len(tasks) > 0 && !slices.Contains(tasks, c.task.Name) {
				continue
			}
			r := restoreInTiles(t, e, d, photo, c.task, measurement.Noise{Sigma: c.noise}, s, tiles)
			row := fmt.Sprintf("%s\t%s\t%.3f\t%+.3f\t%+.3f\t%+.3f\t%.3f\t%.3f", name, c.task.Name, r.whole, r.gain[0], r.gain[1], r.error, r.contrast, r.difference)
			fmt.Fprintln(w, row)
			t.Log(row)
			if r.gain[0] < -0.05 {
				t.Errorf("%s, %s: tiles lose %.3f dB", name, c.task.Name, -r.gain[0])
			}
			if r.error > errorLimit || math.Abs(r.contrast-1) > contrastLimit || r.difference > differenceLimit {
				t.Errorf("%s, %s: at borders the error is %+.3f dB of that inside, the contrast %.3f and the difference from the whole %.3f, want at most %g dB, 1 within %g, and %g", name, c.task.Name, r.error, r.contrast, r.difference, errorLimit, contrastLimit, differenceLimit)
			}
		}
	}
	if len(photos) == 0 {
		compare("coffee, 112x192", middle(t, "../examples/coffee.png", 112, 192))
	}
	for _, path := range photos {
		photo, _, err := imageio.Read(path)
		if err != nil {
			t.Fatal(err)
		}
		compare(filepath.Base(path), photo)
	}
	w.Flush()
	t.Logf("\n%s", &table)
}

// middle is the middle of a picture.
func middle(t *testing.T, path string, height, width int) *imageio.Image {
	t.Helper()
	whole, _, err := imageio.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	img, err := imageio.CenterCrop(whole, height, width)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// tilesComparison is what tiles do to a restoration.
type tilesComparison struct {
	whole float64    // PSNR of the whole photograph's, dB
	gain  [2]float64 // of tiles, and of those of the shifted grid, dB
	// Of pixels at borders of one grid and inside tiles of the other, the former against the latter, in the geometric mean of the
	// two grids: mean absolute difference from the whole photograph's result, mean squared error in dB, and
	// mean absolute difference of neighbouring pixels.
	difference, error, contrast float64
}

// restoreInTiles restores what a task leaves of a photograph: whole, and with two grids of tiles.
func restoreInTiles(t *testing.T, e *engine.Engine, d prior.Denoiser, photo *imageio.Image, task operator.Task, noise measurement.Noise, s Settings, tiles Tiles) (c tilesComparison) {
	t.Helper()
	ctx := context.Background()
	op, _, err := operator.Build(task, photo.Height, photo.Width, 1, operator.Files{})
	if err != nil {
		t.Fatal(err)
	}
	m, err := measurement.Simulate(ctx, e, []*imageio.Image{photo}, op, task, noise, 1)
	if err != nil {
		t.Fatal(err)
	}
	h, w, channels := op.MeasurementSize()
	y, err := e.Borrow(m.Y, 1, h, w, channels)
	if err != nil {
		t.Fatal(err)
	}
	defer free(y)
	method := SPGD{s.For(Problem{Operator: op, SigmaY: noise.Sigma})}
	restore := func(tiles Tiles, shifted bool) (*imageio.Image, float64, *prior.Tiling) {
		dr, err := NewDriver(e, d, op, WithTiles(tiles))
		if err != nil {
			t.Fatal(err)
		}
		defer dr.Close()
		if shifted {
			dr.tiler.tiling = dr.tiler.tiling.Shifted()
		}
		r := mustRun(t, dr, method, Job{Y: y, Seed: 1})
		img := &imageio.Image{Height: photo.Height, Width: photo.Width, Channels: 3, Pix: flat(t, r.X)}
		psnr, err := metric.PSNR(img, photo)
		if err != nil {
			t.Fatal(err)
		}
		return img, psnr, dr.Tiling()
	}
	whole, psnr, _ := restore(Tiles{}, false)
	c.whole = psnr
	var results [2]*imageio.Image
	var border [2][]bool
	for i, shifted := range []bool{false, true} {
		var grid *prior.Tiling
		results[i], psnr, grid = restore(tiles, shifted)
		c.gain[i], border[i] = psnr-c.whole, borders(grid)
	}
	c.difference, c.error, c.contrast = compareAtBorders(results, border, whole, photo)
	return c
}

// borders says of every pixel whether several tiles have a weight there.
func borders(g *prior.Tiling) []bool {
	border, ones := make([]bool, g.Height*g.Width), slices.Repeat([]float32{1}, g.Size())
	for i := range g.Tiles() {
		weight := make([]float32, len(border))
		g.AddWeighted(weight, ones, i, 1)
		for p, w := range weight {
			border[p] = border[p] || w > 0 && w < 1
		}
	}
	return border
}

// compareAtBorders compares two results at pixels that are at a border in one of them alone. That one of them
// differs more everywhere cancels out.
func compareAtBorders(results [2]*imageio.Image, border [2][]bool, whole, photo *imageio.Image) (difference, error, contrast float64) {
	var differences, squares, contrasts [2][2]float64 // by the grid of the border, and the result
	for p := range border[0] {
		if border[0][p] == border[1][p] {
			continue
		}
		at := 0
		if border[1][p] {
			at = 1
		}
		right := p + 1
		pair := right%photo.Width != 0 && border[0][right] == border[0][p] && border[1][right] == border[1][p]
		for i, r := range results {
			for c := range r.Channels {
				v := float64(r.Pix[p*3+c])
				differences[at][i] += math.Abs(v - float64(whole.Pix[p*3+c]))
				d := v - float64(photo.Pix[p*3+c])
				squares[at][i] += d * d
				if pair {
					contrasts[at][i] += math.Abs(v - float64(r.Pix[right*3+c]))
				}
			}
		}
	}
	ratio := func(s [2][2]float64) float64 { return math.Sqrt(s[0][0] / s[0][1] * s[1][1] / s[1][0]) }
	return ratio(differences), 10 * math.Log10(ratio(squares)), ratio(contrasts)
}
