// Package pool runs numbered pieces of one job on a fixed set of goroutines.
package pool

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
)

// Pool hands out the pieces of a job to its workers. The zero value is not usable; see New.
//
// Which worker takes which piece is not deterministic, so a piece must depend only on its
// number: then results do not depend on the number of workers.
type Pool struct {
	workers int
	work    chan *job
	close   sync.Once
}

type job struct {
	f    func(worker, piece int)
	n    int64
	next atomic.Int64
	left sync.WaitGroup
	// panicked keeps the first panic of a worker, to be raised again in the caller.
	panicked atomic.Pointer[any]
}

// New starts a pool. With workers < 1 it has GOMAXPROCS workers, which respects cgroup limits.
func New(workers int) *Pool {
	if workers < 1 {
		workers = runtime.GOMAXPROCS(0)
	}
	p := &Pool{workers: workers, work: make(chan *job)}
	for w := 1; w < workers; w++ { // the caller of Run is worker 0
		go func() {
			for j := range p.work {
				j.run(w)
				j.left.Done()
			}
		}()
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
	j := &job{f: f, n: int64(n)}
	helpers := min(p.workers-1, n-1)
	j.left.Add(helpers)
	for range helpers {
		p.work <- j
	}
	j.run(0)
	j.left.Wait()
	if r := j.panicked.Load(); r != nil {
		panic(*r)
	}
}

// Close ends the workers. The pool must be idle.
func (p *Pool) Close() { p.close.Do(func() { close(p.work) }) }

func (j *job) run(worker int) {
	defer func() {
		if r := recover(); r != nil {
			// The worker's stack would be lost in the caller.
			r = fmt.Errorf("%v\nin worker: %s", r, debug.Stack())
			j.panicked.CompareAndSwap(nil, &r)
			j.next.Store(j.n)
		}
	}()
	for {
		i := j.next.Add(1) - 1
		if i >= j.n {
			return
		}
		j.f(worker, int(i))
	}
}
