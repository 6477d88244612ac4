package operator

import (
	types "reflect" // the package has a function reflect
	"sync"

	"github.com/gomlx/gomlx/pkg/core/dtypes"
	"github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/shapes"
	"github.com/gomlx/gomlx/pkg/core/tensors"

	"github.com/seed-0f004ec9/spgd/engine"
	"github.com/seed-0f004ec9/spgd/internal/rng"
)

// Normed is implemented by operators that know NormSquared without measuring it.
type Normed interface {
	NormSquared() float64
}

// NormSquared is the largest eigenvalue of A^T A. An operator says it by StepSizer, if it is linear, or by Normed; of
// another it is measured, through Apply and its gradient by autodiff, once for every operator. For one that
// is not linear it is that of its derivative, or a bound, and where it has to be measured that of the derivative at one
// image of random numbers. It is 1 if A is 0 or its graph cannot be built, which whatever builds it next reports.
func NormSquared(op Operator) float64 {
	if n, ok := op.(Normed); ok {
		return n.NormSquared()
	}
	if s, ok := op.(StepSizer); ok && op.Linear() {
		_, lambda := s.StepConstants()
		return lambda
	}
	return norms.of(op)
}

// NormSquared is 4: values are doubled where they are not clipped.
func (o *HighDynamicRange) NormSquared() float64 { return 4 }

// NormSquared is 4, a bound: the derivative's is 1/4.
func (o *PhaseRetrieval) NormSquared() float64 { return 4 }

// keptNorms is for how many operators the norm is kept that was measured last.
const keptNorms = 4

// norms are those measured last.
var norms measuredNorms

type measuredNorms struct {
	mutex sync.Mutex
	ops   []Operator
	norm  []float64
}

func (m *measuredNorms) of(op Operator) float64 {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	comparable := types.TypeOf(op).Comparable()
	for i, o := range m.ops {
		if comparable && o == op {
			return m.norm[i]
		}
	}
	norm, err := measureNorm(op)
	if err != nil || norm == 0 {
		norm = 1
	}
	if comparable {
		first := max(0, len(m.ops)-keptNorms+1)
		m.ops, m.norm = append(m.ops[first:len(m.ops):len(m.ops)], op), append(m.norm[first:len(m.norm):len(m.norm)], norm)
	}
	return norm
}

// measuredBasis is how many vectors of the Lanczos iteration are kept for an operator whose norm is measured: enough for
// the largest eigenvalue, to which lost orthogonality only adds copies.
const measuredBasis = 3

// measureNorm finds the largest eigenvalue on the CPU.
func measureNorm(op Operator) (norm float64, err error) {
	e, err := engine.New(engine.Options{})
	if err != nil {
		return 0, err
	}
	defer e.Close()
	h, w := op.ImageSize()
	image := shapes.Make(dtypes.Float32, 1, h, w, imageChannels)
	p, err := e.Compile(op.Name()+" norm", append([]shapes.Shape{image, image}, DataShapes(op)...), func(in []*graph.Node) []*graph.Node {
		d := NewDerivative(op, in[2:], in[0])
		return []*graph.Node{d.Adjoint(d.Apply(in[1]))}
	})
	if err != nil {
		return 0, err
	}
	defer p.Close()
	at := tensors.FromShape(image)
	err = at.MutableFlatData(func(flat any) {
		stream := rng.New(1, 0, 0, rng.Diagnostic)
		for i := range flat.([]float32) {
			flat.([]float32)[i] = float32(stream.Between(-1, 1))
		}
	})
	norm = largestEigenvalueKeeping(measuredBasis, image.Size(), func(dst, x []float64) {
		if err != nil {
			return
		}
		v := make([]float32, len(x))
		for i := range x {
			v[i] = float32(x[i])
		}
		var out []*tensors.Tensor
		if out, err = p.Run(append([]*tensors.Tensor{at, tensors.FromFlatDataAndDimensions(v, image.Dimensions...)}, op.Data()...)...); err != nil {
			return
		}
		err = out[0].ConstFlatData(func(flat any) {
			for i, v := range flat.([]float32) {
				dst[i] = float64(v)
			}
		})
	})
	return norm, err
}
