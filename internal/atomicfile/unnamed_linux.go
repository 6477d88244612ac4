package atomicfile

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// openUnnamed makes a file without a name on the file system of a directory, locked. It is an error
// where the file system offers none, or where /proc, by which the file gets its name, is missing.
func openUnnamed(dir string) (*os.File, error) {
	f, err := os.OpenFile(dir, os.O_RDWR|unix.O_TMPFILE, 0o644)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(descriptor(f)); err != nil {
		f.Close()
		return nil, err
	}
	lock(f) // nobody else can have it
	return f, nil
}

// linkUnnamed gives such a file a name that no file has. That it needs no privilege is why it goes
// by /proc.
func linkUnnamed(f *os.File, name string) error {
	err := unix.Linkat(unix.AT_FDCWD, descriptor(f), unix.AT_FDCWD, name, unix.AT_SYMLINK_FOLLOW)
	if err != nil {
		return &os.LinkError{Op: "linkat", Old: descriptor(f), New: name, Err: err}
	}
	return nil
}

func descriptor(f *os.File) string { return "/proc/self/fd/" + strconv.Itoa(int(f.Fd())) }
