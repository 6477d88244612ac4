package sampler

import (
	"slices"

	"github.com/gomlx/gomlx/pkg/core/tensors"
)

// runCut runs a stage in pieces, with the tiler's work between them, and returns its outputs. Inputs that
// are donated and the values in between are let go of as soon as nothing needs them, or make room for
// what does.
func (r *Run) runCut(c *cutProgram, cost Cost, in []*tensors.Tensor, donated []bool) (out []*tensors.Tensor, err error) {
	cuts := len(c.of)
	values := make([]*tensors.Tensor, c.output(c.outputs))
	copy(values, in)
	own := func(v int) bool { return v >= len(in) || donated[v] }
	release := func(after int) {
		for v := range c.last {
			if own(v) && c.last[v] <= after && !c.passed[v] && values[v] != nil {
				free(values[v])
				values[v] = nil
			}
		}
	}
	defer func() {
		if err != nil {
			for v, t := range values {
				if own(v) {
					free(t)
				}
			}
		}
	}()

	release(-1)
	done, total := 0.0, 0.0 // in units of Cost.Work
	for _, of := range c.of {
		total += tilerWork(of)
	}
	for i, q := range c.pieces {
		if q.program != nil {
			r.trim()
			arguments, given := make([]*tensors.Tensor, len(q.in)), c.given(i, own)
			for k, v := range q.in {
				arguments[k] = values[v]
			}
			made, err := q.program.RunDonating(arguments, given)
			if err != nil {
				return nil, err
			}
			for k, v := range q.in {
				if given[k] {
					values[v] = nil
				}
			}
			for k, place := range q.makes {
				values[q.wants[place]] = made[k]
			}
		}
		if i < cuts {
			r.trim()
			if values[c.result(i)], err = r.cut(c, i, values, func(share float64) {
				r.progress(cost.Work() * (done + share*tilerWork(c.of[i])) / total)
			}); err != nil {
				return nil, err
			}
			done += tilerWork(c.of[i])
		}
		release(i)
	}
	for _, v := range c.pieces[cuts].wants {
		out = append(out, values[v])
	}
	return out, nil
}

// trim lets go of what programs so far have left of a large run's memory, before something else needs it.
func (r *Run) trim() {
	if r.driver.large(r.batch) {
		r.driver.engine.Trim()
	}
}

// tilerWork is what a cut takes, in units of Cost.Work: a VJP computes the forward pass again.
func tilerWork(of int) float64 {
	if of < 0 {
		return Cost{Forwards: 1}.Work()
	}
	return Cost{VJPs: 1}.Work()
}

// given says which of the inputs of piece i are given up: those that are the stage's own and that
// neither a later piece nor a cut reads.
func (p *cutProgram) given(i int, own func(value int) bool) []bool {
	q := p.pieces[i]
	given := make([]bool, len(q.in))
	for k, v := range q.in {
		given[k] = own(v) && p.last[v] <= i && !p.passed[v]
		if i < len(p.of) {
			given[k] = given[k] && !slices.Contains(p.call(i), v) && (p.of[i] < 0 || !slices.Contains(p.call(p.of[i]), v))
		}
	}
	return given
}

// cut does the tiler's work for cut i. It stops with the context's error between batches of tiles.
func (r *Run) cut(c *cutProgram, i int, values []*tensors.Tensor, work func(share float64)) (*tensors.Tensor, error) {
	of := i
	if c.of[i] >= 0 {
		of = c.of[i]
	}
	call := c.call(of)
	var sigma float32
	err := r.driver.engine.View(values[call[1]], func(data []float32) error { sigma = data[0]; return nil })
	if err != nil {
		return nil, err
	}
	done := func(share float64) error {
		work(share)
		return r.ctx.Err()
	}
	if of == i {
		return r.driver.tiler.denoise(values[call[0]], sigma, done)
	}
	return r.driver.tiler.pullBack(values[call[0]], values[c.call(i)[0]], sigma, done)
}
