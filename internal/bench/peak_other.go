//go:build !linux

package bench

// resetPeak does nothing: other systems keep one peak for the life of a process.
func resetPeak() {}

// peakBytes is unknown.
func peakBytes() int64 { return 0 }
