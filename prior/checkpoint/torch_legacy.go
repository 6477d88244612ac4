package checkpoint

import (
	"encoding/binary"
	"fmt"
	"math/big"
)

// Before version 1.6 PyTorch wrote five pickles one after another - a magic number, a version, the
// properties of the machine, the saved value, and the keys of the storages - and then
// each storage as its number of elements in 8 bytes and the elements.

const legacyVersion = 1001

var legacyNumber, _ = new(big.Int).SetString("1950a86a20f9469cfc6c", 16)

type legacyFile struct {
	storages map[string]*storage
}

func readLegacy(s *source, cfg *config) (*File, error) {
	u := newUnpickler(s, 0, s.size)
	if err := legacyPreamble(u); err != nil {
		return nil, err
	}
	l := &legacyFile{storages: make(map[string]*storage)}
	u.persist = l.storage
	root, err := u.load()
	if err != nil {
		return nil, err
	}
	u.persist = nil
	keys, err := u.load()
	if err != nil {
		return nil, fmt.Errorf("keys of the storages: %w", err)
	}
	if err := l.locate(s, keys, s.size-u.left); err != nil {
		return nil, err
	}
	return torchFile(s, cfg, FormatPyTorchLegacy, root)
}

func legacyPreamble(u *unpickler) error {
	magic, err := u.load()
	if err != nil {
		return err
	}
	if n, ok := magic.(*big.Int); !ok || n.Cmp(legacyNumber) != 0 {
		return fmt.Errorf("its magic number is wrong: %w", ErrFormat)
	}
	version, err := u.load()
	if err != nil {
		return err
	}
	if version != int64(legacyVersion) {
		return fmt.Errorf("its version is not %d: %w", legacyVersion, ErrUnsupported)
	}
	machine, err := u.load()
	if err != nil {
		return err
	}
	d, ok := machine.(*dict)
	if !ok {
		return fmt.Errorf("%s instead of the properties of the machine: %w", aKind(machine), ErrFormat)
	}
	for _, it := range d.items {
		if it.key == "little_endian" && it.value != true {
			return fmt.Errorf("its byte order is not little-endian: %w", ErrUnsupported)
		}
	}
	return nil
}

// storage resolves a persistent id. The sixth value may describe a view of the storage: (key of
// the view, offset, elements). Whole modules name their class with its source code: ("module",
// class, file, source).
func (l *legacyFile) storage(id any) (any, error) {
	if t, ok := id.(tuple); ok && len(t) > 1 && t[0] == "module" {
		return t[1], nil
	}
	st, rest, err := storageArgs(id)
	if err != nil {
		return nil, err
	}
	if known := l.storages[st.key]; known != nil {
		if known.dtype != st.dtype || known.n != st.n {
			return nil, fmt.Errorf("storage %.80q is described in two ways: %w", st.key, ErrFormat)
		}
		st = known
	} else {
		st.off = -1
		l.storages[st.key] = st
	}
	if len(rest) == 0 || rest[0] == nil {
		return st, nil
	}
	view, ok := rest[0].(tuple)
	if !ok || len(view) != 3 {
		return nil, fmt.Errorf("storage %.80q has a view of an unknown form: %w", st.key, ErrFormat)
	}
	first, ok1 := view[1].(int64)
	n, ok2 := view[2].(int64)
	if !ok1 || !ok2 || first < 0 || n < 0 || first > st.n || n > st.n-first {
		return nil, fmt.Errorf("storage %.80q has a view outside itself: %w", st.key, ErrFormat)
	}
	return &storage{key: st.key, dtype: st.dtype, first: first, n: n, root: st}, nil
}

// locate walks over the storages that begin at off, in the order of keys.
func (l *legacyFile) locate(s *source, keys any, off int64) error {
	names, ok := keys.(*list)
	if !ok {
		return fmt.Errorf("%s instead of the keys of the storages: %w", aKind(keys), ErrFormat)
	}
	for _, k := range names.items {
		key, _ := k.(string)
		st := l.storages[key]
		if st == nil || st.off >= 0 {
			return fmt.Errorf("the storage %.80q is unknown or appears twice: %w", key, ErrFormat)
		}
		var head [8]byte
		if err := s.readFull(head[:], off); err != nil {
			return fmt.Errorf("storage %.80q: %w", key, err)
		}
		off += 8
		if n := binary.LittleEndian.Uint64(head[:]); n != uint64(st.n) {
			return fmt.Errorf("storage %.80q has %d elements instead of %d: %w", key, n, st.n, ErrFormat)
		}
		size := st.n * st.dtype.size
		if !s.contains(off, size) {
			return fmt.Errorf("storage %.80q ends after the file: %w", key, ErrTruncated)
		}
		st.off = off
		off += size
	}
	for key, st := range l.storages {
		if st.off < 0 {
			return fmt.Errorf("the storage %.80q is not in the file: %w", key, ErrFormat)
		}
	}
	return nil
}
