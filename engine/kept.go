package engine

import (
	"github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/shapes"
)

// keptPrograms is how many programs an engine keeps, see Kept.
const keptPrograms = 4

type keptProgram struct {
	key any
	*Program
}

// Kept is Compile for a program that is small and asked for again and again: on an accelerator, where compiling it takes longer
// than many runs, the last ones are kept with their keys, until the engine is closed. One serves for every key that is
// the same as its own. done has to be called when the program is not used any more.
func (e *Engine) Kept(key any, same func(a, b any) bool, name string, inputs []shapes.Shape, build func(in []*graph.Node) []*graph.Node) (p *Program, done func(), err error) {
	for i, k := range e.kept {
		if same(k.key, key) {
			e.kept = append(append(e.kept[:i], e.kept[i+1:]...), k) // the one used last is the last
			return k.Program, func() {}, nil
		}
	}
	if p, err = e.Compile(name, inputs, build); err != nil {
		return nil, nil, err
	}
	if e.accelerator == nil {
		return p, p.Close, nil
	}
	if len(e.kept) == keptPrograms {
		e.kept[0].Close()
		e.kept = append(e.kept[:0], e.kept[1:]...)
	}
	e.kept = append(e.kept, keptProgram{key, p})
	return p, func() {}, nil
}
