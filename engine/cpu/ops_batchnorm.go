package cpu

import (
	"fmt"
	"math"

	"github.com/gomlx/gomlx/backends"
	"github.com/gomlx/gomlx/pkg/core/dtypes"
	"github.com/gomlx/gomlx/pkg/core/shapes"
)

func init() {
	register(widenHalf(execBatchNorm), backends.OpTypeBatchNormForInference,
		backends.OpTypeBatchNormForTraining, backends.OpTypeBatchNormGradient)
}

// batchNormAttr: statistics are taken per index of the feature axis.
type batchNormAttr struct {
	epsilon     float64
	featureAxis int
}

// batchNorm checks the operands, of which those at same have the operand's shape and the others
// one element per feature.
func (bd *Builder) batchNorm(op backends.OpType, epsilon float32, axis int, same []bool, ops ...backends.Op) ([]*node, *batchNormAttr, shapes.Shape, error) {
	fail := func(err error) ([]*node, *batchNormAttr, shapes.Shape, error) {
		return nil, nil, shapes.Invalid(), err
	}
	in, err := bd.check(op.String(), ops...)
	if err != nil {
		return fail(err)
	}
	s := in[0].shape
	if kindOf(s.DType) != kindFloat {
		return fail(fmt.Errorf("cpu: %s of %s is not supported", op, s.DType))
	}
	if err := checkAxes(op.String(), []int{axis}, s.Rank()); err != nil {
		return fail(err)
	}
	feature := shapes.Shape{DType: s.DType, Dimensions: []int{s.Dimensions[axis]}}
	for i, n := range in {
		want := feature
		if same[i] {
			want = s
		}
		if !n.shape.Equal(want) {
			return fail(fmt.Errorf("cpu: %s of %s: operand %d has shape %s, want %s", op, s, i, n.shape, want))
		}
	}
	return in, &batchNormAttr{float64(epsilon), axis}, feature, nil
}

// BatchNormForInference normalises with the given mean and variance.
func (bd *Builder) BatchNormForInference(operand, scale, offset, mean, variance backends.Op, epsilon float32, featureAxis int) (backends.Op, error) {
	in, attr, _, err := bd.batchNorm(backends.OpTypeBatchNormForInference, epsilon, featureAxis,
		[]bool{true, false, false, false, false}, operand, scale, offset, mean, variance)
	if err != nil {
		return nil, err
	}
	return bd.add(backends.OpTypeBatchNormForInference, in[0].shape, attr, in...), nil
}

// BatchNormForTraining normalises with the operand's own mean and (biased) variance, and returns
// them too.
func (bd *Builder) BatchNormForTraining(operand, scale, offset backends.Op, epsilon float32, featureAxis int) (normalized, batchMean, batchVariance backends.Op, err error) {
	in, attr, feature, err := bd.batchNorm(backends.OpTypeBatchNormForTraining, epsilon, featureAxis,
		[]bool{true, false, false}, operand, scale, offset)
	if err != nil {
		return nil, nil, nil, err
	}
	n := bd.addMulti(backends.OpTypeBatchNormForTraining, []shapes.Shape{in[0].shape, feature, feature}, attr, in...)
	return n.results[0], n.results[1], n.results[2], nil
}

// BatchNormGradient is the VJP of BatchNormForTraining's first result.
func (bd *Builder) BatchNormGradient(operand, scale, mean, variance, gradOutput backends.Op, epsilon float32, featureAxis int) (gradOperand, gradScale, gradOffset backends.Op, err error) {
	in, attr, feature, err := bd.batchNorm(backends.OpTypeBatchNormGradient, epsilon, featureAxis,
		[]bool{true, false, false, false, true}, operand, scale, mean, variance, gradOutput)
	if err != nil {
		return nil, nil, nil, err
	}
	n := bd.addMulti(backends.OpTypeBatchNormGradient, []shapes.Shape{in[0].shape, feature, feature}, attr, in...)
	return n.results[0], n.results[1], n.results[2], nil
}

func execBatchNorm(b *Backend, n *node, in, out []*Buffer) error {
	switch in[0].shape.DType {
	case dtypes.Float32:
		batchNorm[float32](b, n, in, out)
	case dtypes.Float64:
		batchNorm[float64](b, n, in, out)
	default:
		return errDType(n, in[0].shape.DType)
	}
	return nil
}

// batchNorm computes in float64, one feature at a time.
func batchNorm[T float](b *Backend, n *node, in, out []*Buffer) {
	attr := n.attr.(*batchNormAttr)
	dims := in[0].shape.Dimensions
	features, inner := dims[attr.featureAxis], product(dims[attr.featureAxis+1:])
	outer := product(dims[:attr.featureAxis])
	count := float64(outer * inner)
	get := func(i, f int) float64 { return float64(flatOf[T](in[i])[f]) }
	x, y := flatOf[T](in[0]), flatOf[T](out[0])
	// each visits the elements of feature f.
	each := func(f int, visit func(i int)) {
		for o := range outer {
			from := (o*features + f) * inner
			for i := from; i < from+inner; i++ {
				visit(i)
			}
		}
	}
	b.parallel(features, outer*inner, func(lo, hi int) {
		for f := lo; f < hi; f++ {
			var mean, variance, offset float64
			scale := get(1, f)
			switch n.op {
			case backends.OpTypeBatchNormForInference:
				offset, mean, variance = get(2, f), get(3, f), get(4, f)
			case backends.OpTypeBatchNormForTraining:
				offset = get(2, f)
				each(f, func(i int) { mean += float64(x[i]) })
				mean /= count
				each(f, func(i int) { d := float64(x[i]) - mean; variance += d * d })
				variance /= count
				flatOf[T](out[1])[f], flatOf[T](out[2])[f] = T(mean), T(variance)
			case backends.OpTypeBatchNormGradient:
				mean, variance = get(2, f), get(3, f)
			}
			inv := 1 / math.Sqrt(variance+attr.epsilon)
			if n.op != backends.OpTypeBatchNormGradient {
				each(f, func(i int) { y[i] = T((float64(x[i])-mean)*inv*scale + offset) })
				continue
			}
			grad := flatOf[T](in[4])
			var gradScale, gradOffset float64
			each(f, func(i int) {
				gradScale += float64(grad[i]) * (float64(x[i]) - mean) * inv
				gradOffset += float64(grad[i])
			})
			flatOf[T](out[1])[f], flatOf[T](out[2])[f] = T(gradScale), T(gradOffset)
			each(f, func(i int) {
				normal := (float64(x[i]) - mean) * inv
				y[i] = T(scale * inv * (float64(grad[i]) - gradOffset/count - normal*gradScale/count))
			})
		}
	})
}
