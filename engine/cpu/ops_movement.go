package cpu

import (
	"fmt"
	"slices"

	"github.com/gomlx/gomlx/backends"
	"github.com/gomlx/gomlx/backends/shapeinference"
	"github.com/gomlx/gomlx/pkg/core/shapes"
)

func init() {
	register(execCopy, backends.OpTypeIdentity, backends.OpTypeReshape)
	register(execTranspose, backends.OpTypeTranspose)
	register(execBroadcastInDim, backends.OpTypeBroadcastInDim)
	register(execSlice, backends.OpTypeSlice)
	register(execConcatenate, backends.OpTypeConcatenate)
	register(execReverse, backends.OpTypeReverse)
}

// transposeAttr: axis a of the result is axis permutation[a] of the operand.
type transposeAttr struct{ permutation []int }

// broadcastAttr: axis a of the operand is axis axes[a] of the result.
type broadcastAttr struct{ axes []int }

// sliceAttr: index i of the result along axis a is starts[a] + i*strides[a] of the operand.
type sliceAttr struct{ starts, strides []int }

type concatenateAttr struct{ axis int }

type reverseAttr struct{ axes []int }

// Reshape gives the elements of x other dimensions.
func (bd *Builder) Reshape(x backends.Op, dims ...int) (backends.Op, error) {
	in, err := bd.check("Reshape", x)
	if err != nil {
		return nil, err
	}
	s := shapes.Shape{DType: in[0].shape.DType, Dimensions: slices.Clone(dims)}
	if err := checkShape("Reshape", s); err != nil {
		return nil, err
	}
	if s.Size() != in[0].shape.Size() {
		return nil, fmt.Errorf("cpu: Reshape: %s has another number of elements than %v", in[0].shape, dims)
	}
	return bd.add(backends.OpTypeReshape, s, nil, in...), nil
}

// Transpose permutes the axes of x: axis a of the result is axis permutation[a] of x.
func (bd *Builder) Transpose(x backends.Op, permutation ...int) (backends.Op, error) {
	in, err := bd.check("Transpose", x)
	if err != nil {
		return nil, err
	}
	s, err := shapeinference.TransposeOp(in[0].shape, permutation)
	if err != nil {
		return nil, fmt.Errorf("cpu: %w", err)
	}
	return bd.add(backends.OpTypeTranspose, s, &transposeAttr{slices.Clone(permutation)}, in...), nil
}

// BroadcastInDim repeats x along new axes and along its axes of size 1.
func (bd *Builder) BroadcastInDim(x backends.Op, shape shapes.Shape, axes []int) (backends.Op, error) {
	in, err := bd.check("BroadcastInDim", x)
	if err != nil {
		return nil, err
	}
	if err := checkShape("BroadcastInDim", shape); err != nil {
		return nil, err
	}
	if shape.DType != in[0].shape.DType {
		return nil, fmt.Errorf("cpu: BroadcastInDim: %s cannot become %s: the data types differ", in[0].shape, shape)
	}
	if err := shapeinference.BroadcastInDimOp(in[0].shape, shape, axes); err != nil {
		return nil, fmt.Errorf("cpu: %w", err)
	}
	if !slices.IsSorted(axes) {
		return nil, fmt.Errorf("cpu: BroadcastInDim: axes %v are not increasing", axes)
	}
	return bd.add(backends.OpTypeBroadcastInDim, shape.Clone(), &broadcastAttr{slices.Clone(axes)}, in...), nil
}

// Slice takes the elements from starts to before limits; nil strides are 1.
func (bd *Builder) Slice(x backends.Op, starts, limits, strides []int) (backends.Op, error) {
	in, err := bd.check("Slice", x)
	if err != nil {
		return nil, err
	}
	s := in[0].shape
	if strides == nil {
		strides = slices.Repeat([]int{1}, s.Rank())
	}
	if len(starts) != s.Rank() || len(limits) != s.Rank() || len(strides) != s.Rank() {
		return nil, fmt.Errorf("cpu: Slice of %s: starts %v, limits %v and strides %v must have one value per axis",
			s, starts, limits, strides)
	}
	dims := make([]int, s.Rank())
	for a, d := range s.Dimensions {
		if starts[a] < 0 || limits[a] < starts[a] || limits[a] > d || strides[a] < 1 {
			return nil, fmt.Errorf("cpu: Slice of %s: [%d:%d] in steps of %d at axis %d is not possible",
				s, starts[a], limits[a], strides[a], a)
		}
		dims[a] = (limits[a] - starts[a] + strides[a] - 1) / strides[a]
	}
	attr := &sliceAttr{starts: slices.Clone(starts), strides: slices.Clone(strides)}
	return bd.add(backends.OpTypeSlice, shapes.Shape{DType: s.DType, Dimensions: dims}, attr, in...), nil
}

