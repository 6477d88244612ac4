package cpu

import (
	"fmt"
	"slices"

	"github.com/gomlx/gomlx/backends"
	"github.com/gomlx/gomlx/pkg/core/dtypes"
	"github.com/gomlx/gomlx/pkg/core/shapes"
)

func init() {
	register(widenHalf(execDotGeneral), backends.OpTypeDot, backends.OpTypeDotGeneral)
}

// dotGeneralAttr belongs to Dot and DotGeneral nodes. The i-th batch (contracting) axis of the
// left operand goes with the i-th of the right one; the other axes of both are kept. The
// result has the batch axes, then the left operand's other axes, then the right one's.
type dotGeneralAttr struct {
	lhsContracting, lhsBatch []int
	rhsContracting, rhsBatch []int
}

// Dot multiplies vectors and matrices: the last axis of lhs with the first of rhs.
func (bd *Builder) Dot(lhs, rhs backends.Op) (backends.Op, error) {
	in, err := bd.check("Dot", lhs, rhs)
	if err != nil {
		return nil, err
	}
	x, y := in[0].shape.Rank(), in[1].shape.Rank()
	if x < 1 || x > 2 || y < 1 || y > 2 {
		return nil, fmt.Errorf("cpu: Dot(%s, %s): want vectors or matrices", in[0].shape, in[1].shape)
	}
	return bd.dot(backends.OpTypeDot, in, dotGeneralAttr{lhsContracting: []int{x - 1}, rhsContracting: []int{0}})
}

// DotGeneral sums products over the contracting axes, for each index of the batch axes.
func (bd *Builder) DotGeneral(lhs backends.Op, lhsContracting, lhsBatch []int,
	rhs backends.Op, rhsContracting, rhsBatch []int) (backends.Op, error) {
	in, err := bd.check("DotGeneral", lhs, rhs)
	if err != nil {
		return nil, err
	}
	return bd.dot(backends.OpTypeDotGeneral, in, dotGeneralAttr{
		slices.Clone(lhsContracting), slices.Clone(lhsBatch),
		slices.Clone(rhsContracting), slices.Clone(rhsBatch),
	})
}

func (bd *Builder) dot(op backends.OpType, in []*node, attr dotGeneralAttr) (backends.Op, error) {
	x, y := in[0].shape, in[1].shape
	if x.DType != y.DType || kindOf(x.DType)&kindNumber == 0 {
		return nil, fmt.Errorf("cpu: %s(%s, %s): want one data type of numbers", op, x, y)
	}
	if len(attr.lhsContracting) != len(attr.rhsContracting) || len(attr.lhsBatch) != len(attr.rhsBatch) {
		return nil, fmt.Errorf("cpu: %s(%s, %s): the operands have different numbers of contracting or batch axes", op, x, y)
	}
	if err := checkAxes(op.String(), slices.Concat(attr.lhsContracting, attr.lhsBatch), x.Rank()); err != nil {
		return nil, err
	}
	if err := checkAxes(op.String(), slices.Concat(attr.rhsContracting, attr.rhsBatch), y.Rank()); err != nil {
		return nil, err
	}
	for i, a := range slices.Concat(attr.lhsContracting, attr.lhsBatch) {
		c := slices.Concat(attr.rhsContracting, attr.rhsBatch)[i]
		if x.Dimensions[a] != y.Dimensions[c] {
			return nil, fmt.Errorf("cpu: %s(%s, %s): axis %d of the first does not match axis %d of the second", op, x, y, a, c)
		}
	}
	var dims []int
	for _, a := range attr.lhsBatch {
		dims = append(dims, x.Dimensions[a])
	}
	for _, a := range otherAxes(x.Rank(), attr.lhsContracting, attr.lhsBatch) {
		dims = append(dims, x.Dimensions[a])
	}
	for _, a := range otherAxes(y.Rank(), attr.rhsContracting, attr.rhsBatch) {
		dims = append(dims, y.Dimensions[a])
	}
	return bd.add(op, shapes.Shape{DType: x.DType, Dimensions: dims}, &attr, in...), nil
}

// otherAxes lists the axes that are in none of the lists, in order.
func otherAxes(rank int, lists ...[]int) []int {
	var other []int
	for a := range rank {
		if !slices.ContainsFunc(lists, func(l []int) bool { return slices.Contains(l, a) }) {
			other = append(other, a)
		}
	}
	return other
}

