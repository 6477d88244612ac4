// Package spread is about maps of how far samples of a restoration are apart, pixel by pixel.
package spread

import (
	"math"

	"github.com/seed-0f004ec9/spgd/imageio"
	"github.com/seed-0f004ec9/spgd/report"
)

// Map has a number for every pixel: the standard deviation of the samples, as the root mean square over
// the channels, in units of the range [-1,1].
type Map struct {
	Height, Width int
	Values        []float32
}

// Of makes the map of a standard deviation by pixel and channel, as spgd.Result has it.
func Of(m *imageio.Image) *Map {
	s := &Map{m.Height, m.Width, make([]float32, m.Height*m.Width)}
	for i := range s.Values {
		sum := 0.0
		for _, v := range m.Pix[i*m.Channels:][:m.Channels] {
			sum += float64(v) * float64(v)
		}
		s.Values[i] = float32(math.Sqrt(sum / float64(m.Channels)))
	}
	return s
}

// Summary are the mean and the largest value.
func (m *Map) Summary() *report.Spread {
	sum, most := 0.0, 0.0
	for _, v := range m.Values {
		sum += float64(v)
		most = max(most, float64(v))
	}
	return &report.Spread{Mean: report.Number(sum / float64(len(m.Values))), Max: report.Number(most)}
}

// beyond is the share of the pixels that a scale may leave out.
const beyond = 0.005

// Top is where a scale for the map ends: the first of 0.001, 0.002, 0.005, 0.01, ... that at most 0.5 % of the
// pixels are above.
func (m *Map) Top() float64 {
	for decade := 1000.0; ; decade /= 10 {
		for _, step := range []float64{1, 2, 5} {
			top, above := step/decade, 0
			for _, v := range m.Values {
				if float64(v) > top {
					above++
				}
			}
			if float64(above) <= beyond*float64(len(m.Values)) {
				return top
			}
		}
	}
}

// Picture is the map as a grey picture: black is 0, white is top and all above it, linear in between.
func (m *Map) Picture(top float64) *imageio.Image {
	img := imageio.New(m.Height, m.Width, 1)
	for i, v := range m.Values {
		img.Pix[i] = float32(2*min(1, float64(v)/top) - 1)
	}
	return img
}
