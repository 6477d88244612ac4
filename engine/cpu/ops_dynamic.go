package cpu

import (
	"fmt"
	"slices"

	"github.com/gomlx/gomlx/backends"
	"github.com/gomlx/gomlx/pkg/core/shapes"
)

func init() {
	register(execDynamicSlice, backends.OpTypeDynamicSlice)
	register(execDynamicUpdateSlice, backends.OpTypeDynamicUpdateSlice)
}

// dynamicSliceAttr: the dimensions of the slice. The starts are the operands behind the first
// (slice) or the second (update), one scalar per axis.
type dynamicSliceAttr struct{ sizes []int }

// DynamicSlice takes a slice of the given dimensions. A start that would put it beyond the
// operand is moved back inside. Instead of one scalar per axis there may be one vector of starts.
func (bd *Builder) DynamicSlice(operand backends.Op, starts []backends.Op, sizes []int) (backends.Op, error) {
	starts, err := bd.scalarStarts("DynamicSlice", starts)
	if err != nil {
		return nil, err
	}
	in, err := bd.check("DynamicSlice", append([]backends.Op{operand}, starts...)...)
	if err != nil {
		return nil, err
	}
	s := in[0].shape
	if err := checkDynamic("DynamicSlice", s, in[1:], sizes); err != nil {
		return nil, err
	}
	out := shapes.Shape{DType: s.DType, Dimensions: slices.Clone(sizes)}
	return bd.add(backends.OpTypeDynamicSlice, out, &dynamicSliceAttr{out.Dimensions}, in...), nil
}

// DynamicUpdateSlice returns the operand with the update in place of a slice of it.
func (bd *Builder) DynamicUpdateSlice(operand, update backends.Op, starts []backends.Op) (backends.Op, error) {
	starts, err := bd.scalarStarts("DynamicUpdateSlice", starts)
	if err != nil {
		return nil, err
	}
	in, err := bd.check("DynamicUpdateSlice", append([]backends.Op{operand, update}, starts...)...)
	if err != nil {
		return nil, err
	}
	s, u := in[0].shape, in[1].shape
	if s.DType != u.DType {
		return nil, fmt.Errorf("cpu: DynamicUpdateSlice: the update %s has not the data type of %s", u, s)
	}
	if err := checkDynamic("DynamicUpdateSlice", s, in[2:], u.Dimensions); err != nil {
		return nil, err
	}
	return bd.add(backends.OpTypeDynamicUpdateSlice, s, &dynamicSliceAttr{slices.Clone(u.Dimensions)}, in...), nil
}

// scalarStarts takes a single vector of starts apart.
func (bd *Builder) scalarStarts(what string, starts []backends.Op) ([]backends.Op, error) {
	in, err := bd.check(what, starts...)
	if err != nil || len(in) != 1 || in[0].shape.Rank() != 1 {
		return starts, err
	}
	scalars := make([]backends.Op, in[0].shape.Dimensions[0])
	for a := range scalars {
		s, err := bd.Slice(in[0], []int{a}, []int{a + 1}, nil)
		if err != nil {
			return nil, err
		}
		if scalars[a], err = bd.Reshape(s); err != nil {
			return nil, err
		}
	}
	return scalars, nil
}

func checkDynamic(what string, s shapes.Shape, starts []*node, sizes []int) error {
	if len(starts) != s.Rank() || len(sizes) != s.Rank() {
		return fmt.Errorf("cpu: %s of %s: %d starts and %d sizes do not fit its rank", what, s, len(starts), len(sizes))
	}
	for a, n := range starts {
		if n.shape.Rank() != 0 || kindOf(n.shape.DType)&kindInt == 0 {
			return fmt.Errorf("cpu: %s: the start along axis %d is %s, want a whole number", what, a, n.shape)
		}
		if sizes[a] < 0 || sizes[a] > s.Dimensions[a] {
			return fmt.Errorf("cpu: %s of %s: size %d at axis %d does not fit", what, s, sizes[a], a)
		}
	}
	return nil
}

// dynamicAccess walks through a slice of a tensor of the given dimensions.
func dynamicAccess(dims, sizes []int, starts []*Buffer) access {
	a := rowMajor(dims)
	for i, s := range starts {
		a.offset += min(max(intsOf(s)[0], 0), dims[i]-sizes[i]) * a.strides[i]
	}
	return a
}

func execDynamicSlice(b *Backend, n *node, in, out []*Buffer) error {
	sizes := n.attr.(*dynamicSliceAttr).sizes
	from := dynamicAccess(in[0].shape.Dimensions, sizes, in[1:])
	return b.copyStrided(out[0], rowMajor(sizes), in[0], from, sizes)
}

func execDynamicUpdateSlice(b *Backend, n *node, in, out []*Buffer) error {
	if err := execCopy(b, n, in, out); err != nil {
		return err
	}
	sizes := n.attr.(*dynamicSliceAttr).sizes
	to := dynamicAccess(in[0].shape.Dimensions, sizes, in[2:])
	return b.copyStrided(out[0], to, in[1], rowMajor(sizes), sizes)
}
