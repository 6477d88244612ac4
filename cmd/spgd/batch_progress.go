package main

import (
	"fmt"
	"sync"
	"time"

	"github.com/seed-0f004ec9/spgd/sampler"
)

// batchProgress shows how far a batch is: on a terminal one line that is redrawn, elsewhere a line for
// every picture and every tenth of the work. A picture counts by its pixels times the evaluations of
// the prior. It is for use by several goroutines.
type batchProgress struct {
	console *console
	now     func() time.Time

	mutex       sync.Mutex
	start       time.Time
	total, done float64          // work; done holds only pictures that have ended
	running     map[*job]float64 // work done on those in progress
	pictures    int
	ended       int
	tenths      int // of the work, as last printed off a terminal
}

func newBatchProgress(c *console, jobs []*job) *batchProgress {
	p := &batchProgress{console: c, now: time.Now, running: map[*job]float64{}, start: time.Now()}
	for _, j := range jobs {
		if j.state == jobRestore {
			p.pictures++
			p.total += j.work()
		}
	}
	return p
}

// of returns where the sampler reports the progress of a picture, or of several that are computed as a batch.
func (p *batchProgress) of(jobs ...*job) func(sampler.Progress) {
	return func(s sampler.Progress) {
		p.mutex.Lock()
		defer p.mutex.Unlock()
		if s.Total > 0 {
			for _, j := range jobs {
				p.running[j] = j.work() * s.Done / s.Total
			}
		}
		p.show(inputsOf(jobs)+" "+describePlace(s), false)
	}
}

// inputsOf names pictures that are computed as a batch.
func inputsOf(jobs []*job) string {
	if len(jobs) == 1 {
		return jobs[0].input
	}
	return fmt.Sprintf("%s and %d more", jobs[0].input, len(jobs)-1)
}

// anew forgets what was done on pictures that are begun again.
func (p *batchProgress) anew(jobs []*job) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	for _, j := range jobs {
		delete(p.running, j)
	}
}

// end counts a picture that has ended and runs print, which may write lines of its own. The work of one
// that failed is not counted, so that it does not make the others look fast.
func (p *batchProgress) end(j *job, failed bool, print func() error) error {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.console.endProgress()
	err := print()
	if j.state == jobRestore {
		delete(p.running, j)
		p.ended++
		if failed {
			p.total -= j.work()
		} else {
			p.done += j.work()
		}
		p.show(j.input, true)
	}
	return err
}

// line writes a line above the state.
func (p *batchProgress) line(text string) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.console.line(text)
}

// show prints the state. what was done last ends the line.
func (p *batchProgress) show(what string, ended bool) {
	if p.console.quiet {
		return
	}
	done, share := p.done, 1.0
	for _, d := range p.running {
		done += d
	}
	if p.total > 0 {
		share = done / p.total
	}
	text := fmt.Sprintf("%d of %d pictures, %.0f %%", p.ended, p.pictures, 100*share)
	if done > 0 && done < p.total {
		text += ", " + duration(p.now().Sub(p.start).Seconds()*(p.total-done)/done) + " left"
	}
	text += ": " + what
	if p.console.terminal {
		p.console.progressLine(text)
		return
	}
	if t := int(10 * share); ended || t > p.tenths {
		p.tenths = t
		p.console.line(text)
	}
}
