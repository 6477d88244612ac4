package bench

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"runtime/debug"
	"strings"

	"github.com/gomlx/gomlx/pkg/core/tensors"

	"github.com/seed-0f004ec9/spgd/engine"
	"github.com/seed-0f004ec9/spgd/imageio"
	"github.com/seed-0f004ec9/spgd/measurement"
	"github.com/seed-0f004ec9/spgd/metric"
	"github.com/seed-0f004ec9/spgd/operator"
	"github.com/seed-0f004ec9/spgd/prior"
	"github.com/seed-0f004ec9/spgd/report"
	"github.com/seed-0f004ec9/spgd/sampler"
)

// Runner computes cells.
type Runner struct {
	Engine   *engine.Engine
	Prior    prior.Denoiser
	Measures []metric.Measure
	// Base holds the causes that all cells share: prior, measures, program, engine and tiles.
	Base    Causes
	Journal *Journal
	// Begin, if not nil, is called before each cell that is computed, and Done after it with the cell.
	// n counts the cells of the plan from 0, those of the journal among them.
	Begin func(n int, c Cell)
	Done  func(n int, c Cell)
	// Progress, if not nil, is called after every evaluation of the prior.
	Progress func(sampler.Progress)
	// Keep, if not nil, gets the restored image of every finished cell before the journal gets the cell, turned where
	// its values are those of the turned one.
	Keep func(c Cell, restored *imageio.Image) error
}

// place is one combination of the plan.
type place struct {
	image         Image
	task          Task
	method        Method
	seed          uint64
	i, t, m, s, n int // indices of the above, and the number of the cell in the order of computation
}

// places visits the plan in the order of computation: whatever an operator can be used again for comes
// together.
func (p *Plan) places(visit func(at place) error) error {
	n := 0
	for t, task := range p.Tasks {
		for i, image := range p.Images {
			for s, seed := range p.Spec.Seeds {
				for m, method := range p.Methods[t] {
					if err := visit(place{image, task, method, seed, i, t, m, s, n}); err != nil {
						return err
					}
					n++
				}
			}
		}
	}
	return nil
}

// start is the cell of a place before it is computed.
func (at place) start(base Causes) (Cell, error) {
	c := Cell{Causes: base, Image: at.image.Name, Label: at.method.Label, Draw: drawSeed(at.image.SHA256, at.seed)}
	c.Causes.Image, c.Causes.Task, c.Causes.Seed = at.image.SHA256, at.task.Name, at.seed
	c.Causes.Method, c.Causes.Set = at.method.Name, at.method.Set
	key, err := c.Causes.key()
	c.Key = key
	return c, err
}

// Missing counts the cells of the plan that the journal does not hold.
func (r *Runner) Missing(p *Plan) (int, error) {
	n := 0
	err := p.places(func(at place) error {
		c, err := at.start(r.Base)
		if err != nil {
			return err
		}
		_, known, err := r.Journal.Find(c)
		if !known {
			n++
		}
		return err
	})
	return n, err
}

// Run computes the cells that the journal does not hold. That a method diverges or does not apply is
// the result of its cell; other errors end the run, with all cells before kept.
func (r *Runner) Run(ctx context.Context, p *Plan) error {
	b := &workbench{}
	defer b.close()
	return p.places(func(at place) error {
		c, err := at.start(r.Base)
		if err != nil {
			return err
		}
		if _, known, err := r.Journal.Find(c); known || err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if r.Begin != nil {
			r.Begin(at.n, c)
		}
		if err := b.prepare(ctx, r, at, c.Draw); err != nil {
			return fmt.Errorf("%s, %s: %w", at.image.Name, at.task.Name, err)
		}
		if err := r.compute(ctx, b, at, &c); err != nil {
			return fmt.Errorf("%s, %s, %s: %w", at.image.Name, at.task.Name, at.method.Label, err)
		}
		if err := r.Journal.Append(c); err != nil {
			return err
		}
		if r.Done != nil {
			r.Done(at.n, c)
		}
		return nil
	})
}

// workbench holds what cells that follow one another share: the driver with its compiled programs
// while the operator is the same or another mask, and the measurement while image, task and seed are.
type workbench struct {
	driver      *sampler.Driver
	operator    operator.Operator
	operatorKey string
	measurement *measurement.Measurement
	measureKey  string
}

func (b *workbench) close() {
	if b.driver != nil {
		b.driver.Close()
		b.driver = nil
	}
}

// prepare makes the operator and simulates the measurement.
func (b *workbench) prepare(ctx context.Context, r *Runner, at place, draw uint64) error {
	key, err := at.task.OperatorName()
	if err != nil {
		return err
	}
	if at.task.Drawn() {
		key = fmt.Sprint(key, " ", draw)
	}
	if key != b.operatorKey || b.driver == nil {
		size := at.image.Pixels.Height
		if b.operator, _, err = operator.Build(at.task.Task, size, size, draw, operator.Files{}); err != nil {
			return err
		}
		if b.driver == nil || b.driver.SetOperator(b.operator) != nil {
			b.close()
			if b.driver, err = sampler.NewDriver(r.Engine, r.Prior, b.operator, sampler.WithTiles(sampler.Tiles{Side: r.Base.Tile}), sampler.WithPrograms(r.Base.Programs)); err != nil {
				return err
			}
		}
		b.operatorKey = key
	}
	if key := fmt.Sprint(at.task.Name, " ", draw); key != b.measureKey {
		m, err := measurement.Simulate(ctx, r.Engine, []*imageio.Image{at.image.Pixels}, b.operator, at.task.Task, at.task.Noise, draw)
		if err != nil {
			return err
		}
		b.measurement, b.measureKey = m, key
	}
	return nil
}

