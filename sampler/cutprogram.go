package sampler

import (
	"fmt"
	"slices"

	"github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/shapes"

	"github.com/seed-0f004ec9/spgd/engine"
)

// cutProgram is a stage as the pieces that lie between its cuts. The values that pass between them and
// the tiler, all of them tensors, are numbered: first the stage's inputs, then three for every cut, then
// the stage's outputs.
type cutProgram struct {
	inputs  int
	outputs int
	of      []int          // by cut: see cut
	pieces  []piece        // one before each cut, and one after the last that makes the outputs
	shapes  []shapes.Shape // by value, without the outputs
	last    []int          // by value: the last piece, or cut of that number, that reads it; -1 if none does
	passed  []bool         // by value: whether it is an output of the stage as it is
}

// piece is the part of a stage that makes the input of a cut, or the stage's outputs.
type piece struct {
	program *engine.Program // nil if there is nothing to compute
	in      []int           // values that the program reads, in ascending order
	wants   []int           // values that the cut reads, or the stage's outputs
	makes   []int           // places among these of what the program makes
}

// Values of cut i, its sigma between the two. The outputs follow as if they were the inputs of one more cut.
func (p *cutProgram) input(i int) int  { return p.inputs + 3*i }
func (p *cutProgram) result(i int) int { return p.inputs + 3*i + 2 }

// close releases the programs.
func (p *cutProgram) close() {
	for _, q := range p.pieces {
		if q.program != nil {
			q.program.Close()
		}
	}
}

// buildCut builds the graph of a stage with cuts, and returns its outputs.
type buildCut func(in []*Node, c *cuts) []*Node

// compileCut compiles a stage in pieces. Its graph is built once to see where the cuts are, and then for
// every piece, with nothing but what that piece needs: no tensor of the size of an image is held or passed in
// vain.
func (d *Driver) compileCut(name string, in []shapes.Shape, build buildCut) (*cutProgram, error) {
	p := &cutProgram{inputs: len(in)}
	err := d.engine.Trace(name, in, func(nodes []*Node) {
		c := &cuts{result: func(i int, input *Node) *Node {
			return graph.Parameter(input.Graph(), fmt.Sprintf("result %d", i), input.Shape())
		}}
		outputs := build(nodes, c)
		p.lay(nodes, c.list, outputs)
	})
	if err != nil {
		return nil, err
	}
	for i := range p.pieces {
		if err := d.compilePiece(fmt.Sprintf("%s, part %d", name, i+1), p, i, build); err != nil {
			p.close()
			return nil, err
		}
	}
	return p, nil
}

// lay finds out what every piece reads and makes, from the nodes of the inputs, the cuts and the outputs.
func (p *cutProgram) lay(in []*Node, list []cut, outputs []*Node) {
	known := map[*Node]int{} // values
	for i, n := range in {
		known[n] = i
		p.shapes = append(p.shapes, n.Shape())
	}
	for i, c := range list {
		known[c.result] = p.result(i)
		p.of = append(p.of, c.of)
		p.shapes = append(p.shapes, c.input.Shape(), shapes.Make(c.input.DType()), c.result.Shape())
	}
	p.outputs = len(outputs)
	p.last, p.passed = slices.Repeat([]int{-1}, len(p.shapes)), make([]bool, len(p.shapes))
	for i := range len(list) + 1 {
		wanted := wantedOf(list, outputs, i)
		var q piece
		var compute []*Node
		for k, n := range wanted {
			v, ok := known[n]
			if i == len(list) {
				// What the tiler made becomes a state tensor as it is. The value of another state tensor
				// is copied, as by any program.
				ok = ok && v >= p.inputs && !p.passed[v]
				if ok {
					p.passed[v] = true
				}
			}
			if !ok {
				v = p.input(i) + k
				q.makes, compute = append(q.makes, k), append(compute, n)
			}
			q.wants = append(q.wants, v)
		}
		walk(compute, func(n *Node) bool {
			v, ok := known[n]
			if ok {
				q.in = append(q.in, v)
			}
			return !ok
		})
		if len(compute) > 0 && len(q.in) == 0 {
			q.in = []int{0} // a graph begins with a parameter
		}
		slices.Sort(q.in)
		p.pieces = append(p.pieces, q)
		if i < len(list) {
			p.read(i, q.wants)
			if p.of[i] >= 0 {
				p.read(i, p.pieces[p.of[i]].wants)
			}
			for k, n := range wanted {
				known[n] = q.wants[k]
			}
		}
		p.read(i, q.in)
	}
}

// read notes that values are read by piece or cut i.
func (p *cutProgram) read(i int, values []int) {
	for _, v := range values {
		p.last[v] = i
	}
}

// wantedOf are the nodes of the input of cut i, or after the last cut the outputs.
func wantedOf(list []cut, outputs []*Node, i int) []*Node {
	switch {
	case i == len(list):
		return outputs
	case list[i].of >= 0:
		return []*Node{list[i].input}
	}
	return []*Node{list[i].input, list[i].sigma}
}

// compilePiece compiles piece i.
func (d *Driver) compilePiece(name string, p *cutProgram, i int, build buildCut) (err error) {
	q := &p.pieces[i]
	if len(q.makes) == 0 {
		return nil
	}
	var in []shapes.Shape
	for _, v := range q.in {
		in = append(in, p.shapes[v])
	}
	q.program, err = d.engine.Compile(name, in, func(in []*Node) []*Node {
		node := func(v int) *Node {
			if k, ok := slices.BinarySearch(q.in, v); ok {
				return in[k]
			}
			return graph.Zeros(in[0].Graph(), p.shapes[v]) // which has no effect on what is made
		}
		all := make([]*Node, p.inputs)
		for v := range all {
			all[v] = node(v)
		}
		c := &cuts{result: func(i int, _ *Node) *Node { return node(p.result(i)) }}
		outputs := build(all, c)
		wanted := wantedOf(c.list, outputs, i)
		var out []*Node
		for _, k := range q.makes {
			out = append(out, wanted[k])
		}
		return out
	})
	return err
}
