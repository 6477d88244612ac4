//go:build !race

package sampler

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/seed-0f004ec9/spgd/engine/cpu"
	"github.com/seed-0f004ec9/spgd/operator"
	"github.com/seed-0f004ec9/spgd/prior"
)

// envFootprint is a run of footprintRuns for a process of TestFootprint to measure.
const envFootprint = "SPGD_TEST_FOOTPRINT"

// footprintRun is a method, a task, the size of the image and the side of the tiles; and whether the prior is
// one that takes next to nothing, so that what counts are images.
type footprintRun struct {
	method string
	task   operator.Task
	h, w   int
	side   int
	light  bool
}

var (
	denoise = operator.Task{Name: operator.TaskDenoise}
	holes   = operator.Task{Name: operator.TaskInpaint, Mask: "random:0.5"}
	fourth  = operator.Task{Name: operator.TaskSuperResolution, Scale: 4}
	motion  = operator.Task{Name: operator.TaskDeblur, Kernel: "motion:41:30"}
)

var footprintRuns = []footprintRun{
	{"spgd", denoise, 256, 192, 0, false},
	{"spgd", fourth, 192, 256, 128, false},
	{"ddnm+", holes, 320, 256, 0, false},
	{"dps", motion, 256, 256, 96, false},
	{"fps", denoise, 256, 320, 128, false},
	// The start needs more than the steps, and gives it back. Large, so that the part that does not grow counts little.
	{"spgd", holes, 1400, 1600, 256, true},
	{"spgd", motion, 1000, 1400, 256, true},
}

// TestFootprint: the largest memory that a process has had is no more than what it held before and the run's
// Footprint, and at most 15 % less.
func TestFootprint(t *testing.T) {
	if spec := os.Getenv(envFootprint); spec != "" {
		var i int
		if _, err := fmt.Sscan(spec, &i); err != nil {
			t.Fatal(err)
		}
		runForFootprint(t, footprintRuns[i])
		return
	}
	if _, err := ofProcess("VmHWM:"); err != nil {
		t.Skipf("the system does not say what memory was resident: %v", err)
	}
	for i, r := range footprintRuns {
		t.Run(fmt.Sprintf("%s %s %dx%d tiles of %d", r.method, r.task.Name, r.w, r.h, r.side), func(t *testing.T) {
			cmd := exec.Command(os.Args[0], "-test.run=^TestFootprint$", "-test.v")
			cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d", envFootprint, i))
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			_, report, _ := strings.Cut(string(out), "footprint ")
			var estimate, truth int
			if n, _ := fmt.Sscanf(report, "%d of %d", &truth, &estimate); n != 2 {
				t.Fatalf("no report in\n%s", out)
			}
			t.Logf("%.1f MB, estimated %.1f", float64(truth)/1e6, float64(estimate)/1e6)
			if truth > estimate || float64(estimate) > 1.15*float64(truth) {
				t.Errorf("%d bytes, %d were estimated (%+.1f %%)", truth, estimate, 100*(float64(estimate)/float64(truth)-1))
			}
		})
	}
}

