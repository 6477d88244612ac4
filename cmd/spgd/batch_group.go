package main

import (
	"reflect"

	"github.com/seed-0f004ec9/spgd"
	"github.com/seed-0f004ec9/spgd/sampler"
)

// On an accelerator, pictures that one program and schedule serve are restored as a batch.

// groups divides the pictures into those that are tried as a batch each, in the order of the first of each; on the CPU,
// which a batch does not make faster, every picture is alone.
func (p *plan) groups(o *restoreOptions, q *equipment) (groups [][]*job, err error) {
	if q.Accelerator() == nil {
		for _, j := range p.jobs {
			groups = append(groups, []*job{j})
		}
		return groups, nil
	}
	type kind struct {
		jobs []*job
		size int // of a batch
	}
	var kinds []*kind
	of := map[*job]*kind{}
	for _, j := range p.jobs {
		if j.state != jobRestore {
			continue
		}
		for _, k := range kinds {
			if j.kin(k.jobs[0]) {
				of[j] = k
				break
			}
		}
		if of[j] == nil {
			of[j] = &kind{}
			kinds = append(kinds, of[j])
		}
		of[j].jobs = append(of[j].jobs, j)
	}
	for _, k := range kinds {
		most, err := k.jobs[0].most(o, q)
		if err != nil {
			return nil, err
		}
		k.size = sampler.Evenly(len(k.jobs), most)
	}
	for _, j := range p.jobs {
		k := of[j]
		switch {
		case k == nil:
			groups = append(groups, []*job{j})
		case len(k.jobs) > 0 && k.jobs[0] == j:
			n := min(k.size, len(k.jobs))
			groups = append(groups, k.jobs[:n:n])
			k.jobs = k.jobs[n:]
		}
	}
	return groups, nil
}

// kin says whether two pictures may be restored as a batch, as far as that can be seen before they are read.
func (j *job) kin(other *job) bool {
	a, b := *j.flags, *other.flags
	a.output.path, b.output.path = "", ""
	return j.height == other.height && j.width == other.width &&
		reflect.DeepEqual(j.settings, other.settings) && reflect.DeepEqual(j.set, other.set) && reflect.DeepEqual(a, b)
}

// most is how many pictures of this kind are restored at once: as many as fill the accelerator, unless it is given. With
// tiles one fills it.
func (j *job) most(o *restoreOptions, q *equipment) (int, error) {
	d, _, err := q.prior()
	if err != nil {
		return 0, err
	}
	if tiles, err := j.flags.of(d, j.height, j.width); err != nil || tiles != nil {
		return 1, nil // what is wrong with the tiles is for the restoration to say
	}
	if o.batch.jobs > 0 {
		return o.batch.jobs, nil
	}
	return sampler.Together(q.Engine, d, j.height, j.width), nil
}

// alongside says whether two restorations that are prepared can be computed as one batch.
func (r *restoration) alongside(other *restoration) bool {
	a, b := r.options.Resume, other.options.Resume
	return r.likewise(other) && (a == nil) == (b == nil) && (a == nil || a.Beside(b))
}

// likewise says whether one schedule and the same programs serve two restorations that are prepared.
func (r *restoration) likewise(other *restoration) bool {
	a, b := &r.options, &other.options
	return r.record.Tiles == nil && other.record.Tiles == nil && a.Tile == b.Tile && a.Seed == b.Seed &&
		a.Samples == b.Samples && a.Starts == b.Starts && (a.Images == nil) == (b.Images == nil) &&
		sampler.SameLevels(r.settings, other.settings) && a.Method == b.Method && reflect.DeepEqual(a.Set, b.Set) &&
		spgd.Together(r.problem.Measurement, other.problem.Measurement, r.settings, *a)
}
