//go:build cgo && linux && (amd64 || arm64)

package xla

import (
	"bytes"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// fileContent is a file to be searched for names, mapped when it is first asked.
type fileContent struct {
	path string
	once sync.Once
	data []byte
}

// contains says whether the file has the name in it; false if it cannot be read.
func (f *fileContent) contains(name string) bool {
	f.once.Do(func() {
		file, err := os.Open(f.path)
		if err != nil {
			return
		}
		defer file.Close()
		info, err := file.Stat()
		if err != nil || info.Size() == 0 || info.Size() > 1<<32 {
			return
		}
		if data, err := unix.Mmap(int(file.Fd()), 0, int(info.Size()), unix.PROT_READ, unix.MAP_PRIVATE); err == nil {
			f.data = data
		}
	})
	return bytes.Contains(f.data, []byte(name))
}

func (f *fileContent) close() {
	if f.data != nil {
		_ = unix.Munmap(f.data) // it is only read
		f.data = nil
	}
}
