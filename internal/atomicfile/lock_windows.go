package atomicfile

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// closeBeforeRename says that an open file can neither be renamed nor removed. This is what tells a temporary
// file in use from a stale one.
const closeBeforeRename = true

// lock takes the lock of an open file, which ends when the file is closed and so with the process.
// It returns false if somebody else has it. A file system without locks has them all free. Nobody but the owner can
// read or write the bytes that are locked: it is one that no file has.
func lock(f *os.File) bool {
	const far = 0x7fffffff
	err := windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, &windows.Overlapped{OffsetHigh: far})
	return !errors.Is(err, windows.ERROR_LOCK_VIOLATION) && !errors.Is(err, windows.ERROR_IO_PENDING)
}
