package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/spf13/pflag"

	"github.com/seed-0f004ec9/spgd/report"
	"github.com/seed-0f004ec9/spgd/resume"
)

// errSome is the error of a batch of which some pictures could not be restored.
var errSome = errors.New("some pictures failed")

// interruptedBatch is the error of a batch that was interrupted.
type interruptedBatch struct{ done, pictures int }

func (e *interruptedBatch) Error() string {
	return fmt.Sprintf("interrupted with %d of %s restored; the same command goes on with the others", e.done, plural(e.pictures, "picture"))
}

func (e *interruptedBatch) Unwrap() error { return context.Canceled }

// batch is a restoration of many pictures in progress.
type batch struct {
	*plan
	console  *console
	options  *restoreOptions
	progress *batchProgress
	log      *jsonLog // or nil
	stop     context.CancelFunc

	groups [][]*job // of which a worker takes one after the other
	device deviceBatches

	mutex  sync.Mutex
	next   int   // of groups
	fatal  error // that ends the batch
	ended  int
	done   int
	failed []string
}

// runBatch restores the pictures that the arguments name.
func runBatch(ctx context.Context, c *console, o *restoreOptions, f *pflag.FlagSet, args []string) error {
	if err := o.checkBatch(f, args); err != nil {
		return err
	}
	q, err := equip(o.engineOptions, o.priorOptions, budget{}) // which restores nothing
	if err != nil {
		return err
	}
	defer q.Close()
	announce(c, q.Engine)
	d, record, err := q.prior()
	if err != nil {
		return err
	}
	locks := &folderLocks{output: o.output.path}
	defer locks.release()
	if !o.batch.dryRun {
		// Before the plan, which depends on what another run has done.
		if err := locks.takeExisting(o.output.path); err != nil {
			return err
		}
	}
	p, err := newPlan(c, o, f, args, q)
	if err != nil {
		return err
	}
	if o.batch.dryRun {
		return p.print(c)
	}
	c.logf("%s", p.summary())
	c.lines = true
	if err := p.makeFolders(locks); err != nil {
		return err
	}
	b := &batch{plan: p, console: c, options: o, progress: newBatchProgress(c, p.jobs)}
	if b.log, err = o.openBatchLog(locks); err != nil {
		return err
	}
	if b.log != nil {
		defer b.log.Close()
	}
	if b.groups, err = p.groups(o, q); err != nil {
		return err
	}
	if q.Accelerator() != nil { // which has one queue
		q.memory = o.memoryOptions.budget(1)
		return b.run(ctx, []*equipment{q})
	}
	jobs, threads := p.parallel(o, func() int { return p.takes(q) })
	engine := o.engineOptions
	engine.threads = threads
	memory := o.memoryOptions.budget(jobs)
	var workers []*equipment
	for range jobs {
		w, err := equip(engine, o.priorOptions, memory)
		if err != nil {
			return err
		}
		defer w.Close()
		w.use(d, record)
		workers = append(workers, w)
	}
	return b.run(ctx, workers)
}

// openBatchLog opens the log, nil if there is no place for one.
func (o *restoreOptions) openBatchLog(locks *folderLocks) (*jsonLog, error) {
	path := o.batch.log
	if path == "" {
		if o.output.path == "" {
			return nil, nil
		}
		if err := os.MkdirAll(o.output.path, 0o755); err != nil {
			return nil, as(errOutput, fmt.Errorf("folder %s cannot be made: %w", o.output.path, err))
		}
		if err := locks.takeExisting(o.output.path); err != nil {
			return nil, err
		}
		path = filepath.Join(o.output.path, batchLog)
	}
	return openLog(path)
}

// run gives every worker one group of pictures after the other.
func (b *batch) run(ctx context.Context, workers []*equipment) error {
	start := time.Now()
	ctx, b.stop = context.WithCancel(ctx)
	defer b.stop()
	var group sync.WaitGroup
	for _, q := range workers {
		group.Go(func() {
			for group := b.take(ctx); group != nil; group = b.take(ctx) {
				if len(group) == 1 {
					b.one(ctx, group[0], q)
				} else {
					b.together(ctx, group, q)
				}
			}
		})
	}
	group.Wait()
	b.console.endProgress()
	if b.fatal != nil {
		return b.fatal
	}
	for _, line := range b.failed {
		b.console.line("spgd: failed: " + line)
	}
	if b.ended < len(b.jobs) { // an interruption of the last picture may come too late
		return &interruptedBatch{b.done, b.plan.restore}
	}
	b.console.logf("%s restored, %d skipped, %d failed, in %s", plural(b.done, "picture"), b.plan.finished, len(b.failed), duration(time.Since(start).Seconds()))
	if len(b.failed) == 0 {
		return nil
	}
	return as(errSome, fmt.Errorf("%d of %s failed, as listed; the same command tries them again", len(b.failed), plural(len(b.jobs), "picture")))
}

