package imageio

import (
	"io"

	"github.com/seed-0f004ec9/spgd/internal/atomicfile"
)

// WriteFileAtomic writes a file through a temporary one beside it, so that path holds either what
// it held before or everything that write wrote, whatever fails or stops in between. The data is
// flushed to the disk before it takes path's place. An existing file keeps its permissions and a
// symbolic link stays one (its target is replaced); a new file gets 0644 less the umask. If write or
// anything else fails nothing is left behind. What a process that was killed left behind, if the
// system cannot do without, is removed when the same file is written or checked next.
func WriteFileAtomic(path string, write func(io.Writer) error) error {
	return atomicfile.Write(path, write)
}

// CheckWritable says whether WriteFileAtomic could write path now: its directory exists and a
// file can be made there, and path is not a directory, a device or a pipe. Nothing is changed. It
// is meant to be called before long work starts.
func CheckWritable(path string) error { return atomicfile.CheckWritable(path) }
