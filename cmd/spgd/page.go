package main

import (
	"context"
	"io"

	"github.com/seed-0f004ec9/spgd/engine"
	"github.com/seed-0f004ec9/spgd/imageio"
	"github.com/seed-0f004ec9/spgd/operator"
	"github.com/seed-0f004ec9/spgd/report"
	"github.com/seed-0f004ec9/spgd/report/html"
)

// dataFit measures how well the result explains the measurement, and maps the residual for the page.
func (r *restoration) dataFit(ctx context.Context, e *engine.Engine) (*report.DataFit, error) {
	m := r.problem.Measurement
	if r.flags.report != "" {
		h, w, c := m.Operator.MeasurementSize()
		r.residual = html.NewResidual(h, w, c, m.Noise.Sigma, m.Task.Name != operator.TaskPhase)
	}
	var sum float64
	entries := 0
	err := m.EachResidual(ctx, e, []*imageio.Image{r.image}, func(_, entry int, d float64) {
		sum += d * d
		entries++
		if r.residual != nil {
			r.residual.Add(entry, d)
		}
	})
	if err != nil {
		return nil, err
	}
	return report.NewDataFit(sum, entries, m.Noise.Sigma), nil
}

// writePage writes the page about the restoration, if there is to be one.
func (r *restoration) writePage() error {
	path := r.flags.report
	if path == "" {
		return nil
	}
	content := html.Restoration{Run: r.record, After: r.image, Residual: r.residual, Spread: r.spread, Trajectory: r.estimates.list}
	if m := r.problem.Measurement; m.Task.Name != operator.TaskPhase {
		h, w, c := m.Operator.MeasurementSize()
		content.Before = &imageio.Image{Height: h, Width: w, Channels: c, Pix: m.Y} // which may be large
		if r.problem.channels() == 1 {
			content.Before = content.Before.Grey()
		}
	}
	page, err := content.Page()
	if err != nil {
		return err
	}
	return as(errOutput, imageio.WriteFileAtomic(path, func(w io.Writer) error { return page.Write(w) }))
}
