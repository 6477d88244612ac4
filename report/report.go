// Package report records what made a result: program, prior, operator, settings, seed, cost and
// how well the result explains the measurement. The record is printed as JSON and, in a compact
// form, kept inside the output picture.
package report

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
)

// Schema is the version of the JSON form. Fields may be added under the same number; it grows
// when a field is renamed, removed or changes its meaning.
const Schema = 1

// MetadataKey is the key under which a picture carries the compact form.
const MetadataKey = "spgd"

// Run is the record of one restoration.
type Run struct {
	Schema  int     `json:"schema"`
	Program Program `json:"program"`
	Command string  `json:"command"` // "restore" or "degrade"

	Task     string `json:"task"`     // "sr", "inpaint", ...
	Operator string `json:"operator"` // canonical name with settings, such as "sr:4"
	// TaskSettings are what the task was given beside its name; nil for a measurement file, which
	// holds them.
	TaskSettings *TaskSettings `json:"task_settings,omitempty"`
	Noise        Noise         `json:"noise"`
	Seed         uint64        `json:"seed"`
	Input        *File         `json:"input,omitempty"`
	Output       *File         `json:"output,omitempty"`
	Image        Size          `json:"image"`                 // of the restored image
	Measurement  *Size         `json:"measurement,omitempty"` // of y
	Padded       *Size         `json:"padded,omitempty"`      // of the state that the network saw, if it saw it whole
	Tiles        *Tiles        `json:"tiles,omitempty"`       // in which the network saw the state

	Prior   *Prior   `json:"prior,omitempty"`
	Engine  Engine   `json:"engine"`
	Sampler *Sampler `json:"sampler,omitempty"`
	Samples *Samples `json:"samples,omitempty"` // nil for the first one alone

	// Batch is the number of images of the batch in which an accelerator computed it, if it was not alone. By it the
	// result differs by rounding.
	Batch int `json:"batch,omitempty"`

	Cost     *Cost    `json:"cost,omitempty"`
	Spread   *Spread  `json:"spread,omitempty"` // of several samples
	Starts   *Starts  `json:"starts,omitempty"` // where one of several is chosen
	DataFit  *DataFit `json:"data_fit,omitempty"`
	Timings  *Timings `json:"timings,omitempty"`
	Steps    []Step   `json:"steps,omitempty"`
	Warnings []string `json:"warnings,omitempty"`
	Repeat   *Repeat  `json:"repeat,omitempty"`
	Resumed  *Resumed `json:"resumed,omitempty"`
}

// FromFile stands for the path of a mask or kernel in TaskSettings.
const FromFile = "file"

// TaskSettings are the settings of a task in the words of the command line, with files known by
// their content.
type TaskSettings struct {
	Scale        int    `json:"scale,omitempty"`
	Mask         string `json:"mask,omitempty"` // random:FRACTION, box:SIZE or FromFile
	MaskSHA256   string `json:"mask_sha256,omitempty"`
	InvertMask   bool   `json:"invert_mask,omitempty"`
	Kernel       string `json:"kernel,omitempty"` // gaussian:STD, motion:... or FromFile
	KernelSHA256 string `json:"kernel_sha256,omitempty"`
}

// Repeat says how a run that repeats an earlier result compares with it.
type Repeat struct {
	Identical   bool     `json:"identical"`             // to the byte
	Differences []string `json:"differences,omitempty"` // between the records, as Differences lists them
}

// Resumed says from where a run went on that was interrupted. The result is that of an undisturbed run,
// and the compact form does not tell.
type Resumed struct {
	Sample  int    `json:"sample,omitempty"` // of several the one that was in progress, from 1
	Step    int    `json:"step"`             // the outer steps before, of that sample
	Elapsed Number `json:"elapsed_s"`        // what they took, in seconds
}

// New returns a record with the schema and the running program filled in.
func New(command string) *Run {
	return &Run{Schema: Schema, Program: ThisProgram(), Command: command}
}

// Noise is the measurement noise that was assumed (restore) or added (degrade).
type Noise struct {
	Model string `json:"model"` // "gaussian" or "poisson"
	Sigma Number `json:"sigma"` // standard deviation in units of the range [-1,1]
	// Estimated says that Sigma was estimated from the measurement.
	Estimated bool `json:"estimated,omitempty"`
}

