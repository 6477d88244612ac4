package main

import (
	"github.com/seed-0f004ec9/spgd"
	"github.com/seed-0f004ec9/spgd/engine"
	"github.com/seed-0f004ec9/spgd/prior"
	"github.com/seed-0f004ec9/spgd/report"
)

// equipment is what restorations are computed with: an engine, and the prior, which is loaded when it
// is first needed. It serves any number of them, one at a time.
type equipment struct {
	*engine.Engine
	options  priorOptions
	denoiser prior.Denoiser // once loaded
	record   *report.Prior
	restorer *spgd.Restorer
	memory   budget
}

// equip starts the engine.
func equip(o engineOptions, p priorOptions, memory budget) (*equipment, error) {
	e, err := o.start()
	if err != nil {
		return nil, err
	}
	return &equipment{Engine: e, options: p, memory: memory}, nil
}

// prior returns the prior and its part of the record.
func (q *equipment) prior() (prior.Denoiser, *report.Prior, error) {
	if q.denoiser == nil {
		d, record, err := q.options.load()
		if err != nil {
			return nil, nil, err
		}
		q.use(d, record)
	}
	return q.denoiser, q.record, nil
}

// use takes a prior that is loaded. Several engines may have the same.
func (q *equipment) use(d prior.Denoiser, record *report.Prior) {
	q.denoiser, q.record = d, record
	q.restorer = spgd.NewRestorer(q.Engine, d)
}

// Close ends the engine.
func (q *equipment) Close() {
	if q.restorer != nil {
		q.restorer.Close()
	}
	q.Engine.Close()
}
