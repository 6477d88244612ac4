package cpu

import (
	"fmt"
	"unsafe"

	"github.com/gomlx/gomlx/pkg/core/dtypes"
	"github.com/gomlx/gomlx/pkg/core/dtypes/bfloat16"
	"github.com/x448/float16"
)

// step computes one stored value, or the results of one generic operation.
type step interface {
	run(x *execution) error
}

// execution is one run of a plan.
type execution struct {
	b      *Backend
	p      *plan
	floats [][]float32 // by vertex: the float32 arrays
	halves [][]uint16  // by vertex: those that are narrowed
	bufs   []*Buffer   // by vertex: every other stored value
	out    []*Buffer
}

// array is the array of a stored float32 vertex.
func (x *execution) array(v *vertex) []float32 { return x.floats[v.id] }

// newExecution gives every stored value its memory.
func newExecution(p *plan, b *Backend, in []*Buffer) (*execution, error) {
	x := &execution{
		b: b, p: p,
		floats: make([][]float32, len(p.vertices)),
		halves: make([][]uint16, len(p.vertices)),
		bufs:   make([]*Buffer, len(p.vertices)),
		out:    make([]*Buffer, len(p.outputs)),
	}
	arena, err := b.arenaOf(p.arenaBytes)
	if err != nil {
		return nil, err
	}
	for _, v := range p.vertices {
		var buf *Buffer
		switch {
		case v.kind == vertexParameter:
			buf = in[v.node.attr.(*parameterAttr).index]
		case v.kind == vertexConstant:
			buf = &Buffer{shape: v.shape, flat: v.node.attr.(*constantAttr).flat}
		case v.output >= 0:
			if buf, err = newBuffer(v.shape); err != nil {
				return nil, err
			}
			x.out[v.output] = buf
		case v.slot != nil && v.narrow:
			x.halves[v.id] = flatAt(dtypes.Uint16, arena, v.slot.offset, v.size()).([]uint16)
			continue
		case v.slot != nil:
			buf = &Buffer{shape: v.shape, flat: flatAt(v.shape.DType, arena, v.slot.offset, v.size())}
		default:
			continue
		}
		x.bufs[v.id] = buf
		if f, ok := buf.flat.([]float32); ok {
			x.floats[v.id] = f
		}
	}
	return x, nil
}

// arenaOf returns memory for the temporary values of an execution, aligned to cache lines. All
// plans of a backend share it. b.mu is held. What fitted when the plan was compiled need not fit any
// more, beside the inputs for instance; then the error is a MemoryError.
func (b *Backend) arenaOf(bytes int) ([]byte, error) {
	const align = 64
	if len(b.arena) < bytes {
		if err := CheckMemory(bytes - len(b.arena)); err != nil {
			return nil, err
		}
		b.arena = nil // let the old one go before the new one comes
		a := make([]byte, bytes+align)
		off := int(-uintptr(unsafe.Pointer(unsafe.SliceData(a))) % align)
		b.arena = a[off : off+bytes]
	}
	return b.arena, nil
}

// flatAt views n elements of the arena from byte offset on as a slice of the data type.
func flatAt(t dtypes.DType, arena []byte, offset, n int) any {
	if n == 0 {
		return makeFlat(t, 0)
	}
	at := unsafe.Pointer(&arena[offset])
	switch t {
	case dtypes.Bool:
		return unsafe.Slice((*bool)(at), n)
	case dtypes.Int8:
		return unsafe.Slice((*int8)(at), n)
	case dtypes.Int16:
		return unsafe.Slice((*int16)(at), n)
	case dtypes.Int32:
		return unsafe.Slice((*int32)(at), n)
	case dtypes.Int64:
		return unsafe.Slice((*int64)(at), n)
	case dtypes.Uint8:
		return unsafe.Slice((*uint8)(at), n)
	case dtypes.Uint16:
		return unsafe.Slice((*uint16)(at), n)
	case dtypes.Uint32:
		return unsafe.Slice((*uint32)(at), n)
	case dtypes.Uint64:
		return unsafe.Slice((*uint64)(at), n)
	case dtypes.Float16:
		return unsafe.Slice((*float16.Float16)(at), n)
	case dtypes.BFloat16:
		return unsafe.Slice((*bfloat16.BFloat16)(at), n)
	case dtypes.Float32:
		return unsafe.Slice((*float32)(at), n)
	case dtypes.Float64:
		return unsafe.Slice((*float64)(at), n)
	case dtypes.Complex64:
		return unsafe.Slice((*complex64)(at), n)
	case dtypes.Complex128:
		return unsafe.Slice((*complex128)(at), n)
	}
	panic(fmt.Sprintf("cpu: data type %s has no slices", t))
}

// boundProgram is a program with an evaluator for every worker.
type boundProgram struct {
	*program
	role       scratchRole
	evaluators []*evaluator
}

// scratchRole separates the working memory of programs that run inside one another.
type scratchRole int

const (
	roleMain   scratchRole = iota // maps, reductions, and what fills a convolution's rows
	roleFinish                    // what is applied to a convolution's finished rows
	roleSums                      // what is summed of them
	numRoles
)

// bound registers a program with the plan.
func (p *plan) bound(pr *program, role scratchRole) *boundProgram {
	bp := &boundProgram{program: pr, role: role}
	p.programs = append(p.programs, bp)
	return bp
}

// bindScratch makes the evaluators once all programs are known.
func (p *plan) bindScratch() {
	var need [numRoles]int
	for _, bp := range p.programs {
		need[bp.role] = max(need[bp.role], bp.scratchFloats())
	}
	var scratch [numRoles][][]float32
	for r := range scratch {
		for range p.workers {
			scratch[r] = append(scratch[r], make([]float32, need[r]))
		}
	}
	for _, bp := range p.programs {
		for w := range p.workers {
			bp.evaluators = append(bp.evaluators, newEvaluator(bp.program, scratch[bp.role][w]))
		}
	}
}

func (bp *boundProgram) bind(x *execution) {
	for _, e := range bp.evaluators {
		e.bind(x)
	}
}

// pieceElements is how many elements of an element-wise program or a reduction one piece of
// work has.
const pieceElements = 1 << 14
