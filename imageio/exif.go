package imageio

import (
	"bytes"
	"encoding/binary"
	"slices"
)

// exifPrefix precedes the TIFF structure in a JPEG's APP1 segment.
const exifPrefix = "Exif\x00\x00"

// maxEXIF is what an APP1 segment leaves for EXIF.
const maxEXIF = jpegSegmentMax - len(exifPrefix)

// findEXIF returns the TIFF structure that EXIF is (CIPA DC-008, section 4.5), nil if there is none. It
// lies in APP1 of a JPEG, in the EXIF chunk of a WebP and the eXIf chunk of a PNG. The slice aliases
// the file's bytes.
func findEXIF(format Format, data []byte) []byte {
	switch format {
	case JPEG:
		for marker, body := range jpegSegments(data) {
			if block, ok := bytes.CutPrefix(body, []byte(exifPrefix)); ok && marker == jpegAPP1 {
				return block
			}
		}
	case WebP:
		for id, body := range webpChunks(data) {
			if id == "EXIF" {
				// Some writers keep JPEG's prefix here.
				return bytes.TrimPrefix(body, []byte(exifPrefix))
			}
		}
	case PNG:
		for id, body := range pngChunks(data) {
			if id == "eXIf" {
				return body
			}
		}
	}
	return nil
}

// Tags of EXIF that depend on how the pixels are stored.
const (
	tagImageWidth      = 0x0100
	tagImageLength     = 0x0101
	tagOrientation     = 0x0112
	tagExifDirectory   = 0x8769
	tagColorSpace      = 0xa001
	tagPixelXDimension = 0xa002
	tagPixelYDimension = 0xa003
)

// Types of EXIF values.
const (
	tiffShort = 3
	tiffLong  = 4
)

// tiff is a TIFF structure in memory.
type tiff struct {
	data  []byte
	order binary.ByteOrder
}

// parseTIFF looks at the header only.
func parseTIFF(b []byte) (t tiff, ok bool) {
	if len(b) < 8 {
		return t, false
	}
	switch string(b[:4]) {
	case "II*\x00":
		return tiff{b, binary.LittleEndian}, true
	case "MM\x00*":
		return tiff{b, binary.BigEndian}, true
	}
	return t, false
}

// directory returns the entries of the directory at an offset, 12 bytes each, and the field behind
// them that says where the next directory is; both alias the structure. ok is false if the directory
// does not lie inside of it.
func (t tiff) directory(offset uint32) (entries, next []byte, ok bool) {
	if offset < 8 || uint64(offset)+2 > uint64(len(t.data)) {
		return nil, nil, false
	}
	rest := t.data[offset+2:]
	n := 12 * int(t.order.Uint16(t.data[offset:]))
	if n > len(rest) {
		return nil, nil, false
	}
	entries, rest = rest[:n], rest[n:]
	if len(rest) < 4 {
		return entries, nil, true
	}
	return entries, rest[:4], true
}

// number is the value of an entry that holds one SHORT or LONG.
func (t tiff) number(entry []byte) (v uint32, ok bool) {
	if t.order.Uint32(entry[4:]) != 1 {
		return 0, false
	}
	switch t.order.Uint16(entry[2:]) {
	case tiffShort:
		return uint32(t.order.Uint16(entry[8:])), true
	case tiffLong:
		return t.order.Uint32(entry[8:]), true
	}
	return 0, false
}

// setNumber replaces the value of an entry that holds one SHORT or LONG, if it fits.
func (t tiff) setNumber(entry []byte, v uint32) {
	if _, ok := t.number(entry); !ok {
		return
	}
	switch {
	case t.order.Uint16(entry[2:]) == tiffLong:
		t.order.PutUint32(entry[8:], v)
	case v <= 0xffff:
		t.order.PutUint16(entry[8:], uint16(v))
	}
}

// walk calls visit with the tag of each entry of the first directory and of the EXIF directory that it
// refers to. No other offset is followed, so the work is bounded by the structure's length.
func (t tiff) walk(visit func(tag uint16, entry []byte)) {
	entries, _, ok := t.directory(t.order.Uint32(t.data[4:]))
	if !ok {
		return
	}
	var exif []byte
	for entry := range slices.Chunk(entries, 12) {
		tag := t.order.Uint16(entry)
		visit(tag, entry)
		if v, ok := t.number(entry); ok && tag == tagExifDirectory {
			exif, _, _ = t.directory(v)
		}
	}
	for entry := range slices.Chunk(exif, 12) {
		visit(t.order.Uint16(entry), entry)
	}
}

// exifOrientation returns the orientation of an EXIF block, 1 to 8; 1 if it has none or it cannot be
// understood.
func exifOrientation(block []byte) int {
	t, ok := parseTIFF(block)
	if !ok {
		return 1
	}
	entries, _, _ := t.directory(t.order.Uint32(t.data[4:]))
	for entry := range slices.Chunk(entries, 12) {
		if t.order.Uint16(entry) == tagOrientation {
			v, ok := t.number(entry)
			if !ok || t.order.Uint16(entry[2:]) != tiffShort || v < 1 || v > 8 {
				return 1
			}
			return int(v)
		}
	}
	return 1
}

// uprightEXIF is a copy of an EXIF block for a picture that was turned upright: its orientation is 1,
// and it has lost the link to the second directory, which holds a thumbnail of what the picture was
// before. A block that is no TIFF structure gives nil. srgb says that the colours were converted to
// sRGB for good.
func uprightEXIF(block []byte, srgb bool) []byte {
	t, ok := parseTIFF(bytes.Clone(block))
	if !ok {
		return nil
	}
	_, next, ok := t.directory(t.order.Uint32(t.data[4:]))
	if !ok {
		return nil
	}
	clear(next)
	t.walk(func(tag uint16, entry []byte) {
		switch {
		case tag == tagOrientation:
			t.setNumber(entry, 1)
		case tag == tagColorSpace && srgb:
			t.setNumber(entry, 1)
		}
	})
	return t.data
}

// sizedEXIF is a copy of an EXIF block with the size of the picture that it goes with.
func sizedEXIF(block []byte, height, width int) []byte {
	t, ok := parseTIFF(bytes.Clone(block))
	if !ok {
		return nil
	}
	t.walk(func(tag uint16, entry []byte) {
		switch tag {
		case tagImageWidth, tagPixelXDimension:
			t.setNumber(entry, uint32(width))
		case tagImageLength, tagPixelYDimension:
			t.setNumber(entry, uint32(height))
		}
	})
	return t.data
}
