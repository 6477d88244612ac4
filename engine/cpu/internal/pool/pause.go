//go:build amd64 || arm64

package pool

// pause tells the processor that the goroutine waits in a loop.
func pause()
