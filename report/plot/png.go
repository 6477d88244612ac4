package plot

import (
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"math"

	"golang.org/x/image/font"
	"golang.org/x/image/math/fixed"
	"golang.org/x/image/vector"
)

// maxScale bounds the size of a PNG.
const maxScale = 16

// PNG writes the plot as a picture of scale times its size in pixels.
func (p *Plot) PNG(w io.Writer, scale float64) error {
	shapes, err := p.shapes()
	if err != nil {
		return err
	}
	return writePNG(w, Width, Height, scale, shapes)
}

// PNG writes the figure like that of a plot.
func (g *Grid) PNG(w io.Writer, scale float64) error {
	width, height, shapes, err := g.layout()
	if err != nil {
		return err
	}
	return writePNG(w, width, height, scale, shapes)
}

func writePNG(w io.Writer, width, height, scale float64, shapes []shape) error {
	if !(scale > 0 && scale <= maxScale) {
		return fmt.Errorf("plot: scale %g of a PNG: it must be above 0 and at most %d", scale, maxScale)
	}
	width, height = math.Ceil(width*scale), math.Ceil(height*scale)
	c := &canvas{scale: scale, img: image.NewRGBA(image.Rect(0, 0, int(width), int(height)))}
	for _, s := range shapes {
		c.draw(s)
	}
	if err := png.Encode(w, c.img); err != nil {
		return fmt.Errorf("plot: cannot write: %w", err)
	}
	return nil
}

// canvas draws shapes.
type canvas struct {
	scale float64
	img   *image.RGBA
	fill  *vector.Rasterizer
}

func (c *canvas) draw(s shape) {
	if s.kind == words {
		c.words(s)
		return
	}
	c.fill = vector.NewRasterizer(c.img.Rect.Dx(), c.img.Rect.Dy())
	xy := make([]float64, len(s.xy))
	for k, v := range s.xy {
		xy[k] = v * c.scale
	}
	ink := color.Color(s.role.rgb())
	switch s.kind {
	case area:
		c.polygon(xy)
		if s.role >= colour {
			v := s.role.rgb()
			ink = color.NRGBA{v.R, v.G, v.B, uint8(math.Round(255 * bandOpacity))}
		}
	case dots:
		for k := 0; k < len(xy); k += 2 {
			c.disc(xy[k], xy[k+1], s.width*c.scale)
		}
	case line:
		if s.dash {
			for _, part := range dashes(xy, 6*c.scale, 4*c.scale) {
				c.stroke(part, s.width*c.scale)
			}
		} else {
			c.stroke(xy, s.width*c.scale)
		}
	}
	c.fill.Draw(c.img, c.img.Rect, image.NewUniform(ink), image.Point{})
}

// stroke adds the outline of a polyline: a rectangle for every segment and a disc for every joint.
// All turn the same way, so that where they overlap the rasteriser's sum stays covered.
func (c *canvas) stroke(xy []float64, width float64) {
	for k := 2; k < len(xy); k += 2 {
		x0, y0, x1, y1 := xy[k-2], xy[k-1], xy[k], xy[k+1]
		length := math.Hypot(x1-x0, y1-y0)
		if length == 0 {
			continue
		}
		nx, ny := (y1-y0)/length*width/2, -(x1-x0)/length*width/2
		c.polygon([]float64{x0 + nx, y0 + ny, x1 + nx, y1 + ny, x1 - nx, y1 - ny, x0 - nx, y0 - ny})
		if k+2 < len(xy) {
			c.disc(x1, y1, width/2)
		}
	}
}

// disc adds a disc.
func (c *canvas) disc(x, y, r float64) {
	const corners = 24
	xy := make([]float64, 0, 2*corners)
	for k := range corners {
		sin, cos := math.Sincos(2 * math.Pi * float64(k) / corners)
		xy = append(xy, x+r*cos, y+r*sin)
	}
	c.polygon(xy)
}

func (c *canvas) polygon(xy []float64) {
	c.fill.MoveTo(float32(xy[0]), float32(xy[1]))
	for k := 2; k < len(xy); k += 2 {
		c.fill.LineTo(float32(xy[k]), float32(xy[k+1]))
	}
	c.fill.ClosePath()
}

// dashes cuts a polyline into stretches of length on with gaps of length off.
func dashes(xy []float64, on, off float64) (parts [][]float64) {
	current, left, drawing := []float64{xy[0], xy[1]}, on, true
	for k := 2; k < len(xy); k += 2 {
		x0, y0, x1, y1 := xy[k-2], xy[k-1], xy[k], xy[k+1]
		length := math.Hypot(x1-x0, y1-y0)
		done := 0.0
		for length-done > left {
			done += left
			x, y := x0+(x1-x0)*done/length, y0+(y1-y0)*done/length
			if drawing {
				parts = append(parts, append(current, x, y))
				current, left = nil, off
			} else {
				current, left = []float64{x, y}, on
			}
			drawing = !drawing
		}
		left -= length - done
		if drawing {
			current = append(current, x1, y1)
		}
	}
	if drawing && len(current) > 2 {
		parts = append(parts, current)
	}
	return parts
}

func (c *canvas) words(s shape) {
	f := face(s.role == textStrong, s.size*c.scale)
	d := font.Drawer{Dst: c.img, Src: image.NewUniform(s.role.rgb()), Face: f}
	x := fixed.Int26_6(math.Round(s.xy[0] * c.scale * 64))
	switch width := d.MeasureString(s.text); s.align {
	case middle:
		x -= width / 2
	case right:
		x -= width
	}
	d.Dot = fixed.Point26_6{X: x, Y: fixed.Int26_6(math.Round(s.xy[1] * c.scale * 64))}
	d.DrawString(s.text)
}
