package cpu

import (
	"fmt"
	"runtime/debug"

	"github.com/gomlx/gomlx/backends"
	"github.com/gomlx/gomlx/pkg/core/dtypes"
	"github.com/gomlx/gomlx/pkg/core/dtypes/bfloat16"
	"github.com/gomlx/gomlx/pkg/core/shapes"
	"github.com/x448/float16"
)

// An executor computes a node. The out buffers have the right shapes; what is in them is
// undefined. It is deterministic, keeps no reference to its arguments and changes no input.
// It looks at the buffers' data types, not at the node's: see widenHalf.
type executor func(b *Backend, n *node, in, out []*Buffer) error

// executors has one entry per operation that the backend can run, beside Parameter and
// Constant, which hold values already.
var executors [backends.OpTypeLast]executor

// register enters one executor for operations of a family.
func register(e executor, ops ...backends.OpType) {
	for _, op := range ops {
		executors[op] = e
	}
}

// runNode calls the node's executor. Its panic, a defect, comes back as an error.
func runNode(b *Backend, n *node, in, out []*Buffer) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("cpu: %s: internal error: %v\n%s", n.op, r, debug.Stack())
		}
	}()
	e := executors[n.op]
	if e == nil {
		return fmt.Errorf("cpu: operation %s is not supported", n.op)
	}
	return e(b, n, in, out)
}

// errDType is what an executor returns for a data type it has no kernel for. The builder
// rejects such nodes, so that users do not meet it.
func errDType(n *node, t dtypes.DType) error {
	return fmt.Errorf("cpu: %s of %s is not supported", n.op, t)
}

// widenHalf runs an executor for float32 on 16-bit floats: it converts the operands, and rounds
// the results once at the end.
func widenHalf(e executor) executor {
	return func(b *Backend, n *node, in, out []*Buffer) error {
		wide := false
		for _, x := range in {
			wide = wide || isHalf(x.shape.DType)
		}
		for _, x := range out {
			wide = wide || isHalf(x.shape.DType)
		}
		if !wide {
			return e(b, n, in, out)
		}
		wideIn := make([]*Buffer, len(in))
		for i, x := range in {
			wideIn[i] = x
			if isHalf(x.shape.DType) {
				wideIn[i] = widened(x)
			}
		}
		wideOut := make([]*Buffer, len(out))
		for i, x := range out {
			wideOut[i] = x
			if isHalf(x.shape.DType) {
				s := shapes.Shape{DType: dtypes.Float32, Dimensions: x.shape.Dimensions}
				wideOut[i] = &Buffer{shape: s, flat: make([]float32, s.Size())}
			}
		}
		if err := e(b, n, wideIn, wideOut); err != nil {
			return err
		}
		for i, x := range out {
			switch flat := x.flat.(type) {
			case []float16.Float16:
				floatToHalf(flat, flatOf[float32](wideOut[i]))
			case []bfloat16.BFloat16:
				floatToHalf(flat, flatOf[float32](wideOut[i]))
			}
		}
		return nil
	}
}

// widened is a float32 copy of a buffer of 16-bit floats.
func widened(x *Buffer) *Buffer {
	w := make([]float32, x.shape.Size())
	switch flat := x.flat.(type) {
	case []float16.Float16:
		halfToFloat(w, flat)
	case []bfloat16.BFloat16:
		halfToFloat(w, flat)
	}
	return &Buffer{shape: shapes.Shape{DType: dtypes.Float32, Dimensions: x.shape.Dimensions}, flat: w}
}
