package imageio

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"image/png"
	"io"
	"os"
	"strings"

	"golang.org/x/image/webp"
)

// Sentinel errors of this package; what is returned wraps them with the file's name.
var (
	// ErrFormat: the file is empty or is in none of the formats that can be read or written.
	ErrFormat = errors.New("imageio: unsupported format")
	// ErrTooLarge: the picture has more than MaxPixels pixels, or the file more than MaxBytes.
	ErrTooLarge = errors.New("imageio: image too large")
	// ErrNotFinite: a pixel is NaN or infinite.
	ErrNotFinite = errors.New("imageio: pixel is not finite")
)

// Limits on what Read and Decode accept; they are checked before anything of that size is
// allocated.
const (
	MaxPixels = 1 << 27 // about 134 million, 1.6 GB as three float32 channels
	MaxBytes  = 1 << 30 // of the file
)

// Format is a file format.
type Format string

// The formats that can be read. JPEG and PNG can be written too.
const (
	PNG  Format = "png"
	JPEG Format = "jpeg"
	WebP Format = "webp"
)

// Info is what a file says about its picture besides the colours.
type Info struct {
	Format      Format
	BitDepth    int    // bits a sample in the file: 1, 2, 4, 8 or 16
	Channels    int    // channels in the file, alpha among them: 1 to 4 (a palette counts as 3 or 4)
	Gray        bool   // no colour: the image has one channel
	HasAlpha    bool   // Alpha is not nil
	Orientation int    // EXIF orientation 1 to 8 found in the file, 1 if it has none; already applied
	SHA256      string // of the whole file, in hexadecimal

	// Alpha is the opacity: one channel, -1 transparent to 1 opaque, of the size of the image.
	// The colours beside it are unassociated (not multiplied by it) and are kept as stored where
	// a pixel is transparent.
	Alpha *Image

	// Profile is the ICC profile that a picture made from this one should be stored with, as
	// WriteOptions.Profile; nil if there is none, or if the conversion to sRGB cannot be undone.
	Profile []byte
	// ProfileName is what the embedded profile calls itself.
	ProfileName string
	// EXIF is the file's EXIF block (a TIFF structure), adapted to the upright picture, for
	// WriteOptions.EXIF: its orientation is 1 and the thumbnail is gone. nil if there is none, or
	// it is damaged.
	EXIF []byte
	// Warnings are about what could not be honoured, a sentence each.
	Warnings []string
}

// ReadOptions say how a picture is read. The zero value is what Read does.
type ReadOptions struct {
	// Check, if not nil, is given the picture's size, in pixels as stored, and about the number of bytes that
	// decoding takes at most beyond what it holds by then, before the pixels are decoded; its error is
	// returned as it is.
	Check func(height, width, bytes int) error
	// Raw leaves the values as they are stored, whatever profile the file has: for a picture of
	// numbers rather than colours, such as a mask.
	Raw bool

	maxPixels int // 0 means MaxPixels
}

// Read reads a PNG, JPEG or WebP file; the format is told from its content. See Decode.
func Read(path string) (*Image, Info, error) { return ReadWith(path, ReadOptions{}) }

// ReadWith is Read with options.
func ReadWith(path string, o ReadOptions) (*Image, Info, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, Info{}, fmt.Errorf("imageio: %w", err)
	}
	defer f.Close()
	size := 0
	if st, err := f.Stat(); err == nil {
		if st.IsDir() {
			return nil, Info{}, fmt.Errorf("imageio: %s is a directory, not an image", path)
		}
		size = int(min(st.Size(), MaxBytes))
	}
	return decodeReader(f, path, size, o)
}

// Decode reads a PNG, JPEG or WebP picture to the end of r. The image has one channel if the
// file is grey and three otherwise, with values v/127.5-1 of 8-bit and v/32767.5-1 of 16-bit
// samples; it is turned upright as its EXIF orientation asks (a damaged EXIF block is ignored), and
// converted to sRGB if it has another ICC profile: colours outside sRGB's gamut then leave [-1,1].
// A file that is truncated or damaged, has no pixels or more than MaxPixels, is an error.
func Decode(r io.Reader) (*Image, Info, error) {
	return decodeReader(r, "input", 0, ReadOptions{})
}

// decodeReader decodes a file of about a number of bytes, 0 if that is not known.
func decodeReader(r io.Reader, name string, size int, o ReadOptions) (*Image, Info, error) {
	b := bufio.NewReader(r)
	// A film or an endless device is refused by its beginning, not after a gigabyte of it. A shorter
	// file and an error in reading are left to what follows.
	if head, err := b.Peek(sniffBytes); err == nil {
		if _, err := sniff(head); err != nil {
			return nil, Info{}, fmt.Errorf("%w: %s %w", ErrFormat, name, err)
		}
	}
	data, err := readAll(b, name, size)
	if err != nil {
		return nil, Info{}, err
	}
	return decode(data, name, o)
}

