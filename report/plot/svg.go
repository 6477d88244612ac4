package plot

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"strconv"
)

// SVG writes the plot. Every shape carries its colour as an attribute and its part as a class, so
// that the same text serves as a file and within a page whose style sheet replaces the colours. The
// classes are bg, grid, axis, strong, muted, ref and s1 to s6; areas of series have the class band,
// and lines the class line. Equal plots give equal bytes.
func (p *Plot) SVG(w io.Writer) error {
	shapes, err := p.shapes()
	if err != nil {
		return err
	}
	return writeSVG(w, Width, Height, p.Title, shapes)
}

// SVG writes the figure like that of a plot.
func (g *Grid) SVG(w io.Writer) error {
	width, height, shapes, err := g.layout()
	if err != nil {
		return err
	}
	return writeSVG(w, width, height, g.describe(), shapes)
}

func writeSVG(w io.Writer, width, height float64, title string, shapes []shape) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" class="plot" viewBox="0 0 %s %s" width="%[1]s" height="%[2]s" role="img" font-family="system-ui, 'Segoe UI', Roboto, 'Helvetica Neue', 'Noto Sans', sans-serif" aria-label="%[3]s">`+"\n",
		number(width), number(height), escape(title))
	for _, s := range shapes {
		writeShape(&b, s)
	}
	b.WriteString("</svg>\n")
	if _, err := w.Write(b.Bytes()); err != nil {
		return fmt.Errorf("plot: cannot write: %w", err)
	}
	return nil
}

func writeShape(b *bytes.Buffer, s shape) {
	class, fill := s.role.class(), hex(s.role.rgb())
	switch s.kind {
	case line:
		dash := ""
		if s.dash {
			dash = ` stroke-dasharray="6 4"`
		}
		fmt.Fprintf(b, `<path class="%s line" d="%s" fill="none" stroke="%s" stroke-width="%s" stroke-linejoin="round"%s/>`, class, path(s.xy), fill, number(s.width), dash)
	case area:
		opacity, band := "", ""
		if s.role >= colour {
			opacity, band = fmt.Sprintf(` fill-opacity="%s"`, number(bandOpacity)), " band"
		}
		fmt.Fprintf(b, `<path class="%s%s" d="%sZ" fill="%s"%s/>`, class, band, path(s.xy), fill, opacity)
	case dots:
		for k := 0; k < len(s.xy); k += 2 {
			fmt.Fprintf(b, `<circle class="%s" cx="%s" cy="%s" r="%s" fill="%s"/>`, class, number(s.xy[k]), number(s.xy[k+1]), number(s.width), fill)
		}
	case words:
		if s.text == "" {
			return
		}
		extra := map[align]string{middle: ` text-anchor="middle"`, right: ` text-anchor="end"`}[s.align]
		if s.role == textStrong {
			extra += ` font-weight="600"`
		}
		fmt.Fprintf(b, `<text class="%s" x="%s" y="%s" font-size="%s" fill="%s"%s>%s</text>`, class, number(s.xy[0]), number(s.xy[1]), number(s.size), fill, extra, escape(s.text))
	}
	b.WriteByte('\n')
}

// path writes points as a polyline.
func path(xy []float64) string {
	out := make([]byte, 0, 12*len(xy))
	for k := 0; k < len(xy); k += 2 {
		out = append(out, "ML"[min(k, 1)])
		out = append(out, number(xy[k])...)
		out = append(out, ' ')
		out = append(out, number(xy[k+1])...)
	}
	return string(out)
}

// number writes a coordinate to a hundredth.
func number(v float64) string {
	text := strconv.FormatFloat(v, 'f', 2, 64)
	for text[len(text)-1] == '0' {
		text = text[:len(text)-1]
	}
	if text[len(text)-1] == '.' {
		text = text[:len(text)-1]
	}
	if text == "-0" {
		return "0"
	}
	return text
}

func escape(s string) string {
	var b bytes.Buffer
	_ = xml.EscapeText(&b, []byte(s)) // a Buffer takes everything
	return b.String()
}
