package operator

import (
	"fmt"
	"math"
	"slices"
	"sync"

	"github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/tensors"
	"gonum.org/v1/gonum/mat"
)

// Factors is a singular value decomposition A = U S V^T that is cheap to apply. Coefficients are
// [N,a,b,c] for images [N,H,W,3] and measurements [N,h,w,c]. U is square and orthogonal. The columns
// of V are orthonormal where the singular value is positive and may be zero where it is not: what V
// does not reach is in the null space of A.
type Factors interface {
	// Data are the arrays of the decomposition, which programs take as inputs, in this order.
	Data() []*tensors.Tensor
	// Values are the singular values, and their inverses with 0 in place of those of values below
	// Cutoff times the largest. Both broadcast against coefficients.
	Values(data []*graph.Node) (s, inverse *graph.Node)
	// Left builds U^T y and LeftBack U c.
	Left(data []*graph.Node, y *graph.Node) *graph.Node
	LeftBack(data []*graph.Node, c *graph.Node) *graph.Node
	// Right builds V^T x and RightBack V c.
	Right(data []*graph.Node, x *graph.Node) *graph.Node
	RightBack(data []*graph.Node, c *graph.Node) *graph.Node
}

// Cutoff is the smallest singular value, relative to the largest, that a pseudo-inverse inverts.
// Below it noise, the rounding of a picture's file included, would be amplified beyond use. DDRM
// (arXiv 2201.11793) and DDNM (arXiv 2212.00490) drop the same part of a blur.
const Cutoff = 0.03

// Decomposer is implemented by linear operators that have Factors.
type Decomposer interface {
	// Decompose returns the decomposition. ok is false if the operator has none that is cheap.
	Decompose() (f Factors, ok bool)
}

// Decompose is that of a mask: U and V are the identity, S is the mask.
func (o *Inpaint) Decompose() (Factors, bool) { return diagonal{o.data[0]}, true }

// Decompose is the identity's.
func (o *Denoise) Decompose() (Factors, bool) {
	return diagonal{floatTensor([]float64{1}, 1, 1, 1, 1)}, true
}

// diagonal is A = diag(s), with s 0 or 1.
type diagonal struct{ s *tensors.Tensor }

func (d diagonal) Data() []*tensors.Tensor                             { return []*tensors.Tensor{d.s} }
func (d diagonal) Values(data []*graph.Node) (s, inverse *graph.Node)  { return data[0], data[0] }
func (d diagonal) Left(_ []*graph.Node, y *graph.Node) *graph.Node     { return y }
func (d diagonal) LeftBack(_ []*graph.Node, c *graph.Node) *graph.Node { return c }
func (d diagonal) Right(data []*graph.Node, x *graph.Node) *graph.Node { return graph.Mul(data[0], x) }
func (d diagonal) RightBack(data []*graph.Node, c *graph.Node) *graph.Node {
	return graph.Mul(data[0], c)
}

// Decompose is that of a grey value: V is the unit vector along the weights, at every pixel.
func (o *Colorize) Decompose() (Factors, bool) {
	_, squared := o.StepConstants()
	norm := math.Sqrt(squared)
	v := make([]float64, imageChannels)
	for i, w := range lumaWeights {
		v[i] = w / norm
	}
	return grey{[]*tensors.Tensor{
		floatTensor(v, 1, 1, 1, imageChannels),
		floatTensor([]float64{norm}, 1, 1, 1, 1), floatTensor([]float64{1 / norm}, 1, 1, 1, 1),
	}}, true
}

// grey is a weighted sum over the channels. Its data are the unit vector v, s and 1/s.
type grey struct{ data []*tensors.Tensor }

func (g grey) Data() []*tensors.Tensor                                 { return g.data }
func (g grey) Values(data []*graph.Node) (s, inverse *graph.Node)      { return data[1], data[2] }
func (g grey) Left(_ []*graph.Node, y *graph.Node) *graph.Node         { return y }
func (g grey) LeftBack(_ []*graph.Node, c *graph.Node) *graph.Node     { return c }
func (g grey) RightBack(data []*graph.Node, c *graph.Node) *graph.Node { return graph.Mul(data[0], c) }
func (g grey) Right(data []*graph.Node, x *graph.Node) *graph.Node {
	return graph.ReduceAndKeep(graph.Mul(data[0], x), graph.ReduceSum, -1)
}

