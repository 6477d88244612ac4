package checkpoint

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Since version 1.6 PyTorch writes an uncompressed zip archive with everything in one folder: the
// pickle data.pkl, and each storage as data/<key>.

// maxDirectory bounds the bytes of a zip archive's directory; an entry has about 90.
const maxDirectory = 8 << 20

type zipFile struct {
	s        *source
	files    map[string]*zip.File // by the name within the folder
	storages map[string]*storage
}

func readZip(s *source, cfg *config) (*File, error) {
	z, err := openZip(s)
	if err != nil {
		return nil, err
	}
	if err := z.checkByteOrder(); err != nil {
		return nil, err
	}
	off, size, err := z.locate("data.pkl")
	if err != nil {
		return nil, err
	}
	u := newUnpickler(s, off, size)
	u.persist = z.storage
	root, err := u.load()
	if err != nil {
		return nil, fmt.Errorf("data.pkl: %w", err)
	}
	return torchFile(s, cfg, FormatPyTorch, root)
}

func openZip(s *source) (*zipFile, error) {
	// The directory is read through the source, which stops at what it may read.
	saved := s.left
	s.left = min(saved, maxDirectory)
	r, err := zip.NewReader(s, s.size)
	s.left += saved - min(saved, maxDirectory)
	if err != nil {
		return nil, fmt.Errorf("zip directory: %w", zipError(s, err))
	}
	folder, found := "", false
	for _, f := range r.File {
		dir, base, ok := strings.Cut(f.Name, "/")
		if !ok || base != "data.pkl" {
			continue
		}
		if found {
			return nil, fmt.Errorf("several data.pkl in the zip archive: %w", ErrFormat)
		}
		folder, found = dir+"/", true
	}
	if !found {
		return nil, fmt.Errorf("a zip archive without the data.pkl of PyTorch: %w", ErrFormat)
	}
	z := &zipFile{s: s, files: make(map[string]*zip.File, len(r.File)), storages: make(map[string]*storage)}
	for _, f := range r.File {
		name, ok := strings.CutPrefix(f.Name, folder)
		if !ok {
			continue
		}
		if z.files[name] != nil {
			return nil, fmt.Errorf("%.100q is twice in the zip archive: %w", name, ErrFormat)
		}
		z.files[name] = f
	}
	return z, nil
}

// zipError gives an error of archive/zip, most of which are bare texts, one of this package's kinds,
// unless the disk is to blame. A file that is cut off has no directory, which is zip.ErrFormat.
func zipError(s *source, err error) error {
	switch {
	case s.fail != nil:
		return s.fail
	case errors.Is(err, ErrFormat):
		return err
	case errors.Is(err, zip.ErrFormat), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%v: %w", err, ErrTruncated)
	}
	return fmt.Errorf("%v: %w", err, ErrFormat)
}

// locate returns where the content of an entry lies in the file.
func (z *zipFile) locate(name string) (off, size int64, err error) {
	f := z.files[name]
	if f == nil {
		return 0, 0, fmt.Errorf("the zip archive has no %.100q: %w", name, ErrFormat)
	}
	if f.Method != zip.Store || f.Flags&1 != 0 || f.CompressedSize64 != f.UncompressedSize64 {
		return 0, 0, fmt.Errorf("%.100q is compressed or encrypted in the zip archive: %w", name, ErrUnsupported)
	}
	off, err = f.DataOffset()
	if err != nil {
		return 0, 0, fmt.Errorf("%.100q in the zip archive: %w", name, zipError(z.s, err))
	}
	size = int64(f.UncompressedSize64)
	if !z.s.contains(off, size) {
		return 0, 0, fmt.Errorf("%.100q in the zip archive ends after the file: %w", name, ErrTruncated)
	}
	return off, size, nil
}

// checkByteOrder reads the entry in which newer versions note it.
func (z *zipFile) checkByteOrder() error {
	if z.files["byteorder"] == nil {
		return nil
	}
	off, size, err := z.locate("byteorder")
	if err != nil {
		return err
	}
	order := make([]byte, min(size, 16))
	if err := z.s.readFull(order, off); err != nil {
		return err
	}
	if string(order) != "little" {
		return fmt.Errorf("its byte order is %q: %w", order, ErrUnsupported)
	}
	return nil
}

// storage resolves a persistent id, and holds the announced size to that of the zip entry.
func (z *zipFile) storage(id any) (any, error) {
	st, _, err := storageArgs(id)
	if err != nil {
		return nil, err
	}
	if known := z.storages[st.key]; known != nil {
		if known.dtype != st.dtype || known.n != st.n {
			return nil, fmt.Errorf("storage %.80q is described in two ways: %w", st.key, ErrFormat)
		}
		return known, nil
	}
	off, size, err := z.locate("data/" + st.key)
	if err != nil {
		return nil, err
	}
	if size != st.n*st.dtype.size {
		return nil, fmt.Errorf("storage %.80q has %d bytes, and %d elements of %s need %d: %w",
			st.key, size, st.n, st.dtype.name, st.n*st.dtype.size, ErrFormat)
	}
	st.off = off
	z.storages[st.key] = st
	return st, nil
}
