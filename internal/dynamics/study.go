// Package dynamics looks into restorations: it runs methods on one degraded image with a probe
// (sampler.Probe) and keeps for every evaluation of the prior or of the likelihood's gradient the
// angles, norms and residuals that explain how a method goes. They become a table, plots with bands
// over seeds, and a page.
package dynamics

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/seed-0f004ec9/spgd/engine"
	"github.com/seed-0f004ec9/spgd/imageio"
	"github.com/seed-0f004ec9/spgd/internal/bench"
	"github.com/seed-0f004ec9/spgd/measurement"
	"github.com/seed-0f004ec9/spgd/metric"
	"github.com/seed-0f004ec9/spgd/operator"
	"github.com/seed-0f004ec9/spgd/prior"
	"github.com/seed-0f004ec9/spgd/report"
	"github.com/seed-0f004ec9/spgd/report/html"
	"github.com/seed-0f004ec9/spgd/sampler"
)

// Schema is the version of the JSON form of a Study.
const Schema = 1

// Study is what was measured: runs of methods under seeds.
type Study struct {
	Schema  int            `json:"schema"`
	Program report.Program `json:"program"`
	Image   report.File    `json:"image"` // the clean picture, and the size of its square
	Task    string         `json:"task"`
	Noise   report.Noise   `json:"noise"`
	Prior   *report.Prior  `json:"prior"`
	Engine  report.Engine  `json:"engine"`
	Methods []Method       `json:"methods"`
	Seeds   []uint64       `json:"seeds"`
	Runs    []Run          `json:"runs"` // by seed, then by method
}

// Method is a method as it ran.
type Method struct {
	Label    string         `json:"label"`
	Name     string         `json:"name"`
	Settings map[string]any `json:"settings,omitempty"` // of the first seed
}

// Run is one restoration.
type Run struct {
	Method   string        `json:"method"` // its label
	Seed     uint64        `json:"seed"`
	Reason   string        `json:"reason,omitempty"` // why it did not come to an end
	PSNR     report.Number `json:"psnr"`
	Residual report.Number `json:"residual_rms"` // of the result
	NFE      int           `json:"nfe"`
	Points   []Point       `json:"points"`

	before, after *imageio.Image
	trajectory    []html.Estimate
}

// Point is one evaluation. What a stage or method does not have is NaN.
type Point struct {
	Step     int           `json:"step"`         // outer step, from 1
	Inner    int           `json:"inner"`        // evaluation within the step, from 1
	Progress report.Number `json:"progress_pct"` // through the outer steps, 0 to 100
	Stage    string        `json:"stage"`
	Sigma    report.Number `json:"sigma"`
	StepSize report.Number `json:"step_size"`

	ResidualRMS   report.Number `json:"residual_rms"` // of A(x0hat) - y, over the entries that count
	Loss          report.Number `json:"loss"`         // the sum of its squares
	GradientNorm  report.Number `json:"gradient_norm"`
	DirectionNorm report.Number `json:"direction_norm"`
	Alpha         report.Number `json:"alpha"` // of SPGD's momentum

	// Angles in degrees, see sampler.Evaluation.
	Between        report.Number `json:"angle_prior_likelihood_deg"`
	LikelihoodTurn report.Number `json:"angle_likelihood_turn_deg"`
	PriorTurn      report.Number `json:"angle_prior_turn_deg"`
}

// Runner makes studies.
type Runner struct {
	Engine *engine.Engine
	Prior  prior.Denoiser
	// Programs is what is one program on an accelerator.
	Programs sampler.Programs
	// Begin, if not nil, is called before every run, and Progress after every evaluation of the prior.
	Begin    func(method string, seed uint64)
	Progress func(sampler.Progress)
}

// Run restores the image of a study, which already says what does not depend on the runs, by all methods
// under all seeds. A seed names mask, kernel, noise and start. That a method diverges or does not apply
// is noted in its run.
func (r *Runner) Run(ctx context.Context, s *Study, img *imageio.Image, task bench.Task, methods []bench.Method) error {
	var driver *sampler.Driver
	defer func() {
		if driver != nil {
			driver.Close()
		}
	}()
	for i, seed := range s.Seeds {
		op, _, err := operator.Build(task.Task, img.Height, img.Width, seed, operator.Files{})
		if err != nil {
			return err
		}
		if i == 0 || task.Drawn() { // a driver is for one operator
			if driver != nil && driver.SetOperator(op) != nil { // what is compiled does not serve it
				driver.Close()
				driver = nil
			}
			if driver == nil {
				if driver, err = sampler.NewDriver(r.Engine, r.Prior, op, sampler.WithPrograms(r.Programs)); err != nil {
					return err
				}
			}
		}
		m, err := measurement.Simulate(ctx, r.Engine, []*imageio.Image{img}, op, task.Task, task.Noise, seed)
		if err != nil {
			return err
		}
		for _, method := range methods {
			if r.Begin != nil {
				r.Begin(method.Label, seed)
			}
			run, settings, err := r.run(ctx, driver, m, img, method, seed)
			if err != nil {
				return fmt.Errorf("dynamics: %s, seed %d: %w", method.Label, seed, err)
			}
			if i == 0 {
				s.Methods = append(s.Methods, Method{method.Label, method.Name, settings})
			}
			s.Runs = append(s.Runs, *run)
		}
	}
	return nil
}

