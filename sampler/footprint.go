package sampler

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/seed-0f004ec9/spgd/engine"
	"github.com/seed-0f004ec9/spgd/engine/cpu"
	"github.com/seed-0f004ec9/spgd/internal/bytesize"
	"github.com/seed-0f004ec9/spgd/operator"
	"github.com/seed-0f004ec9/spgd/prior"
)

// Footprint is the most memory, in bytes, that a run of a method for a batch of n images takes beyond
// what the process holds when it starts, the measurement and the operator's data included there. It
// follows from the programs' plans: the method's stages are compiled, and its state, its values and
// those of the tiles are counted as a run holds them. Where the backend does not say what
// its programs take, known is false. The errors are those of Run before it starts; a program that cannot be
// compiled in the memory that there is gives a cpu.ErrMemory.
func (d *Driver) Footprint(s Sampler, n int) (bytes int, known bool, err error) {
	return d.footprint(s, n, math.MaxInt)
}

// footprint is Footprint, and the part of it that is known as soon as that is above a limit.
func (d *Driver) footprint(s Sampler, n, limit int) (bytes int, known bool, err error) {
	if l, ok := s.(Limited); ok {
		if err := l.Applies(d.operator); err != nil {
			return 0, false, err
		}
	}
	if err := s.Validate(); err != nil {
		return 0, false, err
	}
	f := footprint{trims: d.tiler != nil && d.large(n)}
	begins := 0 // of first stages, whose temporary values are given back before the others' are there
	for _, st := range s.Stages() {
		peak, temporary := f.peak, f.temporary
		if st.First && d.large(n) {
			f.peak, f.temporary = 0, 0
		}
		if err := f.stage(d, s, st, n); err != nil {
			return 0, false, err
		}
		if st.First && d.large(n) {
			begins = max(begins, f.peak+f.temporary)
			f.peak, f.temporary = peak, temporary
		}
		bytes = max(begins, f.peak+f.temporary) + f.packed + f.tables
		if bytes += bytes/20 + overhead; bytes > limit {
			break
		}
	}
	return bytes, !f.unknown, nil
}

// stage follows a stage of a method for n images, with all of its state there that a run has made by then.
func (f *footprint) stage(d *Driver, s Sampler, st Stage, n int) error {
	p, err := d.program(s, st, n)
	if err != nil {
		return err
	}
	constants, err := d.constants(st)
	if err != nil {
		return err
	}
	f.now = 0
	read := d.states(s, st)
	size := func(name string) int { return int(d.shapeOf(s, name, n).Memory()) }
	spared, gone := d.spared(s), d.gone(s, st)
	for _, name := range append(s.State(), StateX, StateX0hat) {
		made := !st.First || name == StateX
		if made && !spared.state[name] && !slices.Contains(gone, name) && (slices.Contains(read, name) || !slices.Contains(p.written, name)) {
			f.grow(size(name))
		}
	}
	in := len(constants) + 1
	donated := make([]bool, in)
	for _, name := range read {
		donated = append(donated, slices.Contains(p.written, name) || slices.Contains(d.spent(st), name))
	}
	f.grow(len(st.Noise)*int(d.stateShape(n).Memory()) + len(st.MeasurementNoise)*int(d.measurementShape(n).Memory()))
	for range len(st.Noise) + len(st.MeasurementNoise) + len(st.Scalars) {
		donated = append(donated, true)
	}
	if p.cut != nil {
		return f.cut(p.cut, donated, d.tiler)
	}
	f.run(p.Program, slices.Concat(make([]bool, len(d.denoiser.Weights())), donated))
	return nil
}

// overhead is what a run takes beside what plans know of: garbage, and what lies between the
// pieces of the heap. A part of it grows with the rest.
const overhead = 18 << 20

// footprint follows the memory of a run.
type footprint struct {
	trims             bool // programs give their temporary values back before anything else runs, see Run.trim
	now, peak         int  // of tensors, and where programs trim of temporary values
	temporary, packed int  // of all programs, which share both
	tables            int  // of the programs themselves
	programs          []*engine.Program
	unknown           bool
}

// grow notes that tensors are made or, where bytes is negative, let go.
func (f *footprint) grow(bytes int) {
	f.now += bytes
	f.peak = max(f.peak, f.now)
}

// run notes what a program takes for the time that it runs.
func (f *footprint) run(p *engine.Program, donated []bool) {
	m, known := p.Memory(donated)
	f.unknown = f.unknown || !known
	if f.trims {
		f.peak = max(f.peak, f.now+m.Outputs+m.Temporary)
	} else {
		f.peak, f.temporary = max(f.peak, f.now+m.Outputs), max(f.temporary, m.Temporary)
	}
	f.packed = max(f.packed, m.Packed)
	if !slices.Contains(f.programs, p) {
		f.programs, f.tables = append(f.programs, p), f.tables+m.Tables
	}
}

