package cpu

import (
	"fmt"
	"slices"

	"github.com/gomlx/gomlx/pkg/core/shapes"
)

// checkShape tells whether a tensor can have the shape.
func checkShape(what string, s shapes.Shape) error {
	if !slices.Contains(supportedDTypes, s.DType) {
		return fmt.Errorf("cpu: %s: data type %s is not supported", what, s.DType)
	}
	for _, d := range s.Dimensions {
		if d < 0 {
			return fmt.Errorf("cpu: %s: dimension %d of %v is negative", what, d, s.Dimensions)
		}
	}
	return nil
}

// checkAxes tells whether all axes are within the rank and distinct.
func checkAxes(what string, axes []int, rank int) error {
	for i, a := range axes {
		if a < 0 || a >= rank {
			return fmt.Errorf("cpu: %s: axis %d is not within rank %d", what, a, rank)
		}
		if slices.Contains(axes[:i], a) {
			return fmt.Errorf("cpu: %s: axis %d is given twice", what, a)
		}
	}
	return nil
}

// broadcastDims returns the dimensions of an elementwise operation: an operand is a scalar or
// has the rank of the others, and each of its dimensions is 1 or that of the others.
func broadcastDims(what string, in ...shapes.Shape) ([]int, error) {
	var dims []int
	for _, s := range in {
		if s.Rank() == 0 {
			continue
		}
		if dims == nil {
			dims = slices.Clone(s.Dimensions)
			continue
		}
		if len(dims) != s.Rank() {
			return nil, fmt.Errorf("cpu: %s: shapes %v have different ranks", what, in)
		}
		for a, d := range s.Dimensions {
			switch {
			case d == dims[a] || d == 1:
			case dims[a] == 1:
				dims[a] = d
			default:
				return nil, fmt.Errorf("cpu: %s: shapes %v do not match at axis %d", what, in, a)
			}
		}
	}
	return dims, nil
}

// stridesOf returns the row-major strides of dims.
func stridesOf(dims []int) []int {
	s := make([]int, len(dims))
	n := 1
	for a := len(dims) - 1; a >= 0; a-- {
		s[a] = n
		n *= dims[a]
	}
	return s
}

func product(dims []int) int {
	n := 1
	for _, d := range dims {
		n *= d
	}
	return n
}

// broadcastStrides returns the strides with which an operand of an elementwise operation is
// read while the result, of dimensions dims, is written.
func broadcastStrides(s shapes.Shape, dims []int) []int {
	if s.Rank() == 0 {
		return make([]int, len(dims))
	}
	st := stridesOf(s.Dimensions)
	for a, d := range s.Dimensions {
		if d == 1 {
			st[a] = 0
		}
	}
	return st
}

// mergeAxes drops axes of size 1 and joins neighbours that every operand walks through as if
// they were one. strides holds one slice per operand. At least one axis remains.
func mergeAxes(dims []int, strides [][]int) ([]int, [][]int) {
	outDims := make([]int, 0, len(dims)+1)
	out := make([][]int, len(strides))
	for a, d := range dims {
		if d == 1 {
			continue
		}
		last := len(outDims) - 1
		join := last >= 0
		for k := range strides {
			join = join && out[k][last] == strides[k][a]*d
		}
		if join {
			outDims[last] *= d
		} else {
			outDims = append(outDims, d)
			for k := range out {
				out[k] = append(out[k], 0)
			}
			last++
		}
		for k := range out {
			out[k][last] = strides[k][a]
		}
	}
	if len(outDims) == 0 {
		outDims = append(outDims, 1)
		for k := range out {
			out[k] = append(out[k], 0)
		}
	}
	return outDims, out
}

// offsets computes, for the i-th index of dims in row-major order, the position in each operand.
func offsets(i int, dims []int, strides [][]int, at []int) {
	for k := range at {
		at[k] = 0
	}
	for a := len(dims) - 1; a >= 0; a-- {
		j := i % dims[a]
		i /= dims[a]
		for k := range at {
			at[k] += j * strides[k][a]
		}
	}
}
