package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync/atomic"
	"time"

	"github.com/spf13/pflag"

	"github.com/seed-0f004ec9/spgd"
	"github.com/seed-0f004ec9/spgd/report"
	"github.com/seed-0f004ec9/spgd/resume"
	"github.com/seed-0f004ec9/spgd/sampler"
)

// Values of --resume.
const (
	resumeAuto = "auto"
	resumeYes  = "yes"
	resumeNo   = "no"
)

// checkpointShare is the largest share of the time that checkpoints take. Tests want all of them.
var checkpointShare = resume.DefaultShare

// checkpointExtension is what the name of a checkpoint adds to that of the output.
const checkpointExtension = ".checkpoint"

// resumeOptions say how a restoration is kept from being lost.
type resumeOptions struct {
	every  time.Duration
	resume string
}

// AddFlags adds them.
func (o *resumeOptions) AddFlags(f *pflag.FlagSet) {
	f.DurationVar(&o.every, "checkpoint-every", resume.DefaultInterval, "`TIME` between two checkpoints in OUT"+checkpointExtension+", longer where they would take more than 2 % of\n"+
		"the time; 0 for none")
	addChoice(f, &o.resume, "resume", "way to resume", resumeAuto,
		"what to do with the checkpoint of an interrupted run: go on from one of the same run and\n"+
			"end with an error at any other (auto; yes, or --resume alone, also says where there is\n"+
			"none), or start over (no)", []string{resumeAuto, resumeYes, resumeNo})
	f.Lookup("resume").NoOptDefVal = resumeYes
}

// resumeHelp is the section of restore's help.
const resumeHelp = `INTERRUPTION
A restoration keeps its state in OUT` + checkpointExtension + `: every minute, and after the step in
progress when it is interrupted with Ctrl-C (a second Ctrl-C stops at once). The file goes
when OUT is there. However a run ended, the same command goes on from it, and OUT is the
same to the byte: that is why no flag is needed. --resume says so if there is nothing to go
on from. A checkpoint of another input, setting, version, engine or instruction set is
neither used nor replaced: the run ends with the first difference, and --resume=no starts
over.
`

// checkpointPath is where the restoration keeps its state.
func (r *restoration) checkpointPath() string { return r.flags.output.path + checkpointExtension }

// check checks the flags. The checkpoint must be none of the files that are read; others may hold words
// that are no paths.
func (o *resumeOptions) check(checkpoint string, others ...string) error {
	if o.every < 0 {
		return usagef("--checkpoint-every %v: the time cannot be negative", o.every)
	}
	for _, other := range others {
		if sameFile(checkpoint, other) {
			return usagef("the checkpoint %s would replace the input", checkpoint)
		}
	}
	return nil
}

// loadCheckpoint reads the restoration's checkpoint, if there is one that it may go on from.
func (r *restoration) loadCheckpoint() (err error) {
	if r.flags.resume == resumeNo {
		return nil
	}
	r.checkpoint, err = resume.Load(r.checkpointPath())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return startOver(err)
}

// startOver says what helps where a checkpoint cannot be used.
func startOver(err error) error {
	if err == nil {
		return nil
	}
	return as(errInput, fmt.Errorf("%w (--resume=no starts over and replaces it)", err))
}

// takeUp lets the restoration go on from its checkpoint, if there is one.
func (r *restoration) takeUp() error {
	path, file := r.checkpointPath(), r.checkpoint
	if file == nil {
		if r.flags.resume == resumeYes {
			r.console.logf("there is no checkpoint %s: starting from the beginning", path)
		}
		return nil
	}
	if err := file.Check(r.record); err != nil {
		return startOver(err)
	}
	run := file.Run
	if err := r.checkKept(run.Sample); err != nil {
		return err
	}
	r.options.Resume = run
	r.record.Resumed = &report.Resumed{Step: run.Step, Elapsed: seconds(run.Elapsed)}
	if run.Samples > 1 {
		r.record.Resumed.Sample = run.Sample + 1
	}
	r.console.logf("going on after step %d of %d%s, of which %s holds the state", run.Step, len(run.Sigmas)-1, ofSample(run.Sample, run.Samples), path)
	return nil
}

