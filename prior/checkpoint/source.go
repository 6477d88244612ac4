package checkpoint

import (
	"errors"
	"fmt"
	"io"
)

// source is the file with its size. It refuses to read outside the file, and to read the file
// many times over: views with hostile strides could otherwise keep a reader busy for hours.
type source struct {
	r    io.ReaderAt
	size int64
	left int64 // bytes that may still be read
	buf  []byte
	fail error // of the last ReadAt, if it was not the content's fault
}

const chunkSize = 1 << 18

func newSource(r io.ReaderAt, size int64) *source {
	size = max(size, 0)
	left := int64(1) << 62
	if size < left/32 {
		left = 16*size + 64<<20
	}
	return &source{r: r, size: size, left: left}
}

// chunk returns a buffer of up to chunkSize bytes; the next call returns the same one.
func (s *source) chunk(n int64) []byte {
	n = min(n, chunkSize)
	if int64(len(s.buf)) < n {
		s.buf = make([]byte, n)
	}
	return s.buf[:n]
}

// contains reports whether n bytes at off lie in the file.
func (s *source) contains(off, n int64) bool {
	return off >= 0 && n >= 0 && off <= s.size && n <= s.size-off
}

// readFull fills p from off.
func (s *source) readFull(p []byte, off int64) error {
	if !s.contains(off, int64(len(p))) {
		return fmt.Errorf("%d bytes at offset %d of a file of %d bytes: %w", len(p), off, s.size, ErrTruncated)
	}
	n, err := s.ReadAt(p, off)
	if n == len(p) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		return fmt.Errorf("%d bytes at offset %d: %w", len(p), off, ErrTruncated)
	}
	return err
}

// ReadAt implements [io.ReaderAt] for archive/zip and [io.SectionReader].
func (s *source) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, fmt.Errorf("negative offset %d: %w", off, ErrFormat)
	}
	if off >= s.size {
		return 0, io.EOF
	}
	var end error
	if int64(len(p)) > s.size-off {
		p, end = p[:s.size-off], io.EOF
	}
	if s.left -= int64(len(p)); s.left < 0 {
		return 0, fmt.Errorf("reading it takes many times its size: %w", ErrFormat)
	}
	n, err := s.r.ReadAt(p, off)
	if n == len(p) {
		return n, end
	}
	if !errors.Is(err, io.EOF) {
		s.fail = err
	}
	return n, err
}
