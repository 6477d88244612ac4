package checkpoint

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

var (
	zipMagic = []byte("PK\x03\x04")
	// legacyMagic is the number 0x1950a86a20f9469cfc6c, which opens a legacy PyTorch file, as a
	// pickled long: in binary after the protocol's version, and in text in protocol 1.
	legacyMagic     = []byte("\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19")
	legacyMagicText = []byte("L119547037146038801333356L\n")
)

// detect finds the format from the first bytes.
func detect(s *source) (string, error) {
	head := make([]byte, min(s.size, 512))
	if err := s.readFull(head, 0); err != nil {
		return "", err
	}
	switch {
	case len(head) == 0:
		return "", fmt.Errorf("the file is empty: %w", ErrTruncated)
	case bytes.HasPrefix(head, zipMagic):
		return FormatPyTorch, nil
	case bytes.HasPrefix(head, legacyMagicText),
		head[0] == opProto && bytes.Contains(head[:min(len(head), 32)], legacyMagic):
		return FormatPyTorchLegacy, nil
	case len(head) > 262 && string(head[257:262]) == "ustar":
		return "", fmt.Errorf("a tar archive (PyTorch 0.1 wrote such files; load and save it with a newer version): %w", ErrUnsupported)
	case len(head) < 8:
		return "", fmt.Errorf("only %d bytes: %w", len(head), ErrTruncated)
	case len(head) > 8 && head[8] == '{', binary.LittleEndian.Uint64(head) <= maxHeader:
		return FormatSafetensors, nil
	}
	return "", fmt.Errorf("neither a safetensors nor a PyTorch file: %w", ErrFormat)
}
