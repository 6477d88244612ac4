package main

import (
	"math"
	"sync"

	"github.com/seed-0f004ec9/spgd/imageio"
	"github.com/seed-0f004ec9/spgd/measurement"
	"github.com/seed-0f004ec9/spgd/operator"
	"github.com/seed-0f004ec9/spgd/report"
	"github.com/seed-0f004ec9/spgd/sampler"
)

// differences lists in what a result that is there, by its record, differs from what the restoration
// would make: settings, or the content of the input, mask, kernel or prior. Version, engine and
// instruction set may differ: a result stays what it is when the program is updated.
func (r *restoration) differences(old *report.Run, q *equipment, hashes *fileHashes) ([]string, error) {
	out := r.flags.output.path
	if old.Input == nil || old.Output == nil || old.Prior == nil || old.Sampler == nil {
		return []string{"the record of " + out + " is not complete"}, nil
	}
	hash, err := hashes.of(r.input)
	if err != nil {
		return nil, err
	}
	if hash != old.Input.SHA256 {
		return []string{"the input is not the file that " + out + " was made from"}, nil
	}
	// The same input: what follows from it is as it was.
	now := *old
	now.Seed = r.flags.seed
	fromMeasurement := isMeasurement(r.input)
	if !fromMeasurement {
		if now.TaskSettings, err = r.flags.hashedSettings(hashes); err != nil {
			return nil, err
		}
		now.Task, now.Noise = r.flags.task.Name, noiseRecord(r.flags.noise)
		if now.Noise.Estimated {
			now.Noise.Sigma = old.Noise.Sigma // of the same input
		}
		if m := old.Measurement; r.flags.noiseByDefault && m != nil && !measurement.CanEstimateNoise(m.Height, m.Width) {
			now.Noise.Estimated = false // too small a picture
		}
	}
	if _, now.Prior, err = q.prior(); err != nil {
		return nil, err
	}
	engine := r.flags.engineOptions.record(q.Engine)
	now.Engine.Precision, now.Engine.Convolution = engine.Precision, engine.Convolution
	same := false
	if now.Sampler, same, err = r.samplerLike(old); err != nil {
		return nil, err
	}
	now.Samples = r.flags.samplesOptions.record(same)
	if err := r.tilesLike(&now, q); err != nil {
		return nil, err
	}
	file := *old.Output
	now.Output = &file
	file.BitDepth, file.Quality = 8, 0
	switch format, _ := imageio.FormatOf(out); {
	case format == imageio.JPEG:
		file.Quality = r.flags.output.quality
	case r.flags.output.depth != 0:
		file.BitDepth = r.flags.output.depth
	case !fromMeasurement && old.Input.BitDepth == 16:
		file.BitDepth = 16
	}
	return now.Differences(old, out)
}

// samplerLike is the record of the method on the input of an earlier result, on which the default step
// size and the settings of other methods depend. same says whether all samples would be.
func (r *restoration) samplerLike(old *report.Run) (record *report.Sampler, same bool, err error) {
	if r.flags.method == methodSPGD && r.settings.StepSize != sampler.AutoStep {
		s := samplerRecord(r.flags.preset, r.settings, stepSizeGiven)
		if r.settings.StepSize == 0 {
			s.StepSize, s.StepSizeRule = report.Number(math.NaN()), "default"
			if old.Sampler.StepSizeRule != stepSizeGiven {
				s.StepSize, s.StepSizeRule = old.Sampler.StepSize, old.Sampler.StepSizeRule
			}
		}
		return s, false, nil
	}
	op, err := r.operatorLike(old)
	if err != nil {
		return nil, false, err
	}
	if r.flags.method == methodSPGD {
		s, noise := r.settings, float64(old.Noise.Sigma)
		if !isMeasurement(r.input) && !r.flags.noise.Estimated {
			noise = r.flags.noise.Sigma
		}
		_, rule := stepSize(&s, sampler.Problem{Operator: op, SigmaY: noise})
		return samplerRecord(r.flags.preset, s, rule), sampler.IsDeterministic(sampler.SPGD{Settings: s}), nil
	}
	method, err := sampler.New(r.flags.method, sampler.Problem{Operator: op, SigmaY: float64(old.Noise.Sigma)}, r.set)
	if err != nil {
		return nil, false, err
	}
	return methodRecord(method), sampler.IsDeterministic(method), nil
}

// tilesLike puts the tiles into the record. Where they are not given, those of the earlier result do: what
// is chosen may depend on the machine.
func (r *restoration) tilesLike(now *report.Run, q *equipment) error {
	if r.flags.tile == tileAuto {
		return nil
	}
	d, _, err := q.prior()
	if err != nil {
		return err
	}
	if now.Tiles, err = r.flags.of(d, now.Image.Height, now.Image.Width); err != nil {
		return err
	}
	if now.Padded = nil; now.Tiles == nil {
		now.Padded = paddedSize(now.Image.Height, now.Image.Width, d.SizeMultiple())
	}
	return nil
}

// operatorLike builds the operator of the input of an earlier result.
func (r *restoration) operatorLike(old *report.Run) (operator.Operator, error) {
	if isMeasurement(r.input) {
		p, err := loadMeasurement(r.input)
		if err != nil {
			return nil, err
		}
		return p.Operator, nil
	}
	files, _, _, err := r.flags.files()
	if err != nil {
		return nil, err
	}
	op, _, err := operator.Build(r.flags.task, old.Image.Height, old.Image.Width, r.flags.seed, files)
	return op, err
}

// hashedSettings describes the task as taskOptions.files does, with masks and kernels by their hashes.
func (o *taskOptions) hashedSettings(hashes *fileHashes) (s *report.TaskSettings, err error) {
	s = o.settings()
	if path, needed := o.task.MaskFile(); needed {
		s.Mask = report.FromFile
		if s.MaskSHA256, err = hashes.of(path); err != nil {
			return nil, err
		}
	}
	if path, needed := o.task.KernelFile(); needed {
		s.Kernel = report.FromFile
		if s.KernelSHA256, err = hashes.of(path); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// fileHashes keeps the SHA-256 of files, of which one may serve many pictures.
type fileHashes struct {
	mutex sync.Mutex
	known map[string]string
}

func (h *fileHashes) of(path string) (string, error) {
	h.mutex.Lock()
	hash, ok := h.known[path]
	h.mutex.Unlock()
	if ok {
		return hash, nil
	}
	hash, err := report.HashFile(path)
	if err != nil {
		return "", as(errInput, err)
	}
	h.mutex.Lock()
	defer h.mutex.Unlock()
	if h.known == nil {
		h.known = map[string]string{}
	}
	h.known[path] = hash
	return hash, nil
}
