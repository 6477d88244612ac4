package sampler

import (
	"slices"

	"github.com/gomlx/gomlx/pkg/core/tensors"
)

// runCut runs a stage in pieces, with the tiler's work between them, and returns its outputs. The last
// inputs, temporary, are freed, and every other value as soon as nothing needs it.
func (r *Run) runCut(st Stage, p *compiled, in, temporary []*tensors.Tensor) (out []*tensors.Tensor, err error) {
	c, cuts := p.cut, len(p.cut.of)
	values := make([]*tensors.Tensor, c.input(cuts)+c.outputs)
	copy(values, in)
	own := len(in) - len(temporary) // from here on values are the stage's
	release := func(after int) {
		for v := own; v < len(c.last); v++ {
			if c.last[v] <= after && !c.passed[v] && values[v] != nil {
				free(values[v])
				values[v] = nil
			}
		}
	}
	defer func() {
		if err != nil {
			for _, t := range values[own:] {
				free(t)
			}
		}
	}()

	r.forget(st, p)
	done, total := 0.0, 0.0 // in units of Cost.Work
	for _, of := range c.of {
		total += tilerWork(of)
	}
	for i, q := range c.pieces {
		if q.program != nil {
			arguments := make([]*tensors.Tensor, len(q.in))
			for k, v := range q.in {
				arguments[k] = values[v]
			}
			made, err := q.program.Run(arguments...)
			if err != nil {
				return nil, err
			}
			for k, place := range q.makes {
				values[q.wants[place]] = made[k]
			}
		}
		if i < cuts {
			if values[c.result(i)], err = r.cut(c, i, values, func(share float64) {
				r.progress(st.Cost.Work() * (done + share*tilerWork(c.of[i])) / total)
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

// tilerWork is what a cut takes, in units of Cost.Work: a VJP computes the forward pass again.
func tilerWork(of int) float64 {
	if of < 0 {
		return Cost{Forwards: 1}.Work()
	}
	return Cost{VJPs: 1}.Work()
}

// forget frees the state tensors that a stage replaces without reading them.
func (r *Run) forget(st Stage, p *compiled) {
	first := p.cut.inputs - len(st.Scalars) - len(st.Noise) - len(st.MeasurementNoise)
	states := r.driver.states(r.sampler, st)
	for _, name := range p.written {
		k := slices.Index(states, name)
		if k < 0 || p.cut.last[first-len(states)+k] < 0 {
			r.set(name, nil)
		}
	}
}

// cut does the tiler's work for cut i. It stops with the context's error between batches of tiles.
func (r *Run) cut(c *cutProgram, i int, values []*tensors.Tensor, work func(share float64)) (*tensors.Tensor, error) {
	of := i
	if c.of[i] >= 0 {
		of = c.of[i]
	}
	call := c.pieces[of].wants
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
	return r.driver.tiler.pullBack(values[call[0]], values[c.pieces[i].wants[0]], sigma, done)
}
