package main

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/seed-0f004ec9/spgd/internal/atomicfile"
)

// folderLocks keep two runs from writing to one folder. The lock of the folder of the outputs is that of all
// below it.
type folderLocks struct {
	output string // that folder, "" if there is none
	taken  map[string]*atomicfile.FolderLock
}

// takeExisting locks a folder, unless it is not there or this run has it already.
func (l *folderLocks) takeExisting(folder string) error {
	if l.output != "" {
		if below, err := filepath.Rel(l.output, folder); err == nil && filepath.IsLocal(below) {
			folder = l.output
		}
	}
	if l.taken[folder] != nil || !isDirectory(folder) {
		return nil
	}
	lock, err := atomicfile.LockFolder(folder)
	if errors.As(err, new(*atomicfile.HeldError)) {
		for own := range l.taken { // under another name
			if sameFile(own, folder) {
				return nil
			}
		}
		err = fmt.Errorf("%w: wait until it has ended, or choose another folder", err)
	}
	if err != nil {
		return as(errOutput, err)
	}
	if l.taken == nil {
		l.taken = map[string]*atomicfile.FolderLock{}
	}
	l.taken[folder] = lock
	return nil
}

// release ends the locks.
func (l *folderLocks) release() {
	for _, lock := range l.taken {
		_ = lock.Close() // it ends with the process in any case
	}
}