// factorCache keeps factors that take long to compute.
type factorCache struct {
	once sync.Once
	f    Factors
	ok   bool
}

func (c *factorCache) get(compute func() (Factors, bool)) (Factors, bool) {
	c.once.Do(func() { c.f, c.ok = compute() })
	return c.f, c.ok
}

// maxFactored is the largest number of rows of a matrix that is decomposed: the time grows with its
// third power.
const maxFactored = 1024

// Decompose is that of the two resize matrices.
func (o *SuperResolution) Decompose() (Factors, bool) {
	return o.cache.get(func() (Factors, bool) {
		return newSeparableFactors(resizeFilter(o.height, o.factor), resizeFilter(o.width, o.factor))
	})
}

// Decompose is that of the blurs along the two axes, for a kernel that is a product of two lines.
// Reflection at the borders keeps other kernels from having a cheap decomposition.
func (o *Blur) Decompose() (Factors, bool) {
	if _, ok := o.form.(*lines); !ok {
		return nil, false
	}
	return o.cache.get(func() (Factors, bool) {
		column, row, _ := o.kernel.factors()
		return newSeparableFactors(reflectedFilter(column, o.kernel.Height/2, o.height), reflectedFilter(row, o.kernel.Width/2, o.width))
	})
}

// separableFactors is the decomposition of x -> L x R^T from those of L and R. Its data are U and V
// of L, U and V of R, the products of the singular values, [1,h,w,1], and their inverses.
type separableFactors struct{ data []*tensors.Tensor }

func newSeparableFactors(left, right filter) (Factors, bool) {
	if left.count > maxFactored || right.count > maxFactored {
		return nil, false
	}
	l, r := left.matrix(), right.matrix()
	ul, sl, vl := l.factorize()
	ur, sr, vr := ul, sl, vl
	if l.cols != r.cols || !slices.Equal(l.v, r.v) { // for 1024 rows it takes 8 s
		ur, sr, vr = r.factorize()
	}
	s, inverse := newMatrix(len(sl), len(sr)), newMatrix(len(sl), len(sr))
	for i, a := range sl {
		for j, b := range sr {
			s.row(i)[j] = a * b
			if a*b > Cutoff*sl[0]*sr[0] {
				inverse.row(i)[j] = 1 / (a * b)
			}
		}
	}
	shaped := func(m *matrix) *tensors.Tensor { return floatTensor(m.v, 1, m.rows, m.cols, 1) }
	return separableFactors{[]*tensors.Tensor{ul.tensor(), vl.tensor(), ur.tensor(), vr.tensor(), shaped(s), shaped(inverse)}}, true
}

// factorize returns U [rows,rows], the singular values in descending order and V [cols,rows] of a
// matrix that has no more rows than columns.
func (m *matrix) factorize() (u *matrix, s []float64, v *matrix) {
	var svd mat.SVD
	if !svd.Factorize(mat.NewDense(m.rows, m.cols, m.v), mat.SVDThin) {
		panic(fmt.Errorf("operator: the singular values of a %dx%d matrix cannot be computed", m.rows, m.cols))
	}
	var du, dv mat.Dense
	svd.UTo(&du)
	svd.VTo(&dv)
	return &matrix{m.rows, m.rows, du.RawMatrix().Data}, svd.Values(nil), &matrix{m.cols, m.rows, dv.RawMatrix().Data}
}

func (f separableFactors) Data() []*tensors.Tensor { return f.data }
func (f separableFactors) Values(data []*graph.Node) (s, inverse *graph.Node) {
	return data[4], data[5]
}
func (f separableFactors) Left(data []*graph.Node, y *graph.Node) *graph.Node {
	return twoProducts(data[0], data[2], y, 0)
}
func (f separableFactors) LeftBack(data []*graph.Node, c *graph.Node) *graph.Node {
	return twoProducts(data[0], data[2], c, 1)
}
func (f separableFactors) Right(data []*graph.Node, x *graph.Node) *graph.Node {
	return twoProducts(data[1], data[3], x, 0)
}
func (f separableFactors) RightBack(data []*graph.Node, c *graph.Node) *graph.Node {
	return twoProducts(data[1], data[3], c, 1)
}
