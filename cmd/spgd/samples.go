package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"github.com/seed-0f004ec9/spgd"
	"github.com/seed-0f004ec9/spgd/imageio"
	"github.com/seed-0f004ec9/spgd/internal/spread"
	"github.com/seed-0f004ec9/spgd/prior/checkpoint"
	"github.com/seed-0f004ec9/spgd/report"
	"github.com/seed-0f004ec9/spgd/sampler"
)

const (
	maxSamples  = 64
	bestSamples = 4 // of --quality best, see docs/samples.md
)

// samplesOptions say how many restorations a result is the mean of, and what else becomes of them.
type samplesOptions struct {
	samples int
	starts  int // of which the result is one
	first   int
	spread  string
	keep    bool
}

// AddFlags adds them.
func (o *samplesOptions) AddFlags(f *pflag.FlagSet) {
	f.IntVar(&o.samples, "samples", 1, fmt.Sprintf("restore `K` times (up to %d) with other random numbers and take the mean, see SAMPLES above", maxSamples))
	f.IntVar(&o.starts, "starts", 1, fmt.Sprintf("restore `K` times (up to %d) with other random numbers and take the result that explains IN best, see\nSTARTS above", maxSamples))
	f.IntVar(&o.first, "first-sample", 1, "`NUMBER` of the first sample of the seed to make")
	f.StringVar(&o.spread, "spread", "", "write how far the samples are apart to `FILE`: a grey picture (.png), or numbers (.safetensors)")
	f.BoolVar(&o.keep, "keep-samples", false, "write every sample beside OUT too, as OUT.sample-1.png and so on")
}

// samplesHelp is the section of restore's help.
const samplesHelp = `SAMPLES
A restoration is about one draw from the pictures that explain IN. --samples K makes K of them,
which differ in their random numbers alone, and OUT is their mean: nearer to the truth, and
smoother. It takes K times as long and hardly more memory. --quality best is the default
settings with --samples 4, which gain a few hundredths of a dB.

Sample 1 is the restoration without --samples. Sample N alone is --first-sample N, so that
samples can be made here and there; --keep-samples writes every one to a file, with the bytes
that it has alone.

--spread FILE says for every pixel how far the samples are apart: their standard deviation, the
root mean square over the channels of sRGB values from -1 to 1. Where it is large IN leaves open what was
there, and the prior has invented it; that it is small does not prove anything right. A PNG has 16 bits of grey, black
for 0; its text key "spgd-spread" tells for which value white stands (a value is pixel/65535
times that), with all settings. A .safetensors file holds the tensor "spread", [height, width,
channel], in float32. By default the error is about ten times the spread, since the runs aim at one mean: with
--preset posterior they are draws from the posterior, and it is about twice the spread. See docs/samples.md.

Where every sample would be the same, as in denoising with a known --noise, one is made.

STARTS
Phase retrieval has other solutions than the picture, and a run from noise may end in one. --starts K makes
K samples, and OUT is the one whose residual is the smallest; "spgd bench" does so for phase@0.05*4. A small
residual does not prove it right, and the picture turned by 180 degrees has the same. --starts and
--samples exclude each other: the mean of different solutions is none. --keep-samples writes every start.
`

// number is how many samples are made, to take the mean of them or one.
func (o *samplesOptions) number() int { return max(o.samples, o.starts) }

// several says whether there is more than one sample.
func (o *samplesOptions) several() bool { return o.number() > 1 }

