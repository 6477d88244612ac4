package imageio

import (
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"io"
	"math"
	"path/filepath"
	"strings"

	"github.com/seed-0f004ec9/spgd/internal/icc"
)

// DefaultQuality is that of a JPEG whose WriteOptions name none.
const DefaultQuality = 95

// WriteOptions say how an image is stored. The zero value is 8 bits, JPEG quality 95 and sRGB.
type WriteOptions struct {
	Depth    int               // bits a sample, 8 or 16 (PNG only); 0 means 8
	Quality  int               // of a JPEG, 1 to 100; 0 means DefaultQuality
	Alpha    *Image            // opacity as in Info.Alpha, or nil; a JPEG cannot hold it and drops it
	Metadata map[string]string // iTXt chunks of a PNG, comments key=value of a JPEG

	// Profile, if not nil, is an ICC profile as Info.Profile has it. The image, which is sRGB, is
	// converted to it, and the profile is embedded.
	Profile []byte
	// EXIF, if not nil, is a block as Info.EXIF has it, which is stored with the sizes it names set
	// to the image's.
	EXIF []byte
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
	if err := checkOptions(format, o); err != nil {
		return fmt.Errorf("imageio: output %q: %w", path, err)
	}
	return CheckWritable(path)
}

// checkOptions says what is wrong with the options whatever the image.
func checkOptions(format Format, o WriteOptions) error {
	switch {
	case format != PNG && format != JPEG:
		return fmt.Errorf("%w: %q cannot be written", ErrFormat, format)
	case o.Depth != 0 && o.Depth != 8 && o.Depth != 16:
		return fmt.Errorf("imageio: bit depth %d: want 8 or 16", o.Depth)
	case o.Depth == 16 && format == JPEG:
		return errors.New("imageio: a JPEG holds 8 bits a sample, not 16; use .png")
	case o.Quality < 0 || o.Quality > 100:
		return fmt.Errorf("imageio: JPEG quality %d: want 1 to 100", o.Quality)
	case format == JPEG && len(o.EXIF) > maxEXIF:
		return fmt.Errorf("imageio: EXIF of %d bytes, a JPEG holds %d", len(o.EXIF), maxEXIF)
	}
	return checkMetadata(o.Metadata, format)
}

// Write stores an image with one or three channels as PNG or JPEG, by the extension of path, with
// WriteFileAtomic: path is replaced by the whole file or not touched. See Encode.
func Write(path string, m *Image, o WriteOptions) error {
	if err := CheckOutput(path, o); err != nil {
		return err
	}
	format, err := FormatOf(path)
	if err != nil {
		return err
	}
	return WriteFileAtomic(path, func(w io.Writer) error {
		if err := Encode(w, m, format, o); err != nil {
			return fmt.Errorf("imageio: %s is not written: %w", path, err)
		}
		return nil
	})
}

// Encode writes an image with one or three channels as PNG or JPEG. Values are clipped to what the
// file can hold and rounded to the nearest step of the bit depth; NaN and infinities are
// ErrNotFinite. Equal images and options give equal bytes.
func Encode(w io.Writer, m *Image, format Format, o WriteOptions) error {
	if err := checkOptions(format, o); err != nil {
		return err
	}
	if err := m.Check(); err != nil {
		return err
	}
	if a := o.Alpha; a != nil {
		if err := a.Check(); err != nil {
			return fmt.Errorf("alpha: %w", err)
		}
		if a.Channels != 1 || a.Height != m.Height || a.Width != m.Width {
			return fmt.Errorf("imageio: alpha is %dx%d with %d channels, the image %dx%d",
				a.Width, a.Height, a.Channels, m.Width, m.Height)
		}
	}
	var p *icc.Profile
	if o.Profile != nil {
		var err error
		if p, err = writable(o.Profile, m.Channels); err != nil {
			return fmt.Errorf("imageio: %w", err)
		}
	}
	if p != nil {
		m = m.Clone()
		convertPixels(m, fromSRGB(p, m.Channels))
	}
	extra, err := ancillary(m, format, o)
	if err != nil {
		return fmt.Errorf("imageio: %w", err)
	}
	if format == PNG {
		return encodePNG(w, m, o.Alpha, max(8, o.Depth), extra)
	}
	quality := o.Quality
	if quality == 0 {
		quality = DefaultQuality
	}
	return jpeg.Encode(&inserter{w: w, insert: extra}, to8(m), &jpeg.Options{Quality: quality})
}

// ancillary is what stands beside the picture: EXIF, profile and text as whole chunks or segments.
func ancillary(m *Image, format Format, o WriteOptions) (out []byte, err error) {
	if exif := sizedEXIF(o.EXIF, m.Height, m.Width); exif != nil {
		if format == JPEG { // first, as EXIF wants it
			out = appendJPEGSegment(out, jpegAPP1, append([]byte(exifPrefix), exif...))
		} else {
			out = appendPNGChunk(out, "eXIf", exif)
		}
	}
	if o.Profile != nil {
		if out, err = appendProfile(out, format, o.Profile); err != nil {
			return nil, err
		}
	}
	return appendText(out, format, o.Metadata), nil
}

// inserter passes a JPEG on and puts segments behind its start marker.
type inserter struct {
	w       io.Writer
	insert  []byte
	written int // of the marker
}

func (i *inserter) Write(p []byte) (int, error) {
	head := p[:min(2-i.written, len(p))]
	if i.written += len(head); i.written == 2 && i.insert != nil {
		if _, err := i.w.Write(append(append([]byte(nil), head...), i.insert...)); err != nil {
			return 0, err
		}
		i.insert = nil
	} else if _, err := i.w.Write(head); err != nil {
		return 0, err
	}
	n, err := i.w.Write(p[len(head):])
	return len(head) + n, err
}

// quantise maps [-1,1] to the integers 0 to top, clipped and rounded to the nearest.
func quantise(v float32, top float64) float64 {
	return math.Floor(min(max((float64(v)+1)*top/2, 0), top) + 0.5)
}

// to8 makes a picture for JPEG's encoder.
func to8(m *Image) image.Image {
	rect := image.Rect(0, 0, m.Width, m.Height)
	if m.Channels == 1 {
		out := image.NewGray(rect)
		for i, v := range m.Pix {
			out.Pix[i] = uint8(quantise(v, 255))
		}
		return out
	}
	out := image.NewRGBA(rect)
	for i := range m.Height * m.Width {
		p := out.Pix[4*i : 4*i+4]
		for c := range 3 {
			p[c] = uint8(quantise(m.Pix[3*i+c], 255))
		}
		p[3] = 255
	}
	return out
}
