package spgd_test

import (
	"context"
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/seed-0f004ec9/spgd"
	"github.com/seed-0f004ec9/spgd/engine"
	"github.com/seed-0f004ec9/spgd/imageio"
	"github.com/seed-0f004ec9/spgd/measurement"
	"github.com/seed-0f004ec9/spgd/operator"
	"github.com/seed-0f004ec9/spgd/prior"
	"github.com/seed-0f004ec9/spgd/sampler"
)

const side = 8

func newEngine(t *testing.T) *engine.Engine {
	t.Helper()
	e, err := engine.New(engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e
}

// whitePrior is the exact denoiser of independent pixels of variance 1/4.
func whitePrior(t *testing.T) *prior.Gaussian {
	t.Helper()
	variance := make([]float64, side*side*3)
	for i := range variance {
		variance[i] = 0.25
	}
	p, err := prior.NewDiagonalGaussian(make([]float64, len(variance)), variance, side, side, 3)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Under a prior of independent pixels, the pixels that a mask drops take their mean, and those
// that it keeps come close to the measurement.
func TestRestore(t *testing.T) {
	ctx, e, p := context.Background(), newEngine(t), whitePrior(t)
	task := operator.Task{Name: operator.TaskInpaint, Mask: "random:0.5"}
	m, err := spgd.Degrade(ctx, e, task, gradient(side, side), measurement.Noise{}, 3)
	if err != nil {
		t.Fatal(err)
	}
	s := spgd.DefaultSettings()
	s.Steps, s.SigmaMin = 60, 0.01
	res, err := spgd.Restore(ctx, e, p, m, s, spgd.Options{Seed: 5})
	if err != nil {
		t.Fatal(err)
	}
	if len(res.Images) != 1 || len(res.Estimates) != 1 || len(res.Run.Records) != s.Steps {
		t.Fatalf("%d images, %d estimates, %d records, want 1, 1 and %d", len(res.Images), len(res.Estimates), len(res.Run.Records), s.Steps)
	}
	if res.Settings.StepSize != sampler.AutoStep || res.Settings.SigmaMax != 1 {
		t.Errorf("the step size is %g from sigma %g, want one from the problem from sigma 1", res.Settings.StepSize, res.Settings.SigmaMax)
	}
	published := spgd.PaperSettings()
	published.Steps = 2
	if res, err := spgd.Restore(ctx, e, p, m, published, spgd.Options{}); err != nil || res.Settings.StepSize != 2.5 {
		t.Errorf("the paper's settings: %v, %+v, want the published step size 2.5", err, res)
	}
	keep := m.Operator.(*operator.Inpaint).Mask()
	var kept, keptError float64
	for i, v := range res.Images[0].Pix {
		if keep[i/3] {
			kept++
			keptError += math.Abs(float64(v - m.Y[i]))
		}
		// Without a likelihood a pixel shrinks from 100 n to about n/2, as the prior says.
		if math.Abs(float64(v)) > 3 {
			t.Errorf("value %d is %g", i, v)
		}
	}
	if mean := keptError / kept; mean > 0.05 {
		t.Errorf("kept pixels are %g from the measurement on average, want at most 0.05", mean)
	}

	again, err := spgd.Restore(ctx, newEngine(t), p, m, s, spgd.Options{Seed: 5})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(res.Images[0].Pix, again.Images[0].Pix) {
		t.Error("the same seed gives another image on another engine")
	}
}

func TestRestoreErrors(t *testing.T) {
	ctx, e, p := context.Background(), newEngine(t), whitePrior(t)
	m, err := spgd.Degrade(ctx, e, operator.Task{Name: operator.TaskDenoise}, gradient(side, side), measurement.Noise{Sigma: 0.1}, 1)
	if err != nil {
		t.Fatal(err)
	}
	s := spgd.DefaultSettings()
	s.Steps = 3

	bad := s
	bad.Steps = 0
	if _, err := spgd.Restore(ctx, e, p, m, bad, spgd.Options{}); !errors.Is(err, spgd.ErrSettings) {
		t.Errorf("no steps: %v, want ErrSettings", err)
	}
	bad = s
	bad.StepSize = 1e20
	if _, err := spgd.Restore(ctx, e, p, m, bad, spgd.Options{}); !errors.Is(err, spgd.ErrDiverged) {
		t.Errorf("huge step size: %v, want ErrDiverged", err)
	}
	nan := *m
	nan.Y = slices.Clone(m.Y)
	nan.Y[4] = float32(math.NaN())
	if _, err := spgd.Restore(ctx, e, p, &nan, s, spgd.Options{}); !errors.Is(err, spgd.ErrProblem) {
		t.Errorf("NaN in the measurement: %v, want ErrProblem", err)
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := spgd.Restore(ended, e, p, m, s, spgd.Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v, want context.Canceled", err)
	}
	if _, err := spgd.LoadPrior("no-such-prior"); err == nil {
		t.Error("a prior that does not exist: no error")
	}
	if _, err := spgd.Degrade(ctx, e, operator.Task{Name: "sharpen"}, imageio.New(side, side, 3), measurement.Noise{}, 1); err == nil {
		t.Error("an unknown task: no error")
	}
}

// The clean image leaves the noise as its residual, on the pixels that the mask keeps.
func TestResidual(t *testing.T) {
	ctx, e := context.Background(), newEngine(t)
	const sigma = 0.2
	clean := gradient(32, 32)
	m, err := spgd.Degrade(ctx, e, operator.Task{Name: operator.TaskInpaint, Mask: "random:0.25"}, clean, measurement.Noise{Sigma: sigma}, 1)
	if err != nil {
		t.Fatal(err)
	}
	sums, entries, err := spgd.Residual(ctx, e, m, []*imageio.Image{clean})
	if err != nil {
		t.Fatal(err)
	}
	if want := 32 * 32 * 3 * 3 / 4; entries != want {
		t.Errorf("%d entries, want %d", entries, want)
	}
	// The mean of n squared draws has the relative standard error sqrt(2/n); allow 4 of them.
	n := float64(entries)
	if ratio := sums[0] / n / (sigma * sigma); math.Abs(ratio-1) > 4*math.Sqrt(2/n) {
		t.Errorf("mean squared residual is %g sigma^2, want 1", ratio)
	}
	if _, _, err := spgd.Residual(ctx, e, m, nil); err == nil {
		t.Error("no images: no error")
	}
}

// Another method by its name: DiffPIR ends on the kept pixels of a mask without noise.
func TestRestoreByAnotherMethod(t *testing.T) {
	ctx, e, p := context.Background(), newEngine(t), whitePrior(t)
	task := operator.Task{Name: operator.TaskInpaint, Mask: "random:0.5"}
	m, err := spgd.Degrade(ctx, e, task, gradient(side, side), measurement.Noise{}, 3)
	if err != nil {
		t.Fatal(err)
	}
	res, err := spgd.Restore(ctx, e, p, m, spgd.Settings{}, spgd.Options{Method: "diffpir", Set: map[string]string{"steps": "20"}})
	if err != nil {
		t.Fatal(err)
	}
	if res.Method.Name() != "diffpir" || res.Run.Cost.NFE() != 20 || res.Settings != (spgd.Settings{}) {
		t.Errorf("method %s, cost %+v, settings %+v", res.Method.Name(), res.Run.Cost, res.Settings)
	}
	for i, kept := range m.Operator.(*operator.Inpaint).Mask() {
		if d := math.Abs(float64(res.Images[0].Pix[3*i] - m.Y[3*i])); kept && d > 0.01 {
			t.Errorf("kept pixel %d is %g from the measurement", i, d)
		}
	}
	if _, err := spgd.Restore(ctx, e, p, m, spgd.Settings{}, spgd.Options{Method: "dip"}); !errors.Is(err, spgd.ErrSettings) {
		t.Errorf("unknown method: %v", err)
	}
	if _, err := spgd.Restore(ctx, e, p, m, spgd.DefaultSettings(), spgd.Options{Set: map[string]string{"eta": "1"}}); !errors.Is(err, spgd.ErrSettings) {
		t.Errorf("settings without a method: %v", err)
	}
	hdr, err := spgd.Degrade(ctx, e, operator.Task{Name: operator.TaskHDR}, gradient(side, side), measurement.Noise{}, 3)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := spgd.Restore(ctx, e, p, hdr, spgd.Settings{}, spgd.Options{Method: "ddnm"}); !errors.Is(err, spgd.ErrOperator) {
		t.Errorf("DDNM on HDR: %v", err)
	}
}
