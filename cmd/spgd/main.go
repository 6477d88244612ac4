// Command spgd restores degraded photographs with a diffusion prior.
package main

import (
	"context"
	"math"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/seed-0f004ec9/spgd/engine/cpu"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first signal asks for an orderly end; a second one ends the program at once.
	context.AfterFunc(ctx, stop)
	limitMemory()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// limitMemory makes the garbage collector work harder before the memory is full: otherwise it lets
// garbage grow to the size of what is in use. GOMEMLIMIT overrules it.
func limitMemory() {
	if have, known := cpu.AvailableMemory(); known && debug.SetMemoryLimit(-1) == math.MaxInt64 {
		debug.SetMemoryLimit(int64(have) / 10 * 9)
	}
}
