package main

import (
	"path/filepath"
	"time"

	"github.com/spf13/pflag"

	"github.com/seed-0f004ec9/spgd/imageio"
	"github.com/seed-0f004ec9/spgd/report/html"
	"github.com/seed-0f004ec9/spgd/sampler"
)

// watchOptions ask for what shows a restoration and does not change it: a page about it, and its
// estimate while it runs.
type watchOptions struct {
	report       string
	preview      string
	previewEvery int
}

// AddFlags adds them.
func (o *watchOptions) AddFlags(f *pflag.FlagSet) {
	f.StringVar(&o.report, "report", "", "write a page about the restoration to `PAGE`, an .html file that needs nothing else: before\n"+
		"and after, what the measurement still says, curves of all steps, settings")
	f.StringVar(&o.preview, "preview", "", "write the estimate to `PICTURE` (.png, .jpg or .jpeg) while the restoration runs, as often as\n"+
		"costs some 3 % of the time")
	f.IntVar(&o.previewEvery, "preview-every", 0, "--preview: write it every `K` steps and at the end instead")
}

// check checks the files that are written beside the output. They must be none that is read, and all
// different; files may hold words that are no paths.
func (o *watchOptions) check(f *pflag.FlagSet, output string, files ...string) error {
	if f.Changed("preview-every") && o.preview == "" {
		return usagef("--preview-every is for --preview")
	}
	if f.Changed("preview-every") && o.previewEvery < 1 {
		return usagef("--preview-every %d: it must be at least 1", o.previewEvery)
	}
	if o.report != "" {
		if ext := filepath.Ext(o.report); ext != ".html" && ext != ".htm" {
			return usagef("--report %s: the page is an .html file", o.report)
		}
		if err := checkBeside("report", o.report, append(files, output, o.preview)); err != nil {
			return err
		}
		if err := imageio.CheckWritable(o.report); err != nil {
			return as(errOutput, err)
		}
	}
	if o.preview == "" {
		return nil
	}
	if err := checkBeside("preview", o.preview, append(files, output)); err != nil {
		return err
	}
	return as(errOutput, imageio.CheckOutput(o.preview, imageio.WriteOptions{}))
}

// checkBeside sees to it that a file that is written is none of the others.
func checkBeside(flag, path string, others []string) error {
	for _, other := range others {
		if other != "" && (sameFile(path, other) || filepath.Clean(path) == filepath.Clean(other)) {
			return usagef("--%s %s would replace %s", flag, path, other)
		}
	}
	return nil
}

// watch adds the observers that the flags ask for.
func (r *restoration) watch() {
	o := r.flags.watchOptions
	if o.report != "" {
		r.estimates = &estimates{restoration: r}
		r.options.Observers = append(r.options.Observers, r.estimates)
	}
	if o.preview != "" {
		r.options.Observers = append(r.options.Observers, newPreview(r, o))
	}
}

// estimate calls f with the estimate of a step as a picture, whose values are not f's to keep.
func (r *restoration) estimate(s *sampler.Snapshot, f func(m *imageio.Image) error) error {
	height, width := r.problem.Operator.ImageSize()
	return s.ViewX0hat(func(data []float32) error {
		return f(&imageio.Image{Height: height, Width: width, Channels: len(data) / (height * width), Pix: data})
	})
}

// asResult makes of an estimate what finish makes of the result: the channels of the problem and
// colours that a file can hold. m is changed unless it is converted to grey.
func (r *restoration) asResult(m *imageio.Image, profile []byte) (*imageio.Image, error) {
	if r.problem.channels() == 1 {
		m = m.Grey()
	}
	return m, imageio.Clip(m, profile)
}

// estimates keeps some estimates on the way, in a small size.
type estimates struct {
	restoration *restoration
	list        []html.Estimate
}

// ObserveStep keeps the estimates that the page shows.
func (e *estimates) ObserveStep(s *sampler.Snapshot) error {
	if s.Sample > 0 || !html.Shown(s.K, s.Steps) {
		return nil
	}
	return e.restoration.estimate(s, func(m *imageio.Image) error {
		small, err := html.Thumbnail(m)
		if err != nil {
			return err
		}
		if small, err = e.restoration.asResult(small, nil); err != nil {
			return err
		}
		e.list = append(e.list, html.Estimate{Step: s.K + 1, Sigma: s.Sigma, Image: small})
		return nil
	})
}

// previewShare is the part of the time that previews may take.
const previewShare = 0.03

// preview writes the estimate to a file now and then.
type preview struct {
	restoration *restoration
	output      outputOptions
	write       imageio.WriteOptions
	every       int // steps, or 0 for as often as previewShare allows

	end, took time.Duration // of the last writing
	failed    bool
}

func newPreview(r *restoration, o watchOptions) *preview {
	p := &preview{restoration: r, output: r.flags.output, every: o.previewEvery}
	p.output.path = o.preview
	if format, err := imageio.FormatOf(o.preview); err == nil && format == imageio.JPEG {
		p.output.depth = 0
	}
	// The record in the metadata is left out: a preview is no result that could be repeated.
	p.write, _ = p.output.writeOptions(r.problem.picture, r.problem.alpha, r.problem.channels())
	return p
}

// due says whether the estimate of a step is to be written.
func (p *preview) due(s *sampler.Snapshot) bool {
	switch {
	case p.failed, s.Sample > s.First: // of samples that are computed at once the first is shown
		return false
	case s.K == s.Steps-1:
		return true
	case p.every > 0:
		return (s.K+1)%p.every == 0
	}
	return p.took == 0 || previewShare*float64(s.Elapsed-p.end) >= float64(p.took)
}

// ObserveStep writes the estimate if it is due.
func (p *preview) ObserveStep(s *sampler.Snapshot) error {
	if !p.due(s) {
		return nil
	}
	start := time.Now()
	p.note(p.restoration.estimate(s, func(m *imageio.Image) error {
		picture, err := p.restoration.asResult(m.Clone(), p.write.Profile)
		if err != nil {
			return err
		}
		return p.save(picture)
	}))
	p.took = max(1, time.Since(start))
	p.end = s.Elapsed + p.took
	return nil
}

func (p *preview) save(m *imageio.Image) error { return imageio.Write(p.output.path, m, p.write) }

// note takes what became of a preview. One that cannot be written does not end the restoration.
func (p *preview) note(err error) {
	if err != nil {
		p.failed = true
		p.restoration.console.warn("there will be no more previews: " + message(as(errOutput, err)))
	}
}