// cut follows runCut.
func (f *footprint) cut(c *cutProgram, donated []bool, t *tiler) error {
	cuts := len(c.of)
	size := func(v int) int { return int(c.shapes[v].Memory()) }
	own := func(v int) bool { return v >= len(donated) || donated[v] }
	alive := map[int]bool{}
	for v := range donated {
		alive[v] = true
	}
	end := func(v int) {
		if alive[v] {
			f.grow(-size(v))
			delete(alive, v)
		}
	}
	release := func(after int) {
		for v := range c.last {
			if own(v) && c.last[v] <= after && !c.passed[v] {
				end(v)
			}
		}
	}
	release(-1)
	for i, q := range c.pieces {
		if q.program != nil {
			given := c.given(i, own)
			f.run(q.program, given)
			for k, v := range q.in {
				if given[k] {
					end(v)
				}
			}
			for _, k := range q.makes {
				if v := q.wants[k]; v < len(c.shapes) {
					f.grow(size(v))
					alive[v] = true
				}
			}
		}
		if i < cuts {
			p, err := t.compile(c.of[i] >= 0)
			if err != nil {
				return err
			}
			v := c.result(i)
			f.grow(size(v))
			alive[v] = true
			tile := 4 * t.batch * t.tiling.Size() * t.denoiser.Channels()
			f.grow(2 * tile)
			f.run(p, nil)
			f.grow(-2 * tile)
		}
		release(i)
	}
	return nil
}

// tileSides are the sides of tiles that FitTiles lists. The first is not the largest that there is memory for: larger ones
// compute fewer pixels twice and restore no better (docs/architecture.md), and what a picture gives does not depend
// on the memory of the day this way. Tiles below the last take hardly less memory.
var tileSides = []int{256, 192, 128}

// FitTiles lists the tiles that Fit is to choose from by itself: of one size, and smaller ones for want of memory.
// Images that are no larger than that size stay whole. That of a prior with attention is its TileSide.
func FitTiles(d prior.Denoiser, op operator.Operator) (list []Tiles) {
	h, w := op.ImageSize()
	limit := prior.TileSide(d)
	if limit == 0 {
		limit = tileSides[0]
	}
	if limit >= max(h, w) {
		limit = max(h, w)
		list = append(list, Tiles{})
	} else {
		list = append(list, Tiles{Side: limit})
	}
	for _, side := range tileSides {
		if side < limit {
			list = append(list, Tiles{Side: side})
		}
	}
	return list
}

// Fit returns the first of several tiles with which a run of a method for n images takes no more than a
// number of bytes beyond what the process holds, and the Footprint of that run. Tiles too small for the
// prior are left out if there are others. If nothing fits, the error is a *BudgetError. On an accelerator it is the
// first for which the device's own memory is estimated to suffice, or the last, and 0 bytes; where that memory is not
// known, and on other backends that do not say what their programs take, it is the first.
func Fit(e *engine.Engine, d prior.Denoiser, op operator.Operator, s Sampler, n, budget int, from ...Tiles) (t Tiles, bytes int, err error) {
	if !e.KnowsMemory() { // and would compile everything for nothing
		room, known := e.Room()
		if !known {
			return from[0], 0, nil
		}
		t, err = fitRoom(e, d, op, n, room, from)
		return t, 0, err
	}
	least := &BudgetError{Budget: budget}
	for _, t := range from {
		bytes, known, err := footprintOf(e, d, op, s, n, budget, t)
		var m *cpu.MemoryError
		switch {
		case errors.As(err, &m):
			bytes = m.Need
		case errors.Is(err, prior.ErrTile) && len(from) > 1:
			continue
		case err != nil:
			return t, 0, err
		case !known || bytes <= budget:
			return t, bytes, nil
		}
		if least.Least == 0 || bytes < least.Least {
			least.Least, least.Tiles = bytes, t
		}
	}
	return t, 0, least
}

// BudgetError is a cpu.ErrMemory: no tiles let a run fit into the memory that it may use. Sizes are in
// bytes, beyond what the process holds.
type BudgetError struct {
	Budget int   // what may be used
	Least  int   // what the most modest tiles take
	Tiles  Tiles // these
}

// Error says how much is missing.
func (e *BudgetError) Error() string {
	return fmt.Sprintf("sampler: %v: the restoration takes %s at least, of %s that it may", cpu.ErrMemory, bytesize.Format(e.Least), bytesize.Format(max(0, e.Budget)))
}

// Unwrap returns cpu.ErrMemory.
func (e *BudgetError) Unwrap() error { return cpu.ErrMemory }

// footprintOf is the footprint of a driver with some tiles.
func footprintOf(e *engine.Engine, d prior.Denoiser, op operator.Operator, s Sampler, n, limit int, t Tiles) (bytes int, known bool, err error) {
	driver, err := NewDriver(e, d, op, WithTiles(t))
	if err != nil {
		return 0, false, err
	}
	defer driver.Close()
	return driver.footprint(s, n, limit)
}
