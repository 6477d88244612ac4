package imageio

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"maps"
	"os"
	"slices"
	"strings"
	"unicode/utf8"
)

// ReadMetadata returns the text that a file carries beside its picture, by key: the uncompressed
// tEXt and iTXt chunks of a PNG, and the comments of a JPEG that have the form key=value, as Write
// makes them. A file without any gives an empty map.
func ReadMetadata(path string) (map[string]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("imageio: %w", err)
	}
	defer f.Close()
	data, err := readAll(f, path, 0)
	if err != nil {
		return nil, err
	}
	format, err := sniff(data)
	if err != nil {
		return nil, fmt.Errorf("%w: %s %w", ErrFormat, path, err)
	}
	return metadata(format, data), nil
}

func metadata(format Format, data []byte) map[string]string {
	text := map[string]string{}
	switch format {
	case PNG:
		for id, body := range pngChunks(data) {
			key, rest, ok := bytes.Cut(body, []byte{0})
			switch {
			case !ok:
			case id == "tEXt":
				text[latin1(key)] = latin1(rest)
			case id == "iTXt" && len(rest) >= 2 && rest[0] == 0: // not compressed
				_, rest, _ = bytes.Cut(rest[2:], []byte{0})          // language
				if _, value, ok := bytes.Cut(rest, []byte{0}); ok && // translated key
					utf8.Valid(value) {
					text[latin1(key)] = string(value)
				}
			}
		}
	case JPEG:
		for marker, body := range jpegSegments(data) {
			if marker != jpegCOM || !utf8.Valid(body) {
				continue
			}
			key, value, ok := strings.Cut(string(body), "=")
			if ok && checkKey(key) == nil {
				text[key] = value
			}
		}
	}
	return text
}

// latin1 decodes ISO 8859-1, the encoding of tEXt chunks and of keys.
func latin1(b []byte) string {
	r := make([]rune, len(b))
	for i, c := range b {
		r[i] = rune(c)
	}
	return string(r)
}

// checkKey holds a key to what both formats can carry: 1 to 79 letters, digits, spaces and "-_.".
func checkKey(key string) error {
	if len(key) == 0 || len(key) > 79 {
		return fmt.Errorf("imageio: metadata key %q must have 1 to 79 characters", key)
	}
	for _, r := range key {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune(" -_.", r) {
			return fmt.Errorf("imageio: metadata key %q has %q: only letters, digits, spaces and -_. are allowed", key, r)
		}
	}
	return nil
}

// checkMetadata says whether the text can be written to a file of this format.
func checkMetadata(text map[string]string, format Format) error {
	for _, key := range slices.Sorted(maps.Keys(text)) {
		value := text[key]
		if err := checkKey(key); err != nil {
			return err
		}
		if !utf8.ValidString(value) {
			return fmt.Errorf("imageio: metadata %q is not valid UTF-8", key)
		}
		if strings.ContainsRune(value, 0) {
			return fmt.Errorf("imageio: metadata %q contains a zero byte", key)
		}
		if n := len(key) + 1 + len(value); format == JPEG && n > jpegSegmentMax {
			return fmt.Errorf("imageio: metadata %q has %d bytes, a JPEG comment holds %d", key, n, jpegSegmentMax)
		}
	}
	return nil
}

// appendText appends the text as chunks or comments, in the order of the keys so that the same input
// gives the same bytes.
func appendText(out []byte, format Format, text map[string]string) []byte {
	for _, key := range slices.Sorted(maps.Keys(text)) {
		if format == PNG {
			// Key, terminator, not compressed, method 0, no language, no translated key.
			out = appendPNGChunk(out, "iTXt", []byte(key+"\x00\x00\x00\x00\x00"+text[key]))
			continue
		}
		out = appendJPEGSegment(out, jpegCOM, []byte(key+"="+text[key]))
	}
	return out
}

func appendPNGChunk(out []byte, id string, body []byte) []byte {
	out = binary.BigEndian.AppendUint32(out, uint32(len(body)))
	start := len(out)
	out = append(append(out, id...), body...)
	return binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(out[start:]))
}
