//go:build darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd

package atomicfile

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// closeBeforeRename says whether an open file can neither be renamed nor removed.
const closeBeforeRename = false

// lock takes the lock of an open file, which ends when the file is closed and so with the process.
// It returns false if somebody else has it. A file system without locks has them all free.
func lock(f *os.File) bool {
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if !errors.Is(err, unix.EINTR) {
			return !errors.Is(err, unix.EWOULDBLOCK)
		}
	}
}
