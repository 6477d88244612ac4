package atomicfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"unicode"
)

// LockName is the name of the file that holds the lock of a folder.
const LockName = ".spgd-lock"

// HeldError is the error of a folder that another process has locked.
type HeldError struct {
	Folder string
	PID    int    // of that process, 0 if it is not known
	Host   string // on which it runs, "" if that is not known
}

// Error names the folder and the process.
func (e *HeldError) Error() string {
	who := "another run"
	switch {
	case e.PID > 0 && e.Host != "":
		who += fmt.Sprintf(" (process %d on %s)", e.PID, e.Host)
	case e.PID > 0:
		who += fmt.Sprintf(" (process %d)", e.PID)
	}
	return fmt.Sprintf("atomicfile: %s is writing to folder %s", who, e.Folder)
}

// FolderLock is the lock of a folder that this process has. It ends with the process, however that ends.
type FolderLock struct {
	file *os.File
	name string
}

// LockFolder locks a folder for this process. The error is a *HeldError if another one has it. The file
// of the lock, which names the process, is removed by Close; one that a killed process left is
// taken over. Where a file system has no locks, there is nothing in the way.
func LockFolder(folder string) (*FolderLock, error) {
	name := filepath.Join(folder, LockName)
	for range attempts {
		f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o644)
		if err != nil {
			return nil, fmt.Errorf("atomicfile: locking %s: %w", folder, cause(err))
		}
		if !lock(f) {
			err := held(folder, f)
			f.Close()
			return nil, err
		}
		if !isAt(f, name) { // its process ended in between and removed it
			f.Close()
			continue
		}
		l := &FolderLock{f, name}
		if err := l.sign(); err != nil {
			l.Close()
			return nil, fmt.Errorf("atomicfile: locking %s: %w", folder, cause(err))
		}
		return l, nil
	}
	return nil, &HeldError{Folder: folder}
}

// sign writes who has the lock.
func (l *FolderLock) sign() error {
	host, err := os.Hostname()
	if err != nil {
		host = ""
	}
	if err := l.file.Truncate(0); err != nil {
		return err
	}
	_, err = fmt.Fprintf(l.file, "%d %s\n", os.Getpid(), host)
	return err
}

// held reads who has the lock. A process that has just taken it may not have signed yet.
func held(folder string, f *os.File) *HeldError {
	e := &HeldError{Folder: folder}
	text, err := io.ReadAll(io.LimitReader(f, 512))
	if err != nil || !bytes.HasSuffix(text, []byte("\n")) || bytes.ContainsFunc(text[:len(text)-1], func(r rune) bool { return !unicode.IsPrint(r) }) {
		return e
	}
	if n, _ := fmt.Sscanf(string(text), "%d %s", &e.PID, &e.Host); n < 1 || e.PID < 1 {
		e.PID, e.Host = 0, ""
	}
	return e
}

// Close ends the lock. The file goes before, where an open one can.
func (l *FolderLock) Close() error {
	var err error
	if !closeBeforeRename {
		err = os.Remove(l.name)
	}
	err = errors.Join(err, l.file.Close())
	if closeBeforeRename {
		os.Remove(l.name) // unless another process has it by now
	}
	return err
}
