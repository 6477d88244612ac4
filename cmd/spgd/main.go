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
	limitMemory()
	os.Exit(run(interruptible(), os.Args[1:], os.Stdout, os.Stderr))
}

// interruptible returns a context that the first signal ends, which asks for an orderly end. A second
// signal ends the program at once: it finds no handler from before the context ends, when the program
// begins to say so.
func interruptible() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		signal.Reset(os.Interrupt, syscall.SIGTERM)
		cancel()
	}()
	return ctx
}

// limitMemory makes the garbage collector work harder before the memory is full: otherwise it lets
// garbage grow to the size of what is in use. GOMEMLIMIT overrules it.
func limitMemory() {
	if have, known := cpu.AvailableMemory(); known && debug.SetMemoryLimit(-1) == math.MaxInt64 {
		debug.SetMemoryLimit(int64(have) / 10 * 9)
	}
}
