package imageio

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// WriteFileAtomic writes a file through a temporary one beside it, so that path holds either what
// it held before or everything that write wrote, whatever fails or stops in between. The data is
// flushed to the disk before the rename. An existing file keeps its permissions and a symbolic
// link stays one (its target is replaced); a new file gets 0644 less the umask. If write or
// anything else fails nothing is left behind; what a process leaves that is killed is removed by the
// next CheckWritable in the directory.
func WriteFileAtomic(path string, write func(io.Writer) error) (err error) {
	target, mode, err := resolveOutput(path)
	if err != nil {
		return err
	}
	f, err := createBeside(target)
	if err != nil {
		return fmt.Errorf("imageio: cannot write %s: %w", path, pathCause(err))
	}
	defer func() {
		if err != nil {
			dropTemporary(f)
		}
	}()
	buf := bufio.NewWriterSize(f, 1<<16)
	if err := write(buf); err != nil {
		return err // the caller's own error: it knows what failed
	}
	if err := buf.Flush(); err != nil {
		return fmt.Errorf("imageio: cannot write %s: %w", path, pathCause(err))
	}
	if mode != 0 {
		if err := f.Chmod(mode); err != nil && !errors.Is(err, errors.ErrUnsupported) {
			return fmt.Errorf("imageio: cannot write %s: %w", path, pathCause(err))
		}
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("imageio: cannot write %s: %w", path, pathCause(err))
	}
	if err := moveTemporary(f, target); err != nil {
		return fmt.Errorf("imageio: cannot write %s: %w", path, pathCause(err))
	}
	// The rename itself reaches the disk with its directory. Where a directory cannot be
	// synchronised (Windows) the file is complete all the same.
	if dir, err := os.Open(filepath.Dir(target)); err == nil {
		dir.Sync()
		dir.Close()
	}
	return nil
}

// CheckWritable says whether WriteFileAtomic could write path now: its directory exists and a
// file can be made there, and path is not a directory, a device or a pipe. It is meant to be called
// before long work starts. Nothing is changed, except that temporary files are removed which killed
// processes have left in the directory.
func CheckWritable(path string) error {
	target, _, err := resolveOutput(path)
	if err != nil {
		return err
	}
	removeStale(filepath.Dir(target))
	// Only trying tells: permissions, read-only mounts and quotas do not show in the mode bits.
	f, err := createBeside(target)
	if err != nil {
		return fmt.Errorf("imageio: cannot write %s: %w", path, pathCause(err))
	}
	dropTemporary(f)
	return nil
}

// resolveOutput follows a symbolic link and returns the mode of an existing file, 0 for a new one.
func resolveOutput(path string) (target string, mode fs.FileMode, err error) {
	if path == "" {
		return "", 0, errors.New("imageio: no output file is named")
	}
	dir, err := os.Stat(filepath.Dir(path))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", 0, fmt.Errorf("imageio: cannot write %s: the directory %s does not exist: %w", path, filepath.Dir(path), fs.ErrNotExist)
	case err != nil:
		return "", 0, fmt.Errorf("imageio: cannot write %s: %w", path, pathCause(err))
	case !dir.IsDir():
		return "", 0, fmt.Errorf("imageio: cannot write %s: %s is not a directory", path, filepath.Dir(path))
	}
	st, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if _, err := os.Lstat(path); err == nil {
			return "", 0, fmt.Errorf("imageio: cannot write %s: it is a symbolic link to nothing", path)
		}
		return path, 0, nil
	case err != nil:
		return "", 0, fmt.Errorf("imageio: cannot write %s: %w", path, pathCause(err))
	case st.IsDir():
		return "", 0, fmt.Errorf("imageio: cannot write %s: it is a directory", path)
	case !st.Mode().IsRegular():
		return "", 0, fmt.Errorf("imageio: cannot write %s: it is not a regular file", path)
	}
	if target, err = filepath.EvalSymlinks(path); err != nil {
		return "", 0, fmt.Errorf("imageio: cannot write %s: %w", path, pathCause(err))
	}
	return target, st.Mode().Perm(), nil
}

// pathCause drops the path that package os puts before the cause: it is the temporary file's.
func pathCause(err error) error {
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
