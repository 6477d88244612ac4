package imageio

import (
	"bytes"
	"errors"
	"fmt"
)

const pngSignature = "\x89PNG\r\n\x1a\n"

// sniffBytes is how much of a file tells its format, all that is in foreign included.
const sniffBytes = 32

// foreign lists what formats that are often met but not read begin with, to name them.
var foreign = []struct {
	offset      int
	magic, name string
}{
	{0, "GIF8", "a GIF"},
	{0, "BM", "a BMP"},
	{0, "II*\x00", "a TIFF"},
	{0, "MM\x00*", "a TIFF"},
	{4, "ftypavif", "an AVIF"},
	{4, "ftypheic", "a HEIC"},
	{4, "ftypheix", "a HEIC"},
	{4, "ftypmif1", "a HEIF"},
	{0, "\xff\x0a", "a JPEG XL"},
	{0, "\x00\x00\x00\x0cJXL ", "a JPEG XL"},
	{0, "\x00\x00\x00\x0cjP  ", "a JPEG 2000"},
	{0, "8BPS", "a Photoshop"},
	{0, "%PDF", "a PDF"},
	{0, "P5", "a PGM"},
	{0, "P6", "a PPM"},
}

// sniff tells the format from the first bytes.
func sniff(data []byte) (Format, error) {
	switch {
	case len(data) == 0:
		return "", errors.New("is empty")
	case bytes.HasPrefix(data, []byte(pngSignature)):
		return PNG, nil
	case bytes.HasPrefix(data, []byte("\xff\xd8\xff")):
		return JPEG, nil
	case len(data) >= 12 && string(data[:4]) == "RIFF" && string(data[8:12]) == "WEBP":
		for id := range webpChunks(data) {
			if id == "ANIM" {
				return "", errors.New("is an animated WebP: only still pictures are read")
			}
		}
		return WebP, nil
	}
	for _, f := range foreign {
		if len(data) >= f.offset && bytes.HasPrefix(data[f.offset:], []byte(f.magic)) {
			return "", fmt.Errorf("is %s file: only PNG, JPEG and WebP are read", f.name)
		}
	}
	return "", errors.New("is not a PNG, JPEG or WebP file")
}