// Size is that of an array, in pixels.
type Size struct {
	Width    int `json:"width"`
	Height   int `json:"height"`
	Channels int `json:"channels,omitempty"`
}

// Tiles are overlapping parts of one size that cover the image.
type Tiles struct {
	Side    int `json:"side"` // the largest that was asked for
	Width   int `json:"width"`
	Height  int `json:"height"`
	Overlap int `json:"overlap"` // the least
	Number  int `json:"number"`
}

// File is a picture or measurement file.
type File struct {
	Path        string `json:"path,omitempty"`
	Format      string `json:"format,omitempty"`
	Width       int    `json:"width,omitempty"`
	Height      int    `json:"height,omitempty"`
	Channels    int    `json:"channels,omitempty"` // in the file, alpha among them
	BitDepth    int    `json:"bit_depth,omitempty"`
	HasAlpha    bool   `json:"has_alpha,omitempty"`
	Orientation int    `json:"orientation,omitempty"` // EXIF, already applied
	Profile     string `json:"profile,omitempty"`     // name of the ICC profile
	Quality     int    `json:"quality,omitempty"`     // of a JPEG that was written
	SHA256      string `json:"sha256,omitempty"`      // of an input
}

// Prior is the network.
type Prior struct {
	Name       string `json:"name"`
	SHA256     string `json:"sha256"`            // of the weights file
	File       string `json:"file,omitempty"`    // empty for an embedded prior
	Network    string `json:"network,omitempty"` // that was named, of a checkpoint that does not describe its own
	Parameters int64  `json:"parameters,omitempty"`
}

// Engine is what computed.
type Engine struct {
	Name      string `json:"name"`
	ISA       string `json:"isa,omitempty"`       // instruction set of the kernels: portable, avx2, avx512, neon
	Precision string `json:"precision,omitempty"` // of the network's arithmetic: f32, tf32, bf16
	Threads   int    `json:"threads,omitempty"`
	// Device is the accelerator, by its name.
	Device string `json:"device,omitempty"`
	// Programs is "stage" where stages were programs of the accelerator rather than outer steps, because it was asked for or
	// for want of memory. By it the result differs by rounding.
	Programs string `json:"programs,omitempty"`
	// Convolution is how 3x3 convolutions were computed, if that was not left to the engine.
	Convolution string `json:"convolution,omitempty"`
}

// Sampler holds every setting of the sampling method.
type Sampler struct {
	Name         string `json:"name"`
	Preset       string `json:"preset,omitempty"`
	Steps        int    `json:"steps"`  // T
	Warmup       int    `json:"warmup"` // N
	Beta         Number `json:"beta"`
	ADM          string `json:"adm"`
	Denoise      string `json:"denoise"`
	SigmaMax     Number `json:"sigma_max"`
	SigmaMin     Number `json:"sigma_min"`
	StepSize     Number `json:"step_size"`      // at the first outer step; -1 if each follows from the problem
	StepSizeRule string `json:"step_size_rule"` // how it was chosen: "given", "auto", "2.5/lambda_max, lambda_max=1", ...
	MinStepRatio Number `json:"min_step_ratio"` // of the last step size to the first

	// Average says that the result is the mean of all levels' estimates.
	Average bool `json:"average,omitempty"`
	// Antithetic says that levels have opposite noise in pairs.
	Antithetic bool `json:"antithetic,omitempty"`
	// Ancestral says that levels followed each other as in the reverse of the diffusion.
	Ancestral bool `json:"ancestral,omitempty"`

	// Parameters are the settings of a method other than SPGD, by name: numbers, booleans and words.
	// Of such a method the fields above but for Name and Steps are zero.
	Parameters map[string]any `json:"parameters,omitempty"`
}

// Samples are the restorations that a result is the mean of, or one of, which differ in their random numbers alone.
type Samples struct {
	Number int `json:"number"`
	First  int `json:"first"` // of all that the seed has, from 1
	// Choose says by what one of them was chosen, ChosenByResidual; empty for the mean.
	Choose string `json:"choose,omitempty"`
}

// ChosenByResidual is the choice of the sample with the smallest residual.
const ChosenByResidual = "residual"

// Starts says which sample was chosen.
type Starts struct {
	Chosen    int      `json:"chosen"`        // from 1
	Residuals []Number `json:"residuals_rms"` // of all of them, before they were clipped
}

