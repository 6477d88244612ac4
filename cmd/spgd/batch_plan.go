package main

import (
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/spf13/pflag"

	"github.com/seed-0f004ec9/spgd/engine/cpu"
	"github.com/seed-0f004ec9/spgd/report"
)

// plan is what a batch will do.
type plan struct {
	jobs    []*job
	sources sources
	// counts of jobs, and the pixels of the results
	restore, again, finished, failed int
	pixels                           int // of those that are restored
}

// newPlan finds the inputs, settles every picture's settings and output, and looks at what is there.
// Nothing is written.
func newPlan(c *console, o *restoreOptions, f *pflag.FlagSet, args []string, q *equipment) (*plan, error) {
	p := &plan{sources: sources{output: o.output.path, all: o.batch.recursive}}
	if err := p.addJobs(c, o, f, args); err != nil {
		return nil, err
	}
	if err := checkOutputs(p.jobs); err != nil {
		return nil, err
	}
	p.inspect(q)
	var foreign []error
	for _, j := range p.jobs {
		if j.foreign && !o.batch.overwrite {
			foreign = append(foreign, fmt.Errorf("%s was not written by spgd restore", j.flags.output.path))
		}
		p.count(j)
	}
	if foreign != nil {
		return nil, as(errOutput, fmt.Errorf("%w: --overwrite replaces such files, or choose another folder", listErrors(foreign)))
	}
	return p, nil
}

func (p *plan) addJobs(c *console, o *restoreOptions, f *pflag.FlagSet, args []string) error {
	if o.batch.manifest != "" {
		lines, err := readManifest(o.batch.manifest, f)
		if err != nil {
			return err
		}
		for _, line := range lines {
			if line.output == "" && o.output.path == "" {
				return line.in(o.batch.manifest, usagef("no output is given, and there is no -o FOLDER"))
			}
			j, err := o.job(c, f, line, source{path: line.input})
			if err != nil {
				return line.in(o.batch.manifest, err)
			}
			p.jobs = append(p.jobs, j)
		}
		return nil
	}
	for _, name := range []string{o.task.Mask, o.task.Kernel} {
		if name != "" {
			p.sources.except = append(p.sources.except, name)
		}
	}
	if err := p.sources.find(args); err != nil {
		return err
	}
	for _, in := range p.sources.files {
		j, err := o.job(c, f, &manifestLine{}, in)
		if err != nil {
			return err
		}
		p.jobs = append(p.jobs, j)
	}
	return nil
}

// inspect looks at the files of all jobs, several at once, since most of it is reading.
func (p *plan) inspect(q *equipment) {
	var next atomic.Int64
	var group sync.WaitGroup
	hashes := &fileHashes{}
	for range min(len(p.jobs), runtime.GOMAXPROCS(0)) {
		group.Go(func() {
			for i := next.Add(1) - 1; int(i) < len(p.jobs); i = next.Add(1) - 1 {
				p.jobs[i].inspect(q, hashes)
			}
		})
	}
	group.Wait()
}

func (p *plan) count(j *job) {
	switch j.state {
	case jobRestore:
		p.restore++
		p.pixels += j.pixels()
		if j.reason != "" {
			p.again++
		}
	case jobFinished:
		p.finished++
	case jobFailed:
		p.failed++
	}
}

func megapixels(pixels int) float64 { return float64(pixels) / 1e6 }

// summary is the plan in a line.
func (p *plan) summary() string {
	text := fmt.Sprintf("%s: %d to restore, %s megapixels", plural(len(p.jobs), "picture"), p.restore, number(megapixels(p.pixels)))
	if p.again > 0 {
		text += fmt.Sprintf(" (%d of them again)", p.again)
	}
	if p.finished > 0 {
		text += fmt.Sprintf(", %d finished", p.finished)
	}
	if p.failed > 0 {
		text += fmt.Sprintf(", %d not readable", p.failed)
	}
	return text + p.sources.describeIgnored()
}