// compute restores and measures.
func (r *Runner) compute(ctx context.Context, b *workbench, at place, c *Cell) error {
	c.Operator = b.operator.Name()
	drawn, err := hashTensors(b.operator.Data())
	if err != nil {
		return err
	}
	c.Drawn = drawn
	c.Residual = report.Number(math.NaN())
	if operator.HalfTurn(b.operator) {
		c.Symmetry = halfTurn
	}
	end := func(status Status, err error) error {
		c.Status, c.Reason = status, strings.TrimPrefix(err.Error(), "sampler: ")
		return nil
	}
	sigma := at.task.Noise.Sigma
	if estimate, err := at.method.estimatesNoise(); err != nil {
		return err
	} else if estimate {
		found, err := b.measurement.EstimateNoise()
		if errors.Is(err, measurement.ErrNoise) {
			return end(Inapplicable, err)
		}
		if err != nil {
			return err
		}
		sigma = found[0].Sigma
		c.Estimated = (*report.Number)(&sigma)
	}
	method, err := at.method.Sampler(sampler.Problem{Operator: b.operator, SigmaY: sigma})
	if errors.Is(err, sampler.ErrOperator) {
		return end(Inapplicable, err)
	}
	if err != nil {
		return err
	}
	c.Settings = map[string]any{}
	for _, p := range sampler.Parameters(method) {
		c.Settings[p.Name] = p.Value
	}
	samples, err := at.method.MeanOf()
	if err != nil {
		return err
	}
	if samples > 1 {
		c.Settings[setMean] = samples
	}
	debug.FreeOSMemory() // what earlier cells left behind is not this one's
	resetPeak()
	img, err := r.restore(ctx, b, at, method, samples, c)
	switch {
	case errors.Is(err, sampler.ErrOperator):
		return end(Inapplicable, err)
	case errors.Is(err, sampler.ErrDiverged):
		return end(Diverged, err)
	case err != nil:
		return err
	}
	c.PeakBytes = peakBytes()
	if c.Symmetry != "" {
		if img, c.Turned, _, err = resolve(at.image.Pixels, img); err != nil {
			return err
		}
	}
	c.Values = map[string]report.Number{}
	for _, m := range r.Measures {
		v, err := m.Of(at.image.Pixels, img)
		if errors.Is(err, metric.ErrSize) {
			continue
		}
		if err != nil {
			return err
		}
		c.Values[m.Name] = report.Number(v)
	}
	c.Status = Finished
	if r.Keep != nil {
		return r.Keep(*c, img)
	}
	return nil
}

// restore runs the method from all starts, from each for the mean of several samples, and returns the image with
// the smallest residual. If one of them diverges, the cell does.
func (r *Runner) restore(ctx context.Context, b *workbench, at place, method sampler.Sampler, samples int, c *Cell) (best *imageio.Image, err error) {
	y := b.measurement.Tensor()
	defer func() { _ = y.FinalizeAll() }()
	for start := range at.task.Starts {
		run, err := b.driver.Run(ctx, method, sampler.Job{
			Y: y, Seed: c.Draw, Images: []uint32{sampler.SampleIndex(0, start*samples)}, Samples: sampler.Samples{Number: samples}, Progress: r.Progress,
		})
		if err != nil {
			return nil, err
		}
		c.Seconds += report.Number((run.Elapsed - run.Compile).Seconds())
		c.Compile += report.Number(run.Compile.Seconds())
		c.Forwards, c.VJPs, c.NFE = c.Forwards+run.Cost.Forwards, c.VJPs+run.Cost.VJPs, c.NFE+run.Cost.NFE()
		img, err := imageOf(run.X)
		if err != nil {
			return nil, err
		}
		if img.Check() != nil { // the driver looks at norms alone
			return nil, fmt.Errorf("%w: the result holds values that are not finite", sampler.ErrDiverged)
		}
		sums, entries, err := b.measurement.Residual(ctx, r.Engine, []*imageio.Image{img})
		if err != nil {
			return nil, err
		}
		rms := report.Number(math.Sqrt(sums[0] / float64(entries)))
		if best == nil || rms < c.Residual {
			best, c.Residual = img, rms
		}
		if at.task.Starts > 1 {
			c.Residuals = append(c.Residuals, rms)
		}
		if c.Symmetry != "" {
			_, _, psnr, err := resolve(at.image.Pixels, img)
			if err != nil {
				return nil, err
			}
			c.PSNRs = append(c.PSNRs, report.Number(psnr))
		}
	}
	return best, nil
}

// imageOf copies a tensor of [1,H,W,C].
func imageOf(t *tensors.Tensor) (*imageio.Image, error) {
	d := t.Shape().Dimensions
	img := imageio.New(d[1], d[2], d[3])
	if err := t.ConstFlatData(func(flat any) { copy(img.Pix, flat.([]float32)) }); err != nil {
		return nil, fmt.Errorf("bench: reading a result: %w", err)
	}
	return img, nil
}

// hashTensors is the SHA-256 of shapes and values.
func hashTensors(ts []*tensors.Tensor) (string, error) {
	var all bytes.Buffer
	for _, t := range ts {
		err := t.ConstBytes(func(data []byte) {
			fmt.Fprintln(&all, t.Shape())
			_ = binary.Write(&all, binary.LittleEndian, int64(len(data)))
			all.Write(data)
		})
		if err != nil {
			return "", fmt.Errorf("bench: reading an operator's arrays: %w", err)
		}
	}
	return hashFloats(all.Bytes(), nil), nil
}