func execDotGeneral(b *Backend, n *node, in, out []*Buffer) error {
	attr := n.attr.(*dotGeneralAttr)
	x, y := in[0], in[1]
	lhsOther := otherAxes(x.shape.Rank(), attr.lhsContracting, attr.lhsBatch)
	rhsOther := otherAxes(y.shape.Rank(), attr.rhsContracting, attr.rhsBatch)
	m, batch, k := dimsOf(x, lhsOther), dimsOf(x, attr.lhsBatch), dimsOf(x, attr.lhsContracting)
	cols := dimsOf(y, rhsOther)
	x, err := b.arranged(x, slices.Concat(attr.lhsBatch, lhsOther, attr.lhsContracting))
	if err != nil {
		return err
	}
	// A single column is multiplied row by row, which reads y in the same order.
	y, err = b.arranged(y, slices.Concat(attr.rhsBatch, attr.rhsContracting, rhsOther))
	if err != nil {
		return err
	}
	switch x.shape.DType {
	case dtypes.Float32:
		matmul[float32](b, out[0], x, y, batch, m, k, cols)
	case dtypes.Float64:
		matmul[float64](b, out[0], x, y, batch, m, k, cols)
	case dtypes.Complex64:
		matmul[complex64](b, out[0], x, y, batch, m, k, cols)
	case dtypes.Complex128:
		matmul[complex128](b, out[0], x, y, batch, m, k, cols)
	case dtypes.Int8:
		matmul[int8](b, out[0], x, y, batch, m, k, cols)
	case dtypes.Int16:
		matmul[int16](b, out[0], x, y, batch, m, k, cols)
	case dtypes.Int32:
		matmul[int32](b, out[0], x, y, batch, m, k, cols)
	case dtypes.Int64:
		matmul[int64](b, out[0], x, y, batch, m, k, cols)
	case dtypes.Uint8:
		matmul[uint8](b, out[0], x, y, batch, m, k, cols)
	case dtypes.Uint16:
		matmul[uint16](b, out[0], x, y, batch, m, k, cols)
	case dtypes.Uint32:
		matmul[uint32](b, out[0], x, y, batch, m, k, cols)
	case dtypes.Uint64:
		matmul[uint64](b, out[0], x, y, batch, m, k, cols)
	default:
		return errDType(n, x.shape.DType)
	}
	return nil
}

// dimsOf is the number of elements along some axes.
func dimsOf(x *Buffer, axes []int) int {
	n := 1
	for _, a := range axes {
		n *= x.shape.Dimensions[a]
	}
	return n
}

// arranged returns x with its axes permuted, or x itself where nothing changes.
func (b *Backend) arranged(x *Buffer, permutation []int) (*Buffer, error) {
	if slices.IsSorted(permutation) {
		return x, nil
	}
	dims := make([]int, len(permutation))
	for a, p := range permutation {
		dims[a] = x.shape.Dimensions[p]
	}
	out, err := newBuffer(shapes.Shape{DType: x.shape.DType, Dimensions: dims})
	if err != nil {
		return nil, err
	}
	return out, b.transpose(out, x, permutation)
}

// matmul computes out[b,m,n] = sum over k of x[b,m,k] y[b,k,n], summing in the order of k.
func matmul[T number](b *Backend, out, x, y *Buffer, batch, m, k, n int) {
	o, xs, ys := flatOf[T](out), flatOf[T](x), flatOf[T](y)
	b.parallel(batch*m, k*n, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			row := xs[i*k : (i+1)*k]
			mat := ys[i/m*k*n : (i/m+1)*k*n]
			if n == 1 {
				var sum T
				for j, v := range row {
					sum += v * mat[j]
				}
				o[i] = sum
				continue
			}
			acc := o[i*n : (i+1)*n]
			clear(acc)
			addProducts(acc, row, mat, n)
		}
	})
}

// addProducts adds x[k] * w[k*stride+j] to acc[j], for all k.
func addProducts[T number](acc, x, w []T, stride int) {
	k := 0
	for ; k+4 <= len(x); k += 4 {
		x0, x1, x2, x3 := x[k], x[k+1], x[k+2], x[k+3]
		w0 := w[k*stride:][:len(acc)]
		w1 := w[(k+1)*stride:][:len(acc)]
		w2 := w[(k+2)*stride:][:len(acc)]
		w3 := w[(k+3)*stride:][:len(acc)]
		for j := range acc {
			acc[j] = acc[j] + x0*w0[j] + x1*w1[j] + x2*w2[j] + x3*w3[j]
		}
	}
	for ; k < len(x); k++ {
		x0 := x[k]
		w0 := w[k*stride:][:len(acc)]
		for j := range acc {
			acc[j] += x0 * w0[j]
		}
	}
}
