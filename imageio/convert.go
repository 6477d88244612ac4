package imageio

import (
	"image"
	"image/color"
)

// convert turns a decoded picture into float32 channels and says what it held.
func convert(pic image.Image, format Format, data []byte) (*Image, Info) {
	info := Info{Format: format, BitDepth: 8, Channels: 3, Orientation: 1}
	b := pic.Bounds()
	w, h := b.Dx(), b.Dy()
	var img, alpha *Image
	switch p := pic.(type) {
	case *image.Gray:
		info.Channels = 1
		img = samples8(p.Pix, p.Stride, h, w, 1, 0, 1)
	case *image.Gray16:
		info.Channels = 1
		img = samples16(p.Pix, p.Stride, h, w, 1, 0, 1)
	case *image.RGBA: // the decoders use it for opaque pictures only
		img = samples8(p.Pix, p.Stride, h, w, 4, 0, 3)
	case *image.RGBA64:
		img = samples16(p.Pix, p.Stride, h, w, 4, 0, 3)
	case *image.NRGBA:
		info.Channels = 4
		img, alpha = samples8(p.Pix, p.Stride, h, w, 4, 0, 3), samples8(p.Pix, p.Stride, h, w, 4, 3, 1)
	case *image.NRGBA64:
		info.Channels = 4
		img, alpha = samples16(p.Pix, p.Stride, h, w, 4, 0, 3), samples16(p.Pix, p.Stride, h, w, 4, 3, 1)
	case *image.YCbCr:
		img = fromYCbCr(p, format == WebP)
	case *image.NYCbCrA:
		info.Channels = 4
		img, alpha = fromYCbCr(&p.YCbCr, format == WebP), samples8(p.A, p.AStride, h, w, 1, 0, 1)
	default: // palettes and CMYK
		img, alpha = fromColours(pic)
		if alpha != nil {
			info.Channels = 4
		}
	}
	switch format {
	case PNG:
		depth, colourType := pngHeader(data)
		info.BitDepth = depth
		info.Gray = colourType&2 == 0 // no bit for colour; palettes have it
		if info.Gray {
			info.Channels = 1
			if alpha != nil {
				info.Channels = 2
			}
		}
	case JPEG:
		info.Gray = info.Channels == 1
		if _, ok := pic.(*image.CMYK); ok {
			info.Channels = 4
		}
	case WebP:
		// Lossless WebP always decodes with alpha, whether or not the file uses it.
		if alpha != nil && opaque(alpha) {
			alpha, info.Channels = nil, 3
		}
	}
	if info.Gray && img.Channels == 3 {
		img = channel0(img)
	}
	info.Alpha, info.HasAlpha = alpha, alpha != nil
	return img, info
}

// from8 and from16 map a sample to [-1,1].
func from8(v uint8) float32   { return float32(float64(v)/127.5 - 1) }
func from16(v uint16) float32 { return float32(float64(v)/32767.5 - 1) }

// samples8 takes channels [first, first+channels) of pixels with step 8-bit samples each.
func samples8(pix []uint8, stride, h, w, step, first, channels int) *Image {
	var table [256]float32
	for i := range table {
		table[i] = from8(uint8(i))
	}
	out := New(h, w, channels)
	for y := range h {
		dst := out.Pix[y*w*channels:]
		for x := range w {
			src := pix[y*stride+x*step+first:]
			for c := range channels {
				dst[x*channels+c] = table[src[c]]
			}
		}
	}
	return out
}

// samples16 is samples8 for big-endian 16-bit samples.
func samples16(pix []uint8, stride, h, w, step, first, channels int) *Image {
	out := New(h, w, channels)
	for y := range h {
		dst := out.Pix[y*w*channels:]
		for x := range w {
			src := pix[y*stride+2*(x*step+first):]
			for c := range channels {
				dst[x*channels+c] = from16(uint16(src[2*c])<<8 | uint16(src[2*c+1]))
			}
		}
	}
	return out
}

// fromColours goes pixel by pixel; alpha is nil if every pixel is opaque and none can be otherwise.
func fromColours(pic image.Image) (img, alpha *Image) {
	b := pic.Bounds()
	w, h := b.Dx(), b.Dy()
	img = New(h, w, 3)
	if p, ok := pic.(*image.Paletted); ok {
		for _, c := range p.Palette {
			if _, _, _, a := c.RGBA(); a != 0xffff {
				alpha = New(h, w, 1)
				break
			}
		}
	}
	for y := range h {
		for x := range w {
			c := color.NRGBAModel.Convert(pic.At(b.Min.X+x, b.Min.Y+y)).(color.NRGBA)
			i := y*w + x
			img.Pix[3*i], img.Pix[3*i+1], img.Pix[3*i+2] = from8(c.R), from8(c.G), from8(c.B)
			if alpha != nil {
				alpha.Pix[i] = from8(c.A)
			}
		}
	}
	return img, alpha
}

func opaque(alpha *Image) bool {
	for _, v := range alpha.Pix {
		if v < 1 {
			return false
		}
	}
	return true
}

func channel0(m *Image) *Image {
	out := New(m.Height, m.Width, 1)
	for i := range out.Pix {
		out.Pix[i] = m.Pix[i*m.Channels]
	}
	return out
}
