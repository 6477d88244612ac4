package sampler

import (
	"fmt"

	"github.com/gomlx/gomlx/pkg/core/dtypes"
	"github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/shapes"
	"github.com/gomlx/gomlx/pkg/core/tensors"
	"gonum.org/v1/gonum/mat"

	"github.com/seed-0f004ec9/spgd/operator"
)

// DiffStateGrad is a filter of likelihood gradients that any method with such gradients can have
// (Zirvi et al., arXiv 2410.03463). Every Period steps each channel of the state x is decomposed,
// X = U S V^T, and from then on a gradient G of that channel is projected onto the r leading singular
// vectors,
//
//	G <- U_r U_r^T G V_r V_r^T
//
// r being the smallest rank that holds the share Cutoff of the sum of the squared singular values. The
// authors take 0.99; their code compares it with a sum over all channels, which keeps more. The
// decomposition is computed in float64 on the host.
type DiffStateGrad struct {
	Sampler
	Cutoff float64 `set:"cutoff"`
	Period int     `set:"period"`
}

// FilterSuffix is what the name of a method with the filter ends in.
const FilterSuffix = "+diffstategrad"

// NewDiffStateGrad adds the filter with its authors' settings to a method.
func NewDiffStateGrad(s Sampler) DiffStateGrad { return DiffStateGrad{s, 0.99, 1} }

const (
	rowProjection    = "row projection"    // U_r U_r^T, [N,C,H,H]
	columnProjection = "column projection" // V_r V_r^T, [N,C,W,W]
)

// Name is the method's with FilterSuffix.
func (f DiffStateGrad) Name() string { return f.Sampler.Name() + FilterSuffix }

// Validate implements Sampler.
func (f DiffStateGrad) Validate() error {
	if !(f.Cutoff > 0 && f.Cutoff <= 1) {
		return fmt.Errorf("sampler: %w: cutoff of %s is %g, want a number above 0 and at most 1", ErrSettings, f.Name(), f.Cutoff)
	}
	if f.Period < 1 {
		return fmt.Errorf("sampler: %w: period of %s is %d, want at least 1", ErrSettings, f.Name(), f.Period)
	}
	return f.Sampler.Validate()
}

// Applies implements Limited.
func (f DiffStateGrad) Applies(op operator.Operator) error {
	if l, ok := f.Sampler.(Limited); ok {
		return l.Applies(op)
	}
	return nil
}

// Deterministic implements Deterministic.
func (f DiffStateGrad) Deterministic() bool { return IsDeterministic(f.Sampler) }

// Spared implements Sparing.
func (f DiffStateGrad) Spared() (state, reports []string) {
	if s, ok := f.Sampler.(Sparing); ok {
		return s.Spared()
	}
	return nil, nil
}

// State adds the projections to the method's state.
func (f DiffStateGrad) State() []string {
	s := f.Sampler.State()
	return append(s[:len(s):len(s)], rowProjection, columnProjection)
}

// Scratch adds the projections where every step makes its own.
func (f DiffStateGrad) Scratch() []string {
	var names []string
	if s, ok := f.Sampler.(Scratcher); ok {
		names = s.Scratch()
	}
	if f.Period == 1 {
		names = append(names[:len(names):len(names)], rowProjection, columnProjection)
	}
	return names
}

// StateShape implements Shaper.
func (f DiffStateGrad) StateShape(name string, x shapes.Shape) shapes.Shape {
	d := x.Dimensions
	switch name {
	case rowProjection:
		return shapes.Make(dtypes.Float32, d[0], d[3], d[1], d[1])
	case columnProjection:
		return shapes.Make(dtypes.Float32, d[0], d[3], d[2], d[2])
	}
	if s, ok := f.Sampler.(Shaper); ok {
		return s.StateShape(name, x)
	}
	return x
}

// Stages are the method's, with the filter.
func (f DiffStateGrad) Stages() []Stage {
	stages := append([]Stage(nil), f.Sampler.Stages()...)
	for i := range stages {
		s := stages[i].State
		stages[i].State = append(s[:len(s):len(s)], rowProjection, columnProjection)
		stages[i].filter = project
	}
	return stages
}

// project builds the filtered gradient.
func project(b *Builder, g *Node) *Node {
	g = graph.TransposeAllAxes(g, 0, 3, 1, 2) // [N,C,H,W]
	g = graph.DotGeneral(b.State(rowProjection), []int{3}, []int{0, 1}, g, []int{2}, []int{0, 1})
	g = graph.DotGeneral(g, []int{3}, []int{0, 1}, b.State(columnProjection), []int{2}, []int{0, 1})
	return graph.TransposeAllAxes(g, 0, 2, 3, 1)
}

// Step runs outer step k of the method.
func (f DiffStateGrad) Step(r *Run) error {
	if r.K()%f.Period == 0 {
		x, err := r.image(StateX)
		if err != nil {
			return err
		}
		rows, columns, err := f.projections(x)
		if err != nil {
			return err
		}
		r.set(rowProjection, rows)
		r.set(columnProjection, columns)
	}
	return f.Sampler.Step(r)
}

// projections are those of every channel of every image.
func (f DiffStateGrad) projections(x *tensors.Tensor) (rows, columns *tensors.Tensor, err error) {
	d := x.Shape().Dimensions
	n, h, w, c := d[0], d[1], d[2], d[3]
	left, right := make([]float32, 0, n*c*h*h), make([]float32, 0, n*c*w*w)
	readErr := x.ConstFlatData(func(flat any) {
		v := flat.([]float32)
		for image := range n {
			for channel := range c {
				m := mat.NewDense(h, w, nil)
				for i := range h * w {
					m.Set(i/w, i%w, float64(v[(image*h*w+i)*c+channel]))
				}
				p, q, ok := leading(m, f.Cutoff)
				if !ok {
					err = fmt.Errorf("sampler: %s: the singular values of channel %d of image %d cannot be computed", f.Name(), channel, image)
					return
				}
				left, right = appendSingle(left, p), appendSingle(right, q)
			}
		}
	})
	if readErr != nil {
		return nil, nil, fmt.Errorf("sampler: reading images: %w", readErr)
	}
	if err != nil {
		return nil, nil, err
	}
	return tensors.FromFlatDataAndDimensions(left, n, c, h, h), tensors.FromFlatDataAndDimensions(right, n, c, w, w), nil
}

// leading returns the projections onto the leading singular vectors of m.
func leading(m *mat.Dense, cutoff float64) (p, q *mat.Dense, ok bool) {
	var svd mat.SVD
	if !svd.Factorize(m, mat.SVDThin) {
		return nil, nil, false
	}
	s := svd.Values(nil)
	total := 0.0
	for _, v := range s {
		total += v * v
	}
	rank, sum := 0, 0.0
	for rank < len(s) && (rank == 0 || sum < cutoff*total) {
		sum += s[rank] * s[rank]
		rank++
	}
	onto := func(vectors mat.Dense) *mat.Dense {
		rows, _ := vectors.Dims()
		v := vectors.Slice(0, rows, 0, rank)
		var p mat.Dense
		p.Mul(v, v.T())
		return &p
	}
	var u, v mat.Dense
	svd.UTo(&u)
	svd.VTo(&v)
	return onto(u), onto(v), true
}

func appendSingle(to []float32, m *mat.Dense) []float32 {
	for _, v := range m.RawMatrix().Data {
		to = append(to, float32(v))
	}
	return to
}