func (r *Runner) run(ctx context.Context, d *sampler.Driver, m *measurement.Measurement, img *imageio.Image, method bench.Method, seed uint64) (*Run, map[string]any, error) {
	run := &Run{Method: method.Label, Seed: seed, PSNR: report.Number(math.NaN()), Residual: report.Number(math.NaN())}
	s, err := method.Sampler(sampler.Problem{Operator: m.Operator, SigmaY: m.Noise.Sigma})
	if errors.Is(err, sampler.ErrOperator) {
		run.Reason = strings.TrimPrefix(err.Error(), "sampler: ")
		return run, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	settings := map[string]any{}
	for _, p := range sampler.Parameters(s) {
		settings[p.Name] = p.Value
	}
	w := &watcher{run: run, entries: operator.Entries(m.Operator), size: [2]int{img.Height, img.Width}}
	y := m.Tensor()
	defer func() { _ = y.FinalizeAll() }()
	res, err := d.Run(ctx, sampler.Probe{Sampler: s}, sampler.Job{Y: y, Seed: seed, Progress: r.Progress, Observers: []sampler.Observer{w}})
	switch {
	case errors.Is(err, sampler.ErrOperator), errors.Is(err, sampler.ErrDiverged):
		run.Reason = strings.TrimPrefix(err.Error(), "sampler: ")
		return run, settings, nil
	case err != nil:
		return nil, nil, err
	}
	run.NFE = res.Cost.NFE()
	run.after = imageio.New(img.Height, img.Width, 3)
	if err := res.X.ConstFlatData(func(flat any) { copy(run.after.Pix, flat.([]float32)) }); err != nil {
		return nil, nil, fmt.Errorf("reading the result: %w", err)
	}
	if err := imageio.Clip(run.after, nil); err != nil {
		return nil, nil, err
	}
	if run.before, err = m.Picture(0); err != nil && !errors.Is(err, measurement.ErrPicture) {
		return nil, nil, err
	}
	return run, settings, r.judge(ctx, run, m, img)
}

// judge compares a result with the truth and with the measurement.
func (r *Runner) judge(ctx context.Context, run *Run, m *measurement.Measurement, img *imageio.Image) error {
	psnr, err := metric.PSNR(img, run.after)
	if err != nil {
		return err
	}
	sums, entries, err := m.Residual(ctx, r.Engine, []*imageio.Image{run.after})
	if err != nil {
		return err
	}
	run.PSNR, run.Residual = report.Number(psnr), report.Number(math.Sqrt(sums[0]/float64(entries)))
	return nil
}

// watcher collects the evaluations of a run and some of its estimates.
type watcher struct {
	run     *Run
	entries int
	size    [2]int
}

// ObserveStep notes what the probe has measured in a step.
func (w *watcher) ObserveStep(s *sampler.Snapshot) error {
	first := func(v []float64) report.Number {
		if len(v) == 0 {
			return report.Number(math.NaN())
		}
		return report.Number(v[0])
	}
	gradients := 0
	for i, e := range s.Evaluations {
		p := Point{
			Step: s.K + 1, Inner: i + 1, Stage: e.Stage, Sigma: report.Number(s.Sigma), StepSize: report.Number(s.StepSize),
			Progress:    report.Number(100 * (float64(s.K) + float64(i)/float64(len(s.Evaluations))) / float64(s.Steps)),
			Loss:        first(e.SquaredResidual),
			ResidualRMS: report.Number(math.Sqrt(float64(first(e.SquaredResidual)) / float64(w.entries))),
			Between:     first(e.Angles.DenoiseLikelihood), LikelihoodTurn: first(e.Angles.LikelihoodTurn), PriorTurn: first(e.Angles.DenoiseTurn),
			GradientNorm: first(e.GradientNorm), DirectionNorm: first(e.DirectionNorm), Alpha: report.Number(math.NaN()),
		}
		// The momentum begins with the second gradient of a step.
		if e.GradientNorm != nil {
			if gradients > 0 && gradients <= len(s.Alpha) {
				p.Alpha = first(s.Alpha[gradients-1])
			}
			gradients++
		}
		w.run.Points = append(w.run.Points, p)
	}
	if !html.Shown(s.K, s.Steps) {
		return nil
	}
	return s.ViewX0hat(func(data []float32) error {
		small, err := html.Thumbnail(&imageio.Image{Height: w.size[0], Width: w.size[1], Channels: 3, Pix: data})
		if err != nil {
			return err
		}
		if err := imageio.Clip(small, nil); err != nil {
			return err
		}
		w.run.trajectory = append(w.run.trajectory, html.Estimate{Step: s.K + 1, Sigma: s.Sigma, Image: small})
		return nil
	})
}
