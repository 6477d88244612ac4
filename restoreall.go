package spgd

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/gomlx/gomlx/pkg/core/tensors"

	"github.com/seed-0f004ec9/spgd/engine/xla"
	"github.com/seed-0f004ec9/spgd/measurement"
	"github.com/seed-0f004ec9/spgd/operator"
	"github.com/seed-0f004ec9/spgd/sampler"
)

// Together says whether two measurements of an image each can be computed as one batch: of one operator, and of one noise or,
// with SPGD, of noise for which the levels of a run are the same (sampler.SameLevels), the image whole.
func Together(a, b *measurement.Measurement, s Settings, o Options) bool {
	if a.Like(b) {
		return true
	}
	if o.Method != "" || o.Tile != 0 || a.Noise.Model != b.Noise.Model || !operator.Equal(a.Operator, b.Operator) {
		return false
	}
	of := problemOf(a)
	of.SigmaY = b.Noise.Sigma
	return sampler.SameLevels(s.For(problemOf(a)), s.For(of))
}

// ownNoise is the noise of every place of a batch of measurements, if programs are to take it as that of each image: if it differs,
// and on an accelerator, where compiling again takes longest, if it is estimated and will differ in other batches.
func (r *Restorer) ownNoise(places []*measurement.Measurement, s Settings, o Options) (sigmaY []float64) {
	first := places[0]
	of := s.For(problemOf(first))
	if o.Method != "" || of.StepSize != sampler.AutoStep || sampler.IsDeterministic(sampler.SPGD{Settings: of}) {
		return nil // which have nothing of it that differs
	}
	own := first.Noise.Estimated && len(places) > 1 && o.Tile == 0 && r.engine.Accelerator() != nil
	for _, m := range places {
		sigmaY = append(sigmaY, m.Noise.Sigma)
		own = own || m.Noise.Sigma != first.Noise.Sigma
	}
	if !own {
		return nil
	}
	return sigmaY
}

// RestoreAll restores several measurements of an image each. Those with one operator and noise are computed in batches:
// of batch images at most, or where that is 0 one after the other on the CPU, which a batch does not make faster, and
// as many as fill an accelerator and fit its memory, where batches have one size, see Batch, and may differ in noise, see
// Together. Each result is what Restore gives of the measurement alone,
// on an accelerator up to rounding; its Run has the image's records, the cost of its own and its share of the time.
// The options hold for all; Images may name an index for each, nil means 0 for all. What follows a single
// restoration, EachSample, Observers and Resume, is an ErrSettings. Progress is that of a batch at a time.
func (r *Restorer) RestoreAll(ctx context.Context, ms []*measurement.Measurement, s Settings, o Options, batch int) ([]*Result, error) {
	if o.EachSample != nil || len(o.Observers) > 0 || o.Resume != nil || batch < 0 {
		return nil, fmt.Errorf("spgd: %w: batches of %d measurements with an observer, a checkpoint or a function for samples", ErrSettings, batch)
	}
	if o.Images != nil && len(o.Images) != len(ms) {
		return nil, fmt.Errorf("spgd: %w: %d image indices for %d measurements", ErrProblem, len(o.Images), len(ms))
	}
	groups, err := r.alike(ms, s, o)
	if err != nil {
		return nil, err
	}
	results := make([]*Result, len(ms))
	for _, group := range groups {
		size := batch
		if size == 0 {
			h, w := ms[group[0]].Operator.ImageSize()
			size = sampler.Together(r.engine, r.denoiser, h, w)
		}
		size = sampler.Evenly(len(group), size)
		for len(group) > 0 {
			n := min(size, len(group))
			err := r.restoreSome(ctx, ms, group[:n], s, o, size, results)
			switch {
			case batch == 0 && n > 1 && errors.Is(err, xla.ErrMemory):
				r.Close() // what is compiled takes memory too
				size = sampler.Evenly(len(group), n/2)
			case err != nil:
				return nil, err
			default:
				group = group[n:]
			}
		}
	}
	return results, nil
}