func runForFootprint(t *testing.T, r footprintRun) {
	var d prior.Denoiser = pixelwise{}
	if !r.light {
		var err error
		if d, err = prior.Load("natural-small", prior.LoadOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	op, _, err := operator.Build(r.task, r.h, r.w, 1, operator.Files{})
	if err != nil {
		t.Fatal(err)
	}
	e := newEngine(t)
	h, w, c := op.MeasurementSize()
	y, err := e.Borrow(make([]float32, h*w*c), 1, h, w, c)
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(r.method, Problem{Operator: op, SigmaY: 0.1}, map[string]string{"steps": "1"})
	if err != nil {
		t.Fatal(err)
	}
	tiles, bytes, err := Fit(e, d, op, s, 1, 1<<40, Tiles{Side: r.side})
	if err != nil || tiles.Side != r.side {
		t.Fatalf("tiles of %d, error %v", tiles.Side, err)
	}
	debug.FreeOSMemory()
	before := cpu.ResidentMemory()
	driver, err := NewDriver(e, d, op, WithTiles(tiles))
	if err != nil {
		t.Fatal(err)
	}
	defer driver.Close()
	if _, err := driver.Run(context.Background(), s, Job{Y: y}); err != nil {
		t.Fatal(err)
	}
	peak, err := ofProcess("VmHWM:")
	if err != nil {
		t.Fatal(err)
	}
	fmt.Printf("footprint %d of %d\n", peak, before+bytes)
}

// TestFit: a smaller budget gives smaller tiles and never more memory than it allows, down to an error that
// says what the least would be. Nothing is allocated for pictures of any size.
func TestFit(t *testing.T) {
	d, err := prior.Load("natural-small", prior.LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	e := newEngine(t)
	const h, w = 4000, 6000
	op, _, err := operator.Build(denoise, h, w, 1, operator.Files{})
	if err != nil {
		t.Fatal(err)
	}
	s, err := New("spgd", Problem{Operator: op, SigmaY: 0.1}, nil)
	if err != nil {
		t.Fatal(err)
	}
	const image = h * w * 3 * 4
	held, _ := ofProcess("VmRSS:")
	last, sides := 1<<30, map[int]bool{}
	_, first, err := Fit(e, d, op, s, 1, 1<<32, FitTiles(d, op)...)
	if err != nil {
		t.Fatal(err)
	}
	for budget := first; ; budget -= 8 << 20 {
		tiles, bytes, err := Fit(e, d, op, s, 1, budget, FitTiles(d, op)...)
		if err != nil {
			var b *BudgetError
			if !errors.Is(err, cpu.ErrMemory) || !errors.As(err, &b) || b.Budget != budget || b.Least <= budget || b.Least < 3*image || b.Tiles.Side != tileSides[len(tileSides)-1] {
				t.Errorf("%d bytes: error %v", budget, err)
			}
			break
		}
		if tiles.Side > last || tiles.Side == 0 || bytes > budget {
			t.Errorf("%d bytes: tiles of %d that take %d, after %d", budget, tiles.Side, bytes, last)
		}
		last, sides[tiles.Side] = tiles.Side, true
	}
	if len(sides) != len(tileSides) {
		t.Errorf("only tiles of the sides %v were chosen", sides)
	}
	if now, _ := ofProcess("VmRSS:"); now > held+image/2 {
		t.Errorf("%d bytes are resident, before %d", now, held)
	}

	// Small pictures stay whole where there is room, and fixed tiles are not changed.
	small, _, err := operator.Build(denoise, 128, 96, 1, operator.Files{})
	if err != nil {
		t.Fatal(err)
	}
	if tiles, _, err := Fit(e, d, small, s, 1, 1<<30, FitTiles(d, small)...); err != nil || tiles != (Tiles{}) {
		t.Errorf("128x96 pixels: tiles %+v, error %v", tiles, err)
	}
	if tiles, _, err := Fit(e, d, small, s, 1, 1<<30, Tiles{Side: 64}); err != nil || tiles.Side != 64 {
		t.Errorf("fixed tiles of 64: %+v, error %v", tiles, err)
	}
	if _, _, err := Fit(e, d, small, s, 1, 1<<30, Tiles{Side: 8}); !errors.Is(err, prior.ErrTile) {
		t.Errorf("tiles of 8: %v", err)
	}

	// A prior with attention sees no more than the size it was trained at.
	attends, err := prior.Random("attends", prior.Config{
		ImageSize: 96, InChannels: 3, OutChannels: 3, NumChannels: 32, NumResBlocks: 1, ChannelMult: []float64{1, 1},
		AttentionResolutions: []int{48}, NumHeadChannels: 32, UseScaleShiftNorm: true, ResblockUpdown: true, ConvResample: true,
	}, 1)
	if err != nil {
		t.Fatal(err)
	}
	if list := FitTiles(attends, op); len(list) != 1 || list[0].Side != 96 {
		t.Errorf("with attention at 96 pixels: %+v", list)
	}
	// Another sees tiles of one size, whatever the memory, of images that are larger.
	for _, c := range []struct{ h, w, side int }{{256, 200, 0}, {257, 200, 256}, {4000, 6000, 256}} {
		op, err := operator.NewDenoise(c.h, c.w)
		if err != nil {
			t.Fatal(err)
		}
		if tiles, _, err := Fit(e, d, op, s, 1, 1<<34, FitTiles(d, op)...); err != nil || tiles.Side != c.side {
			t.Errorf("%dx%d pixels: tiles %+v, error %v, want a side of %d", c.w, c.h, tiles, err, c.side)
		}
	}
}

// TestLargePictures: 24 megapixels with automatic steps take so many images of memory at most, of 288 MB. 3 GB are ten, of
// which the measurement and the program have one or two.
func TestLargePictures(t *testing.T) {
	d, err := prior.Load("natural-small", prior.LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	e := newEngine(t)
	for _, c := range []struct {
		task   operator.Task
		images float64
	}{{denoise, 5}, {holes, 8}, {fourth, 8.8}, {operator.Task{Name: operator.TaskColorize}, 8.5}, {motion, 13.8}} {
		const h, w = 4000, 6000
		op, _, err := operator.Build(c.task, h, w, 1, operator.Files{})
		if err != nil {
			t.Fatal(err)
		}
		s, err := New("spgd", Problem{Operator: op, SigmaY: 0.02}, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, bytes, err := Fit(e, d, op, s, 1, 1<<40, Tiles{Side: 256})
		if images := float64(bytes) / (h * w * 3 * 4); err != nil || images > c.images || images < c.images-2 {
			t.Errorf("%s: %.1f images (%v), want %.1f or a little less", op.Name(), images, err, c.images)
		}
	}
}
