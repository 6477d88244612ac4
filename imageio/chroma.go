package imageio

import (
	"image"
	"math"
)

// yccMatrix holds the coefficients of R = ky (Y-y0) + rCr Cr, G = ky (Y-y0) - gCb Cb - gCr Cr and
// B = ky (Y-y0) + bCb Cb with Cb and Cr centred on 128.
type yccMatrix struct{ y0, ky, rCr, gCb, gCr, bCb float64 }

var (
	// jfif is ITU-R BT.601 with the full range 0 to 255 (JFIF 1.02).
	jfif = yccMatrix{0, 1, 1.402, 0.344136286, 0.714136286, 1.772}
	// bt601 is the same with video range, 16 to 235 and 16 to 240: VP8 and so lossy WebP. Go's
	// own conversion takes the values of a WebP for JPEG's and returns washed-out colours.
	bt601 = yccMatrix{16, 255.0 / 219, 1.402 * 255 / 224, 0.344136286 * 255 / 224, 0.714136286 * 255 / 224, 1.772 * 255 / 224}
)

// fromYCbCr converts luma and chroma to RGB, rounded to 8 bits as other decoders do. Coarser
// chroma is interpolated linearly between sample centres, which for 4:2:0 are the 9:3:3:1 weights
// of libjpeg and libwebp; repeating samples, as image/jpeg does, leaves steps along edges
// that a restoration would take for detail.
func fromYCbCr(p *image.YCbCr, video bool) *Image {
	m := jfif
	if video {
		m = bt601
	}
	w, h := p.Rect.Dx(), p.Rect.Dy()
	fx, fy := subsampling(p.SubsampleRatio)
	cw, ch := (w+fx-1)/fx, (h+fy-1)/fy
	cols := make([]linearTap, w)
	for x := range cols {
		cols[x] = chromaTap(x, fx, cw)
	}
	var table [256]float32
	for i := range table {
		table[i] = from8(uint8(i))
	}
	to8 := func(v float64) float32 {
		return table[uint8(math.Floor(min(max(v, 0), 255)+0.5))]
	}
	out := New(h, w, 3)
	for y := range h {
		r := chromaTap(y, fy, ch)
		row0, row1 := r.i0*p.CStride, r.i1*p.CStride
		dst := out.Pix[y*w*3:]
		for x, c := range cols {
			at := func(plane []uint8) float64 {
				top := (1-c.f)*float64(plane[row0+c.i0]) + c.f*float64(plane[row0+c.i1])
				if r.f == 0 {
					return top - 128
				}
				bottom := (1-c.f)*float64(plane[row1+c.i0]) + c.f*float64(plane[row1+c.i1])
				return (1-r.f)*top + r.f*bottom - 128
			}
			luma, cb, cr := m.ky*(float64(p.Y[y*p.YStride+x])-m.y0), at(p.Cb), at(p.Cr)
			dst[3*x] = to8(luma + m.rCr*cr)
			dst[3*x+1] = to8(luma - m.gCb*cb - m.gCr*cr)
			dst[3*x+2] = to8(luma + m.bCb*cb)
		}
	}
	return out
}

func subsampling(r image.YCbCrSubsampleRatio) (fx, fy int) {
	switch r {
	case image.YCbCrSubsampleRatio422:
		return 2, 1
	case image.YCbCrSubsampleRatio420:
		return 2, 2
	case image.YCbCrSubsampleRatio440:
		return 1, 2
	case image.YCbCrSubsampleRatio411:
		return 4, 1
	case image.YCbCrSubsampleRatio410:
		return 4, 2
	}
	return 1, 1
}

// linearTap is (1-f) v[i0] + f v[i1].
type linearTap struct {
	i0, i1 int
	f      float64
}

// chromaTap says where full-resolution sample i lies among n samples that are factor apart and
// centred on the samples they cover; the border sample is repeated.
func chromaTap(i, factor, n int) linearTap {
	pos := min(max((float64(i)+0.5)/float64(factor)-0.5, 0), float64(n-1))
	i0 := int(pos)
	return linearTap{i0, min(i0+1, n-1), pos - float64(i0)}
}
