// Package plot draws line charts and bands as SVG and as PNG, both from one list of shapes, so that
// a page and the files beside it show the same. Colours, sizes and numbers are chosen to be read: a
// title that says what is shown, units on the axes, few ticks, no frame.
package plot

import (
	"errors"
	"fmt"
	"math"
	"strconv"
)

// ErrEmpty reports a plot without a single point that can be drawn.
var ErrEmpty = errors.New("nothing to plot")

// Plot is a chart of curves over one axis.
type Plot struct {
	Title      string
	X, Y       Axis
	Series     []Series
	References []Reference
}

// Axis says how the values of a direction are shown. The zero value is linear and covers the data.
type Axis struct {
	Label    string  // what it is and its unit
	Log      bool    // logarithmic; values that are not positive are left out
	Min, Max float64 // covered at least, if Min < Max
	Step     float64 // distance of the ticks of a linear axis, 0 for a round one that fits
	Integer  bool    // ticks at integers only
}

// Series is a curve. A Y that is not finite interrupts it. Low and High, of Y's length, are the band
// around it, or nil.
type Series struct {
	Name      string // empty for one that the legend leaves out
	X, Y      []float64
	Low, High []float64
	Dashed    bool
	Points    bool // marked points, no line
	// Colour is the number of the colour, from 1; 0 takes that of the series' place.
	Colour int
}

// Reference is a horizontal line, such as a noise level.
type Reference struct {
	Name  string
	Value float64
}

// Width and Height are the size of a plot in its own units, which are pixels at scale 1.
const (
	Width  = 480
	Height = 280
)

// Colours is the number of different colours; further series begin again.
const Colours = 6

// validate checks the lengths of the series and that there is something to draw.
func (p *Plot) validate() error {
	points := 0
	for i, s := range p.Series {
		if len(s.X) != len(s.Y) || s.Low != nil && len(s.Low) != len(s.Y) || len(s.High) != len(s.Low) {
			return fmt.Errorf("plot: %q, series %d: %d values of x, %d of y, a band of %d and %d", p.Title, i, len(s.X), len(s.Y), len(s.Low), len(s.High))
		}
		for k := range s.X {
			if p.X.shows(s.X[k]) && p.Y.shows(s.Y[k]) {
				points++
			}
		}
	}
	if points == 0 {
		return fmt.Errorf("plot: %q: %w", p.Title, ErrEmpty)
	}
	return nil
}

// shows says whether the axis has a place for a value.
func (a Axis) shows(v float64) bool {
	return !math.IsNaN(v) && !math.IsInf(v, 0) && (!a.Log || v > 0)
}

// scale maps values to [0,1].
type scale struct {
	log      bool
	min, max float64 // of the logarithms, if log
	ticks    []tick
}

type tick struct {
	value float64
	label string
}

func (s scale) at(v float64) float64 {
	if s.log {
		v = math.Log10(v)
	}
	return (v - s.min) / (s.max - s.min)
}

// scales settles the range and the ticks of both axes.
func (p *Plot) scales() (x, y scale) {
	var xs, ys []float64
	for _, s := range p.Series {
		for k := range s.X {
			if !p.X.shows(s.X[k]) || !p.Y.shows(s.Y[k]) {
				continue
			}
			xs, ys = append(xs, s.X[k]), append(ys, s.Y[k])
			if s.Low != nil {
				ys = append(ys, s.Low[k], s.High[k])
			}
		}
	}
	for _, r := range p.References {
		ys = append(ys, r.Value)
	}
	return p.X.scale(xs, 6, false), p.Y.scale(ys, 5, true)
}

// scale settles the range and the ticks for the values. widen carries the range on to the next ticks.
func (a Axis) scale(values []float64, count int, widen bool) scale {
	lo, hi := math.Inf(1), math.Inf(-1)
	if a.Min < a.Max {
		values = append(values, a.Min, a.Max)
	}
	for _, v := range values {
		if a.shows(v) {
			lo, hi = min(lo, v), max(hi, v)
		}
	}
	if a.Log {
		return logScale(lo, hi)
	}
	if lo == hi { // a constant in the middle
		pad := math.Abs(lo) / 10
		if pad == 0 {
			pad = 1
		}
		lo, hi = lo-pad, hi+pad
	}
	step := a.Step
	if step <= 0 {
		step = roundStep((hi - lo) / float64(count))
	}
	if a.Integer {
		step = max(1, math.Round(step))
	}
	s := scale{min: lo, max: hi}
	first, last := math.Ceil(lo/step-1e-9), math.Floor(hi/step+1e-9)
	if widen {
		first, last = math.Floor(lo/step+1e-9), math.Ceil(hi/step-1e-9)
		s.min, s.max = first*step, last*step
	}
	for k := first; k <= last; k++ {
		s.ticks = append(s.ticks, tick{k * step, label(k*step, step)})
	}
	return s
}

// roundStep is the next of 1, 2 and 5 times a power of ten from v up.
func roundStep(v float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(v)))
	for _, m := range []float64{1, 2, 5} {
		if m*power >= v*(1-1e-9) {
			return m * power
		}
	}
	return 10 * power
}

// logScale covers [lo,hi], carried on to the next 1, 2 or 5 times a power of ten, with ticks at powers
// of ten, thinned out where there are many, and at twice and five times them where there are few.
func logScale(lo, hi float64) scale {
	l, h := math.Log10(lo), math.Log10(hi)
	every := max(1, int(math.Ceil((h-l)/6)))
	s := scale{log: true, min: math.Inf(-1), max: math.Inf(1)}
	var values []float64
	for d := int(math.Floor(l)) - 1; d <= int(math.Ceil(h))+1; d++ {
		for _, m := range []float64{1, 2, 5} {
			v := m * math.Pow(10, float64(d))
			t := math.Log10(v)
			if t <= l+1e-9 {
				s.min = t
			}
			if t >= h-1e-9 {
				s.max = min(s.max, t)
			}
			if m == 1 && d%every == 0 || h-l < 2 {
				values = append(values, v)
			}
		}
	}
	if s.max == s.min { // one value, that of a tick
		s.min, s.max = s.min-1, s.max+1
	}
	for _, v := range values {
		if at := s.at(v); at > -1e-9 && at < 1+1e-9 {
			s.ticks = append(s.ticks, tick{v, label(v, v)})
		}
	}
	return s
}

// label writes the number of a tick with as many digits as multiples of the step need.
func label(v, step float64) string {
	if v == 0 {
		return "0"
	}
	if math.Abs(v) < 1e6 {
		for digits, power := 0, 1.0; digits <= 4; digits, power = digits+1, 10*power {
			if scaled := step * power; math.Abs(scaled-math.Round(scaled)) < 1e-6*scaled {
				return strconv.FormatFloat(v, 'f', digits, 64)
			}
		}
	}
	return strconv.FormatFloat(v, 'g', 3, 64)
}