// keep adds what writes checkpoints, and returns the context for the sampling, which outlives ctx by the
// step in progress. done has to be called with the error of the sampling, and returns it with what is
// to be said of it.
func (r *restoration) keep(ctx context.Context) (sampling context.Context, done func(error) error) {
	sampling, end := r.flags.keepBy(ctx, &resume.Keeper{Path: r.checkpointPath(), Record: r.record}, &r.options, r.console)
	return sampling, func(err error) error { return r.interrupted(end(err)) }
}

// keepBy is keep for the sampling with some options, by a keeper that knows its files.
func (o *resumeOptions) keepBy(ctx context.Context, k *resume.Keeper, options *spgd.Options, c *console) (sampling context.Context, done func(error) error) {
	if o.every == 0 || ctx.Err() != nil {
		return ctx, func(err error) error { return err }
	}
	failed := false
	k.Every, k.Share, k.Stop = o.every, checkpointShare, ctx.Done()
	k.Failed = func(err error) {
		if !failed {
			c.warn("the run goes on without a checkpoint: " + message(as(errOutput, err)))
		}
		failed = true
	}
	options.Observers = append(options.Observers, k)
	sampling, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var first, last atomic.Pointer[moment]
	show := options.Progress
	options.Progress = func(p sampler.Progress) {
		now := &moment{time.Now(), p}
		first.CompareAndSwap(nil, now)
		last.Store(now)
		show(p)
	}
	said := make(chan struct{})
	unwatch := context.AfterFunc(ctx, func() {
		defer close(said)
		if now := last.Load(); now != nil {
			c.line(now.stopping(first.Load()))
		} else {
			cancel() // nothing has been computed that could be kept
		}
	})
	return sampling, func(err error) error {
		if !unwatch() {
			<-said // before the last words
		}
		cancel()
		return err
	}
}

// moment is a report of the sampler's and its time.
type moment struct {
	time time.Time
	sampler.Progress
}

// stopping says what an interruption leads to, and when, if a second evaluation of the prior tells.
func (m *moment) stopping(first *moment) string {
	left := ""
	if m.Done > first.Done {
		work := m.Total*float64(m.Sample*m.Steps+(m.Step+1)*max(1, m.Batch))/float64(max(1, m.Samples)*m.Steps) - m.Done
		left = ", about " + duration(max(0, work)*m.time.Sub(first.time).Seconds()/(m.Done-first.Done))
	}
	return fmt.Sprintf("interrupted: finishing step %d of %d%s first%s; interrupt again to stop at once", m.Step+1, m.Steps, ofSample(m.Sample, m.Samples), left)
}

// interruptedError is an interruption about which there is more to say.
type interruptedError struct {
	text string
	err  error
}

func (e *interruptedError) Error() string { return e.text }
func (e *interruptedError) Unwrap() error { return e.err }

// interrupted adds to the error of an interrupted run how to go on, where there is a checkpoint.
func (r *restoration) interrupted(err error) error {
	if exitCode(err) != exitInterrupted {
		return err
	}
	if _, statErr := os.Stat(r.checkpointPath()); statErr != nil {
		return err
	}
	how := "interrupted"
	if errors.Is(err, resume.ErrStopped) {
		how = "interrupted, " + message(err)
	}
	return &interruptedError{fmt.Sprintf("%s; %s holds the state: to go on, run %s", how, r.checkpointPath(), r.console.resumeCommand()), err}
}

// lasting is the context of what follows the sampling: a restoration that keeps its state is not
// interrupted once its result is complete.
func (r *restoration) lasting(ctx context.Context) context.Context {
	if r.flags.every == 0 {
		return ctx
	}
	return context.WithoutCancel(ctx)
}
