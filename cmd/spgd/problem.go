package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/seed-0f004ec9/spgd/imageio"
	"github.com/seed-0f004ec9/spgd/measurement"
	"github.com/seed-0f004ec9/spgd/operator"
	"github.com/seed-0f004ec9/spgd/report"
)

// problem is what restore reads: the measurement and what is known about the files.
type problem struct {
	*measurement.Measurement
	file     report.File
	settings *report.TaskSettings // nil for a measurement file
	picture  *picture             // nil for a measurement file
	alpha    *imageio.Image       // opacity to carry over, or nil
	warnings []string
}

// channels is the number of channels of the result: a grey picture stays grey.
func (p *problem) channels() int {
	if p.picture != nil && p.picture.Gray && p.Task.Name != operator.TaskColorize {
		return 1
	}
	return 3
}

// isMeasurement says whether the input is to be read as a measurement file.
func isMeasurement(path string) bool {
	return isSafetensorsName(path) || measurement.IsFile(path)
}

func isSafetensorsName(path string) bool {
	return strings.EqualFold(filepath.Ext(path), measurementExtension)
}

func loadMeasurement(path string) (*problem, error) {
	m, err := measurement.Load(path)
	if err != nil {
		return nil, as(errInput, err)
	}
	if m.Len() != 1 {
		return nil, as(errInput, fmt.Errorf("%s holds the measurements of %d images, restore takes one", path, m.Len()))
	}
	hash, err := report.HashFile(path)
	if err != nil {
		return nil, as(errInput, err)
	}
	h, w, c := m.Operator.MeasurementSize()
	return &problem{
		Measurement: m,
		file:        report.File{Path: path, Format: "safetensors", Width: w, Height: h, Channels: c, SHA256: hash},
	}, nil
}

// readDegraded makes the measurement of the task's picture.
func (o *restoreOptions) readDegraded(path string) (*problem, error) {
	pic, err := readPicture(path)
	if err != nil {
		return nil, err
	}
	files, settings, ignored, err := o.files()
	if err != nil {
		return nil, err
	}
	m, warnings, err := measurement.FromImage(o.task, pic.Image, o.noise, o.seed, files)
	if err != nil {
		return nil, err
	}
	if o.from != "" {
		warnings = append(warnings, o.noiseWarnings...)
	} else if o.noise.Estimated {
		warning, err := o.estimateNoise(m)
		if err != nil {
			return nil, as(errInput, fmt.Errorf("%w: give it with --noise SIGMA", err))
		}
		if warning != "" {
			warnings = append(warnings, warning)
		}
	}
	p := &problem{Measurement: m, file: pic.record(), settings: settings, picture: pic, warnings: slices.Concat(pic.Warnings, ignored, warnings)}
	if inpaint, ok := m.Operator.(*operator.Inpaint); ok && !slices.Contains(inpaint.Mask(), false) {
		p.warnings = append(p.warnings, "the mask keeps every pixel: there is nothing to fill")
	}
	if o.task.Drawn() {
		p.warnings = append(p.warnings, fmt.Sprintf("%s is drawn from the seed %d, which fits only a picture that was degraded with the same draw", m.Operator.Name(), o.seed))
	}
	pic.Image = nil // whose pixels the measurement has, or nobody needs any more
	if pic.Alpha != nil {
		h, w := m.Operator.ImageSize()
		if p.alpha, err = resized(pic.Alpha, h, w); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// noiseHint ends the warnings of estimateNoise, which a repetition has from the record.
const noiseHint = " (--noise SIGMA sets it)"

// estimateNoise gives the measurement the noise that it seems to have.
func (o *restoreOptions) estimateNoise(m *measurement.Measurement) (warning string, err error) {
	estimates, err := m.EstimateNoise()
	if err != nil {
		if !o.noiseByDefault {
			return "", err
		}
		m.Noise.Estimated = false
		return "the picture is too small to estimate its noise, which is taken to be 0" + noiseHint, nil
	}
	m.Noise.Sigma = estimates[0].Sigma
	if !estimates[0].Correlated {
		return "", nil
	}
	return "the noise is not independent in the colours, as in a JPEG file: the estimate of " + number(m.Noise.Sigma) +
		" is that of single channels and may be far off" + noiseHint, nil
}

// resized scales an opacity to another size, if it is one.
func resized(alpha *imageio.Image, height, width int) (*imageio.Image, error) {
	if alpha == nil || alpha.Height == height && alpha.Width == width {
		return alpha, nil
	}
	return imageio.Resize(alpha, height, width)
}
