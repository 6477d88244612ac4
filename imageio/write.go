package imageio

import (
	"bytes"
	"fmt"
	"image"
	"image/jpeg"
	"image/png"
	"io"
	"math"
	"path/filepath"
	"strings"
)

// WriteOptions say how an image is stored. The zero value is 8 bits and JPEG quality 95.
type WriteOptions struct {
	Depth    int               // bits a sample, 8 or 16 (PNG only); 0 means 8
	Quality  int               // of a JPEG, 1 to 100; 0 means 95
	Alpha    *Image            // opacity as in Info.Alpha, or nil; a JPEG cannot hold it and drops it
	Metadata map[string]string // iTXt chunks of a PNG, comments key=value of a JPEG
}

// FormatOf returns the format in which Write stores a file of this name: PNG for .png, JPEG for
// .jpg and .jpeg (in upper or lower case). Any other extension is an ErrFormat.
func FormatOf(path string) (Format, error) {
	ext := filepath.Ext(path)
	switch strings.ToLower(ext) {
	case ".png":
		return PNG, nil
	case ".jpg", ".jpeg":
		return JPEG, nil
	case "":
		return "", fmt.Errorf("%w: output %q has no extension; use .png, .jpg or .jpeg", ErrFormat, path)
	}
	return "", fmt.Errorf("%w: output %q: %q cannot be written; use .png, .jpg or .jpeg", ErrFormat, path, ext)
}

// CheckOutput says what would keep Write from writing path with these options: the extension,
// the options, the directory. It is meant to be called before any work is done; it does not look
// at Alpha's size, which only the finished image decides.
func CheckOutput(path string, o WriteOptions) error {
	format, err := FormatOf(path)
	if err != nil {
		return err
	}
	switch {
	case o.Depth != 0 && o.Depth != 8 && o.Depth != 16:
		return fmt.Errorf("imageio: bit depth %d: want 8 or 16", o.Depth)
	case o.Depth == 16 && format == JPEG:
		return fmt.Errorf("imageio: output %q: a JPEG holds 8 bits a sample, not 16; use .png", path)
	case o.Quality < 0 || o.Quality > 100:
		return fmt.Errorf("imageio: JPEG quality %d: want 1 to 100", o.Quality)
	}
	if err := checkMetadata(o.Metadata, format); err != nil {
		return err
	}
	return CheckWritable(path)
}

// Write stores an image with one or three channels as PNG or JPEG, by the extension of path, with
// WriteFileAtomic: path is replaced by the whole file or not touched. Values are clipped to
// [-1,1] and rounded to the nearest step of the bit depth; NaN and infinities are ErrNotFinite.
func Write(path string, m *Image, o WriteOptions) error {
	if err := CheckOutput(path, o); err != nil {
		return err
	}
	format, err := FormatOf(path)
	if err != nil {
		return err
	}
	if err := m.Check(); err != nil {
		return fmt.Errorf("imageio: %s is not written: %w", path, err)
	}
	if a := o.Alpha; a != nil {
		if err := a.Check(); err != nil {
			return fmt.Errorf("imageio: %s is not written: alpha: %w", path, err)
		}
		if a.Channels != 1 || a.Height != m.Height || a.Width != m.Width {
			return fmt.Errorf("imageio: %s is not written: alpha is %dx%d with %d channels, the image %dx%d",
				path, a.Width, a.Height, a.Channels, m.Width, m.Height)
		}
	}
	data, err := encode(m, format, o)
	if err != nil {
		return fmt.Errorf("imageio: cannot write %s: %w", path, err)
	}
	return WriteFileAtomic(path, func(w io.Writer) error {
		if _, err := w.Write(data); err != nil {
			return fmt.Errorf("imageio: cannot write %s: %w", path, pathCause(err))
		}
		return nil
	})
}

func encode(m *Image, format Format, o WriteOptions) ([]byte, error) {
	var buf bytes.Buffer
	var err error
	switch {
	case format == JPEG:
		quality := o.Quality
		if quality == 0 {
			quality = 95
		}
		err = jpeg.Encode(&buf, to8(m, nil), &jpeg.Options{Quality: quality})
	case o.Depth == 16:
		err = png.Encode(&buf, to16(m, o.Alpha))
	default:
		err = png.Encode(&buf, to8(m, o.Alpha))
	}
	if err != nil {
		return nil, err
	}
	return addMetadata(buf.Bytes(), format, o.Metadata)
}

// quantise maps [-1,1] to the integers 0 to top, clipped and rounded to the nearest.
func quantise(v float32, top float64) float64 {
	return math.Floor(min(max((float64(v)+1)*top/2, 0), top) + 0.5)
}

func to8(m, alpha *Image) image.Image {
	rect := image.Rect(0, 0, m.Width, m.Height)
	if m.Channels == 1 && alpha == nil {
		out := image.NewGray(rect)
		for i, v := range m.Pix {
			out.Pix[i] = uint8(quantise(v, 255))
		}
		return out
	}
	out := image.NewNRGBA(rect)
	for i := range m.Height * m.Width {
		p := out.Pix[4*i : 4*i+4]
		for c := range 3 {
			p[c] = uint8(quantise(m.Pix[i*m.Channels+c%m.Channels], 255))
		}
		p[3] = 255
		if alpha != nil {
			p[3] = uint8(quantise(alpha.Pix[i], 255))
		}
	}
	if alpha == nil {
		// JPEG's encoder has a fast path for this type only; opaque, the two are the same.
		return &image.RGBA{Pix: out.Pix, Stride: out.Stride, Rect: out.Rect}
	}
	return out
}

func to16(m, alpha *Image) image.Image {
	rect := image.Rect(0, 0, m.Width, m.Height)
	put := func(p []uint8, v float32) {
		q := uint16(quantise(v, 65535))
		p[0], p[1] = uint8(q>>8), uint8(q)
	}
	if m.Channels == 1 && alpha == nil {
		out := image.NewGray16(rect)
		for i, v := range m.Pix {
			put(out.Pix[2*i:], v)
		}
		return out
	}
	out := image.NewNRGBA64(rect)
	for i := range m.Height * m.Width {
		p := out.Pix[8*i : 8*i+8]
		for c := range 3 {
			put(p[2*c:], m.Pix[i*m.Channels+c%m.Channels])
		}
		p[6], p[7] = 255, 255
		if alpha != nil {
			put(p[6:], alpha.Pix[i])
		}
	}
	return out
}
