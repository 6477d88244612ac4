package operator

import (
	goreflect "reflect"
	"slices"

	"github.com/gomlx/gomlx/pkg/core/tensors"
)

// Equal says whether two operators are the same map: of one kind, name and size, with the same data.
// What is compiled for one of them then serves the other.
func Equal(a, b Operator) bool {
	if goreflect.TypeOf(a) != goreflect.TypeOf(b) || a.Name() != b.Name() {
		return false
	}
	ah, aw := a.ImageSize()
	bh, bw := b.ImageSize()
	mh, mw, mc := a.MeasurementSize()
	nh, nw, nc := b.MeasurementSize()
	if ah != bh || aw != bw || mh != nh || mw != nw || mc != nc {
		return false
	}
	return slices.EqualFunc(a.Data(), b.Data(), equalTensors)
}

// SamePrograms says whether what is compiled for one operator serves the other, with the other's Data: they are Equal, or
// masks of one size, of which a graph knows nothing but the data.
func SamePrograms(a, b Operator) bool {
	if a, ok := a.(*Inpaint); ok {
		b, ok := b.(*Inpaint)
		return ok && a.size == b.size
	}
	return Equal(a, b)
}

// equalTensors says whether two tensors have one shape and equal values. Those of operators are
// float32, of which there may be one for every pixel.
func equalTensors(a, b *tensors.Tensor) (equal bool) {
	if a == b || !a.Shape().Equal(b.Shape()) {
		return a == b
	}
	err := a.ConstFlatData(func(x any) {
		err := b.ConstFlatData(func(y any) {
			if x, ok := x.([]float32); ok {
				equal = slices.Equal(x, y.([]float32))
				return
			}
			equal = goreflect.DeepEqual(x, y)
		})
		equal = equal && err == nil
	})
	return equal && err == nil
}
