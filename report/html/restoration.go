package html

import (
	"fmt"
	"math"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/seed-0f004ec9/spgd/imageio"
	"github.com/seed-0f004ec9/spgd/report"
)

// Restoration is what the report of a restored picture shows.
type Restoration struct {
	Run        *report.Run    // complete, with its steps
	Before     *imageio.Image // the measurement as a picture, or nil if it is none
	After      *imageio.Image // the result
	Residual   *Residual      // of the result
	Spread     *Spread        // of the samples that the result is the mean of, or nil of one
	Trajectory []Estimate     // some of the estimates on the way
}

// Estimate is the estimate of the clean picture after an outer step.
type Estimate struct {
	Step  int // from 1
	Sigma float64
	Image *imageio.Image
}

// Page makes the page. Files are named without their folders.
func (r *Restoration) Page() (*Page, error) {
	run := r.Run
	p := &Page{
		Kind: "Restoration", Title: fileName(run.Input, "Restored picture"), Subtitle: subtitle(run),
		Facts: r.facts(), Warnings: run.Warnings, Footer: footer(run),
	}
	for _, make := range []func() (*Section, error){r.compare, r.spread, r.residual, r.trajectory, r.steps, r.settings} {
		s, err := make()
		if err != nil {
			return nil, err
		}
		if s != nil {
			p.Sections = append(p.Sections, *s)
		}
	}
	return p, nil
}

// taskNames are the tasks in words.
var taskNames = map[string]string{
	"sr": "super-resolution", "inpaint": "inpainting", "deblur": "deblurring", "denoise": "denoising",
	"colorize": "colourisation", "phase": "phase retrieval", "hdr": "recovery of clipped highlights",
}

func subtitle(run *report.Run) string {
	task, ok := taskNames[run.Task]
	if !ok {
		task = run.Task
	}
	text := strings.ToUpper(task[:min(1, len(task))]) + task[min(1, len(task)):] + " (" + run.Operator + ")"
	if run.Noise.Sigma > 0 {
		text += ", " + run.Noise.Model + " noise of σ = " + short(float64(run.Noise.Sigma))
	}
	if run.Sampler != nil {
		text += ", by " + run.Sampler.Name
	}
	if run.Prior != nil {
		text += " with the prior " + filepath.Base(run.Prior.Name)
	}
	return text
}

func (r *Restoration) facts() []Fact {
	run := r.Run
	var list []Fact
	if fit := run.DataFit; fit != nil {
		list = append(list, fitFact(fit))
	}
	list = append(list, Fact{Name: "Picture", Value: fmt.Sprintf("%d × %d", run.Image.Width, run.Image.Height), Note: "pixels"})
	if s := run.Samples; s != nil && s.Number > 1 {
		f := Fact{Name: "Samples", Value: strconv.Itoa(s.Number), Note: "of which the result is the mean"}
		if c := run.Starts; c != nil {
			f.Name, f.Note = "Starts", fmt.Sprintf("of which number %d has the smallest residual", c.Chosen)
		}
		list = append(list, f)
	}
	if c := run.Cost; c != nil {
		list = append(list, Fact{Name: "Evaluations of the prior", Value: strconv.Itoa(c.NFE), Note: fmt.Sprintf("%d of them with gradient", c.VJPs)})
	}
	if t := run.Timings; t != nil {
		list = append(list, Fact{Name: "Time", Value: short(float64(t.Total)) + " s", Note: fmt.Sprintf("on %d threads", run.Engine.Threads)})
	}
	return append(list, Fact{Name: "Seed", Value: strconv.FormatUint(run.Seed, 10)})
}

// fitFact says how well the result explains the measurement, in a word.
func fitFact(fit *report.DataFit) Fact {
	f := Fact{Name: "Residual (RMS)", Value: short(float64(fit.ResidualRMS)), Note: "of the degraded result against the input"}
	ratio := float64(fit.Ratio)
	if fit.Sigma <= 0 || math.IsNaN(ratio) {
		return f
	}
	f.Value = fmt.Sprintf("%.2f σ", ratio)
	switch {
	case ratio > 1.25:
		f.Note = "more than the noise: not all is explained"
	case ratio < 0.8:
		f.Note = "less than the noise: some of it is reproduced"
	default:
		f.Note = "as large as the noise, as it should be"
	}
	return f
}