// check checks the flags. The files that are written must be none of the others, nor of those that are read, files; these may
// hold words that are no paths.
func (o *samplesOptions) check(output *outputOptions, others ...string) error {
	most := sampler.MaxSamples
	switch {
	case o.samples < 1 || o.samples > maxSamples:
		return usagef("--samples %d: it must be 1 to %d", o.samples, maxSamples)
	case o.starts < 1 || o.starts > maxSamples:
		return usagef("--starts %d: it must be 1 to %d", o.starts, maxSamples)
	case o.samples > 1 && o.starts > 1:
		return usagef("--starts %d: a result is one of several starts or the mean of %d samples (--samples, --quality best)", o.starts, o.samples)
	case o.first < 1 || o.first > most-o.number()+1:
		return usagef("--first-sample %d: it must be 1 to %d", o.first, most-o.number()+1)
	case o.starts > 1 && o.spread != "":
		return usagef("--spread is of the samples that a result is the mean of, not of --starts")
	case !o.several() && o.spread != "":
		return usagef("--spread is of several samples: give --samples 2 or more")
	case !o.several() && o.keep:
		return usagef("--keep-samples is for several samples: give --samples 2 or more, or --starts")
	}
	others = append(others, output.path)
	if o.keep {
		for n := o.first; n < o.first+o.number(); n++ {
			path := output.samplePath(n)
			if err := checkBeside("keep-samples", path, others); err != nil {
				return err
			}
			others = append(others, path)
		}
	}
	if o.spread == "" {
		return nil
	}
	if format, err := imageio.FormatOf(o.spread); !isSafetensorsName(o.spread) && (err != nil || format != imageio.PNG) {
		return usagef("--spread %s: the file is a .png or a .safetensors", o.spread)
	}
	if err := checkBeside("spread", o.spread, others); err != nil {
		return err
	}
	return as(errOutput, imageio.CheckWritable(o.spread))
}

// samplePath is where a sample is kept, counted from 1.
func (o *outputOptions) samplePath(n int) string {
	ext := filepath.Ext(o.path)
	return strings.TrimSuffix(o.path, ext) + ".sample-" + strconv.Itoa(n) + ext
}

// record is the samples' part of the record of a run, nil for the first one alone or where all are the
// same.
func (o *samplesOptions) record(same bool) *report.Samples {
	if same || !o.several() && o.first == 1 {
		return nil
	}
	s := &report.Samples{Number: o.number(), First: o.first}
	if o.starts > 1 {
		s.Choose = report.ChosenByResidual
	}
	return s
}

// repeated sets the flags to what an earlier run used.
func (o *samplesOptions) repeated(r *report.Run) {
	o.samples, o.starts, o.first = 1, 1, 1
	if s := r.Samples; s != nil {
		if o.first = s.First; s.Choose != "" {
			o.starts = s.Number
		} else {
			o.samples = s.Number
		}
	}
}

// settleSamples puts the samples into the options of a method, of which there is one if all would be the same.
func (r *restoration) settleSamples(m sampler.Sampler) error {
	o := r.flags.samplesOptions
	if !sampler.IsDeterministic(m) {
		r.options.Images = []uint32{sampler.SampleIndex(0, o.first-1)}
		if r.options.Samples = o.samples; o.starts > 1 {
			r.options.Starts = o.starts
		}
		if s, ok := m.(sampler.SPGD); ok && o.spread != "" && s.StepSize == sampler.AutoStep && !s.Ancestral {
			r.console.logf("the spread is far below the error with these settings, whose runs aim at one mean: --preset posterior draws from the posterior")
		}
		return nil
	}
	const why = "this restoration draws no random numbers (denoising with a known noise is one evaluation of the prior), so that every sample would be the same"
	switch {
	case o.spread != "":
		return usagef("--spread: %s", why)
	case o.keep:
		return usagef("--keep-samples: %s", why)
	case o.several():
		r.console.logf("%s: it is made once", why)
	}
	return nil
}

// keepSamples has every sample written to a file as it is complete, where that is asked for.
func (r *restoration) keepSamples(ctx context.Context, q *equipment) {
	if !r.flags.keep {
		return
	}
	r.options.EachSample = func(i int, result *spgd.Result) error {
		n := r.flags.first + i
		one, flags, record := *r, *r.flags, *r.record
		flags.samples, flags.starts, flags.first, flags.report = 1, 1, n, ""
		record.Samples, record.Resumed = flags.samplesOptions.record(false), nil
		one.flags, one.record = &flags, &record
		one.result = &spgd.Result{Images: []*imageio.Image{result.Images[0].Clone()}, Run: result.Run}
		if err := one.finish(ctx, q); err != nil {
			return err
		}
		text, err := metadata(one.record)
		if err != nil {
			return err
		}
		one.write.Metadata = text
		return as(errOutput, imageio.Write(r.flags.output.samplePath(n), one.image, one.write))
	}
}