// readAll reads to the end, at once if the size is right.
func readAll(r io.Reader, name string, size int) ([]byte, error) {
	var data bytes.Buffer
	data.Grow(size + bytes.MinRead) // which ReadFrom wants to be free at the end
	if _, err := data.ReadFrom(io.LimitReader(r, MaxBytes+1)); err != nil {
		return nil, fmt.Errorf("imageio: %s: %w", name, err)
	}
	if data.Len() > MaxBytes {
		return nil, fmt.Errorf("%w: %s has more than %d bytes", ErrTooLarge, name, MaxBytes)
	}
	return data.Bytes(), nil
}

func decode(data []byte, name string, o ReadOptions) (*Image, Info, error) {
	format, err := sniff(data)
	if err != nil {
		return nil, Info{}, fmt.Errorf("%w: %s %w", ErrFormat, name, err)
	}
	if o.maxPixels == 0 {
		o.maxPixels = MaxPixels
	}
	decodeConfig, decodePixels := codecs(format)
	cfg, err := decodeConfig(bytes.NewReader(data))
	if err != nil {
		return nil, Info{}, damaged(name, format, err)
	}
	if err := checkSize(name, cfg, o.maxPixels); err != nil {
		return nil, Info{}, err
	}
	if tooShort(format, data, cfg.Width, cfg.Height) {
		return nil, Info{}, fmt.Errorf("imageio: %s is truncated: %d bytes cannot hold %dx%d pixels",
			name, len(data), cfg.Width, cfg.Height)
	}
	if o.Check != nil {
		if err := o.Check(cfg.Height, cfg.Width, decodingBytes(format, data, cfg)); err != nil {
			return nil, Info{}, err
		}
	}
	pic, err := decodePixels(bytes.NewReader(data))
	if err != nil {
		return nil, Info{}, damaged(name, format, err)
	}
	img, info := convert(pic, format, data)
	hash := sha256.Sum256(data)
	info.SHA256 = hex.EncodeToString(hash[:])
	converted := false
	if !o.Raw {
		profile, err := findProfile(format, data)
		converted = applyProfile(img, &info, pic, profile, err)
	}
	exif := findEXIF(format, data)
	info.Orientation = exifOrientation(exif)
	if len(exif) > maxEXIF {
		info.Warnings = append(info.Warnings, fmt.Sprintf("EXIF of %d bytes is not kept: it has to fit into %d", len(exif), maxEXIF))
	} else {
		info.EXIF = uprightEXIF(exif, converted)
	}
	img = orient(img, info.Orientation)
	if info.Alpha != nil {
		info.Alpha = orient(info.Alpha, info.Orientation)
	}
	return img, info, nil
}

// checkSize holds the size that a file promises to the limits.
func checkSize(name string, c image.Config, maxPixels int) error {
	switch {
	case c.Width <= 0 || c.Height <= 0:
		return fmt.Errorf("imageio: %s has no pixels: its size is %dx%d", name, c.Width, c.Height)
	case int64(c.Width)*int64(c.Height) > int64(maxPixels):
		return fmt.Errorf("%w: %s has %dx%d pixels, the limit is %d", ErrTooLarge, name, c.Width, c.Height, maxPixels)
	}
	return nil
}

func codecs(f Format) (config func(io.Reader) (image.Config, error), pixels func(io.Reader) (image.Image, error)) {
	switch f {
	case PNG:
		return png.DecodeConfig, png.Decode
	case JPEG:
		return jpeg.DecodeConfig, jpeg.Decode
	default:
		return webp.DecodeConfig, webp.Decode
	}
}

func damaged(name string, f Format, err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return fmt.Errorf("imageio: %s is truncated: %w", name, io.ErrUnexpectedEOF)
	}
	if unsupported := jpeg.UnsupportedError(""); errors.As(err, &unsupported) {
		if strings.Contains(string(unsupported), "Adobe") {
			return fmt.Errorf("imageio: %s is a CMYK JPEG without Adobe's marker, which alone says how its inks are stored: save it as RGB", name)
		}
		return fmt.Errorf("imageio: %s is a JPEG of a kind that is not read: %s", name, string(unsupported))
	}
	return fmt.Errorf("imageio: %s is not a sound %s file: %w", name, f, err)
}

// tooShort says that no file of this length can hold the pixels its header promises, so that a
// few bytes cannot ask for gigabytes: deflate never expands more than 1032 times, and a JPEG has
// at least one bit for each block of 8x8 pixels of a component sampled up to 4x4 times coarser.
func tooShort(f Format, data []byte, width, height int) bool {
	w, h, n := int64(width), int64(height), int64(len(data))
	switch f {
	case PNG:
		depth, colourType := pngHeader(data)
		samples := map[int]int64{2: 3, 4: 2, 6: 4}[colourType]
		return h*((w*max(samples, 1)*int64(depth)+7)/8) > 1032*n
	case JPEG:
		return (w/8)*(h/8)/16 > 8*n
	}
	return false
}