// Spread says how far samples are apart. The spread of a pixel is their standard deviation, its square unbiased,
// as the root mean square over the channels, in units of the range [-1,1].
type Spread struct {
	Mean Number `json:"mean"` // over the pixels
	Max  Number `json:"max"`
}

// Cost counts evaluations of the denoiser. NFE counts each of them once.
type Cost struct {
	Forwards int `json:"forwards"` // without gradient
	VJPs     int `json:"vjps"`     // with
	NFE      int `json:"nfe"`
}

// Timings are in seconds of wall-clock time.
type Timings struct {
	Load    Number `json:"load_s"`
	Compile Number `json:"compile_s"`
	Sample  Number `json:"sample_s"` // without compilation
	Total   Number `json:"total_s"`
}

// Step is one line of the table of outer steps, of one image.
type Step struct {
	Sample       int    `json:"sample,omitempty"` // from 1, of several samples
	K            int    `json:"k"`
	Sigma        Number `json:"sigma"`
	SigmaNext    Number `json:"sigma_next"`
	StepSize     Number `json:"step_size"`
	Loss         Number `json:"loss"` // ||A(x0hat) - y||^2
	GradientNorm Number `json:"gradient_norm"`
	NFE          int    `json:"nfe"`       // since the start
	Elapsed      Number `json:"elapsed_s"` // since the start
	// Alpha is the momentum's share of beta at each likelihood step from the second on.
	Alpha []Number `json:"alpha,omitempty"`
	// Angles in degrees between denoise direction and likelihood gradient, and of each with that
	// of the step before; nil where there is none.
	AngleDenoiseLikelihood *Number `json:"angle_denoise_likelihood_deg,omitempty"`
	AngleLikelihoodTurn    *Number `json:"angle_likelihood_turn_deg,omitempty"`
	AngleDenoiseTurn       *Number `json:"angle_denoise_turn_deg,omitempty"`
}

// DataFit says how well A(x) of the result explains the measurement. A result that fits as well
// as the truth would has a residual RMS near the noise's sigma: far above, the measurement is not
// explained; far below, its noise is reproduced.
type DataFit struct {
	Entries     int    `json:"entries"`      // of the residual that were counted
	ResidualRMS Number `json:"residual_rms"` // sqrt(mean (A(x) - y)^2)
	Sigma       Number `json:"sigma"`        // of the noise, in the same units
	Ratio       Number `json:"ratio"`        // residual_rms / sigma
}

// NewDataFit takes the sum of the squared residual over entries values. entries counts only
// values that the image can influence: not the dropped pixels of a mask.
func NewDataFit(sumSquares float64, entries int, sigma float64) *DataFit {
	rms := math.Sqrt(sumSquares / float64(entries))
	return &DataFit{entries, Number(rms), Number(sigma), Number(rms / sigma)}
}

// WriteJSON writes the record, indented and with a final newline.
func (r *Run) WriteJSON(w io.Writer) error {
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	if _, err := w.Write(append(b, '\n')); err != nil {
		return fmt.Errorf("report: cannot write: %w", err)
	}
	return nil
}

// Compact is the record in one line without what changes from run to run or tells about the
// machine: paths, timings, threads and the table of steps. The same settings and seed give the
// same text, so that it can lie in an output that has to be the same to the byte.
func (r *Run) Compact() (string, error) {
	c := *r
	c.Timings, c.Steps, c.Repeat, c.Resumed = nil, nil, nil, nil
	c.Engine.Threads = 0
	for _, f := range []**File{&c.Input, &c.Output} {
		if *f != nil {
			g := **f
			g.Path = ""
			*f = &g
		}
	}
	if c.Prior != nil {
		p := *c.Prior
		p.File = ""
		c.Prior = &p
	}
	b, err := json.Marshal(&c)
	if err != nil {
		return "", fmt.Errorf("report: %w", err)
	}
	return string(b), nil
}

// Parse reads either JSON form of a record. Fields that this version does not know are ignored; a
// newer schema is an error.
func Parse(data []byte) (*Run, error) {
	var r Run
	if err := json.Unmarshal(data, &r); err != nil {
		return nil, fmt.Errorf("report: not a record of a run: %w", err)
	}
	if r.Schema < 1 || r.Schema > Schema {
		return nil, fmt.Errorf("report: the record has schema %d, this program reads 1 to %d", r.Schema, Schema)
	}
	return &r, nil
}
