package main

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/seed-0f004ec9/spgd"
	"github.com/seed-0f004ec9/spgd/engine/xla"
	"github.com/seed-0f004ec9/spgd/measurement"
	"github.com/seed-0f004ec9/spgd/resume"
	"github.com/seed-0f004ec9/spgd/sampler"
)

// deviceBatches is what is known of the batches of an accelerator.
type deviceBatches struct {
	last *restoration // one of the batch that was begun last, for which programs are compiled, or nil
	size int          // of that
	most int          // pixels at once for which the memory suffices, once it did not for more
}

// member is a picture of a batch that a device computes.
type member struct {
	*restoration
	job   *job
	began time.Time     // when something was last begun for this picture
	took  time.Duration // its share of what was done
}

// begin and pause enclose what is done for the picture. What is done for the others does not count.
func (m *member) begin() { m.began = time.Now() }
func (m *member) pause() { m.took += time.Since(m.began) }

// together restores pictures as one batch, as far as one program and schedule serve them. Each is read, prepared,
// finished, written and told of for itself, and what fails for one is nothing to the others.
func (b *batch) together(ctx context.Context, group []*job, q *equipment) {
	var ready []*member
	for _, j := range group {
		if ctx.Err() != nil {
			return
		}
		m := &member{restoration: b.restoration(j), job: j}
		m.begin()
		err := m.open()
		if err == nil {
			err = m.prepare(q)
		}
		if m.pause(); err != nil {
			b.endMember(m, err)
			continue
		}
		ready = append(ready, m)
	}
	for len(ready) > 0 {
		first := ready[0]
		alike := slices.DeleteFunc(slices.Clone(ready), func(m *member) bool { return m != first && !m.alongside(first.restoration) })
		ready = slices.DeleteFunc(ready, func(m *member) bool { return slices.Contains(alike, m) })
		size := len(alike)
		if 2*size > len(group) { // batches of one size, so that a picture that fails does not have others compiled
			size = len(group)
		}
		b.batchOf(ctx, alike, size, q)
	}
}

// batchOf restores prepared pictures that are alike, in batches of a size. Those that keep the others from being restored as a batch are
// tried alone.
func (b *batch) batchOf(ctx context.Context, list []*member, size int, q *equipment) {
	for len(list) > 0 && !b.over() && ctx.Err() == nil {
		n := len(list)
		if most := b.device.most; most > 0 {
			n = sampler.Evenly(n, most/list[0].job.pixels())
			size = min(size, n)
		}
		now := list[:n]
		list = list[n:]
		err := b.sampleTogether(ctx, now, size, q)
		diverged := (*sampler.DivergedError)(nil)
		switch {
		case err == nil:
			b.finishTogether(ctx, now, q)
		case errors.Is(err, xla.ErrMemory) && b.device.size > 1:
			q.restorer.Close() // what is compiled takes memory too
			b.device = deviceBatches{most: b.device.size / 2 * now[0].job.pixels()}
			list = slices.Concat(now, list)
		case n == 1 || exitCode(err) == exitInterrupted || errors.Is(err, xla.ErrLost):
			for _, m := range now {
				b.endMember(m, err)
			}
		case errors.As(err, &diverged):
			i := min(diverged.Image, n-1) // places left over repeat the last
			b.batchOf(ctx, slices.Delete(slices.Clone(now), i, i+1), 1, q)
			b.batchOf(ctx, now[i:i+1], 1, q)
		default:
			b.batchOf(ctx, now[:n/2], 1, q)
			b.batchOf(ctx, now[n/2:], 1, q)
		}
	}
}

// sampleTogether runs the method for pictures that are alike, as one batch of at least a size, or of that for which
// programs are compiled.
func (b *batch) sampleTogether(ctx context.Context, list []*member, size int, q *equipment) error {
	begin := time.Now()
	first := list[0]
	size = max(size, len(list))
	if last := b.device.last; last != nil && first.likewise(last) {
		size = max(size, b.device.size)
	}
	b.device.last, b.device.size = first.restoration, size
	var jobs []*job
	var ms []*measurement.Measurement
	batch, keeper := spgd.Batch{Size: size}, &resume.Keeper{}
	options := first.options
	options.Images, options.Resume, options.Observers = nil, nil, nil
	for _, m := range list {
		jobs, ms = append(jobs, m.job), append(ms, m.problem.Measurement)
		keeper.Images = append(keeper.Images, resume.ImageFile{Path: m.checkpointPath(), Record: m.record})
		options.Images = append(options.Images, m.options.Images...)
		if m.options.Resume != nil {
			batch.Resume = append(batch.Resume, m.options.Resume)
		}
	}
	b.progress.anew(jobs)
	options.Progress = b.progress.of(jobs...)
	ctx, done := first.flags.keepBy(ctx, keeper, &options, b.consoleFor(inputsOf(jobs)))
	results, err := q.restorer.RestoreBatch(ctx, ms, first.settings, options, batch)
	err = done(err)
	for i, m := range list {
		if err == nil {
			m.result = results[i]
			if size > 1 {
				m.record.Batch = size
			}
		}
		m.took += time.Since(begin) / time.Duration(len(list))
	}
	return err
}

// finishTogether writes the results of a batch.
func (b *batch) finishTogether(ctx context.Context, list []*member, q *equipment) {
	for _, m := range list {
		if b.over() {
			return
		}
		m.begin()
		m.start = m.began.Add(-m.took) // as if nothing had been done for others
		lasting := m.lasting(ctx)
		err := m.finish(lasting, q)
		if err == nil {
			err = m.save(lasting)
		}
		m.pause()
		b.endMember(m, err)
	}
}

// endMember says what became of a picture of a batch, and lets go of it.
func (b *batch) endMember(m *member, err error) {
	e := m.job.entry()
	text, err := m.enter(&e, m.took, err)
	b.conclude(m.job, e, text, err)
	m.result, m.image = nil, nil
}

// over says whether the whole run has come to an error.
func (b *batch) over() bool {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.fatal != nil
}
