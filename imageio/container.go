package imageio

import (
	"encoding/binary"
	"iter"
)

// The iterators below walk the outer structure of a file for what the decoders do not return:
// EXIF, colour profile, text and header fields. They stop without an error at the first thing that does not fit;
// whether the file is sound is for the decoders to say. The slices alias the file's bytes.

// pngChunks yields the type and content of each chunk.
func pngChunks(data []byte) iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		if len(data) < len(pngSignature) {
			return
		}
		for rest := data[len(pngSignature):]; len(rest) >= 12; {
			n := uint64(binary.BigEndian.Uint32(rest))
			if n > uint64(len(rest)-12) || !yield(string(rest[4:8]), rest[8:8+n]) {
				return
			}
			rest = rest[12+n:]
		}
	}
}

// pngHeader returns the bit depth and colour type of IHDR, zeros if there is none.
func pngHeader(data []byte) (depth, colourType int) {
	for id, body := range pngChunks(data) {
		if id == "IHDR" && len(body) == 13 {
			return int(body[8]), int(body[9])
		}
		break
	}
	return 0, 0
}

// jpegSegments yields the marker and content of each segment before the first scan.
func jpegSegments(data []byte) iter.Seq2[byte, []byte] {
	return func(yield func(byte, []byte) bool) {
		if len(data) < 2 {
			return
		}
		for rest := data[2:]; len(rest) >= 4; {
			if rest[0] != 0xff {
				rest = rest[1:] // stray bytes between segments, which decoders skip too
				continue
			}
			marker := rest[1]
			switch {
			case marker == 0xff: // a fill byte
				rest = rest[1:]
				continue
			case marker == 0 || marker >= 0xd0 && marker <= 0xd8: // markers without a length
				rest = rest[2:]
				continue
			case marker == jpegSOS || marker == jpegEOI:
				return
			}
			n := int(binary.BigEndian.Uint16(rest[2:]))
			if n < 2 || n > len(rest)-2 || !yield(marker, rest[4:2+n]) {
				return
			}
			rest = rest[2+n:]
		}
	}
}

const (
	jpegSOF2 = 0xc2
	jpegEOI  = 0xd9
	jpegSOS  = 0xda
	jpegAPP1 = 0xe1
	jpegAPP2 = 0xe2
	jpegCOM  = 0xfe

	jpegSegmentMax = 65533 // bytes that the 16-bit length of a segment leaves for its content
)

// webpChunks yields the name and content of each RIFF chunk.
func webpChunks(data []byte) iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		if len(data) < 12 {
			return
		}
		for rest := data[12:]; len(rest) >= 8; {
			n := uint64(binary.LittleEndian.Uint32(rest[4:]))
			if n > uint64(len(rest)-8) || !yield(string(rest[:4]), rest[8:8+n]) {
				return
			}
			// Chunks are padded to an even length; the last one's pad byte may be missing.
			rest = rest[8+min(n+n%2, uint64(len(rest)-8)):]
		}
	}
}
