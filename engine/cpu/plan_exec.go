package cpu

import (
	"fmt"
	"runtime/debug"
	"unsafe"

	"github.com/gomlx/gomlx/pkg/core/dtypes"
	"github.com/gomlx/gomlx/pkg/core/dtypes/bfloat16"
	"github.com/x448/float16"
)

// step computes one stored value, or the results of one generic operation.
type step interface {
	run(x *execution) error
}

// execution is a run of a plan. Every plan has one, which it uses again and again: apart from what
// generic operations do, a run allocates nothing but its outputs.
type execution struct {
	b      *Backend
	p      *plan
	floats [][]float32 // by vertex: the float32 arrays
	halves [][]uint16  // by vertex: those that are narrowed
	bufs   []*Buffer   // by vertex: every other stored value
	out    []*Buffer
	// donated are the inputs that may be dropped, or become outputs, once they were read.
	donated []bool
}

// array is the array of a stored float32 vertex.
func (x *execution) array(v *vertex) []float32 { return x.floats[v.id] }

// newExecution makes the execution of a plan whose vertices are known.
func newExecution(b *Backend, p *plan) *execution {
	x := &execution{
		b: b, p: p,
		floats: make([][]float32, len(p.vertices)),
		halves: make([][]uint16, len(p.vertices)),
		bufs:   make([]*Buffer, len(p.vertices)),
		out:    make([]*Buffer, len(p.outputs)),
	}
	for _, v := range p.vertices {
		if v.kind == vertexConstant {
			x.set(v, &Buffer{shape: v.shape, flat: v.node.attr.(*constantAttr).flat})
		}
	}
	return x
}

// set makes a buffer the value of v.
func (x *execution) set(v *vertex, b *Buffer) {
	x.bufs[v.id] = b
	x.floats[v.id], _ = b.flat.([]float32)
}

// buffer is the value of v, which is not narrowed.
func (x *execution) buffer(v *vertex) *Buffer {
	if b := x.bufs[v.id]; b != nil || x.floats[v.id] == nil {
		return b
	}
	return &Buffer{shape: v.shape, flat: x.floats[v.id]}
}

// begin gives every stored value its memory but for the outputs, which get it one by one.
func (x *execution) begin(in []*Buffer, donated []bool) error {
	x.donated = donated
	arena, err := x.b.arenaOf(x.p.arenaBytes)
	if err != nil {
		return err
	}
	for _, v := range x.p.vertices {
		switch {
		case v.kind == vertexParameter:
			x.set(v, in[v.input()])
		case v.kind == vertexConstant:
		case v.output >= 0:
		case v.slot == nil:
		case v.narrow:
			x.halves[v.id] = sliceAt[uint16](arena, v.slot.offset, v.size())
		case isFloat32(v.shape):
			x.floats[v.id] = sliceAt[float32](arena, v.slot.offset, v.size())
		default:
			x.set(v, &Buffer{shape: v.shape, flat: flatAt(v.shape.DType, arena, v.slot.offset, v.size())})
		}
	}
	return nil
}

// end lets go of inputs, outputs and the arena, which may be replaced before the next run.
func (x *execution) end() {
	for _, bp := range x.p.programs {
		for _, e := range bp.evaluators {
			e.unbind()
		}
	}
	for _, v := range x.p.vertices {
		if v.kind != vertexConstant {
			x.bufs[v.id], x.floats[v.id], x.halves[v.id] = nil, nil, nil
		}
	}
	clear(x.out)
	x.donated = nil
}

// arenaOf returns memory for the temporary values of an execution, aligned to cache lines. All
// plans of a backend share it. b.mu is held. What fitted when the plan was compiled need not fit any
// more, beside the inputs for instance; then the error is a MemoryError.
//
// It is made for the largest of the plans compiled so far: pages that nobody touches cost nothing,
// and an arena that is replaced does.
func (b *Backend) arenaOf(bytes int) ([]byte, error) {
	const align = 64
	if len(b.arena) < bytes {
		if err := CheckMemory(bytes - len(b.arena)); err != nil {
			return nil, err
		}
		if CheckMemory(b.arenaBytes-len(b.arena)) == nil {
			bytes = max(bytes, b.arenaBytes)
		}
		if b.arena != nil {
			// The collector would not see the old one before the heap has doubled.
			b.arena = nil
			debug.FreeOSMemory()
		}
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
	switch t {
	case dtypes.Bool:
		return sliceAt[bool](arena, offset, n)
	case dtypes.Int8:
		return sliceAt[int8](arena, offset, n)
	case dtypes.Int16:
		return sliceAt[int16](arena, offset, n)
	case dtypes.Int32:
		return sliceAt[int32](arena, offset, n)
	case dtypes.Int64:
		return sliceAt[int64](arena, offset, n)
	case dtypes.Uint8:
		return sliceAt[uint8](arena, offset, n)
	case dtypes.Uint16:
		return sliceAt[uint16](arena, offset, n)
	case dtypes.Uint32:
		return sliceAt[uint32](arena, offset, n)
	case dtypes.Uint64:
		return sliceAt[uint64](arena, offset, n)
	case dtypes.Float16:
		return sliceAt[float16.Float16](arena, offset, n)
	case dtypes.BFloat16:
		return sliceAt[bfloat16.BFloat16](arena, offset, n)
	case dtypes.Float32:
		return sliceAt[float32](arena, offset, n)
	case dtypes.Float64:
		return sliceAt[float64](arena, offset, n)
	case dtypes.Complex64:
		return sliceAt[complex64](arena, offset, n)
	case dtypes.Complex128:
		return sliceAt[complex128](arena, offset, n)
	}
	panic(fmt.Sprintf("cpu: data type %s has no slices", t))
}

// sliceAt views n > 0 elements of the arena from byte offset on.
func sliceAt[T any](arena []byte, offset, n int) []T {
	return unsafe.Slice((*T)(unsafe.Pointer(&arena[offset])), n)
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
	pr.readHalves()
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
