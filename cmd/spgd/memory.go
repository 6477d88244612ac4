package main

import (
	"errors"
	"fmt"
	"math"
	"runtime/debug"

	"github.com/spf13/pflag"

	"github.com/seed-0f004ec9/spgd/engine/cpu"
	"github.com/seed-0f004ec9/spgd/internal/bytesize"
	"github.com/seed-0f004ec9/spgd/sampler"
)

// memoryOptions say how much memory restorations may use.
type memoryOptions struct{ memory string }

// AddFlags adds them.
func (o *memoryOptions) AddFlags(f *pflag.FlagSet) {
	f.StringVar(&o.memory, "memory", "", "`SIZE` of the memory that the whole program may use, such as 3GB or 512MiB\n(default 80 % of what is available)")
}

// check checks the flag.
func (o *memoryOptions) check() error {
	if o.memory == "" {
		return nil
	}
	if _, err := bytesize.Parse(o.memory); err != nil {
		return usagef("--memory: %v", err)
	}
	return nil
}

// limit returns the number of bytes that the program may use.
func (o *memoryOptions) limit() int {
	if o.memory != "" {
		limit, _ := bytesize.Parse(o.memory) // checked
		return limit
	}
	if have, known := cpu.AvailableMemory(); known {
		return cpu.ResidentMemory() + have/10*8
	}
	return math.MaxInt
}

// budget is the memory that restorations may use. The zero value is all that there is.
type budget struct {
	limit int // bytes that the whole program may use
	jobs  int // restorations at once, which share what was left before them
	base  int // bytes that the program held then
}

// budget returns the memory for a number of restorations at once, and has the garbage collector keep to
// --memory, in which GOMEMLIMIT overrules it if that is less.
func (o *memoryOptions) budget(jobs int) budget {
	b := budget{limit: o.limit(), jobs: jobs, base: cpu.ResidentMemory()}
	if o.memory != "" && debug.SetMemoryLimit(-1) > int64(b.limit) {
		debug.SetMemoryLimit(int64(b.limit))
	}
	return b
}

// room is what a restoration that begins now may take, and what the program holds beside it. held is what the engine
// keeps for it.
func (b budget) room(held int) (bytes, base int) {
	base = cpu.ResidentMemory() - held
	switch {
	case b.limit == 0:
		return math.MaxInt, base
	case b.jobs > 1: // the others come and go
		return (b.limit - b.base) / b.jobs, b.base
	}
	return b.limit - base, base
}

// fit settles the tiles of a restoration within the memory that it may use, and notes what it will
// take.
func (r *restoration) fit(q *equipment) error {
	sides, err := r.flags.sides(q.denoiser, r.problem.Operator)
	if err != nil {
		return err
	}
	if r.checkpoint != nil && len(sides) == 0 {
		// What was chosen for the memory of that time is a part of the run.
		sides = []int{0}
		if t := r.checkpoint.Record.Tiles; t != nil {
			sides[0] = t.Side
		}
	}
	if 4*len(r.problem.Y) >= 4<<20 {
		debug.FreeOSMemory() // what reading has left behind
	}
	room, base := q.memory.room(q.Held())
	var bytes int
	r.options.Tile, bytes, err = q.restorer.Fit(r.problem.Measurement, r.settings, r.options, room, sides...)
	if b := (*sampler.BudgetError)(nil); errors.As(err, &b) {
		return fmt.Errorf("%w: the restoration takes %s, of %s that it may use: %s", cpu.ErrMemory,
			bytesize.Format(base+b.Least), bytesize.Format(base+room), r.flags.wayOut(b.Tiles.Side))
	}
	r.takes = base + bytes
	return err
}

// wayOut names the flags that help where even tiles of the given side, 0 for none, do not fit.
func (o *restoreOptions) wayOut(side int) string {
	allow := "allow more with --memory"
	if o.memory == "" {
		allow = "allow more than 80 % of what is available with --memory"
	}
	switch {
	case o.from != "":
		return allow
	case o.tile == tileOff:
		return "--tile auto takes less, or " + allow
	case o.tile != tileAuto:
		return fmt.Sprintf("a smaller tile than --tile %s takes less, or %s", o.tile, allow)
	}
	if o.method == methodSPGD && o.stepSize == stepSizeAuto {
		allow += ", or give --step-size a number, which takes less than auto"
	}
	return fmt.Sprintf("that is with tiles of %d pixels, the smallest; %s", side, allow)
}
