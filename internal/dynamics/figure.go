package dynamics

import (
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"

	"github.com/seed-0f004ec9/spgd/report"
	"github.com/seed-0f004ec9/spgd/report/plot"
)

// columns is how many plots stand beside one another in a figure.
const columns = 3

// maxPoints is how many points a curve has; of more evaluations, neighbours are taken together.
const maxPoints = 300

// value is a quantity of a point.
type value func(p Point) report.Number

// Figure is the whole study in plots: the angles of every method, and the quantities that all methods
// share a plot for.
func (s *Study) Figure() (*plot.Grid, error) {
	angles, err := s.angles()
	if err != nil {
		return nil, err
	}
	sizes, err := s.sizes()
	if err != nil {
		return nil, err
	}
	all := slices.Concat(angles, sizes)
	if len(all) == 0 {
		return nil, fmt.Errorf("dynamics: no method came to an evaluation: %w", plot.ErrEmpty)
	}
	return &plot.Grid{Plots: all, Columns: columns}, nil
}

// angles are one plot for every method that came to anything.
func (s *Study) angles() ([]*plot.Plot, error) {
	var list []*plot.Plot
	for _, m := range s.Methods {
		list = append(list, &plot.Plot{
			Title: m.Label, X: progress, Y: plot.Axis{Label: "degrees", Min: 0, Max: 180, Step: 45},
			Series: []plot.Series{
				s.curve(m.Label, "prior to likelihood", func(p Point) report.Number { return p.Between }),
				s.curve(m.Label, "likelihood to that before", func(p Point) report.Number { return p.LikelihoodTurn }),
				s.curve(m.Label, "prior to that before", func(p Point) report.Number { return p.PriorTurn }),
			},
		})
	}
	return drawable(list)
}

// progress is the axis that all methods share: the noise falls in the same way over it, whatever their
// number of steps.
var progress = plot.Axis{Label: "progress through the noise levels, %", Min: 0, Max: 100, Step: 20}

// sizes are the quantities of which all methods stand in one plot.
func (s *Study) sizes() ([]*plot.Plot, error) {
	residual := s.together("Residual of the estimate", plot.Axis{Label: "RMS of A(x0hat) − y", Log: true}, func(p Point) report.Number { return p.ResidualRMS })
	if sigma := float64(s.Noise.Sigma); sigma > 0 {
		residual.References = []plot.Reference{{Name: "noise, σ = " + strconv.FormatFloat(sigma, 'g', 3, 64), Value: sigma}}
	}
	return drawable([]*plot.Plot{
		residual,
		s.together("Gradient of the likelihood", plot.Axis{Label: "norm", Log: true}, func(p Point) report.Number { return p.GradientNorm }),
		s.together("Momentum", plot.Axis{Label: "alpha, share of beta", Min: 0, Max: 1}, func(p Point) report.Number { return p.Alpha }),
		s.together("Direction of the prior", plot.Axis{Label: "norm of x − x0hat", Log: true}, func(p Point) report.Number { return p.DirectionNorm }),
	})
}

// together is a plot with a curve for every method.
func (s *Study) together(title string, y plot.Axis, of value) *plot.Plot {
	p := &plot.Plot{Title: title, X: progress, Y: y}
	for _, m := range s.Methods {
		p.Series = append(p.Series, s.curve(m.Label, m.Label, of))
	}
	return p
}

// drawable leaves out curves that have no point, and plots without curves.
func drawable(list []*plot.Plot) ([]*plot.Plot, error) {
	var out []*plot.Plot
	for _, p := range list {
		var series []plot.Series
		for i, c := range p.Series {
			c.Colour = i + 1 // the same for a method in all plots
			if slices.ContainsFunc(c.Y, func(v float64) bool { return !math.IsNaN(v) }) {
				series = append(series, c)
			}
		}
		p.Series = series
		switch err := p.SVG(io.Discard); {
		case err == nil:
			out = append(out, p)
		case !errors.Is(err, plot.ErrEmpty):
			return nil, err
		}
	}
	return out, nil
}

// curve is a quantity of a method over its evaluations: the median over the seeds in a band from the
// smallest to the largest.
func (s *Study) curve(label, name string, of value) plot.Series {
	longest := 0
	var runs []Run
	for _, r := range s.Runs {
		if r.Method == label {
			runs, longest = append(runs, r), max(longest, len(r.Points))
		}
	}
	c := plot.Series{Name: name}
	group := (longest + maxPoints - 1) / maxPoints
	for from := 0; from < longest; from += max(1, group) {
		var x, y []float64
		for _, r := range runs {
			for _, p := range r.Points[min(from, len(r.Points)):min(from+group, len(r.Points))] {
				if v := float64(of(p)); !math.IsNaN(v) {
					x, y = append(x, float64(p.Progress)), append(y, v)
				}
			}
		}
		if len(y) == 0 {
			continue // a stage that does not have it interrupts no curve
		}
		slices.Sort(y)
		c.X, c.Y = append(c.X, mean(x)), append(c.Y, median(y))
		c.Low, c.High = append(c.Low, y[0]), append(c.High, y[len(y)-1])
	}
	if len(runs) < 2 && group < 2 {
		c.Low, c.High = nil, nil
	}
	return c
}

func mean(v []float64) float64 {
	var sum float64
	for _, x := range v {
		sum += x
	}
	return sum / float64(len(v))
}

// median is that of sorted numbers.
func median(sorted []float64) float64 {
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}
