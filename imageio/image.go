// Package imageio reads and writes photographs.
//
// Pictures are held as float32 values in [-1,1] in sRGB's encoding: a file with another ICC profile
// is converted when it is read and back when it is written. Grey, alpha, EXIF and the profile are
// reported by [Info], so that a program can put back what a network with three channels cannot
// carry.
package imageio

import (
	"fmt"
	"math"
)

// Image is a picture: rows from the top, pixels from the left, channels interleaved, so
// Pix[(y*Width+x)*Channels+c]. Values are in [-1,1] (black to white) in sRGB's encoding;
// they may leave that range inside a computation, and where a wider profile has colours that sRGB
// lacks.
type Image struct {
	Height, Width, Channels int
	Pix                     []float32
}

// New returns a mid-grey (all zero) image.
func New(height, width, channels int) *Image {
	return &Image{height, width, channels, make([]float32, height*width*channels)}
}

// Clone returns a copy that shares nothing with the image.
func (m *Image) Clone() *Image {
	c := *m
	c.Pix = append([]float32(nil), m.Pix...)
	return &c
}

// HalfTurn returns the image turned by 180 degrees.
func (m *Image) HalfTurn() *Image {
	out := New(m.Height, m.Width, m.Channels)
	for i := 0; i < len(m.Pix); i += m.Channels {
		copy(out.Pix[len(m.Pix)-m.Channels-i:][:m.Channels], m.Pix[i:])
	}
	return out
}

// RGB returns the image with three channels: a grey image has its channel repeated, a colour
// image is returned as it is, not copied.
func (m *Image) RGB() *Image {
	if m.Channels != 1 {
		return m
	}
	out := New(m.Height, m.Width, 3)
	for i, v := range m.Pix {
		out.Pix[3*i], out.Pix[3*i+1], out.Pix[3*i+2] = v, v, v
	}
	return out
}

// Grey returns the image with one channel: 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601 luma) of a
// colour image; a grey image is returned as it is, not copied.
func (m *Image) Grey() *Image {
	if m.Channels == 1 {
		return m
	}
	out := New(m.Height, m.Width, 1)
	for i := range out.Pix {
		p := m.Pix[i*m.Channels:]
		out.Pix[i] = float32(0.299*float64(p[0]) + 0.587*float64(p[1]) + 0.114*float64(p[2]))
	}
	return out
}

// Check says what is wrong with the image: sizes that are not positive, a number of channels
// other than 1 or 3, a slice of another length, or (as [ErrNotFinite]) a value that is NaN or
// infinite. A sound image gives nil.
func (m *Image) Check() error {
	switch {
	case m.Height <= 0 || m.Width <= 0:
		return fmt.Errorf("imageio: image size %dx%d is not positive", m.Width, m.Height)
	case m.Channels != 1 && m.Channels != 3:
		return fmt.Errorf("imageio: image has %d channels, want 1 or 3", m.Channels)
	case len(m.Pix) != m.Height*m.Width*m.Channels:
		return fmt.Errorf("imageio: image of %dx%d pixels and %d channels has %d values, want %d",
			m.Width, m.Height, m.Channels, len(m.Pix), m.Height*m.Width*m.Channels)
	}
	for i, v := range m.Pix {
		if f := float64(v); math.IsNaN(f) || math.IsInf(f, 0) {
			p := i / m.Channels
			return fmt.Errorf("%w: %v at column %d, row %d, channel %d",
				ErrNotFinite, v, p%m.Width, p/m.Width, i%m.Channels)
		}
	}
	return nil
}
