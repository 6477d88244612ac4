package resume

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"github.com/seed-0f004ec9/spgd/report"
	"github.com/seed-0f004ec9/spgd/sampler"
)

// DefaultInterval is the time between two checkpoints of a Keeper that names none.
const DefaultInterval = time.Minute

// DefaultShare is the largest share of the time that goes into the checkpoints of a Keeper that names
// none.
const DefaultShare = 0.02

// ErrStopped is the error of a run that Keeper.Stop has ended, after its checkpoint was written.
var ErrStopped = errors.New("stopped")

// Keeper is an observer that writes checkpoints of its run. When it does so depends on the time alone
// and does not change the result. It serves one run.
type Keeper struct {
	// Path is the file, which every checkpoint replaces. It is left behind when the run ends: Remove
	// it when its result is safe.
	Path string
	// Record is what made the run, for Load's caller to compare. See package resume's Record.
	Record *report.Run
	// Images, if not nil, has each of the first images of a batch kept in a file of its own, from which it goes on
	// alone or with others (sampler.JoinCheckpoints), instead of all of them in Path.
	Images []ImageFile
	// Every is the time between two checkpoints, 0 for DefaultInterval. It becomes longer where
	// writing would take more than Share of the time.
	Every time.Duration
	// Share is from 0, for DefaultShare, to 1, for no limit.
	Share float64
	// Stop, when closed, ends the run after the outer step in progress: the checkpoint is written and
	// the run's error is an ErrStopped. A run that has no step left is let go on to its end.
	Stop <-chan struct{}
	// Failed, if not nil, is told why a checkpoint could not be written, and the run goes on. Otherwise
	// the run ends with that error. Checkpoints written for Stop always have to succeed.
	Failed func(error)

	now    func() time.Time // of tests; nil is time.Now
	begun  bool
	before time.Duration // no checkpoint before the run has taken that long
}

// ObserveStep implements sampler.Observer.
func (k *Keeper) ObserveStep(s *sampler.Snapshot) error {
	clock := time.Now
	if k.now != nil {
		clock = k.now
	}
	every := cmp.Or(k.Every, DefaultInterval)
	if !k.begun {
		k.begun, k.before = true, s.Earlier+every
	}
	if s.Sample > s.First { // one checkpoint holds all samples that are computed at once
		return nil
	}
	stopped := !s.Last() && closed(k.Stop)
	if !stopped && s.Elapsed < k.before {
		return nil
	}
	start := clock()
	err := s.Checkpoint(k.save)
	took := clock().Sub(start)
	pause := time.Duration(float64(took) * (1/cmp.Or(k.Share, DefaultShare) - 1))
	k.before = s.Elapsed + took + max(every, pause)
	where := fmt.Sprintf("step %d of %d", s.K+1, s.Steps)
	if s.Samples > 1 {
		where += fmt.Sprintf(" of sample %d of %d", s.First+1, s.Samples)
	}
	switch {
	case stopped && err != nil:
		return fmt.Errorf("resume: stopped after %s, which is lost because the checkpoint cannot be written: %w", where, err)
	case stopped:
		return fmt.Errorf("resume: %w after %s", ErrStopped, where)
	case err != nil && k.Failed != nil:
		k.Failed(err)
		return nil
	}
	return err
}

// ImageFile is where an image of a batch is kept, and what made its run.
type ImageFile struct {
	Path   string
	Record *report.Run
}

// save writes a checkpoint.
func (k *Keeper) save(c *sampler.Checkpoint) error {
	if k.Images == nil {
		return Save(k.Path, c, k.Record)
	}
	parts, err := c.Split()
	if err != nil {
		return err
	}
	for i, file := range k.Images[:min(len(k.Images), len(parts))] {
		if err := Save(file.Path, parts[i], file.Record); err != nil {
			return err
		}
	}
	return nil
}

// closed says whether a channel is, which nil never is.
func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
