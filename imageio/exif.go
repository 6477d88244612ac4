package imageio

import (
	"bytes"
	"encoding/binary"
)

// orientation returns the EXIF orientation of a file, 1 to 8; 1 if there is none or it cannot be
// understood. EXIF lies in APP1 of a JPEG, in the EXIF chunk of a WebP and the eXIf chunk of a PNG.
func orientation(format Format, data []byte) int {
	const prefix = "Exif\x00\x00"
	switch format {
	case JPEG:
		for marker, body := range jpegSegments(data) {
			if marker == jpegAPP1 && bytes.HasPrefix(body, []byte(prefix)) {
				return tiffOrientation(body[len(prefix):])
			}
		}
	case WebP:
		for id, body := range webpChunks(data) {
			if id == "EXIF" {
				// Some writers keep JPEG's prefix here.
				return tiffOrientation(bytes.TrimPrefix(body, []byte(prefix)))
			}
		}
	case PNG:
		for id, body := range pngChunks(data) {
			if id == "eXIf" {
				return tiffOrientation(body)
			}
		}
	}
	return 1
}

// tiffOrientation looks for tag 0x0112 (one SHORT) in the first directory of a TIFF structure,
// which is what EXIF is (CIPA DC-008, section 4.6). Nothing else is read and no offset but that
// of the directory is followed, so the work is bounded by the block's length.
func tiffOrientation(b []byte) int {
	if len(b) < 8 {
		return 1
	}
	var order binary.ByteOrder
	switch string(b[:4]) {
	case "II*\x00":
		order = binary.LittleEndian
	case "MM\x00*":
		order = binary.BigEndian
	default:
		return 1
	}
	offset := uint64(order.Uint32(b[4:]))
	if offset < 8 || offset+2 > uint64(len(b)) {
		return 1
	}
	entries := b[offset+2:]
	for range order.Uint16(b[offset:]) {
		if len(entries) < 12 {
			return 1
		}
		const orientationTag, short = 0x0112, 3
		if order.Uint16(entries) == orientationTag {
			v := int(order.Uint16(entries[8:]))
			if order.Uint16(entries[2:]) != short || order.Uint32(entries[4:]) != 1 || v < 1 || v > 8 {
				return 1
			}
			return v
		}
		entries = entries[12:]
	}
	return 1
}

// orient turns an image stored with the given EXIF orientation upright. The name of each
// orientation in the standard says where the stored row 0 and column 0 are in the upright view.
func orient(m *Image, orientation int) *Image {
	if orientation <= 1 || orientation > 8 {
		return m
	}
	transposed := orientation >= 5
	out := New(m.Height, m.Width, m.Channels)
	if transposed {
		out = New(m.Width, m.Height, m.Channels)
	}
	for y := range out.Height {
		for x := range out.Width {
			sy, sx := y, x
			switch orientation {
			case 2: // row 0 top, column 0 right: mirrored left to right
				sx = m.Width - 1 - x
			case 3: // bottom, right: turned by 180 degrees
				sy, sx = m.Height-1-y, m.Width-1-x
			case 4: // bottom, left: mirrored top to bottom
				sy = m.Height - 1 - y
			case 5: // left, top: transposed
				sy, sx = x, y
			case 6: // right, top: turn by 90 degrees clockwise
				sy, sx = m.Height-1-x, y
			case 7: // right, bottom: transposed about the other diagonal
				sy, sx = m.Height-1-x, m.Width-1-y
			case 8: // left, bottom: turn by 90 degrees counter-clockwise
				sy, sx = x, m.Width-1-y
			}
			copy(out.Pix[(y*out.Width+x)*m.Channels:][:m.Channels], m.Pix[(sy*m.Width+sx)*m.Channels:])
		}
	}
	return out
}
