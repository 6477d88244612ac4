package sampler

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/tensors"

	"github.com/seed-0f004ec9/spgd/engine"
	"github.com/seed-0f004ec9/spgd/operator"
	"github.com/seed-0f004ec9/spgd/prior"
)

// pixelwise is a denoiser of every pixel by itself, which tiles cannot change. It is not linear, and
// mixes the channels.
type pixelwise struct{}

func (pixelwise) Name() string               { return "pixelwise" }
func (pixelwise) Channels() int              { return 3 }
func (pixelwise) SizeMultiple() int          { return 4 }
func (pixelwise) Weights() []*tensors.Tensor { return nil }

func (pixelwise) Denoise(_ []*Node, x, sigma *Node) *Node {
	s := graph.Reshape(sigma, -1, 1, 1, 1)
	mean := graph.ReduceAndKeep(x, graph.ReduceMean, 3)
	bump := graph.Mul(x, graph.Exp(graph.Neg(graph.Mul(mean, mean))))
	return graph.Div(graph.Add(x, graph.MulScalar(bump, 0.3)), graph.OnePlus(graph.Mul(s, s)))
}

// smallTiles cut the operators' images into four tiles.
func smallTiles(batch int) Tiles { return Tiles{Side: 8, Overlap: 4, Batch: batch} }

func newTiledDriver(t testing.TB, d prior.Denoiser, op operator.Operator, tiles Tiles) *Driver {
	t.Helper()
	dr, err := NewDriver(newEngine(t), d, op, WithTiles(tiles))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(dr.Close)
	if dr.Tiling() == nil {
		t.Fatalf("%+v: the images stay whole", tiles)
	}
	return dr
}

