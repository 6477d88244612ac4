// Package pool runs numbered pieces of one job on a fixed set of goroutines.
package pool

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"time"
)

// Pool hands out the pieces of a job to its workers. The zero value is not usable; see New.
//
// Which worker takes which piece is not deterministic, so a piece must depend only on its
// number: then results do not depend on the number of workers.
//
// A network has hundreds of jobs that take some hundred microseconds, and waking a goroutine can
// take as long. So a worker that has nothing to do watches for the next job for a while before it
// blocks, and the caller never waits for a worker that has not come: it takes pieces itself, and at
// the end waits only for pieces that a worker has begun.
type Pool struct {
	workers int
	helpers []helper      // the workers beside the caller of Run
	left    chan struct{} // the last helper has left the job, for a caller that blocks

	// The job, which changes only while no helper is inside.
	f func(worker, piece int)
	n int64
	// panicked keeps the first panic of a worker, to be raised again in the caller.
	panicked atomic.Pointer[any]

	_     [64]byte      // what all workers write has cache lines of its own
	next  atomic.Int64  // piece
	_     [64]byte      //
	state atomic.Uint64 // number of the job, flags and number of helpers inside
	_     [64]byte      //
}

const (
	inside    uint64 = 1<<16 - 1 // the number of helpers that work on the job
	open      uint64 = 1 << 16   // helpers may come in
	waiting   uint64 = 1 << 17   // the caller blocks until they have left
	closed    uint64 = 1 << 18   // the helpers are to end
	jobNumber        = 20        // where the number of the job begins
)

// helper is a worker's goroutine.
type helper struct {
	parked atomic.Bool // it blocks, or is about to; whoever resets this lets it go on
	wake   chan struct{}
}

// watch is how long a worker looks out for what it waits for before it blocks: about the time that
// waking it takes.
const watch = 100 * time.Microsecond

// New starts a pool. With workers < 1 it has GOMAXPROCS workers, which respects cgroup limits.
func New(workers int) *Pool {
	if workers < 1 {
		workers = runtime.GOMAXPROCS(0)
	}
	p := &Pool{workers: workers, helpers: make([]helper, workers-1), left: make(chan struct{}, 1)}
	for i := range p.helpers {
		p.helpers[i].wake = make(chan struct{}, 1)
		go p.help(i)
	}
	return p
}

// Workers is the number of goroutines that work on a job, the caller's own included.
// The worker number given to a piece is below it.
func (p *Pool) Workers() int { return p.workers }

// Run calls f(worker, piece) for every piece in [0, n) and returns when all are done.
// Pieces that run at the same time have different worker numbers. Run must not be called
// from two goroutines at once, nor from within f. A panic in f is raised again here.
func (p *Pool) Run(n int, f func(worker, piece int)) {
	if n <= 0 {
		return
	}
	if p.workers == 1 || n == 1 {
		for i := range n {
			f(0, i)
		}
		return
	}
	p.f, p.n = f, int64(n)
	p.next.Store(0)
	s := p.state.Load()
	p.state.Store((s>>jobNumber+1)<<jobNumber | s&closed | open)
	p.call(n - 1)
	p.work(0)
	if p.state.And(^open)&inside > 0 {
		p.wait()
	}
	p.f = nil
	if r := p.panicked.Swap(nil); r != nil {
		panic(*r)
	}
}

// Close ends the workers. The pool must be idle.
func (p *Pool) Close() {
	p.state.Or(closed)
	p.call(len(p.helpers))
}

// call wakes helpers until n of them are awake, if there are as many.
func (p *Pool) call(n int) {
	for i := range p.helpers {
		if h := &p.helpers[i]; h.parked.Load() && h.parked.CompareAndSwap(true, false) {
			h.wake <- struct{}{}
		}
		if n--; n == 0 {
			return
		}
	}
}

// wait returns when no helper is inside.
func (p *Pool) wait() {
	if p.watch(func() bool { return p.state.Load()&inside == 0 }) || p.state.Or(waiting)&inside == 0 {
		return
	}
	<-p.left
}

// help is the life of helper i.
func (p *Pool) help(i int) {
	h := &p.helpers[i]
	var job uint64 // the last one
	called := func() bool {
		s := p.state.Load()
		return s&closed > 0 || s&open > 0 && s>>jobNumber != job
	}
	for {
		if !p.watch(called) {
			h.parked.Store(true)
			if !called() || !h.parked.CompareAndSwap(true, false) {
				<-h.wake
			}
		}
		s := p.state.Load()
		if s&closed > 0 {
			return
		}
		if s&open == 0 || s>>jobNumber == job || !p.state.CompareAndSwap(s, s+1) {
			continue
		}
		job = s >> jobNumber
		p.work(i + 1)
		if s := p.state.Add(^uint64(0)); s&inside == 0 && s&waiting > 0 {
			p.left <- struct{}{}
		}
	}
}

// watch looks out for what ready reports and returns whether it came in time. Where not all workers
// can run at once that would only keep the others from it.
func (p *Pool) watch(ready func() bool) bool {
	if ready() {
		return true
	}
	if runtime.GOMAXPROCS(0) < p.workers {
		return false
	}
	for start := time.Now(); time.Since(start) < watch; {
		for range 16 {
			pause()
			if ready() {
				return true
			}
		}
	}
	return false
}

// work takes pieces until there are none left.
func (p *Pool) work(worker int) {
	defer func() {
		if r := recover(); r != nil {
			p.fail(r)
		}
	}()
	for {
		i := p.next.Add(1) - 1
		if i >= p.n {
			return
		}
		p.f(worker, int(i))
	}
}

// fail keeps a panic and drops the pieces that no worker has begun.
func (p *Pool) fail(r any) {
	// The worker's stack would be lost in the caller.
	r = fmt.Errorf("%v\nin worker: %s", r, debug.Stack())
	p.panicked.CompareAndSwap(nil, &r)
	p.next.Store(p.n)
}
