package atomicfile

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Extension ends the names of temporary files, which begin with a dot and the name of the file.
const Extension = ".spgd-tmp"

// temporaryName is the name of the temporary file of a target.
func temporaryName(target string) string {
	dir, base := filepath.Split(target)
	if len(base) > 200 { // names of files have up to 255 bytes
		sum := sha256.Sum256([]byte(base))
		base = hex.EncodeToString(sum[:])
	}
	return filepath.Join(dir, "."+base+Extension)
}

// temporary is a file on its way to its target. Its process holds its lock.
type temporary struct {
	file   *os.File
	target string
	name   string // "" as long as it has none
}

// errBusy is the error of a file that another process is writing.
var errBusy = errors.New("another process is writing it")

// What the system offers; tests take it away.
var (
	unnamed = openUnnamed
	link    = linkUnnamed
)

// create makes the temporary file of a target.
func create(target string) (*temporary, error) {
	err := clearStale(temporaryName(target))
	if err != nil && !errors.Is(err, errBusy) {
		return nil, err
	}
	t := &temporary{target: target}
	if f, err := unnamed(filepath.Dir(target)); err == nil {
		t.file = f
		return t, nil
	}
	if err != nil {
		return nil, err
	}
	if err := t.open(); err != nil {
		return nil, err
	}
	return t, nil
}

// attempts bounds the loops below, in which another process may come between two system calls.
const attempts = 200

// open makes the file under its name.
func (t *temporary) open() error {
	name := temporaryName(t.target)
	for range attempts {
		f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644)
		if errors.Is(err, fs.ErrExist) {
			if err := clearStale(name); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
		// Before it was locked, another process may have taken it for a stale one.
		if lock(f) && isAt(f, name) {
			t.file, t.name = f, name
			return nil
		}
		f.Close()
	}
	return errBusy
}

// Write writes to the file. Its errors do not name it, which nobody asked for.
func (t *temporary) Write(p []byte) (int, error) {
	n, err := t.file.Write(p)
	if err != nil {
		err = cause(err)
	}
	return n, err
}

// publish gives the file the target's name.
func (t *temporary) publish() error {
	if t.name == "" {
		if link(t.file, t.target) == nil {
			return t.close()
		}
		if err := t.giveName(); err != nil { // mostly because the target exists
			return err
		}
	}
	if closeBeforeRename {
		if err := t.close(); err != nil {
			return err
		}
	}
	if err := os.Rename(t.name, t.target); err != nil {
		return err
	}
	t.name = ""
	return t.close()
}

// giveName gives a file without a name the temporary one.
func (t *temporary) giveName() error {
	name := temporaryName(t.target)
	for range attempts {
		err := link(t.file, name)
		if err == nil {
			t.name = name
			return nil
		}
		if !errors.Is(err, fs.ErrExist) {
			return t.copyToNamed() // a file system that makes such files but no links to them
		}
		switch err := clearStale(name); {
		case errors.Is(err, errBusy): // for as long as a rename takes
			time.Sleep(5 * time.Millisecond)
		case err != nil:
			return err
		}
	}
	return errBusy
}

// copyToNamed replaces the file by one that has a name.
func (t *temporary) copyToNamed() error {
	from := t.file
	defer from.Close()
	st, err := from.Stat()
	if err != nil {
		return err
	}
	if err := t.open(); err != nil {
		return err
	}
	if _, err := io.Copy(t.file, io.NewSectionReader(from, 0, st.Size())); err != nil {
		return err
	}
	if err := t.file.Chmod(st.Mode().Perm()); err != nil {
		return err
	}
	return t.file.Sync()
}

// close closes the file, once.
func (t *temporary) close() error {
	f := t.file
	if t.file = nil; f == nil {
		return nil
	}
	return f.Close()
}

// discard removes what has not been published. The name goes before the lock does.
func (t *temporary) discard() {
	if t.name != "" && !closeBeforeRename {
		os.Remove(t.name)
	}
	_ = t.close()
	if t.name != "" && closeBeforeRename {
		os.Remove(t.name)
	}
}

// clearStale removes the temporary file that a killed process left behind. A file that a living
// one holds is errBusy.
func clearStale(name string) error {
	st, err := os.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if !st.Mode().IsRegular() {
		return fmt.Errorf("%s is in the way", name)
	}
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s is in the way: %w", name, cause(err))
	}
	defer f.Close()
	if !lock(f) {
		return errBusy
	}
	if !isAt(f, name) {
		return nil // it became the target, or is gone
	}
	if closeBeforeRename { // an open file cannot be removed there, and one of another process not at all
		f.Close()
		if os.Remove(name) != nil {
			return errBusy
		}
		return nil
	}
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// isAt says whether a file is the one that has the name.
func isAt(f *os.File, name string) bool {
	a, err := f.Stat()
	if err != nil {
		return false
	}
	b, err := os.Lstat(name)
	return err == nil && os.SameFile(a, b)
}
