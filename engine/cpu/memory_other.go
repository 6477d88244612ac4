//go:build !linux

package cpu

// availableMemory is not known on this system.
func availableMemory() (bytes int, known bool) { return 0, false }

// residentMemory is not known on this system.
func residentMemory() (bytes int, known bool) { return 0, false }
