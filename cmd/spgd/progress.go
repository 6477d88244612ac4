package main

import (
	"fmt"
	"time"

	"github.com/seed-0f004ec9/spgd/sampler"
)

// progress shows how far a restoration is: on a terminal one line that is redrawn, elsewhere a line
// for every tenth of the work.
type progress struct {
	console *console
	now     func() time.Time

	first     time.Time // of the first report, after which nothing is compiled
	firstDone float64
	tenths    int // of the work, as last printed off a terminal
}

func newProgress(c *console) *progress { return &progress{console: c, now: time.Now} }

// report takes the sampler's reports.
func (p *progress) report(s sampler.Progress) {
	if p.console.quiet || s.Total <= 0 {
		return
	}
	now := p.now()
	if p.first.IsZero() {
		p.first, p.firstDone = now, s.Done
	}
	text := fmt.Sprintf("%s, %.0f %%", describePlace(s), 100*s.Done/s.Total)
	if s.Done > p.firstDone {
		left := now.Sub(p.first).Seconds() * (s.Total - s.Done) / (s.Done - p.firstDone)
		text += ", " + duration(left) + " left"
	}
	if p.console.terminal {
		p.console.progressLine(text)
		return
	}
	if t := int(10 * s.Done / s.Total); t > p.tenths {
		p.tenths = t
		p.console.line(text)
	}
}

// duration writes seconds as 12 s, 3 min 5 s or 2 h 4 min.
func duration(seconds float64) string {
	s := int(seconds + 0.5)
	switch {
	case s < 60:
		return fmt.Sprintf("%d s", s)
	case s < 3600:
		return fmt.Sprintf("%d min %d s", s/60, s%60)
	}
	return fmt.Sprintf("%d h %d min", s/3600, s%3600/60)
}