// Where tiles cannot change the denoiser, every method gives the same images with them as without, at
// the same cost; to the bit the same ones in any batch of images or tiles. Rounding that a method
// amplifies, by conjugate gradients for instance, is allowed for as far as a measurement that is rounded
// differently moves it too.
func TestEveryMethodInTiles(t *testing.T) {
	for opName, op := range someOperators(t) {
		t.Run(opName, func(t *testing.T) {
			h, w, c := op.MeasurementSize()
			y, nudged := normals(60, 0.3, 2, h, w, c), normals(60, 0.3*(1+2e-7), 2, h, w, c)
			whole := newDriver(t, pixelwise{}, op)
			tiled, batched := newTiledDriver(t, pixelwise{}, op, smallTiles(0)), newTiledDriver(t, pixelwise{}, op, smallTiles(3))
			for _, name := range append(MethodNames(), "dps"+FilterSuffix, "spgd"+FilterSuffix, "daps"+FilterSuffix) {
				m, err := smallMethod(t, name, Problem{op, 0.05})
				if errors.Is(err, ErrOperator) {
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				job := Job{Y: y, Seed: 3, Images: []uint32{5, 2}}
				if _, ok := op.(operator.Starter); ok {
					job.XStart = normals(61, 1, 2, h/3*2, w/3*2, 3) // a search may find another image for a nudge
				}
				want, got := mustRun(t, whole, m, job), mustRun(t, tiled, m, job)
				near := job
				near.Y = nudged
				allowed := max(1e-5, 10*relative(flat(t, mustRun(t, whole, m, near).X), double(flat(t, want.X))))
				if allowed > 1e-4 && !strings.HasPrefix(opName, "deblur") {
					t.Errorf("%s on %s amplifies rounding to %g", name, opName, allowed)
				}
				for what, pair := range map[string][2]*tensors.Tensor{"x": {got.X, want.X}, "x0hat": {got.X0hat, want.X0hat}} {
					if e := relative(flat(t, pair[0]), double(flat(t, pair[1]))); !(e < allowed) {
						t.Errorf("%s on %s: %s moves by %g of its size with tiles, want at most %g", name, opName, what, e, allowed)
					}
				}
				for k := range want.Records {
					for i, loss := range want.Records[k].Loss {
						if d := math.Abs(got.Records[k].Loss[i] - loss); d > 10*allowed*loss {
							t.Errorf("%s on %s: the loss of image %d at step %d is %g with tiles, %g without", name, opName, i, k, got.Records[k].Loss[i], loss)
						}
					}
				}
				if got.Cost != want.Cost {
					t.Errorf("%s on %s: cost %+v with tiles, %+v without", name, opName, got.Cost, want.Cost)
				}
				again := mustRun(t, batched, m, job)
				if !slices.Equal(flat(t, again.X), flat(t, got.X)) {
					t.Errorf("%s on %s: the result depends on the batch of tiles", name, opName)
				}
				if opName == "sr:4" {
					one := mustRun(t, batched, m, Job{Y: slice(t, y, 1), Seed: 3, Images: []uint32{2}})
					if !slices.Equal(flat(t, one.X), flat(t, slice(t, got.X, 1))) {
						t.Errorf("%s on %s: an image depends on its batch", name, opName)
					}
				}
			}
		})
	}
}

// Samplers whose images stay whole in a driver with tiles have the bits of one without.
func TestTilesLargerThanTheImage(t *testing.T) {
	p := newProblem(t, 1)
	dr, err := NewDriver(newEngine(t), p.prior, p.op, WithTiles(Tiles{Side: gaussianSide}))
	if err != nil {
		t.Fatal(err)
	}
	defer dr.Close()
	if dr.Tiling() != nil {
		t.Errorf("an image of %d pixels is cut into %+v", gaussianSide, dr.Tiling())
	}
	if got, want := mustRun(t, dr, quick(), p.job), mustRun(t, newDriver(t, p.prior, p.op), quick(), p.job); !slices.Equal(flat(t, got.X), flat(t, want.X)) {
		t.Error("the result differs")
	}
}

func TestTilesErrors(t *testing.T) {
	op, err := operator.NewDenoise(64, 64)
	if err != nil {
		t.Fatal(err)
	}
	for _, tiles := range []Tiles{{Side: -1}, {Side: 16, Overlap: -1}, {Side: 16, Batch: -1}, {Side: 3}, {Side: 16, Overlap: 9}} {
		if _, err := NewDriver(newEngine(t), pixelwise{}, op, WithTiles(tiles)); !errors.Is(err, ErrSettings) {
			t.Errorf("%+v: %v, want ErrSettings", tiles, err)
		}
	}
}

// A run in tiles reports progress after every batch of them, rising to the whole of the work, and stops
// there when its context ends.
func TestTilesProgress(t *testing.T) {
	op := someOperators(t)["denoise"]
	y := normals(60, 0.3, 1, opSide, opSide, 3)
	s := quick()
	for _, batch := range []int{1, 3} {
		driver := newTiledDriver(t, pixelwise{}, op, smallTiles(batch))
		var seen []Progress
		mustRun(t, driver, s, Job{Y: y, Progress: func(p Progress) { seen = append(seen, p) }})
		for i, p := range seen {
			if i > 0 && p.Done < seen[i-1].Done || p.Done > p.Total {
				t.Errorf("batches of %d: progress %d is %+v after %+v", batch, i, p, seen[max(i-1, 0)])
			}
		}
		if last := seen[len(seen)-1]; last.Done != last.Total {
			t.Errorf("batches of %d: it ends at %+v", batch, last)
		}
		batches := (4 + batch - 1) / batch
		// Every evaluation takes its batches, twice as many with a VJP, and is reported when it ends.
		if want := s.Steps * (s.Warmup*(2*batches+1) + batches + 1); len(seen) != want {
			t.Errorf("batches of %d: %d reports of progress, want %d", batch, len(seen), want)
		}
		for _, after := range []int{1, batches, 2*batches - 1} {
			ctx, cancel := context.WithCancel(context.Background())
			calls := 0
			_, err := driver.Run(ctx, s, Job{Y: y, Progress: func(Progress) {
				if calls++; calls == after {
					cancel()
				}
			}})
			cancel()
			if !errors.Is(err, context.Canceled) || calls != after {
				t.Errorf("batches of %d: cancelled after %d of them, it ran %d: %v", batch, after, calls, err)
			}
		}
	}
}

// The state that only diagnostics need is left out, without an effect on the images, whichever settings
// the driver has seen before; and the results do not depend on the number of threads.
func TestTilesSpareDiagnostics(t *testing.T) {
	op := someOperators(t)["deblur:gaussian:1"]
	if op == nil {
		t.Fatalf("no such operator among %v", someOperators(t))
	}
	y := normals(60, 0.3, 1, opSide, opSide, 3)
	whole, tiled := newDriver(t, pixelwise{}, op), newTiledDriver(t, pixelwise{}, op, smallTiles(1))
	one, err := engine.New(engine.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer one.Close()
	single, err := NewDriver(one, pixelwise{}, op, WithTiles(smallTiles(2)))
	if err != nil {
		t.Fatal(err)
	}
	defer single.Close()
	for _, c := range []struct {
		adm     ADM
		denoise DenoiseFrom
		warmup  int
	}{
		{ADMGlobal, DenoiseFresh, 2},
		{ADMGlobal, DenoiseStale, 2},
		{ADMOff, DenoiseFresh, 2},
		{ADMPixel, DenoiseFresh, 1},
		{ADMPixel, DenoiseFresh, 2},
		{ADMGlobal, DenoiseStale, 4},
	} {
		name := fmt.Sprint(c.adm, " ", c.denoise, " ", c.warmup)
		s := quick()
		s.ADM, s.Denoise, s.Warmup = c.adm, c.denoise, c.warmup
		var states []string
		job := Job{Y: y, Observers: []Observer{ObserverFunc(func(s *Snapshot) error {
			states = nil
			for name, v := range s.run.state {
				if v != nil {
					states = append(states, name)
				}
			}
			return nil
		})}}
		want, got := mustRun(t, whole, s, Job{Y: y}), mustRun(t, tiled, s, job)
		slices.Sort(states)
		left := []string{StateX, StateX0hat} // the momentum is of no use between levels
		if c.denoise == DenoiseStale {
			left = []string{direction, StateX, StateX0hat}
		}
		if !slices.Equal(states, left) {
			t.Errorf("%s: the state is %q, want %q", name, states, left)
		}
		if e := relative(flat(t, got.X), double(flat(t, want.X))); e > 1e-5 {
			t.Errorf("%s: x moves by %g of its size", name, e)
		}
		last := got.Records[len(got.Records)-1]
		if len(last.Angles.DenoiseLikelihood) > 0 || len(last.Angles.DenoiseTurn) > 0 {
			t.Errorf("%s: the angles are %+v", name, last.Angles)
		}
		if len(last.Alpha) != len(want.Records[0].Alpha) {
			t.Errorf("%s: %d alphas, want %d", name, len(last.Alpha), len(want.Records[0].Alpha))
		}
		if again := mustRun(t, single, s, Job{Y: y}); !slices.Equal(flat(t, again.X), flat(t, got.X)) {
			t.Errorf("%s: the result depends on the number of threads", name)
		}
	}
}