// checkKept sees to it that the samples that a checkpoint counts as complete have been kept.
func (r *restoration) checkKept(complete int) error {
	if !r.flags.keep {
		return nil
	}
	for n := r.flags.first; n < r.flags.first+complete; n++ {
		path := r.flags.output.samplePath(n)
		if _, err := os.Stat(path); err != nil {
			return startOver(fmt.Errorf("the checkpoint %s goes on after sample %d, of which there is no %s: %w", r.checkpointPath(), n, path, fs.ErrNotExist))
		}
	}
	return nil
}

// spreadText is what a file of a spread says about itself.
type spreadText struct {
	Unit  string         `json:"unit"`
	White *report.Number `json:"white,omitempty"` // of a picture, the value that white stands for
	report.Spread
	Run json.RawMessage `json:"run"` // record of the result
}

// Keys under which a file of a spread has that text, and of the format of numbers.
const (
	spreadKey    = "spgd-spread"
	spreadFormat = "spgd.spread"
)

// writeSpread writes the file of the spread, if there is to be one.
func (r *restoration) writeSpread() error {
	path := r.flags.spread
	if path == "" {
		return nil
	}
	run, err := r.record.Compact()
	if err != nil {
		return err
	}
	text := spreadText{Unit: "standard deviation of the samples in units of the range [-1,1]", Spread: *r.record.Spread, Run: json.RawMessage(run)}
	if isSafetensorsName(path) {
		words, err := json.Marshal(text)
		if err != nil {
			return fmt.Errorf("cannot encode the spread's settings: %w", err)
		}
		m := r.result.Spread[0]
		return as(errOutput, imageio.WriteFileAtomic(path, func(w io.Writer) error {
			return checkpoint.Write(w, map[string]checkpoint.Tensor{"spread": {Shape: []int{m.Height, m.Width, m.Channels}, Data: m.Pix}},
				map[string]string{"format": spreadFormat, "version": "1", spreadKey: string(words)})
		}))
	}
	top := r.spread.Top()
	text.Unit += ", root mean square over the channels"
	text.White = (*report.Number)(&top)
	words, err := json.Marshal(text)
	if err != nil {
		return fmt.Errorf("cannot encode the spread's settings: %w", err)
	}
	return as(errOutput, imageio.Write(path, r.spread.Picture(top), imageio.WriteOptions{Depth: 16, Metadata: map[string]string{spreadKey: string(words)}}))
}

// takeSpread notes how far the samples are apart.
func (r *restoration) takeSpread() {
	if len(r.result.Spread) > 0 {
		r.spread = spread.Of(r.result.Spread[0])
		r.record.Spread = r.spread.Summary()
	}
}

// takeStarts notes which of several starts was chosen.
func (r *restoration) takeStarts() {
	if len(r.result.Chosen) == 0 {
		return
	}
	s := &report.Starts{Chosen: r.flags.first + r.result.Chosen[0]}
	for _, v := range r.result.Residuals {
		s.Residuals = append(s.Residuals, report.Number(v[0]))
	}
	r.record.Starts = s
}

// ofSample names a sample of several, for what follows a step in a sentence; n counts from 0.
func ofSample(n, samples int) string {
	if samples <= 1 {
		return ""
	}
	return fmt.Sprintf(" of sample %d", n+1)
}

// describePlace says where a run is.
func describePlace(p sampler.Progress) string {
	text := fmt.Sprintf("step %d of %d", p.Step+1, p.Steps)
	switch {
	case p.Batch > 1:
		return fmt.Sprintf("samples %d to %d of %d, %s", p.Sample+1, p.Sample+p.Batch, p.Samples, text)
	case p.Samples > 1:
		return fmt.Sprintf("sample %d of %d, %s", p.Sample+1, p.Samples, text)
	}
	return text
}