// alike puts the measurements that one program and schedule serve together, by their indices.
func (r *Restorer) alike(ms []*measurement.Measurement, s Settings, o Options) (groups [][]int, err error) {
	for i, m := range ms {
		if n := m.Len(); n != 1 {
			return nil, fmt.Errorf("spgd: %w: measurement %d is of %d images, want 1", ErrProblem, i, n)
		}
		if _, _, err := restoration(m, s, o); err != nil {
			return nil, err
		}
		at := slices.IndexFunc(groups, func(group []int) bool {
			first := ms[group[0]]
			return m.Like(first) || r.engine.Accelerator() != nil && Together(m, first, s, o)
		})
		if at < 0 {
			groups = append(groups, []int{i})
		} else {
			groups[at] = append(groups[at], i)
		}
	}
	return groups, nil
}

// restoreSome restores some of the measurements as one batch, on an accelerator of a given size.
func (r *Restorer) restoreSome(ctx context.Context, ms []*measurement.Measurement, indices []int, s Settings, o Options, size int, results []*Result) error {
	own := o
	own.Images = nil
	var list []*measurement.Measurement
	for _, i := range indices {
		list = append(list, ms[i])
		if o.Images != nil {
			own.Images = append(own.Images, o.Images[i])
		}
	}
	if r.engine.Accelerator() == nil { // where compiling takes less than computing for nothing
		size = 0
	}
	batch, err := r.RestoreBatch(ctx, list, s, own, Batch{Size: size})
	for k := range batch {
		results[indices[k]] = batch[k]
	}
	return err
}

// Batch is how measurements are restored as one batch.
type Batch struct {
	// Size is the number of images of the programs, 0 for that of the measurements. The places that these leave over
	// repeat the last one, which may be better than to compile programs for fewer.
	Size int
	// Resume, if not nil, is where each image goes on, as Options.Resume. They have to be Beside each other, and are
	// copied.
	Resume []*sampler.Checkpoint
}

// RestoreBatch restores several measurements of an image each, of which each is Together with the first, as one batch, for a
// caller that follows it. Those of different noise are restored to what each gives alone up to rounding, on the CPU too. Options.Images may name an index for each, nil means 0 for all. Observers see all images of the batch, those
// of places left over too. Each result is as RestoreAll returns it. Measurements that do not go together are an
// ErrProblem, Options.Resume is an ErrSettings.
func (r *Restorer) RestoreBatch(ctx context.Context, ms []*measurement.Measurement, s Settings, o Options, b Batch) ([]*Result, error) {
	n := len(ms)
	switch {
	case o.Resume != nil || b.Size < 0:
		return nil, fmt.Errorf("spgd: %w: a batch of size %d with Options.Resume, want none", ErrSettings, b.Size)
	case n == 0 || o.Images != nil && len(o.Images) != n || b.Resume != nil && len(b.Resume) != n:
		return nil, fmt.Errorf("spgd: %w: %d image indices and %d checkpoints for %d measurements", ErrProblem, len(o.Images), len(b.Resume), n)
	}
	all := *ms[0]
	all.Y = nil
	images, resume, places := make([]uint32, max(n, b.Size)), []*sampler.Checkpoint(nil), []*measurement.Measurement(nil)
	for k := range images {
		i := min(k, n-1)
		if m := ms[i]; m.Len() != 1 || !Together(m, ms[0], s, o) {
			return nil, fmt.Errorf("spgd: %w: measurement %d is of %d images or of another operator or noise than the first", ErrProblem, i, m.Len())
		}
		places = append(places, ms[i])
		all.Y = append(all.Y, ms[i].Y...)
		if o.Images != nil {
			images[k] = o.Images[i]
		}
		if b.Resume != nil {
			resume = append(resume, b.Resume[i])
		}
	}
	o.Images = images
	if resume != nil {
		var err error
		if o.Resume, err = sampler.JoinCheckpoints(resume); err != nil {
			return nil, err
		}
	}
	whole, err := r.restore(ctx, &all, s, o, r.ownNoise(places, s, o))
	if err != nil {
		return nil, err
	}
	runs, err := whole.Run.Split(n)
	if err != nil {
		return nil, err
	}
	results := make([]*Result, n)
	for i := range results {
		method, settings, err := restoration(ms[i], s, o)
		if err != nil {
			return nil, err
		}
		if results[i], err = newResult(method, settings, runs[i]); err != nil {
			return nil, err
		}
	}
	for _, t := range []*tensors.Tensor{whole.Run.X, whole.Run.X0hat, whole.Run.Spread} {
		if t != nil {
			_ = t.FinalizeAll() // copied
		}
	}
	return results, nil
}
