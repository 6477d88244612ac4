package spgd

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/gomlx/gomlx/pkg/core/tensors"

	"github.com/seed-0f004ec9/spgd/engine/xla"
	"github.com/seed-0f004ec9/spgd/measurement"
	"github.com/seed-0f004ec9/spgd/sampler"
)

// RestoreAll restores several measurements of an image each. Those with one operator and noise are computed in batches:
// of batch images at most, or where that is 0 one after the other on the CPU, which a batch does not make faster, and
// as many as fill an accelerator and fit its memory, where batches have one size, see Batch. Each result is what Restore gives of the measurement alone,
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
	groups, err := alike(ms, s, o)
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
func alike(ms []*measurement.Measurement, s Settings, o Options) (groups [][]int, err error) {
	var methods []sampler.Sampler
	for i, m := range ms {
		if n := m.Len(); n != 1 {
			return nil, fmt.Errorf("spgd: %w: measurement %d is of %d images, want 1", ErrProblem, i, n)
		}
		method, _, err := restoration(m, s, o)
		if err != nil {
			return nil, err
		}
		at := slices.IndexFunc(groups, func(group []int) bool {
			return m.Like(ms[group[0]])
		})
		if at >= 0 && !reflect.DeepEqual(methods[at], method) {
			at = -1
		}
		if at < 0 {
			groups, methods = append(groups, []int{i}), append(methods, method)
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

// RestoreBatch restores several measurements of an image each, of one operator and noise, as one batch, for a caller that
// follows it. Options.Images may name an index for each, nil means 0 for all. Observers see all images of the batch, those
// of places left over too. Each result is as RestoreAll returns it. Measurements that differ in operator or noise are an
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
	images, resume := make([]uint32, max(n, b.Size)), []*sampler.Checkpoint(nil)
	for k := range images {
		i := min(k, n-1)
		if m := ms[i]; m.Len() != 1 || !m.Like(ms[0]) {
			return nil, fmt.Errorf("spgd: %w: measurement %d is of %d images or of another operator or noise than the first", ErrProblem, i, m.Len())
		}
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
	whole, err := r.Restore(ctx, &all, s, o)
	if err != nil {
		return nil, err
	}
	runs, err := whole.Run.Split(n)
	if err != nil {
		return nil, err
	}
	results := make([]*Result, n)
	for i := range results {
		if results[i], err = newResult(whole.Method, whole.Settings, runs[i]); err != nil {
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
