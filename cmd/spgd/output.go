package main

import (
	"strconv"
	"time"

	"github.com/spf13/pflag"

	"github.com/seed-0f004ec9/spgd/imageio"
	"github.com/seed-0f004ec9/spgd/operator"
	"github.com/seed-0f004ec9/spgd/report"
)

// outputOptions say where the resulting picture goes and how it is stored.
type outputOptions struct {
	path  string
	depth int
}

// AddFlags adds them.
func (o *outputOptions) AddFlags(f *pflag.FlagSet, what string) {
	f.SortFlags = false
	f.StringVarP(&o.path, "output", "o", "", "`OUT`, "+what+"; an existing file is replaced")
	f.IntVar(&o.depth, "depth", 0, "`BITS` a channel of a PNG, 8 or 16 (default that of the input, 8 for a measurement)")
}

// check checks the output before any work is done. It must not be the input nor any other file that
// is read; others may hold words that are no paths.
func (o *outputOptions) check(input string, others ...string) error {
	if o.path == "" {
		return usagef("no output is given: use -o FILE")
	}
	if o.depth != 0 && o.depth != 8 && o.depth != 16 {
		return usagef("--depth %d: a channel of a PNG has 8 or 16 bits", o.depth)
	}
	if format, err := imageio.FormatOf(o.path); err == nil && format == imageio.JPEG && o.depth == 16 {
		return usagef("--depth 16 is for a PNG, and %s is a JPEG", o.path)
	}
	if err := o.checkInputs(input, others...); err != nil {
		return err
	}
	return as(errOutput, imageio.CheckOutput(o.path, imageio.WriteOptions{Depth: o.depth}))
}

func (o *outputOptions) checkInputs(input string, others ...string) error {
	if sameFile(o.path, input) {
		return usagef("the output %s is the input", o.path)
	}
	for _, other := range others {
		if sameFile(o.path, other) {
			return usagef("the output %s would replace the input %s", o.path, other)
		}
	}
	return nil
}

// writeOptions settles how the picture is stored: as deep as the input unless told otherwise.
func (o *outputOptions) writeOptions(inputDepth int, alpha *imageio.Image) imageio.WriteOptions {
	format, err := imageio.FormatOf(o.path)
	w := imageio.WriteOptions{Depth: o.depth}
	if err != nil || format != imageio.PNG {
		return w
	}
	w.Alpha = alpha
	if w.Depth == 0 {
		w.Depth = 8
		if inputDepth == 16 {
			w.Depth = 16
		}
	}
	return w
}

// record describes the output file.
func (o *outputOptions) record(img *imageio.Image, w imageio.WriteOptions) *report.File {
	format, _ := imageio.FormatOf(o.path)
	r := &report.File{
		Path: o.path, Format: string(format), Width: img.Width, Height: img.Height,
		Channels: img.Channels, BitDepth: max(8, w.Depth), HasAlpha: w.Alpha != nil,
	}
	if r.HasAlpha {
		r.Channels++
	}
	return r
}

// record describes an image file that was read.
func (p *picture) record() report.File {
	return report.File{
		Path: p.path, Format: string(p.Format), Width: p.Width, Height: p.Height,
		Channels: p.Info.Channels, BitDepth: p.BitDepth, HasAlpha: p.HasAlpha, Orientation: p.Orientation,
	}
}

// metadata is the record of a run as the text that a picture carries.
func metadata(r *report.Run) (map[string]string, error) {
	text, err := r.Compact()
	if err != nil {
		return nil, err
	}
	return map[string]string{report.MetadataKey: text}, nil
}

func measurementSize(op operator.Operator) *report.Size {
	h, w, c := op.MeasurementSize()
	return &report.Size{Width: w, Height: h, Channels: c}
}

// paddedSize is the size of the state that the network sees: the image's, rounded up to multiples.
func paddedSize(height, width, multiple int) *report.Size {
	up := func(n int) int { return (n + multiple - 1) / multiple * multiple }
	return &report.Size{Width: up(width), Height: up(height)}
}

func seconds(d time.Duration) report.Number { return report.Number(d.Seconds()) }

// number writes a number in up to four significant digits.
func number(v float64) string { return strconv.FormatFloat(v, 'g', 4, 64) }
