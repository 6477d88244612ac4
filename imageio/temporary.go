package imageio

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// The names of temporary files.
const (
	temporaryPrefix = ".spgd-"
	temporarySuffix = ".tmp"
)

// createBeside makes a new, empty, hidden file in the directory of path. os.CreateTemp would give
// it 0600, which the rename would carry over. As long as it is open, removeStale leaves it alone.
func createBeside(path string) (*os.File, error) {
	for i := 0; ; i++ {
		// The number of the process keeps two of them apart; i what one does at the same time.
		name := filepath.Join(filepath.Dir(path), temporaryPrefix+strconv.Itoa(os.Getpid())+"-"+strconv.Itoa(i)+temporarySuffix)
		f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		switch {
		case err == nil && (lock(f) == heldByOther || !isNamed(f)):
			f.Close() // another process took it for a stale one before it was locked, and removes it
		case errors.Is(err, fs.ErrExist) && i < 1000:
		default:
			return f, err
		}
	}
}

// isNamed says whether the open file still is the one of its name.
func isNamed(f *os.File) bool {
	open, err := f.Stat()
	if err != nil {
		return false
	}
	named, err := os.Lstat(f.Name())
	return err == nil && os.SameFile(open, named)
}

// removeStale removes the temporary files in a directory that no process has open. What goes wrong is
// of no consequence: the files are only in the way.
func removeStale(dir string) {
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), temporaryPrefix) && strings.HasSuffix(e.Name(), temporarySuffix) && e.Type().IsRegular() {
			removeIfStale(filepath.Join(dir, e.Name()))
		}
	}
}

// lockState is what came of locking a file.
type lockState int

const (
	locked      lockState = iota
	heldByOther           // it is locked already
	cannotLock            // the file system has no locks
)
