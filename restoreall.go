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
	"github.com/seed-0f004ec9/spgd/operator"
	"github.com/seed-0f004ec9/spgd/sampler"
)

// RestoreAll restores several measurements of an image each. Those with one operator and noise are computed in batches:
// of batch images at most, or where that is 0 one after the other on the CPU, which a batch does not make faster, and
// as many as fill an accelerator and fit its memory. Each result is what Restore gives of the measurement alone,
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
		for len(group) > 0 {
			n := min(size, len(group))
			err := r.restoreBatch(ctx, ms, group[:n], s, o, results)
			switch {
			case batch == 0 && n > 1 && errors.Is(err, xla.ErrMemory):
				r.Close() // what is compiled takes memory too
				size = n / 2
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
			other := ms[group[0]]
			return m.Noise == other.Noise && operator.Equal(m.Operator, other.Operator)
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

// restoreBatch restores some of the measurements as one.
func (r *Restorer) restoreBatch(ctx context.Context, ms []*measurement.Measurement, indices []int, s Settings, o Options, results []*Result) error {
	all := *ms[indices[0]]
	all.Y = nil
	own := o
	own.Images = make([]uint32, len(indices))
	for k, i := range indices {
		all.Y = append(all.Y, ms[i].Y...)
		if o.Images != nil {
			own.Images[k] = o.Images[i]
		}
	}
	whole, err := r.Restore(ctx, &all, s, own)
	if err != nil {
		return err
	}
	runs, err := whole.Run.Split()
	if err != nil {
		return err
	}
	for k, i := range indices {
		if results[i], err = newResult(whole.Method, whole.Settings, runs[k]); err != nil {
			return err
		}
	}
	for _, t := range []*tensors.Tensor{whole.Run.X, whole.Run.X0hat, whole.Run.Spread} {
		if t != nil {
			_ = t.FinalizeAll() // copied
		}
	}
	return nil
}
