package spgd

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/gomlx/gomlx/pkg/core/tensors"

	"github.com/seed-0f004ec9/spgd/engine"
	"github.com/seed-0f004ec9/spgd/measurement"
	"github.com/seed-0f004ec9/spgd/operator"
	"github.com/seed-0f004ec9/spgd/prior"
	"github.com/seed-0f004ec9/spgd/sampler"
)

// keptDrivers is for how many operators a Restorer keeps what it has compiled: enough for pictures of
// one size that stand or lie.
const keptDrivers = 2

// Restorer restores one measurement after the other on an engine. It keeps what it has compiled for
// the operators it has seen last, so that pictures of one size and task are compiled for once, whatever their masks. It is
// for use by one goroutine at a time.
type Restorer struct {
	engine   *engine.Engine
	denoiser prior.Denoiser
	drivers  []keptDriver // the one used last is the last
}

type keptDriver struct {
	operator operator.Operator
	tiles    sampler.Tiles
	programs sampler.Programs
	*sampler.Driver
}

// NewRestorer returns a Restorer. The engine and the prior stay the caller's.
func NewRestorer(e *engine.Engine, d prior.Denoiser) *Restorer {
	return &Restorer{engine: e, denoiser: d}
}

// Restore is the function Restore on the Restorer's engine, with its prior.
func (r *Restorer) Restore(ctx context.Context, m *measurement.Measurement, s Settings, o Options) (*Result, error) {
	return r.restore(ctx, m, s, o, nil)
}

// restore is Restore for images that have noise of their own, if that is not nil.
func (r *Restorer) restore(ctx context.Context, m *measurement.Measurement, s Settings, o Options, sigmaY []float64) (*Result, error) {
	method, s, err := restoration(m, s, o)
	if err != nil {
		return nil, err
	}
	driver, err := r.driver(m.Operator, sampler.Tiles{Side: o.Tile}, o.Programs)
	if err != nil {
		return nil, err
	}
	h, w, c := m.Operator.MeasurementSize()
	y, err := r.engine.Borrow(m.Y, m.Len(), h, w, c)
	if err != nil {
		return nil, err
	}
	defer func() { _ = y.FinalizeAll() }()
	samples, err := r.samples(ctx, m, o)
	if err != nil {
		return nil, err
	}
	if o.EachSample != nil {
		samples.Each = func(i int, run *sampler.Result) error {
			r, err := newResult(method, s, run)
			if err != nil {
				return err
			}
			return o.EachSample(i, r)
		}
	}
	run, err := driver.Run(ctx, method, sampler.Job{
		Y: y, SigmaY: sigmaY, Seed: o.Seed, Images: o.Images, Samples: samples, Progress: o.Progress, Observers: o.Observers, Resume: o.Resume,
	})
	if err != nil {
		return nil, err
	}
	return newResult(method, s, run)
}

// samples are those that the options ask for.
func (r *Restorer) samples(ctx context.Context, m *measurement.Measurement, o Options) (s sampler.Samples, err error) {
	if o.Starts == 0 {
		return sampler.Samples{Number: o.Samples, Batch: o.SampleBatch}, nil
	}
	if o.Samples > 1 {
		return s, fmt.Errorf("spgd: %w: %d samples and %d starts: a result is the mean of the ones or one of the others", ErrSettings, o.Samples, o.Starts)
	}
	s.Number, s.Batch = o.Starts, o.SampleBatch
	s.Choose = func(x *tensors.Tensor) ([]float64, error) {
		list, err := images(x)
		if err != nil {
			return nil, err
		}
		rms, entries, err := m.Residual(ctx, r.engine, list)
		for i := range rms {
			rms[i] = math.Sqrt(rms[i] / float64(entries))
		}
		return rms, err
	}
	return s, nil
}

// Fit chooses Options.Tile for a Restore of the measurement that takes no more than a number of bytes beyond
// what the process holds (not counting what the engine keeps for its next program): the first of
// several sides with which it does, or without any the largest sensible one, 0 for whole images if they
// fit. bytes is what the Restore will take at most. If nothing fits, the error is a *sampler.BudgetError.
func (r *Restorer) Fit(m *measurement.Measurement, s Settings, o Options, budget int, sides ...int) (side, bytes int, err error) {
	method, _, err := restoration(m, s, o)
	if err != nil {
		return 0, 0, err
	}
	var tiles []sampler.Tiles
	for _, side := range sides {
		tiles = append(tiles, sampler.Tiles{Side: side})
	}
	if len(sides) == 0 {
		tiles = sampler.FitTiles(r.denoiser, m.Operator)
	}
	samples := max(o.Samples, o.Starts)
	if sampler.IsDeterministic(method) {
		samples = 1
	}
	held := sampler.SamplesHeld(samples, m.Len(), m.Operator)
	n := m.Len() * max(1, min(o.SampleBatch, samples))
	t, bytes, err := sampler.Fit(r.engine, r.denoiser, m.Operator, method, n, budget-held, tiles...)
	if b := (*sampler.BudgetError)(nil); errors.As(err, &b) {
		b.Budget, b.Least = b.Budget+held, b.Least+held
	}
	return t.Side, bytes + held, err
}

// driver returns a driver for an operator, tiles and a form of programs, a new one if need be.
func (r *Restorer) driver(op operator.Operator, t sampler.Tiles, p sampler.Programs) (*sampler.Driver, error) {
	for i, k := range r.drivers {
		if k.tiles == t && k.programs == p && operator.SamePrograms(k.operator, op) {
			if !operator.Equal(k.operator, op) {
				if err := k.SetOperator(op); err != nil {
					return nil, err
				}
				k.operator = op
			}
			r.drivers = append(append(r.drivers[:i], r.drivers[i+1:]...), k)
			return k.Driver, nil
		}
	}
	d, err := sampler.NewDriver(r.engine, r.denoiser, op, sampler.WithTiles(t), sampler.WithPrograms(p))
	if err != nil {
		return nil, err
	}
	if len(r.drivers) == keptDrivers {
		r.drivers[0].Close()
		r.drivers = append(r.drivers[:0], r.drivers[1:]...)
	}
	r.drivers = append(r.drivers, keptDriver{op, t, p, d})
	return d, nil
}

// Close releases what was compiled.
func (r *Restorer) Close() {
	for _, k := range r.drivers {
		k.Close()
	}
	r.drivers = nil
}