func footer(run *report.Run) string {
	text := "Made by spgd " + run.Program.Version + "."
	if run.Command == "restore" && run.Input != nil && run.Output != nil {
		text += " The picture holds the record of this run; spgd restore --from repeats it to the byte."
	}
	return text
}

func (r *Restoration) compare() (*Section, error) { return Pictures(r.Before, r.After) }

// Pictures compares a measurement with a result, or shows the result alone where before is nil because
// the measurement is no picture.
func Pictures(before, after *imageio.Image) (*Section, error) {
	result, err := Embed(after, MaxSide, "Result")
	if err != nil {
		return nil, err
	}
	if before == nil {
		return &Section{Title: "Result", Images: []Figure{{result, result.Note}}}, nil
	}
	measured, err := Embed(before, MaxSide, "Measurement")
	if err != nil {
		return nil, err
	}
	// A measurement of fewer pixels shows them as they are.
	measured.Enlarged = measured.Enlarged || before.Width < after.Width
	return &Section{Compare: &Compare{Before: measured, After: result, BeforeName: "Measurement", AfterName: "Result", Caption: result.Note}}, nil
}

func (r *Restoration) residual() (*Section, error) {
	if r.Residual == nil {
		return nil, nil
	}
	m, err := r.Residual.Map()
	if err != nil {
		return nil, err
	}
	s := &Section{Title: "What the measurement still says", Map: m}
	if r.Residual.sigma > 0 {
		s.Text = fmt.Sprintf("The result x, degraded again, against the measurement y: |A(x) − y| in units of the noise’s σ, for every pixel of the measurement (root mean square over its channels). "+
			"Where the result is right the map is noise of about 1 σ without any structure. Bright edges or objects are what the result has not taken up; large areas near 0 are noise that it has reproduced. "+
			"%s of all values are beyond 3 σ, where Gaussian noise has 0.27 %%.", percent(r.Residual.Beyond()))
	} else {
		s.Text = "The result x, degraded again, against the measurement y: |A(x) − y| for every pixel of the measurement (root mean square over its channels)"
		if r.Residual.unitName != "" {
			s.Text += ", in steps of an 8-bit picture"
		}
		s.Text += ". No noise was named, so that a result that explains the measurement leaves nothing: bright edges or objects are what it has not taken up."
	}
	if r.Residual.Partial() {
		s.Text += " Grey pixels are those that the mask drops."
	}
	return s, nil
}

func (r *Restoration) trajectory() (*Section, error) {
	if len(r.Trajectory) == 0 {
		return nil, nil
	}
	images, err := Trajectory(r.Trajectory)
	return &Section{
		Title:  "How the picture came about",
		Text:   "The prior’s estimate of the clean picture, x0hat = D(x; σ), at some of the steps" + ofFirst(r.Run) + ", from much noise in the state x to little.",
		Images: images,
	}, err
}

// ofFirst says of what is shown of one sample that there are others.
func ofFirst(run *report.Run) string {
	if run.Samples == nil || run.Samples.Number == 1 {
		return ""
	}
	if run.Samples.Choose != "" {
		return " of the first start"
	}
	return " of the first sample"
}

func fileName(f *report.File, otherwise string) string {
	if f == nil || f.Path == "" {
		return otherwise
	}
	return filepath.Base(f.Path)
}

// short writes a number in up to three significant digits.
func short(v float64) string { return strconv.FormatFloat(round(v, 3), 'g', -1, 64) }

// round keeps so many significant digits.
func round(v float64, digits int) float64 {
	r, _ := strconv.ParseFloat(strconv.FormatFloat(v, 'g', digits, 64), 64)
	return r
}

func whole(n int) string { return strconv.Itoa(n) }

func percent(share float64) string { return short(100*share) + " %" }
