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
// those that are held, then the stage's outputs.
type cutProgram struct {
	inputs  int
	outputs int
	of      []int          // by cut: see cut
	held    []int          // by held value: which of the graph's holds it is
	pieces  []piece        // one before each cut, and one after the last that makes the outputs
	shapes  []shapes.Shape // by value, without the outputs
	last    []int          // by value: the last piece, or cut of that number, that reads it; -1 if none does
	passed  []bool         // by value: whether it is an output of the stage as it is
}

// piece is the part of a stage that makes the input of a cut, or the stage's outputs.
type piece struct {
	program *engine.Program // nil if there is nothing to compute
	in      []int           // values that the program reads, in ascending order
	wants   []int           // values that the cut reads, or the stage's outputs, and then those that are held from here on
	makes   []int           // places among these of what the program makes
}

// Values of cut i, its sigma between the two, held value k and output k.
func (p *cutProgram) input(i int) int  { return p.inputs + 3*i }
func (p *cutProgram) result(i int) int { return p.inputs + 3*i + 2 }
func (p *cutProgram) hold(k int) int   { return p.inputs + 3*len(p.of) + k }
func (p *cutProgram) output(k int) int { return p.hold(len(p.held)) + k }

// call are the values that cut i reads.
func (p *cutProgram) call(i int) []int {
	if p.of[i] >= 0 {
		return p.pieces[i].wants[:1]
	}
	return p.pieces[i].wants[:2]
}

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
		c := &cuts{
			result: func(i int, input *Node) *Node {
				return graph.Parameter(input.Graph(), fmt.Sprintf("result %d", i), input.Shape())
			},
			held: func(_ int, n *Node) *Node { return n },
		}
		outputs := build(nodes, c)
		for i := range c.holds {
			p.held = append(p.held, i)
		}
		p.lay(nodes, c, outputs)
		// What no later piece reads is not held.
		p.held = slices.DeleteFunc(p.held, func(i int) bool { return p.last[p.hold(i)] <= c.holds[i].before })
		p.lay(nodes, c, outputs)
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

// lay finds out what every piece reads and makes, from the nodes of the inputs, the cuts, what is held and the outputs.
func (p *cutProgram) lay(in []*Node, c *cuts, outputs []*Node) {
	p.of, p.pieces, p.shapes = nil, nil, nil
	known := map[*Node]int{} // values
	for i, n := range in {
		known[n] = i
		p.shapes = append(p.shapes, n.Shape())
	}
	for i, at := range c.list {
		known[at.result] = p.result(i)
		p.of = append(p.of, at.of)
		p.shapes = append(p.shapes, at.input.Shape(), shapes.Make(at.input.DType()), at.result.Shape())
	}
	for _, k := range p.held {
		p.shapes = append(p.shapes, c.holds[k].node.Shape())
	}
	p.outputs = len(outputs)
	p.last, p.passed = slices.Repeat([]int{-1}, len(p.shapes)), make([]bool, len(p.shapes))
	for i := range len(c.list) + 1 {
		var q piece
		var compute []*Node
		wanted, values := p.wanted(c, outputs, i)
		for k, n := range wanted {
			v, ok := known[n]
			if i == len(c.list) {
				// What the tiler made becomes a state tensor as it is. The value of another state tensor
				// is copied, as by any program.
				ok = ok && v >= p.inputs && !p.passed[v]
				if ok {
					p.passed[v] = true
				}
			}
			if !ok {
				v = values[k]
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
		if i < len(c.list) {
			p.read(i, p.call(i))
			if p.of[i] >= 0 {
				p.read(i, p.call(p.of[i]))
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

// wanted are the nodes that piece i makes if they are not there, and the values that they are: the input of cut i and what is
// held from there on, or after the last cut the outputs.
func (p *cutProgram) wanted(c *cuts, outputs []*Node, i int) (nodes []*Node, values []int) {
	if i == len(c.list) {
		for k := range outputs {
			values = append(values, p.output(k))
		}
		return outputs, values
	}
	nodes, values = []*Node{c.list[i].input}, []int{p.input(i)}
	if c.list[i].of < 0 {
		nodes, values = append(nodes, c.list[i].sigma), append(values, p.input(i)+1)
	}
	for k, h := range p.held {
		if c.holds[h].before == i {
			nodes, values = append(nodes, c.holds[h].node), append(values, p.hold(k))
		}
	}
	return nodes, values
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
		c := &cuts{
			result: func(i int, _ *Node) *Node { return node(p.result(i)) },
			held: func(i int, n *Node) *Node {
				if k := slices.Index(p.held, i); k >= 0 && slices.Contains(q.in, p.hold(k)) {
					return node(p.hold(k))
				}
				return n
			},
		}
		outputs := build(all, c)
		wanted, _ := p.wanted(c, outputs, i)
		var out []*Node
		for _, k := range q.makes {
			out = append(out, wanted[k])
		}
		return out
	})
	return err
}