// Concatenate joins operands along an axis.
func (bd *Builder) Concatenate(axis int, operands ...backends.Op) (backends.Op, error) {
	in, err := bd.check("Concatenate", operands...)
	if err != nil {
		return nil, err
	}
	all := make([]shapes.Shape, len(in))
	for i, n := range in {
		all[i] = n.shape
	}
	s, err := shapeinference.ConcatenateOp(all, axis)
	if err != nil {
		return nil, fmt.Errorf("cpu: %w", err)
	}
	if err := checkAxes("Concatenate", []int{axis}, s.Rank()); err != nil {
		return nil, err
	}
	return bd.add(backends.OpTypeConcatenate, s, &concatenateAttr{axis}, in...), nil
}

// Reverse turns the order of the elements around along the axes.
func (bd *Builder) Reverse(x backends.Op, axes ...int) (backends.Op, error) {
	in, err := bd.check("Reverse", x)
	if err != nil {
		return nil, err
	}
	if err := checkAxes("Reverse", axes, in[0].shape.Rank()); err != nil {
		return nil, err
	}
	return bd.add(backends.OpTypeReverse, in[0].shape, &reverseAttr{slices.Clone(axes)}, in...), nil
}

func execCopy(b *Backend, _ *node, in, out []*Buffer) error {
	dims := []int{out[0].shape.Size()}
	return b.copyStrided(out[0], rowMajor(dims), in[0], rowMajor(dims), dims)
}

func execTranspose(b *Backend, n *node, in, out []*Buffer) error {
	return b.transpose(out[0], in[0], n.attr.(*transposeAttr).permutation)
}

// transpose permutes the axes of x, in the sense of Builder.Transpose.
func (b *Backend) transpose(out, x *Buffer, permutation []int) error {
	st := stridesOf(x.shape.Dimensions)
	from := access{strides: make([]int, len(st))}
	dims := make([]int, len(st))
	for a, p := range permutation {
		from.strides[a] = st[p]
		dims[a] = x.shape.Dimensions[p]
	}
	return b.copyStrided(out, rowMajor(dims), x, from, dims)
}

func execBroadcastInDim(b *Backend, n *node, in, out []*Buffer) error {
	dims := out[0].shape.Dimensions
	from := access{strides: make([]int, len(dims))}
	st := stridesOf(in[0].shape.Dimensions)
	for a, o := range n.attr.(*broadcastAttr).axes {
		if in[0].shape.Dimensions[a] != 1 {
			from.strides[o] = st[a]
		}
	}
	return b.copyStrided(out[0], rowMajor(dims), in[0], from, dims)
}

func execSlice(b *Backend, n *node, in, out []*Buffer) error {
	attr := n.attr.(*sliceAttr)
	from := access{strides: stridesOf(in[0].shape.Dimensions)}
	for a, s := range from.strides {
		from.offset += attr.starts[a] * s
		from.strides[a] = s * attr.strides[a]
	}
	dims := out[0].shape.Dimensions
	return b.copyStrided(out[0], rowMajor(dims), in[0], from, dims)
}

func execConcatenate(b *Backend, n *node, in, out []*Buffer) error {
	axis := n.attr.(*concatenateAttr).axis
	to := rowMajor(out[0].shape.Dimensions)
	for _, x := range in {
		dims := x.shape.Dimensions
		if err := b.copyStrided(out[0], to, x, rowMajor(dims), dims); err != nil {
			return err
		}
		to.offset += dims[axis] * to.strides[axis]
	}
	return nil
}

func execReverse(b *Backend, n *node, in, out []*Buffer) error {
	dims := in[0].shape.Dimensions
	from := rowMajor(dims)
	for _, a := range n.attr.(*reverseAttr).axes {
		from.offset += (dims[a] - 1) * from.strides[a]
		from.strides[a] = -from.strides[a]
	}
	return b.copyStrided(out[0], rowMajor(dims), in[0], from, dims)
}
