package html

import (
	"fmt"
	"html/template"
	"image/color"
	"math"
	"strings"

	"github.com/seed-0f004ec9/spgd/report/plot"
)

// Map is a picture of numbers with the scale of its colours.
type Map struct {
	Image             Image
	Scale             template.HTML
	Low, Middle, High string     // labels of the scale
	Plot              *plot.Plot // beside it, or nil
}

// anchors are colours of equal distance from dark to light (magma of Smith and van der Walt, in the
// public domain).
var anchors = [...][3]float64{
	{0, 0, 4}, {28, 16, 68}, {79, 18, 123}, {129, 37, 129}, {181, 54, 122}, {229, 80, 100}, {251, 135, 97}, {254, 194, 135}, {252, 253, 191},
}

// heat is the colour of a value in [0,1]; values outside have that of the nearer end.
func heat(v float64) color.NRGBA {
	if math.IsNaN(v) {
		v = 1
	}
	p := max(0, min(1, v)) * float64(len(anchors)-1)
	k := min(int(p), len(anchors)-2)
	mix := func(c int) uint8 {
		return uint8(math.Round(anchors[k][c] + (p-float64(k))*(anchors[k+1][c]-anchors[k][c])))
	}
	return color.NRGBA{mix(0), mix(1), mix(2), 255}
}

// colourScale is a bar of the colours from 0 to 1.
func colourScale() template.HTML {
	const steps = 64
	var b strings.Builder
	fmt.Fprintf(&b, `<svg viewBox="0 0 %d 1" preserveAspectRatio="none" aria-hidden="true">`, steps)
	for k := range steps {
		c := heat((float64(k) + 0.5) / steps)
		fmt.Fprintf(&b, `<rect x="%d" width="1.05" height="1" fill="#%02x%02x%02x"/>`, k, c.R, c.G, c.B)
	}
	b.WriteString("</svg>")
	return template.HTML(b.String())
}
