package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"github.com/seed-0f004ec9/spgd/engine"
	"github.com/seed-0f004ec9/spgd/engine/cpu"
	"github.com/seed-0f004ec9/spgd/imageio"
	"github.com/seed-0f004ec9/spgd/internal/atomicfile"
	"github.com/seed-0f004ec9/spgd/internal/bench"
	"github.com/seed-0f004ec9/spgd/metric"
	"github.com/seed-0f004ec9/spgd/sampler"
)

// benchRunner is a runner with what has to be released after it.
type benchRunner struct {
	bench.Runner
	release []func()
}

func (r *benchRunner) close() {
	for _, f := range slices.Backward(r.release) {
		f()
	}
}

// runner loads the prior and the weights of LPIPS, and settles the tiles.
func (o *benchOptions) runner(q *equipment, s bench.Spec) (*benchRunner, error) {
	denoiser, record, err := q.prior()
	if err != nil {
		return nil, err
	}
	program, err := bench.ProgramID()
	if err != nil {
		return nil, err
	}
	tiles, err := o.tileOptions.of(denoiser, s.Size, s.Size)
	if err != nil {
		return nil, err
	}
	e := o.engineOptions.record(q.Engine)
	r := &benchRunner{Runner: bench.Runner{Engine: q.Engine, Prior: denoiser, Measures: metric.Measures()}}
	r.Base = bench.Causes{
		Prior: record.SHA256, Network: record.Network, Program: program, Platform: runtime.GOOS + "/" + runtime.GOARCH,
		Engine: e.Name, ISA: e.ISA, Precision: e.Precision, Convolution: e.Convolution,
	}
	if e.Device != "" {
		r.Base.Engine += " on " + e.Device
	}
	if tiles != nil {
		r.Base.Tile = tiles.Side
	}
	r.Base.Programs = o.programsOn(q.Engine)
	for _, m := range r.Measures {
		r.Base.Measures = append(r.Base.Measures, m.Name)
	}
	if len(s.LPIPS) > 0 {
		if err := r.addLPIPS(q.Engine, o, s.LPIPS); err != nil {
			r.close()
			return nil, err
		}
	}
	return r, nil
}

// addLPIPS adds the measure, on an engine of its own where the prior's is not the CPU's in float32.
func (r *benchRunner) addLPIPS(e *engine.Engine, o *benchOptions, weights []string) error {
	if o.precision != cpu.PrecisionF32 || e.Accelerator() != nil {
		f32 := o.engineOptions
		f32.precision, f32.device, f32.programs = cpu.PrecisionF32, "", ""
		var err error
		if e, err = f32.start(); err != nil {
			return err
		}
		r.release = append(r.release, e.Close)
	}
	m, id, release, err := lpipsMeasure(e, weights)
	if err != nil {
		return err
	}
	r.release = append(r.release, release)
	r.Measures, r.Base.Measures = append(r.Measures, m), append(r.Base.Measures, id)
	return nil
}

// journal opens the journal of the output folder, which it makes, and checks that the other files can
// be written.
func (o *benchOptions) journal(c *console) (*bench.Journal, error) {
	var files []string
	if o.report != "" {
		files = append(files, o.report)
	}
	path := ""
	if o.pictures && o.output == "" {
		return nil, usagef("--pictures needs -o FOLDER")
	}
	if o.output != "" {
		path = filepath.Join(o.output, benchJournal)
		files = append(files, filepath.Join(o.output, benchMarkdown), filepath.Join(o.output, benchCSV), filepath.Join(o.output, benchJSON))
		folder := o.output
		if o.pictures {
			folder = filepath.Join(o.output, benchPictures)
		}
		if err := os.MkdirAll(folder, 0o777); err != nil {
			return nil, as(errOutput, fmt.Errorf("cannot make the folder: %w", err))
		}
	}
	for _, file := range files {
		if err := atomicfile.CheckWritable(file); err != nil {
			return nil, as(errOutput, err)
		}
	}
	j, err := bench.OpenJournal(path)
	if err != nil {
		return nil, as(errOutput, err)
	}
	if j.Torn() {
		c.logf("the last line of %s was not whole and is dropped", path)
	}
	for _, folder := range o.with {
		if err := j.Lend(filepath.Join(folder, benchJournal)); err != nil {
			j.Close()
			return nil, as(errInput, err)
		}
	}
	return j, nil
}

// picture is the path of a cell's restored picture.
func (o *benchOptions) picture(c bench.Cell) string {
	return filepath.Join(o.output, benchPictures, c.FileName()+".png")
}

// save writes the tables to the output folder, and the page.
func (o *benchOptions) save(t *bench.Table, plan *bench.Plan) error {
	files := map[string]func(io.Writer) error{}
	if o.output != "" {
		files[filepath.Join(o.output, benchMarkdown)] = t.WriteMarkdown
		files[filepath.Join(o.output, benchCSV)] = t.WriteCSV
		files[filepath.Join(o.output, benchJSON)] = t.WriteJSON
	}
	if o.report != "" {
		var restored func(bench.Cell) (*imageio.Image, error)
		if o.pictures {
			restored = func(c bench.Cell) (*imageio.Image, error) {
				img, _, err := imageio.Read(o.picture(c))
				if errors.Is(err, fs.ErrNotExist) { // the cell is older than the flag, or not finished
					return nil, nil
				}
				return img, err
			}
		}
		page, err := t.Page(plan, restored)
		if err != nil {
			return err
		}
		files[o.report] = page.Write
	}
	for path, write := range files {
		if err := atomicfile.Write(path, write); err != nil {
			return as(errOutput, err)
		}
	}
	return nil
}

// benchProgress shows which cell is computed and how long the rest may take.
type benchProgress struct {
	console  *console
	plan     *bench.Plan
	missing  int // cells to compute
	computed int
	start    time.Time
	what     string
}

func (p *benchProgress) begin(_ int, c bench.Cell) {
	p.what = fmt.Sprintf("%s, %s, %s, seed %d", c.Causes.Task, c.Label, c.Image, c.Causes.Seed)
}

func (p *benchProgress) progress(s sampler.Progress) {
	if p.console.quiet || !p.console.terminal || s.Total <= 0 {
		return
	}
	part := min(s.Done/s.Total, 1)
	text := fmt.Sprintf("cell %d of %d (%s), %.0f %%", p.computed+1, p.missing, p.what, 100*part)
	if done := float64(p.computed) + part; p.computed > 0 {
		text += ", " + duration(time.Since(p.start).Seconds()*(float64(p.missing)-done)/done) + " left"
	}
	p.console.progressLine(text)
}

func (p *benchProgress) done(_ int, c bench.Cell) {
	p.computed++
	result := string(c.Status)
	if c.Status == bench.Finished {
		result = fmt.Sprintf("%.2f dB, %d evaluations, %.1f s", float64(c.Values["psnr"]), c.NFE, float64(c.Seconds))
	}
	p.console.logf("%d of %d: %s: %s", p.computed, p.missing, p.what, result)
}
