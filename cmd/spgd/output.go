package main

import (
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/spf13/pflag"

	"github.com/seed-0f004ec9/spgd/imageio"
	"github.com/seed-0f004ec9/spgd/operator"
	"github.com/seed-0f004ec9/spgd/report"
)

// outputOptions say where the resulting picture goes and how it is stored.
type outputOptions struct {
	path    string
	depth   int
	quality int
}

// AddFlags adds them.
func (o *outputOptions) AddFlags(f *pflag.FlagSet, what string) {
	f.SortFlags = false
	f.StringVarP(&o.path, "output", "o", "", "`OUT`, "+what+"; an existing file is replaced")
	f.IntVar(&o.depth, "depth", 0, "`BITS` a channel of a PNG, 8 or 16 (default that of the input, 8 for a measurement)")
	f.IntVar(&o.quality, "jpeg-quality", imageio.DefaultQuality, "`QUALITY` of a JPEG, 1 to 100")
}

// check checks the output before any work is done.
func (o *outputOptions) check(input string, others ...string) error {
	if err := o.checkFlags(input, others...); err != nil {
		return err
	}
	return o.checkFile()
}

// checkFile says whether the output can be written.
func (o *outputOptions) checkFile() error {
	return as(errOutput, imageio.CheckOutput(o.path, imageio.WriteOptions{Depth: o.depth}))
}

// checkFlags is the part of check that asks for no folder yet. The output must not be the input nor any
// other file that is read; others may hold words that are no paths.
func (o *outputOptions) checkFlags(input string, others ...string) error {
	if o.path == "" {
		return usagef("no output is given: use -o FILE")
	}
	if o.depth != 0 && o.depth != 8 && o.depth != 16 {
		return usagef("--depth %d: a channel of a PNG has 8 or 16 bits", o.depth)
	}
	if format, err := imageio.FormatOf(o.path); err == nil && format == imageio.JPEG && o.depth == 16 {
		return usagef("--depth 16 is for a PNG, and %s is a JPEG", o.path)
	}
	if o.quality < 1 || o.quality > 100 {
		return usagef("--jpeg-quality %d: it must be 1 to 100", o.quality)
	}
	return o.checkInputs(input, others...)
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

// writeOptions settles how a picture of this number of channels that was made from source (nil for a
// measurement) is stored: as deep as the input unless told otherwise, with its EXIF and its colour
// profile. alpha is its opacity at the size of the output, or nil. warnings are about what is lost.
func (o *outputOptions) writeOptions(source *picture, alpha *imageio.Image, channels int) (w imageio.WriteOptions, warnings []string) {
	w.Depth = o.depth
	if source != nil {
		w.EXIF = source.EXIF
		if source.Profile != nil && imageio.ProfileFits(source.Profile, channels) {
			w.Profile = source.Profile
		} else if source.Profile != nil {
			warnings = append(warnings, fmt.Sprintf("the colour profile %q is for grey pictures: the result, which has colours, is in sRGB", source.ProfileName))
		}
	}
	format, err := imageio.FormatOf(o.path)
	if err != nil || format != imageio.PNG {
		w.Quality = o.quality
		if alpha != nil {
			warnings = append(warnings, "the opacity of the input is lost, because a JPEG cannot hold it")
		}
		return w, warnings
	}
	w.Alpha = alpha
	if w.Depth == 0 {
		w.Depth = 8
		if source != nil && source.BitDepth == 16 {
			w.Depth = 16
		}
	}
	return w, warnings
}

// record describes the output file. source is as for writeOptions.
func (o *outputOptions) record(source *picture, height, width, channels int, w imageio.WriteOptions) *report.File {
	format, _ := imageio.FormatOf(o.path)
	r := &report.File{
		Path: o.path, Format: string(format), Width: width, Height: height,
		Channels: channels, BitDepth: max(8, w.Depth), HasAlpha: w.Alpha != nil, Quality: w.Quality,
	}
	if r.HasAlpha {
		r.Channels++
	}
	if w.Profile != nil {
		r.Profile = source.ProfileName
	}
	return r
}

// record describes an image file that was read.
func (p *picture) record() report.File {
	return report.File{
		Path: p.path, Format: string(p.Format), Width: p.Width, Height: p.Height,
		Channels: p.Info.Channels, BitDepth: p.BitDepth, HasAlpha: p.HasAlpha, Orientation: p.Orientation,
		Profile: p.ProfileName, SHA256: p.SHA256,
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

// sameFile says whether two paths name one existing file.
func sameFile(a, b string) bool {
	x, err := os.Stat(a)
	if err != nil {
		return false
	}
	y, err := os.Stat(b)
	return err == nil && os.SameFile(x, y)
}