// plural writes a number of things.
func plural(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// planRecord is a plan as JSON.
type planRecord struct {
	Pictures   int            `json:"pictures"`
	Restore    int            `json:"restore"`
	Again      int            `json:"again"` // of those to restore: they are there, but made otherwise
	Finished   int            `json:"finished"`
	Failed     int            `json:"failed"`
	Megapixels report.Number  `json:"megapixels"` // to restore
	Ignored    map[string]int `json:"ignored,omitempty"`
	Jobs       []jobRecord    `json:"jobs"`
}

type jobRecord struct {
	Input  string   `json:"input"`
	Output string   `json:"output"`
	Action jobState `json:"action"`
	Reason string   `json:"reason,omitempty"`
	Width  int      `json:"width,omitempty"`
	Height int      `json:"height,omitempty"`
	// Samples is how many the result is the mean or one of, if several.
	Samples int `json:"samples,omitempty"`
}

// print writes the plan to stdout, for --dry-run.
func (p *plan) print(c *console) error {
	if c.json {
		r := planRecord{
			Pictures: len(p.jobs), Restore: p.restore, Again: p.again, Finished: p.finished, Failed: p.failed,
			Megapixels: report.Number(megapixels(p.pixels)), Ignored: p.sources.ignored,
		}
		for _, j := range p.jobs {
			record := jobRecord{Input: j.input, Output: j.flags.output.path, Action: j.state, Reason: j.reason, Width: j.width, Height: j.height}
			if j.flags.several() {
				record.Samples = j.flags.number()
			}
			r.Jobs = append(r.Jobs, record)
		}
		return c.printJSON(r)
	}
	for _, j := range p.jobs {
		text := fmt.Sprintf("%s -> %s: %s", j.input, j.flags.output.path, j.state)
		if j.pixels() > 0 {
			text += fmt.Sprintf(", %dx%d", j.width, j.height)
		}
		if j.flags.several() {
			text += ", " + plural(j.flags.number(), "sample")
		}
		if j.reason != "" {
			text += ", " + j.reason
		}
		if err := c.printf("%s\n", text); err != nil {
			return err
		}
	}
	return c.printf("%s\n", p.summary())
}

// makeFolders makes the folders of the outputs that are to be written, locks them, and checks that they can be
// written into.
func (p *plan) makeFolders(locks *folderLocks) error {
	var folders []string
	checked := map[string]*job{}
	for _, j := range p.jobs {
		dir := filepath.Dir(j.flags.output.path)
		if j.state == jobRestore && checked[dir] == nil {
			checked[dir], folders = j, append(folders, dir)
		}
	}
	for _, dir := range folders { // nothing is made if another run has one of them
		if err := locks.takeExisting(dir); err != nil {
			return err
		}
	}
	for _, dir := range folders {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return as(errOutput, fmt.Errorf("folder %s cannot be made: %w", dir, err))
		}
		if err := locks.takeExisting(dir); err != nil {
			return err
		}
		if err := checked[dir].flags.output.checkFile(); err != nil {
			return err
		}
	}
	return nil
}

// smallShare is the number of pixels that is worth a thread of its own. Two pictures of 64x64 at once on
// two cores take 7 to 13 % less of the processor's time than one after the other on both, of 128x128
// some 3 %, for 1.7 times the memory; larger ones gain next to nothing.
const smallShare = 128 * 128

// parallel is how many pictures are restored at once, each by how many threads. takes is how many bytes one takes, and
// asked only if it matters.
func (p *plan) parallel(o *restoreOptions, takes func() int) (jobs, threads int) {
	cores := o.threads
	if cores == 0 {
		cores = runtime.GOMAXPROCS(0)
	}
	largest := 0
	for _, j := range p.jobs {
		if j.state == jobRestore {
			largest = max(largest, j.pixels())
		}
	}
	jobs = min(o.batch.jobs, p.restore)
	if o.batch.jobs == 0 {
		threads = min(max(1, largest/smallShare), cores)
		if jobs = min(cores/threads, p.restore); jobs > 1 {
			// What does not fit even alone is refused for itself.
			jobs = min(jobs, (o.memoryOptions.limit()-cpu.ResidentMemory())/max(1, takes()))
		}
	}
	jobs = max(1, jobs)
	return jobs, max(1, cores/jobs)
}

// takes is the most bytes that one of the restorations takes, beyond what the program holds: by the largest
// picture with each task and method that can be restored at all.
func (p *plan) takes(q *equipment) (bytes int) {
	type kind struct{ task, method string }
	asked := map[kind]bool{}
	for _, j := range slices.SortedStableFunc(slices.Values(p.jobs), func(a, b *job) int { return b.pixels() - a.pixels() }) {
		k := kind{j.flags.task.Name, j.flags.method}
		if j.state != jobRestore || asked[k] {
			continue
		}
		if b, err := j.takesAlone(q); err == nil {
			asked[k], bytes = true, max(bytes, b)
		}
	}
	return bytes
}

// takesAlone is what the picture's restoration takes.
func (j *job) takesAlone(q *equipment) (bytes int, err error) {
	r := *j.restoration
	r.console = &console{stdout: io.Discard, stderr: io.Discard, quiet: true}
	if err := r.open(); err != nil {
		return 0, err
	}
	if _, _, _, err := r.chooseMethod(); err != nil {
		return 0, err
	}
	sides, err := r.flags.sides(q.denoiser, r.problem.Operator)
	if err != nil {
		return 0, err
	}
	_, bytes, err = q.restorer.Fit(r.problem.Measurement, r.settings, r.options, math.MaxInt, sides...)
	return bytes, err
}
