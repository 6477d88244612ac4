package html

import (
	"fmt"

	"github.com/seed-0f004ec9/spgd/internal/spread"
)

// spread shows where the samples differ.
func (r *Restoration) spread() (*Section, error) {
	m, run := r.Spread, r.Run
	if m == nil || run.Samples == nil || run.Spread == nil {
		return nil, nil
	}
	g := newGrid(m.Height, m.Width, 1)
	for i, v := range m.Values {
		g.add(i, float64(v))
	}
	top := m.Top()
	e, err := g.draw(g.rms(1), top, "Standard deviation of the samples at every pixel", "result")
	if err != nil {
		return nil, err
	}
	label := func(v float64) string { return short(v * eightBit) }
	return &Section{
		Title: "Where the samples differ",
		Text: fmt.Sprintf("The result is the mean of %d samples, restorations that differ in their random numbers alone, and this is their standard deviation about it (root mean square over the channels), in steps of an 8-bit picture. "+
			"Where it is large the measurement leaves open what was there, and the prior has chosen. Where it is small the samples agree, which does not make them right: what is wrong in all of them does not show. The mean over the picture is %s, the largest value %s.",
			run.Samples.Number, label(float64(run.Spread.Mean)), label(float64(run.Spread.Max))),
		Map: &Map{Image: e, Scale: colourScale(), Low: "0", Middle: label(top / 2), High: label(top) + " and more"},
	}, nil
}

// eightBit is the number of steps of an 8-bit picture in a unit of the range [-1,1].
const eightBit = 255.0 / 2

// Spread is the map of how far samples are apart that a page shows.
type Spread = spread.Map
