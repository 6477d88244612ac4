//go:build !(darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd || windows)

package atomicfile

import "os"

// closeBeforeRename says that an open file can neither be renamed nor removed, which some systems may not allow.
const closeBeforeRename = true

// lock has nothing to do.
func lock(*os.File) bool { return true }
