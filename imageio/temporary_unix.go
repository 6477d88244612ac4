//go:build darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd

package imageio

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// lock takes the lock of an open file, which lasts until it is closed, at the latest by the end of the
// process.
func lock(f *os.File) lockState {
	for {
		switch err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); {
		case err == nil:
			return locked
		case errors.Is(err, unix.EWOULDBLOCK):
			return heldByOther
		case !errors.Is(err, unix.EINTR):
			return cannotLock
		}
	}
}

// moveTemporary closes a temporary file and gives it its name, in the order that never leaves it
// unlocked under the old one.
func moveTemporary(f *os.File, target string) error {
	if err := os.Rename(f.Name(), target); err != nil {
		return err
	}
	return f.Close()
}

// dropTemporary removes a temporary file and closes it, in this order for the same reason.
func dropTemporary(f *os.File) {
	os.Remove(f.Name())
	f.Close()
}

// removeIfStale removes a temporary file that nobody has locked. With the lock held and the name still
// that file's, nobody writes it any more: who makes one locks it, and gives up one that is locked.
func removeIfStale(name string) {
	f, err := os.Open(name)
	if err != nil {
		return
	}
	defer f.Close()
	if lock(f) == locked && isNamed(f) {
		os.Remove(name)
	}
}
