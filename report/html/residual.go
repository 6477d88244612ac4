package html

import (
	"fmt"
	"math"
	"strings"

	"github.com/seed-0f004ec9/spgd/report/plot"
)

// Residual collects what a measurement still says about a result, A(x) - y, entry by entry. It keeps
// as much as the page shows, whatever the size of the measurement.
type Residual struct {
	grid
	sigma, unit float64
	unitName    string

	histogram [2 * maxReach * perUnit]int
	entries   int
	beyond    int // of three units
}

// The histogram of the residual is kept in fine bins up to the largest reach, in units.
const (
	maxReach = 128
	perUnit  = 10 // bins
)

// ranges are the values at which scales may end, in units: the first that leaves out little enough.
var ranges = [...]float64{4, 8, 16, 32, 64, maxReach}

// leftOut is the share that a scale may leave out.
const leftOut = 0.05

// NewResidual is for a measurement of this size with noise of standard deviation sigma, or 0 if there
// is none. picture says that values are of the range [-1,1].
func NewResidual(height, width, channels int, sigma float64, picture bool) *Residual {
	r := &Residual{grid: newGrid(height, width, channels), sigma: sigma, unit: 1}
	switch {
	case sigma > 0:
		r.unit, r.unitName = sigma, "σ"
	case picture:
		r.unit, r.unitName = 2.0/255, "steps of 1/255"
	}
	return r
}

// Add takes A(x) - y of an entry, which counts within [h,w,c]. Entries that say nothing about the
// result are left out.
func (r *Residual) Add(entry int, d float64) {
	r.add(entry, d)
	r.entries++
	d /= r.unit
	if math.Abs(d) > 3 {
		r.beyond++
	}
	// What lies beyond the ends counts for them, so that nothing is hidden.
	k := math.Floor((d + maxReach) * perUnit)
	r.histogram[int(max(0, min(float64(len(r.histogram)-1), k)))]++
}

// Beyond is the share of the entries that are more than three units off.
func (r *Residual) Beyond() float64 { return float64(r.beyond) / float64(max(1, r.entries)) }

// Partial says that some pixels have no entry.
func (r *Residual) Partial() bool { return r.entries < r.height*r.width*r.channels }

// Map draws |A(x) - y| for every pixel, as the root mean square over its channels. A map with a side
// of more than MaxSide shows that of blocks of pixels. Pixels without entries are transparent.
func (r *Residual) Map() (*Map, error) {
	rms := r.rms(r.unit)
	top := r.top(rms)
	e, err := r.draw(rms, top, "Residual of every pixel of the measurement", "measurement")
	if err != nil {
		return nil, err
	}
	e.shrink(520, 620) // it stands beside a plot
	label := func(v float64) string { return strings.TrimSpace(fmt.Sprintf("%g %s", v, r.unitName)) }
	return &Map{
		Image: e, Scale: colourScale(), Low: "0", Middle: label(top / 2), High: label(top) + " and more",
		Plot: r.distribution(),
	}, nil
}

// top is where the scale of the map ends.
func (r *Residual) top(rms []float64) float64 {
	pixels := 0
	for _, n := range r.count {
		pixels += int(min(1, n))
	}
	for _, top := range ranges {
		beyond := 0
		for i, v := range rms {
			if r.count[i] > 0 && v > top {
				beyond++
			}
		}
		if float64(beyond) <= leftOut*float64(pixels) {
			return top
		}
	}
	return maxReach
}

// reach is where the scale of the distribution ends.
func (r *Residual) reach() int {
	for _, end := range ranges {
		inside := 0
		for _, n := range r.histogram[int(maxReach-end)*perUnit : int(maxReach+end)*perUnit] {
			inside += n
		}
		if float64(r.entries-inside) <= leftOut*float64(r.entries) {
			return int(end)
		}
	}
	return maxReach
}

// distribution is the density of the entries, beside that of the noise.
func (r *Residual) distribution() *plot.Plot {
	const bins = 40
	reach := r.reach()
	width := 2 * float64(reach) / bins
	sums := make([]int, bins)
	for k, n := range r.histogram {
		at := (float64(k)+0.5)/perUnit - maxReach
		sums[int(max(0, min(bins-1, math.Floor((at+float64(reach))/width))))] += n
	}
	s := plot.Series{Name: "A(x) − y"}
	noise := plot.Series{Name: "Gaussian noise of σ", Dashed: true}
	for k, n := range sums {
		x := (float64(k)+0.5)*width - float64(reach)
		s.X, s.Y = append(s.X, x), append(s.Y, float64(n)/float64(max(1, r.entries))/width)
		// The noise's mean over the bin, which may be wider than it.
		share := (math.Erf((x+width/2)/math.Sqrt2) - math.Erf((x-width/2)/math.Sqrt2)) / 2
		noise.X, noise.Y = append(noise.X, x), append(noise.Y, share/width)
	}
	p := &plot.Plot{
		Title:  "Distribution of the residual",
		X:      plot.Axis{Label: "residual", Min: -float64(reach), Max: float64(reach), Step: float64(reach) / 4},
		Y:      plot.Axis{Label: "density", Min: 0, Max: 0.1},
		Series: []plot.Series{s},
	}
	if r.unitName != "" {
		p.X.Label = "residual, " + r.unitName + " (the ends hold all beyond)"
	}
	if r.sigma > 0 {
		p.Series = append(p.Series, noise)
	}
	return p
}
