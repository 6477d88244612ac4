package html

import (
	"fmt"
	"image"
	"math"
)

// grid is a map of an array of [h,w,c] in which each point is the root mean square over the channels of a
// pixel, or of a block of pixels where a side is longer than MaxSide.
type grid struct {
	height, width, channels int

	block   int // pixels a side for a point
	columns int
	sum     []float64 // of squares, by point
	count   []int32   // of entries, by point
}

func newGrid(height, width, channels int) grid {
	g := grid{height: height, width: width, channels: channels}
	g.block = (max(height, width) + MaxSide - 1) / MaxSide
	g.columns = (width + g.block - 1) / g.block
	points := g.columns * ((height + g.block - 1) / g.block)
	g.sum, g.count = make([]float64, points), make([]int32, points)
	return g
}

// add takes the value of an entry.
func (g *grid) add(entry int, v float64) {
	pixel := entry / g.channels
	at := pixel/g.width/g.block*g.columns + pixel%g.width/g.block
	g.sum[at] += v * v
	g.count[at]++
}

// rms are the points in a unit.
func (g *grid) rms(unit float64) []float64 {
	rms := make([]float64, len(g.sum))
	for i, n := range g.count {
		rms[i] = math.Sqrt(g.sum[i]/float64(max(1, n))) / unit
	}
	return rms
}

// draw puts points into the page, on a scale that ends at top. Those without entries are transparent. alt says what the
// map shows, and of what it is.
func (g *grid) draw(rms []float64, top float64, alt, of string) (Image, error) {
	img := image.NewNRGBA(image.Rect(0, 0, g.columns, len(g.sum)/g.columns))
	for i, n := range g.count {
		if n > 0 {
			img.SetNRGBA(i%g.columns, i/g.columns, heat(rms[i]/top))
		}
	}
	e, err := embedPNG(img, alt)
	if g.block > 1 {
		e.Note = fmt.Sprintf("Each point is the root mean square of %d × %d pixels of the %s.", g.block, g.block, of)
	}
	return e, err
}
