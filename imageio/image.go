// Package imageio reads and writes photographs.
package imageio

// Image is a picture in linear memory: rows from the top, pixels from the left, channels
// interleaved, so Pix[(y*Width+x)*Channels+c]. Values are in [-1,1] (black to white) in the
// encoding of the file (sRGB as a rule); they may leave that range inside a computation.
type Image struct {
	Height, Width, Channels int
	Pix                     []float32
}

// New returns a mid-grey (all zero) image.
func New(height, width, channels int) *Image {
	return &Image{height, width, channels, make([]float32, height*width*channels)}
}
