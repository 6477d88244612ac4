package html

import (
	"errors"
	"math"
	"strconv"

	"github.com/seed-0f004ec9/spgd/report"
	"github.com/seed-0f004ec9/spgd/report/plot"
)

// steps are the curves and the table of the outer steps.
func (r *Restoration) steps() (*Section, error) {
	if len(r.Run.Steps) == 0 {
		return nil, nil
	}
	c := newCurves(r.Run)
	s := &Section{Title: "Step by step", Table: c.table()}
	s.Text = "What was measured at each noise level" + ofFirst(r.Run)
	if r.Run.Sampler != nil && r.Run.Sampler.Warmup > 1 {
		s.Text += ", after its last likelihood step"
	}
	s.Text += "."
	for _, p := range c.plots() {
		switch err := drawable(p); {
		case errors.Is(err, plot.ErrEmpty): // the method does not report it
		case err != nil:
			return nil, err
		default:
			s.Plots = append(s.Plots, p)
		}
	}
	return s, nil
}

// drawable says why a plot cannot be drawn.
func drawable(p *plot.Plot) error {
	_, err := svg(p)
	return err
}

// curves are the columns of the table of steps.
type curves struct {
	run              *report.Run
	step             []float64 // from 1
	sigma, stepSize  []float64
	residual, loss   []float64 // the residual's root mean square
	gradient         []float64
	alpha            []float64 // mean over the likelihood steps, and its ends
	alphaLow         []float64
	alphaHigh        []float64
	between, turn    []float64 // angles
	turnOfDenoiser   []float64
	nfe              []float64
	hasStep, hasLoss bool
}

func newCurves(run *report.Run) *curves {
	c := &curves{run: run}
	entries := math.NaN()
	if run.DataFit != nil {
		entries = float64(run.DataFit.Entries)
	}
	angle := func(n *report.Number) float64 {
		if n == nil {
			return math.NaN()
		}
		return float64(*n)
	}
	for i, s := range run.Steps {
		if s.Sample != run.Steps[0].Sample {
			break
		}
		add := func(to *[]float64, v float64) { *to = append(*to, v) }
		add(&c.step, float64(i+1))
		add(&c.sigma, float64(s.Sigma))
		add(&c.stepSize, float64(s.StepSize))
		add(&c.loss, float64(s.Loss))
		add(&c.residual, math.Sqrt(float64(s.Loss)/entries))
		add(&c.gradient, float64(s.GradientNorm))
		mean, low, high := extent(s.Alpha)
		add(&c.alpha, mean)
		add(&c.alphaLow, low)
		add(&c.alphaHigh, high)
		add(&c.between, angle(s.AngleDenoiseLikelihood))
		add(&c.turn, angle(s.AngleLikelihoodTurn))
		add(&c.turnOfDenoiser, angle(s.AngleDenoiseTurn))
		add(&c.nfe, float64(s.NFE))
		c.hasStep = c.hasStep || s.StepSize != 0
		c.hasLoss = c.hasLoss || !math.IsNaN(float64(s.Loss))
	}
	return c
}

// extent returns the mean and the ends of some numbers, NaN of none.
func extent(v []report.Number) (mean, low, high float64) {
	if len(v) == 0 {
		return math.NaN(), math.NaN(), math.NaN()
	}
	low, high = math.Inf(1), math.Inf(-1)
	for _, x := range v {
		mean += float64(x) / float64(len(v))
		low, high = min(low, float64(x)), max(high, float64(x))
	}
	return mean, low, high
}

// plots are all that there could be; those without data are empty.
func (c *curves) plots() []*plot.Plot {
	steps := plot.Axis{Label: "step", Integer: true}
	one := func(title, unit string, log bool, y []float64) *plot.Plot {
		return &plot.Plot{Title: title, X: steps, Y: plot.Axis{Label: unit, Log: log}, Series: []plot.Series{{X: c.step, Y: y}}}
	}
	residual := one("Residual of the estimate", "RMS of A(x0hat) − y", true, c.residual)
	residual.Series[0].Name = "residual"
	if sigma := float64(c.run.Noise.Sigma); sigma > 0 {
		residual.References = []plot.Reference{{Name: "noise, σ = " + short(sigma), Value: sigma}}
	}
	angles := &plot.Plot{
		Title: "Angles", X: steps, Y: plot.Axis{Label: "degrees", Min: 0, Max: 180, Step: 45},
		Series: []plot.Series{
			{Name: "prior to likelihood", X: c.step, Y: c.between},
			{Name: "likelihood to that before", X: c.step, Y: c.turn},
			{Name: "prior to that before", X: c.step, Y: c.turnOfDenoiser},
		},
	}
	alpha := one("Momentum", "alpha, share of beta", false, c.alpha)
	alpha.Y.Min, alpha.Y.Max = 0, 1
	alpha.Series[0].Name, alpha.Series[0].Low, alpha.Series[0].High = "mean and range over the likelihood steps", c.alphaLow, c.alphaHigh
	list := []*plot.Plot{
		residual, angles,
		one("Gradient of the likelihood", "norm", true, c.gradient),
		alpha,
		one("Noise level of the state", "σ, pixel range [−1, 1]", true, c.sigma),
	}
	if c.hasStep {
		list = append(list, one("Step size", "no unit", false, c.stepSize))
	}
	return list
}

// table is the same in numbers.
func (c *curves) table() *Table {
	t := &Table{Title: "All steps in numbers", Collapsed: true, Rows: make([][]string, len(c.step))}
	column := func(head string, show bool, v []float64, format func(float64) string) {
		if !show {
			return
		}
		t.Head = append(t.Head, head)
		for i := range t.Rows {
			text := "–"
			if !math.IsNaN(v[i]) {
				text = format(v[i])
			}
			t.Rows[i] = append(t.Rows[i], text)
		}
	}
	any := func(v []float64) bool {
		for _, x := range v {
			if !math.IsNaN(x) {
				return true
			}
		}
		return false
	}
	four := func(v float64) string { return strconv.FormatFloat(v, 'g', 4, 64) }
	degrees := func(v float64) string { return strconv.FormatFloat(v, 'f', 1, 64) + "°" }
	whole := func(v float64) string { return strconv.FormatFloat(v, 'f', 0, 64) }
	column("Step", true, c.step, whole)
	column("σ", true, c.sigma, four)
	column("Step size", c.hasStep, c.stepSize, four)
	column("Loss", c.hasLoss, c.loss, four)
	column("Residual", any(c.residual), c.residual, four)
	column("Gradient", any(c.gradient), c.gradient, four)
	column("alpha", any(c.alpha), c.alpha, four)
	column("Prior, likelihood", any(c.between), c.between, degrees)
	column("Likelihood turn", any(c.turn), c.turn, degrees)
	column("Prior turn", any(c.turnOfDenoiser), c.turnOfDenoiser, degrees)
	column("Evaluations", true, c.nfe, whole)
	return t
}
