package plot

import (
	"strings"
)

// role says what a shape is for; the forms of output know its colour.
type role int

const (
	background role = iota
	grid
	axis
	textStrong
	textMuted
	reference
	colour // colour+i is that of series i
)

// shape is a line, an area or a text. Coordinates are in units of the plot, from the top left.
type shape struct {
	role  role
	kind  kind
	xy    []float64 // pairs; of a text its place on the base line
	width float64   // of a line, radius of dots
	dash  bool
	text  string
	size  float64
	align align
}

type kind int

const (
	line kind = iota
	area
	dots // a disc at every point
	words
)

type align int

const (
	left align = iota
	middle
	right
)

// Sizes of the text and of the space around the curves.
const (
	titleSize  = 14
	textSize   = 11.5
	lineHeight = 17
	widest     = 1.15 // widths in the typefaces of screens to those in the Go fonts

	marginLeft   = 52
	marginRight  = 14
	marginBottom = 40
)

// shapes lays the plot out.
func (p *Plot) shapes() ([]shape, error) {
	if err := p.validate(); err != nil {
		return nil, err
	}
	list := []shape{{role: background, kind: area, xy: []float64{0, 0, Width, 0, Width, Height, 0, Height}}}
	text := func(r role, size, x, y float64, a align, s string) {
		list = append(list, shape{role: r, kind: words, xy: []float64{x, y}, size: size, align: a, text: s})
	}
	text(textStrong, titleSize, 2, 17, left, p.Title)
	legend, bottom := p.legend(38)
	list = append(list, legend...)
	text(textMuted, textSize, 2, bottom, left, p.Y.Label)

	top, floor := bottom+14, float64(Height-marginBottom)
	x, y := p.scales()
	atX := func(v float64) float64 { return marginLeft + x.at(v)*(Width-marginLeft-marginRight) }
	atY := func(v float64) float64 { return floor - y.at(v)*(floor-top) }
	for _, t := range y.ticks {
		list = append(list, shape{role: grid, kind: line, width: 1, xy: []float64{marginLeft, atY(t.value), Width - marginRight, atY(t.value)}})
		text(textMuted, textSize, marginLeft-7, atY(t.value)+4, right, t.label)
	}
	list = append(list, shape{role: axis, kind: line, width: 1, xy: []float64{marginLeft, floor, Width - marginRight, floor}})
	for _, t := range x.ticks {
		list = append(list, shape{role: axis, kind: line, width: 1, xy: []float64{atX(t.value), floor, atX(t.value), floor + 4}})
		text(textMuted, textSize, atX(t.value), floor+17, middle, t.label)
	}
	text(textMuted, textSize, (marginLeft+Width-marginRight)/2, Height-6, middle, p.X.Label)

	for i, s := range p.Series { // bands lie under all curves
		if s.Low != nil {
			list = append(list, p.band(i, s, atX, atY)...)
		}
	}
	for _, r := range p.References {
		if p.Y.shows(r.Value) {
			list = append(list, shape{role: reference, kind: line, width: 1.3, dash: true, xy: []float64{marginLeft, atY(r.Value), Width - marginRight, atY(r.Value)}})
		}
	}
	for i, s := range p.Series {
		list = append(list, p.curve(i, s, atX, atY)...)
	}
	return list, nil
}

// colourOf is the role of series i.
func (p *Plot) colourOf(i int) role {
	if c := p.Series[i].Colour; c > 0 {
		i = c - 1
	}
	return colour + role(i%Colours)
}

