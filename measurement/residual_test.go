package measurement

import (
	"context"
	"math"
	"testing"

	"github.com/seed-0f004ec9/spgd/engine"
	"github.com/seed-0f004ec9/spgd/imageio"
	"github.com/seed-0f004ec9/spgd/operator"
)

// TestResidualOfTruth: the true image leaves the noise, whose mean square is sigma^2 within four
// standard errors, and only kept pixels count.
func TestResidualOfTruth(t *testing.T) {
	e, err := engine.New(engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	const side, sigma = 40, 0.05
	truth := imageio.New(side, side, 3)
	for i := range truth.Pix {
		truth.Pix[i] = float32(math.Sin(float64(i) / 7))
	}
	for _, test := range []struct {
		task    operator.Task
		entries int
	}{
		{operator.Task{Name: operator.TaskInpaint, Mask: "random:0.75"}, side * side * 3 / 4},
		{operator.Task{Name: operator.TaskSuperResolution, Scale: 2}, side * side * 3 / 4},
		{operator.Task{Name: operator.TaskColorize}, side * side},
	} {
		op, _, err := operator.Build(test.task, side, side, 1, operator.Files{})
		if err != nil {
			t.Fatal(err)
		}
		m, err := Simulate(context.Background(), e, []*imageio.Image{truth, truth}, op, test.task, Noise{Sigma: sigma}, 5)
		if err != nil {
			t.Fatal(err)
		}
		sums, entries, err := m.Residual(context.Background(), e, []*imageio.Image{truth, truth})
		if err != nil {
			t.Fatal(err)
		}
		if entries != test.entries || len(sums) != 2 {
			t.Errorf("%s: %d entries of %d images, want %d of 2", op.Name(), entries, len(sums), test.entries)
		}
		for i, sum := range sums {
			if ratio := sum / float64(entries) / (sigma * sigma); math.Abs(ratio-1) > 4*math.Sqrt(2/float64(entries)) {
				t.Errorf("%s: image %d: mean square residual is %.3f sigma^2, want 1", op.Name(), i, ratio)
			}
		}
		if _, _, err := m.Residual(context.Background(), e, []*imageio.Image{truth}); err == nil {
			t.Errorf("%s: one image for two measurements gives no error", op.Name())
		}
	}
}
