package plot

import (
	"fmt"
	"image/color"
	"strconv"
)

// bandOpacity is that of the areas of series.
const bandOpacity = 0.18

// palette is for a white page. The colours of series differ in lightness as well as in hue, so that
// they stay apart for the colour-blind and in print.
var palette = [...]color.RGBA{
	background: {255, 255, 255, 255},
	grid:       {231, 229, 225, 255},
	axis:       {142, 138, 130, 255},
	textStrong: {28, 27, 25, 255},
	textMuted:  {98, 95, 89, 255},
	reference:  {120, 116, 108, 255},

	colour:     {30, 96, 168, 255}, // blue
	colour + 1: {209, 107, 22, 255},
	colour + 2: {26, 133, 104, 255},
	colour + 3: {184, 57, 109, 255},
	colour + 4: {118, 85, 189, 255},
	colour + 5: {146, 122, 22, 255},
}

func (r role) rgb() color.RGBA { return palette[r] }

// class is the shape's class in SVG.
func (r role) class() string {
	if r >= colour {
		return "s" + strconv.Itoa(int(r-colour)+1)
	}
	return [...]string{background: "bg", grid: "grid", axis: "axis", textStrong: "strong", textMuted: "muted", reference: "ref"}[r]
}

func hex(c color.RGBA) string { return fmt.Sprintf("#%02x%02x%02x", c.R, c.G, c.B) }