// take returns the next group of pictures, nil if there is none or the batch has to end.
func (b *batch) take(ctx context.Context) []*job {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	if ctx.Err() != nil || b.next == len(b.groups) {
		return nil
	}
	b.next++
	return b.groups[b.next-1]
}

// one restores a picture, if that has to be, and says what became of it.
func (b *batch) one(ctx context.Context, j *job, q *equipment) {
	e := j.entry()
	text := ""
	var err error
	switch j.state {
	case jobFinished:
		e.Status, e.Reason = statusSkipped, "finished"
		if j.leftover {
			err = as(errOutput, resume.Remove(j.checkpointPath()))
		}
		text = e.Output + ": skipped, finished"
		err = errors.Join(err, e.complete(j.earlier))
		j.earlier = nil
	case jobFailed:
		err = j.err
	default:
		text, err = b.restoreOne(ctx, j, q, &e)
	}
	b.conclude(j, e, text, err)
}

// entry begins the picture's line of the log.
func (j *job) entry() batchEntry { return batchEntry{Input: j.input, Output: j.flags.output.path} }

// conclude says what became of a picture, and counts it.
func (b *batch) conclude(j *job, e batchEntry, text string, err error) {
	if err != nil {
		if exitCode(err) == exitInterrupted {
			return // neither done nor failed
		}
		e.Status, e.Reason, e.Code = statusFailed, message(err), exitCode(err)
		text = fmt.Sprintf("%s: failed: %s", e.Output, e.Reason)
	}
	printErr := b.progress.end(j, err != nil, func() error { return b.tell(e, text) })
	b.mutex.Lock()
	defer b.mutex.Unlock()
	b.ended++
	switch {
	case e.Status == statusDone:
		b.done++
	case err != nil:
		b.failed = append(b.failed, fmt.Sprintf("%s: %s", e.Input, e.Reason))
	}
	// What cannot be written for one picture cannot be for the next.
	if b.fatal == nil && (printErr != nil || errors.Is(err, errOutput)) {
		if b.fatal = printErr; printErr == nil {
			b.fatal = err
		}
		b.stop()
	}
}

// restoreOne restores a picture and completes its entry.
func (b *batch) restoreOne(ctx context.Context, j *job, q *equipment, e *batchEntry) (text string, err error) {
	r := b.restoration(j)
	start := time.Now()
	err = r.restore(ctx, q)
	return r.enter(e, time.Since(start), err)
}

// restoration is what restores a picture: a copy, so that nothing of it stays in memory.
func (b *batch) restoration(j *job) *restoration {
	r := *j.restoration
	r.console = b.consoleFor(j.input)
	r.progress = b.progress.of(j)
	return &r
}

// consoleFor is where a restoration writes what it has to say, with the name of its input.
func (b *batch) consoleFor(input string) *console {
	return &console{stdout: io.Discard, stderr: &pictureLines{b.progress, input}, quiet: true}
}

// enter completes the entry of a restoration that has ended.
func (r *restoration) enter(e *batchEntry, took time.Duration, err error) (text string, _ error) {
	e.Seconds = report.Number(took.Seconds())
	if r.problem != nil {
		e.Warnings = r.problem.warnings
	}
	if err != nil {
		return "", err
	}
	e.Status = statusDone
	return r.summary(), e.complete(r.record)
}

// tell prints and logs what became of a picture.
func (b *batch) tell(e batchEntry, text string) error {
	if b.log != nil {
		if err := b.log.add(e); err != nil {
			return err
		}
	}
	if b.console.json {
		return b.console.printJSON(e)
	}
	return b.console.printf("%s\n", text)
}

// pictureLines writes what a restoration has to say, with the picture's name.
type pictureLines struct {
	progress *batchProgress
	input    string
}

func (w *pictureLines) Write(text []byte) (int, error) {
	prefix, rest := "", strings.TrimSuffix(string(text), "\n")
	if warning, ok := strings.CutPrefix(rest, warningPrefix); ok {
		prefix, rest = warningPrefix, warning
	}
	w.progress.line(prefix + w.input + ": " + rest)
	return len(text), nil
}
