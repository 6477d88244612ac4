package operator

import (
	"github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/tensors"
)

// matrix is a dense row-major matrix in float64: one axis of a separable linear operator.
type matrix struct {
	rows, cols int
	v          []float64
}

func newMatrix(rows, cols int) *matrix { return &matrix{rows, cols, make([]float64, rows*cols)} }

func (m *matrix) row(i int) []float64 { return m.v[i*m.cols : (i+1)*m.cols] }

// tensor is the matrix as a [rows,cols] float32 tensor.
func (m *matrix) tensor() *tensors.Tensor { return floatTensor(m.v, m.rows, m.cols) }

func floatTensor(v []float64, dims ...int) *tensors.Tensor {
	f := make([]float32, len(v))
	for i, x := range v {
		f[i] = float32(x)
	}
	return tensors.FromFlatDataAndDimensions(f, dims...)
}

// twoProducts contracts axis 1 of x [N,H,W,C] with the given axis of left, and axis 2 with that of right.
func twoProducts(left, right, x *graph.Node, axis int) *graph.Node {
	rows := graph.DotGeneral(left, []int{axis}, nil, x, []int{1}, nil)     // [h,N,W,C]
	both := graph.DotGeneral(rows, []int{2}, nil, right, []int{axis}, nil) // [h,N,C,w]
	return graph.TransposeAllAxes(both, 1, 0, 3, 2)                        // [N,h,w,C]
}
