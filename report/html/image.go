package html

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"html/template"
	"image"
	"image/png"

	"github.com/seed-0f004ec9/spgd/imageio"
)

// Limits of the pictures within a page, in pixels.
const (
	// MaxSide is the longest side of a picture that is shown large.
	MaxSide = 2048
	// ThumbnailSide is that of a small one.
	ThumbnailSide = 256

	maxPNG     = 1 << 18 // area up to which a photograph is stored without loss
	quality    = 90      // of the JPEG of a larger one
	showWidth  = 1072    // width that a page offers
	showHeight = 860     // height of most screens
)

// Image is a picture within the page.
type Image struct {
	Source        template.URL // data:
	Alt           string
	Width, Height int    // in which it is shown where there is room
	Enlarged      bool   // shown in whole pixels of several times their size
	Note          string // how it differs from the picture, if it does
}

// Embed puts a photograph into the page, scaled down if a side is longer than maxSide: without loss
// unless it is large or a thumbnail, which are JPEGs. The pixels are those that an sRGB file of it would hold. alt
// says what it shows.
func Embed(m *imageio.Image, maxSide int, alt string) (Image, error) {
	small, err := Shrink(m, maxSide)
	if err != nil {
		return Image{}, err
	}
	format, mime := imageio.PNG, "image/png"
	if maxSide <= ThumbnailSide || small.Width*small.Height > maxPNG {
		format, mime = imageio.JPEG, "image/jpeg"
	}
	var b bytes.Buffer
	if err := imageio.Encode(&b, small, format, imageio.WriteOptions{Quality: quality}); err != nil {
		return Image{}, fmt.Errorf("html: %w", err)
	}
	out := Image{Source: dataURL(mime, b.Bytes()), Alt: alt}
	out.fit(small.Width, small.Height)
	if small != m {
		out.Note = fmt.Sprintf("shown in %d × %d of %d × %d pixels", small.Width, small.Height, m.Width, m.Height)
	}
	return out, nil
}

// embedPNG puts a drawing into the page as it is.
func embedPNG(m image.Image, alt string) (Image, error) {
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		return Image{}, fmt.Errorf("html: %w", err)
	}
	out := Image{Source: dataURL("image/png", b.Bytes()), Alt: alt}
	out.fit(m.Bounds().Dx(), m.Bounds().Dy())
	return out, nil
}

func dataURL(mime string, data []byte) template.URL {
	return template.URL("data:" + mime + ";base64," + base64.StdEncoding.EncodeToString(data))
}

// Shrink scales a picture down until no side is longer than maxSide. A picture that is small enough
// is returned as it is.
func Shrink(m *imageio.Image, maxSide int) (*imageio.Image, error) {
	longest := max(m.Width, m.Height)
	if longest <= maxSide {
		return m, nil
	}
	part := func(n int) int { return max(1, (n*maxSide+longest/2)/longest) }
	return imageio.Resize(m, part(m.Height), part(m.Width))
}

// fit settles in which size a picture is shown: small ones enlarged by a whole factor, large ones as
// wide and high as the page.
func (m *Image) fit(width, height int) {
	m.Width, m.Height = width, height
	if factor := min(640/width, 640/height); factor > 1 {
		m.Width, m.Height, m.Enlarged = factor*width, factor*height, true
		return
	}
	m.shrink(showWidth, showHeight)
}

// shrink shows the picture no larger than this.
func (m *Image) shrink(width, height int) {
	if m.Width > width {
		m.Width, m.Height = width, max(1, m.Height*width/m.Width)
	}
	if m.Height > height {
		m.Width, m.Height = max(1, m.Width*height/m.Height), height
	}
}
