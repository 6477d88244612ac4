package main

import (
	"context"

	"github.com/gomlx/gomlx/pkg/core/dtypes"
	"github.com/gomlx/gomlx/pkg/core/shapes"
	"github.com/gomlx/gomlx/pkg/core/tensors"

	"github.com/seed-0f004ec9/spgd/engine"
	"github.com/seed-0f004ec9/spgd/engine/xla"
	"github.com/seed-0f004ec9/spgd/internal/rng"
	"github.com/seed-0f004ec9/spgd/operator"
	"github.com/seed-0f004ec9/spgd/prior"
	"github.com/seed-0f004ec9/spgd/sampler"
)

// timeStep times SPGD as a restoration runs it: a run of the released method with ADM, in as many outer steps as there are
// runs and 5 likelihood steps each, for random inpainting of noise, after a run that compiles. The weights may be
// random, so the step size is next to nothing.
func (t *engineTimes) timeStep(ctx context.Context, e *engine.Engine, m *prior.Model, o *benchEngineOptions) error {
	keep, err := operator.RandomMask(o.size, o.size, 0.8, 1)
	if err != nil {
		return err
	}
	op, err := operator.NewInpaint("inpaint", o.size, o.size, keep)
	if err != nil {
		return err
	}
	d, err := sampler.NewDriver(e, m, op, sampler.WithPrograms(o.programsOn(e)))
	if err != nil {
		return err
	}
	defer d.Close()
	s := sampler.ReleasedSettings()
	s.ADM, s.StepSize, s.SigmaMax = sampler.ADMPixel, 1e-6, 1
	y := make([]float32, shapes.Make(dtypes.Float32, o.batch, o.size, o.size, m.Channels()).Size())
	rng.New(1, 0, 0, rng.Diagnostic).FillNormal(y)
	for i, steps := range []int{1, max(2, o.runs)} {
		s.Steps = steps
		r, err := d.Run(ctx, sampler.SPGD{Settings: s}, sampler.Job{Y: tensors.FromFlatDataAndDimensions(y, o.batch, o.size, o.size, m.Channels())})
		if err != nil {
			return err
		}
		if i == 0 {
			t.StepCompile = r.Compile.Seconds()
		}
		t.Run, t.Evaluations = (r.Elapsed - r.Compile).Seconds(), r.Cost.NFE()
		t.Step = t.Run / float64(t.Evaluations)
	}
	return nil
}

// usedMemory is what is taken of the GPUs' memory, by anyone; 0 where the driver does not say.
func usedMemory() (bytes int64) {
	cards, err := xla.System().Cards()
	if err != nil {
		return 0
	}
	for _, c := range cards {
		bytes += c.Used
	}
	return bytes
}
