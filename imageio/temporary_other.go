//go:build !(darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd)

package imageio

import (
	"os"
	"runtime"
	"time"
)

// lock does nothing: Windows locks what is open.
func lock(*os.File) lockState { return cannotLock }

// moveTemporary closes a temporary file, which Windows asks for, and gives it its name.
func moveTemporary(f *os.File, target string) error {
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), target)
}

// dropTemporary closes a temporary file and removes it.
func dropTemporary(f *os.File) {
	f.Close()
	os.Remove(f.Name())
}

// staleAge is far longer than a file is closed under its temporary name.
const staleAge = time.Minute

// removeIfStale removes a temporary file on Windows, which refuses that while it is open.
func removeIfStale(name string) {
	if st, err := os.Stat(name); err == nil && runtime.GOOS == "windows" && time.Since(st.ModTime()) > staleAge {
		os.Remove(name)
	}
}
