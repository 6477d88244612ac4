package imageio

import "fmt"

// Crop is a rectangle of an image, in pixels.
type Crop struct {
	Top, Left, Height, Width int
}

// Apply cuts the rectangle out of the image; one that does not lie inside it is an error.
func (c Crop) Apply(m *Image) (*Image, error) {
	if c.Top < 0 || c.Left < 0 || c.Height <= 0 || c.Width <= 0 ||
		c.Height > m.Height-c.Top || c.Width > m.Width-c.Left {
		return nil, fmt.Errorf("imageio: a crop of %dx%d pixels at column %d, row %d does not lie inside an image of %dx%d",
			c.Width, c.Height, c.Left, c.Top, m.Width, m.Height)
	}
	out := New(c.Height, c.Width, m.Channels)
	n := c.Width * m.Channels
	for y := range c.Height {
		copy(out.Pix[y*n:][:n], m.Pix[((c.Top+y)*m.Width+c.Left)*m.Channels:])
	}
	return out, nil
}

// PadToMultiple extends the image at the bottom and the right to the next multiples of m by
// mirroring it with its edge repeated (c b a | a b c | c b a), as often as the padding needs,
// and returns the crop that undoes it. With m <= 1, or sizes that fit, the image itself comes back.
func PadToMultiple(img *Image, m int) (*Image, Crop) {
	crop := Crop{0, 0, img.Height, img.Width}
	h, w := roundUp(img.Height, m), roundUp(img.Width, m)
	if h == img.Height && w == img.Width {
		return img, crop
	}
	out := New(h, w, img.Channels)
	n := img.Channels
	for y := range h {
		src := img.Pix[Mirror(y, img.Height)*img.Width*n:][:img.Width*n]
		dst := out.Pix[y*w*n:][:w*n]
		copy(dst, src)
		for x := img.Width; x < w; x++ {
			copy(dst[x*n:][:n], src[Mirror(x, img.Width)*n:])
		}
	}
	return out, crop
}

func roundUp(n, m int) int {
	if m <= 1 {
		return n
	}
	return (n + m - 1) / m * m
}

// Mirror maps any index to one of 0..n-1 by reflecting it at the ends with the edge repeated, so
// that -1 is 0, n is n-1 and the period is 2n. n must be positive.
func Mirror(i, n int) int {
	i %= 2 * n
	if i < 0 {
		i += 2 * n
	}
	return min(i, 2*n-1-i)
}

// CenterCrop cuts the middle height x width pixels out of the image (one pixel nearer to the top
// or left if it cannot be halved); a size that the image does not have is an error.
func CenterCrop(m *Image, height, width int) (*Image, error) {
	return Crop{(m.Height - height) / 2, (m.Width - width) / 2, height, width}.Apply(m)
}