// legend lists the series and references that have names, from the base line y on, and returns the
// base line after it.
func (p *Plot) legend(y float64) (list []shape, next float64) {
	type entry struct {
		name   string
		sample shape
	}
	var entries []entry
	for i, s := range p.Series {
		if s.Name != "" {
			sample := shape{role: p.colourOf(i), kind: line, width: 2, dash: s.Dashed}
			if s.Points {
				sample.kind, sample.width = dots, 2.5
			}
			entries = append(entries, entry{s.Name, sample})
		}
	}
	for _, r := range p.References {
		if r.Name != "" {
			entries = append(entries, entry{r.Name, shape{role: reference, kind: line, width: 1.3, dash: true}})
		}
	}
	if len(entries) == 0 {
		return nil, y
	}
	x := 2.0
	for _, e := range entries {
		w := 18 + 6 + widest*textWidth(e.name, textSize)
		if x > 2 && x+w > Width {
			x, y = 2, y+lineHeight
		}
		e.sample.xy = []float64{x, y - 4, x + 18, y - 4}
		if e.sample.kind == dots {
			e.sample.xy = []float64{x + 9, y - 4}
		}
		list = append(list, e.sample, shape{role: textMuted, kind: words, xy: []float64{x + 24, y}, size: textSize, text: e.name})
		x += w + 16
	}
	return list, y + lineHeight + 2
}

// runs calls f for every stretch of points that can be drawn.
func (p *Plot) runs(s Series, f func(from, to int)) {
	from := 0
	for k := 0; k <= len(s.Y); k++ {
		if k < len(s.Y) && p.X.shows(s.X[k]) && p.Y.shows(s.Y[k]) && (s.Low == nil || p.Y.shows(s.Low[k]) && p.Y.shows(s.High[k])) {
			continue
		}
		if k > from {
			f(from, k)
		}
		from = k + 1
	}
}

func (p *Plot) curve(i int, s Series, atX, atY func(float64) float64) (list []shape) {
	p.runs(s, func(from, to int) {
		c := shape{role: p.colourOf(i), kind: line, width: 2, dash: s.Dashed}
		if s.Points || to-from == 1 { // a line of one point would not show
			c.kind, c.width = dots, 2.5
		}
		for k := from; k < to; k++ {
			c.xy = append(c.xy, atX(s.X[k]), atY(s.Y[k]))
		}
		list = append(list, c)
	})
	return list
}

func (p *Plot) band(i int, s Series, atX, atY func(float64) float64) (list []shape) {
	p.runs(s, func(from, to int) {
		c := shape{role: p.colourOf(i), kind: area}
		for k := from; k < to; k++ {
			c.xy = append(c.xy, atX(s.X[k]), atY(s.High[k]))
		}
		for k := to - 1; k >= from; k-- {
			c.xy = append(c.xy, atX(s.X[k]), atY(s.Low[k]))
		}
		list = append(list, c)
	})
	return list
}

// Grid is a figure of several plots, row by row.
type Grid struct {
	Plots   []*Plot
	Columns int // at least 1
}

// gap is the space between the plots of a grid.
const gap = 24

// layout returns the size of the figure and its shapes, plot by plot with the offsets applied.
func (g *Grid) layout() (width, height float64, list []shape, err error) {
	columns := max(1, min(g.Columns, len(g.Plots)))
	rows := (len(g.Plots) + columns - 1) / columns
	width = float64(columns*(Width+gap) + gap)
	height = float64(rows*(Height+gap) + gap)
	list = append(list, shape{role: background, kind: area, xy: []float64{0, 0, width, 0, width, height, 0, height}})
	for i, p := range g.Plots {
		shapes, err := p.shapes()
		if err != nil {
			return 0, 0, nil, err
		}
		dx, dy := float64(gap+i%columns*(Width+gap)), float64(gap+i/columns*(Height+gap))
		for _, s := range shapes {
			for k := 0; k < len(s.xy); k += 2 {
				s.xy[k] += dx
				s.xy[k+1] += dy
			}
			list = append(list, s)
		}
	}
	return width, height, list, nil
}

// describe is the figure in words, for those who cannot see it.
func (g *Grid) describe() string {
	var titles []string
	for _, p := range g.Plots {
		titles = append(titles, p.Title)
	}
	return strings.Join(titles, "; ")
}
