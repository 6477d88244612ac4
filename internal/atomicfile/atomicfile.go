// Package atomicfile writes files that appear whole or not at all, whatever fails, is killed or
// loses its power in between.
//
// The data go to a temporary file, are flushed to the disk, and only then take the place of the
// file. On Linux the temporary file has no name where the file system offers that (O_TMPFILE): it
// vanishes with the process. A new file gets its name in one step; to replace one, the temporary
// file needs a name for the moment between two system calls. That name, and the one it has from
// the start elsewhere, is made from the file's: what a killed process leaves in that moment is
// removed by the next one that writes the same file, or checks whether it could. A lock, which
// ends with its process, tells what was left behind from what is being written.
package atomicfile

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Write writes a file through a temporary one beside it, so that path holds either what it held
// before or everything that write wrote. The data is flushed to the disk before it takes path's
// place. An existing file keeps its permissions and a symbolic link stays one (its target is
// replaced); a new file gets 0644 less the umask. If write or anything else fails nothing is left
// behind; an error of write is returned as it is.
func Write(path string, write func(io.Writer) error) (err error) {
	target, mode, err := resolve(path)
	if err != nil {
		return err
	}
	t, err := create(target)
	if err != nil {
		return failed(path, err)
	}
	defer t.discard()
	buf := bufio.NewWriterSize(t, 1<<16)
	if err := write(buf); err != nil {
		return err // the caller's own error: it knows what failed
	}
	if err := buf.Flush(); err != nil {
		return failed(path, err)
	}
	if mode != 0 {
		if err := t.file.Chmod(mode); err != nil && !errors.Is(err, errors.ErrUnsupported) {
			return failed(path, err)
		}
	}
	if err := t.file.Sync(); err != nil {
		return failed(path, err)
	}
	if err := t.publish(); err != nil {
		return failed(path, err)
	}
	syncDirectory(target)
	return nil
}

// CheckWritable says whether Write could write path now: its directory exists and a file can be
// made there, and path is not a directory, a device or a pipe. Nothing is changed, but for the
// temporary file of a killed process, which is removed. It is meant to be called before long work
// starts.
func CheckWritable(path string) error {
	target, _, err := resolve(path)
	if err != nil {
		return err
	}
	// Only trying tells: permissions, read-only mounts and quotas do not show in the mode bits.
	t, err := create(target)
	if err != nil {
		return failed(path, err)
	}
	t.discard()
	return nil
}

// Remove removes a file durably, as Write writes it, and what a killed process left of it. It is no
// error if there is none.
func Remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("atomicfile: cannot remove %s: %w", path, cause(err))
	}
	// What is being written by somebody else stays.
	_ = clearStale(temporaryName(path))
	syncDirectory(path)
	return nil
}

// resolve follows a symbolic link and returns the mode of an existing file, 0 for a new one.
func resolve(path string) (target string, mode fs.FileMode, err error) {
	if path == "" {
		return "", 0, errors.New("atomicfile: no output file is named")
	}
	dir, err := os.Stat(filepath.Dir(path))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", 0, fmt.Errorf("atomicfile: cannot write %s: the directory %s does not exist: %w", path, filepath.Dir(path), fs.ErrNotExist)
	case err != nil:
		return "", 0, failed(path, err)
	case !dir.IsDir():
		return "", 0, fmt.Errorf("atomicfile: cannot write %s: %s is not a directory", path, filepath.Dir(path))
	}
	st, err := os.Lstat(path)
	linked := err == nil && st.Mode()&fs.ModeSymlink != 0
	if linked {
		st, err = os.Stat(path)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist) && linked:
		return "", 0, fmt.Errorf("atomicfile: cannot write %s: it is a symbolic link to nothing", path)
	case errors.Is(err, fs.ErrNotExist):
		return path, 0, nil
	case err != nil:
		return "", 0, failed(path, err)
	case st.IsDir():
		return "", 0, fmt.Errorf("atomicfile: cannot write %s: it is a directory", path)
	case !st.Mode().IsRegular():
		return "", 0, fmt.Errorf("atomicfile: cannot write %s: it is not a regular file", path)
	}
	if target, err = filepath.EvalSymlinks(path); err != nil {
		return "", 0, failed(path, err)
	}
	return target, st.Mode().Perm(), nil
}

// failed is the error of a file that cannot be written.
func failed(path string, err error) error {
	return fmt.Errorf("atomicfile: cannot write %s: %w", path, cause(err))
}

// cause drops the path that package os puts before the cause: it is the temporary file's.
func cause(err error) error {
	var pe *fs.PathError
	var le *os.LinkError
	switch {
	case errors.As(err, &pe):
		return pe.Err
	case errors.As(err, &le):
		return le.Err
	}
	return err
}

// syncDirectory makes a name reach the disk. Where a directory cannot be synchronised (Windows) the
// file is complete all the same.
func syncDirectory(path string) {
	if dir, err := os.Open(filepath.Dir(path)); err == nil {
		_ = dir.Sync()
		dir.Close()
	}
}
