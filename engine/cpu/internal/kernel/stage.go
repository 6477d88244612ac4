package kernel

// staging says where a plan keeps rows between their being computed and Epilogue.Post, when Run
// has no dst.
type staging struct {
	staged bool
	shared int // floats of a stage for the whole result; 0: every worker has one of its own
}

// stageFloats is how much of the second-level cache a worker's stage should take at most.
const stageFloats = 64 << 10

// Stage prepares the plan for a Run without dst, and takes the scratch memory that this needs.
//
// A small result is staged whole, so that workers can share its rows. Of a large one a worker
// stages the rows of one step, which stay in its second-level cache.
func (c *Conv) Stage() { c.stage(stageFloats) }

// stage is Stage with up to limit floats for each worker.
func (c *Conv) stage(limit int) {
	c.staged = true
	row := c.wo * c.s.Cout
	if size := c.s.N * c.ho * row; size <= c.workers*limit {
		c.shared = size
		c.scratch.stage = max(c.scratch.stage, size)
		return
	}
	if c.wino != nil {
		c.wino.stage(c.workers, limit)
		return
	}
	by := c.rows.period
	if c.plane {
		by = planeRows
	}
	c.stepRows = max(by, min(c.stepRows, limit/row/by*by))
	c.stripRows = c.rows.inputs(c.stepRows)
	c.scratch.grow(c.workers, c.stripLen+c.stepRows*row)
}

// stage takes memory for the output of a block, which it makes smaller where that is too much.
func (c *winograd) stage(workers, limit int) {
	row := c.tile * c.wo * c.s.Cout
	if fit := max(1, limit/row); fit < c.blockRow {
		c.blockRow = fit
		c.chunk = fit * c.cols
	}
	c.scratch.grow(workers, c.layout.size+c.blockRow*row)
}

// needStage panics unless the plan and the epilogue are fit for a Run without dst.
func (c *Conv) needStage(ep Epilogue) {
	switch {
	case !c.staged:
		panic("kernel: convolution without dst, of a plan without Stage")
	case ep.Post == nil:
		panic("kernel: convolution without dst and without Post")
	case ep.Add != nil:
		panic("kernel: convolution without dst, with a residual")
	}
}
