package atomicfile

import "os"

// Lock takes the lock of an open file that several processes may write, until the file is closed or
// the process ends. It returns false if another open file has it. Where there are no locks it always
// returns true.
func Lock(f *os.File) bool { return lock(f) }
