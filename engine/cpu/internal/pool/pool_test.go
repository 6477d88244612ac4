package pool

import (
	"errors"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// setProcs sets GOMAXPROCS until the end of the test.
func setProcs(t *testing.T, n int) {
	old := runtime.GOMAXPROCS(n)
	t.Cleanup(func() { runtime.GOMAXPROCS(old) })
}

// checkRun runs a job of n pieces and fails unless every piece ran once, no worker ran two pieces
// at a time and every worker's number is below Workers.
func checkRun(t *testing.T, p *Pool, n int) {
	t.Helper()
	ran := make([]int, n) // not atomic: two runs of a piece would be a race
	busy := make([]atomic.Bool, p.Workers())
	var bad atomic.Int64
	p.Run(n, func(worker, piece int) {
		if worker >= p.Workers() || !busy[worker].CompareAndSwap(false, true) {
			bad.Add(1)
			return
		}
		ran[piece]++
		busy[worker].Store(false)
	})
	if k := bad.Load(); k > 0 {
		t.Fatalf("%d of %d pieces had the number of a worker that was busy or does not exist", k, n)
	}
	for i, k := range ran {
		if k != 1 {
			t.Fatalf("piece %d of %d ran %d times", i, n, k)
		}
	}
}

// Every piece runs once, with more workers than processors too, and with jobs that come while the
// workers watch as well as when they have blocked.
func TestEveryPieceRunsOnce(t *testing.T) {
	for _, procs := range []int{1, 2, 4} {
		setProcs(t, procs)
		for _, workers := range []int{1, 2, 3, 8} {
			p := New(workers)
			for i := range 200 {
				checkRun(t, p, []int{0, 1, 2, 7, 100}[i%5])
				if i%20 == 19 {
					time.Sleep(2 * watch)
				}
			}
			p.Close()
		}
	}
}

// The workers do work: pieces that wait for one another end only if they run at the same time.
func TestPiecesRunAtTheSameTime(t *testing.T) {
	for _, procs := range []int{1, 4} {
		setProcs(t, procs)
		p := New(4)
		for i := range 50 {
			var all sync.WaitGroup
			all.Add(4)
			p.Run(4, func(_, _ int) {
				all.Done()
				all.Wait()
			})
			if i%10 == 9 {
				time.Sleep(2 * watch)
			}
		}
		p.Close()
	}
}

// A job ends although a worker never comes, since the caller takes the pieces itself.
func TestJobEndsWithoutTheWorkers(t *testing.T) {
	p := New(3)
	p.Close()
	checkRun(t, p, 10)
	checkRun(t, p, 10)
}

// A panic comes back in the caller, with the worker's stack, and the pool works on.
func TestPanic(t *testing.T) {
	p := New(3)
	defer p.Close()
	for _, bad := range []int{0, 5, 99} {
		func() {
			defer func() {
				err, ok := recover().(error)
				if !ok || !strings.Contains(err.Error(), "piece went wrong") || !strings.Contains(err.Error(), "TestPanic") {
					t.Errorf("the panic of piece %d came back as %v", bad, err)
				}
			}()
			p.Run(100, func(_, piece int) {
				if piece == bad {
					panic(errors.New("piece went wrong"))
				}
			})
			t.Errorf("the panic of piece %d did not come back", bad)
		}()
		checkRun(t, p, 100)
	}
}

// Close ends the goroutines, those that have blocked and those that still watch.
func TestClose(t *testing.T) {
	before := runtime.NumGoroutine()
	for i := range 20 {
		p := New(4)
		checkRun(t, p, 8)
		if i%2 == 0 {
			time.Sleep(2 * watch)
		}
		p.Close()
		p.Close()
	}
	for end := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > before; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), before)
		}
	}
}

func TestRunAllocatesNothing(t *testing.T) {
	p := New(3)
	defer p.Close()
	var sum atomic.Int64
	f := func(_, piece int) { sum.Add(int64(piece)) }
	if n := testing.AllocsPerRun(100, func() { p.Run(10, f) }); n > 0 {
		t.Errorf("a run makes %v allocations", n)
	}
}

// BenchmarkRun is the time of a job of two pieces: after another, when the workers watch, and after
// a pause in which they have blocked.
func BenchmarkRun(b *testing.B) {
	var x [2][64]int
	f := func(_, piece int) {
		for i := range 20000 {
			x[piece][0] += i
		}
	}
	for name, pause := range map[string]time.Duration{"watching": 0, "blocked": 3 * watch} {
		b.Run(name, func(b *testing.B) {
			p := New(2)
			defer p.Close()
			for b.Loop() {
				for start := time.Now(); time.Since(start) < pause; {
				}
				p.Run(2, f)
			}
		})
	}
}
