package sampler

import (
	"context"
	"math"
	"testing"

	"github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/tensors"
	"gonum.org/v1/gonum/mat"

	"github.com/seed-0f004ec9/spgd/internal/rng"
	"github.com/seed-0f004ec9/spgd/operator"
)

// factoredOperator is a matrixOperator with its singular value decomposition.
type factoredOperator struct{ *matrixOperator }

// decompose returns U [m,m], the singular values and V [n,m].
func (o *matrixOperator) decompose() (u *mat.Dense, s []float64, v *mat.Dense) {
	var svd mat.SVD
	if !svd.Factorize(o.a, mat.SVDThin) {
		panic("no singular values")
	}
	u, v = &mat.Dense{}, &mat.Dense{}
	svd.UTo(u)
	svd.VTo(v)
	return u, svd.Values(nil), v
}

func (o factoredOperator) Decompose() (operator.Factors, bool) {
	u, s, v := o.decompose()
	m, n := o.a.Dims()
	inverse := make([]float64, m)
	for i := range s {
		inverse[i] = 1 / s[i]
	}
	return denseFactors{o.h, o.w, []*tensors.Tensor{
		tensors.FromFlatDataAndDimensions(single(u.RawMatrix().Data), m, m),
		tensors.FromFlatDataAndDimensions(single(v.RawMatrix().Data), n, m),
		tensors.FromFlatDataAndDimensions(single(s), 1, 1, m, 1),
		tensors.FromFlatDataAndDimensions(single(inverse), 1, 1, m, 1),
	}}, true
}

type denseFactors struct {
	h, w int
	data []*tensors.Tensor
}

func (f denseFactors) Data() []*tensors.Tensor             { return f.data }
func (f denseFactors) Values(d []*Node) (s, inverse *Node) { return d[2], d[3] }
func (f denseFactors) Left(d []*Node, y *Node) *Node       { return rowTimes(y, d[0], 1, -1) }
func (f denseFactors) LeftBack(d []*Node, c *Node) *Node {
	return rowTimes(c, graph.Transpose(d[0], 0, 1), 1, -1)
}
func (f denseFactors) Right(d []*Node, x *Node) *Node { return rowTimes(x, d[1], 1, -1) }
func (f denseFactors) RightBack(d []*Node, c *Node) *Node {
	n := c.Shape().Dimensions[0]
	return graph.Reshape(graph.Dot(graph.Reshape(c, n, -1), graph.Transpose(d[1], 0, 1)), n, f.h, f.w, 3)
}

func rowTimes(x, m *Node, a, b int) *Node {
	n := x.Shape().Dimensions[0]
	return graph.Reshape(graph.Dot(graph.Reshape(x, n, -1), m), n, a, b, 1)
}

// vec is a vector of float64 in the references.
type vec []float64

func (a vec) plus(s float64, b vec) vec {
	c := make(vec, len(a))
	for i := range a {
		c[i] = a[i] + s*b[i]
	}
	return c
}

func (a vec) dot(b vec) float64 {
	sum := 0.0
	for i := range a {
		sum += a[i] * b[i]
	}
	return sum
}

func (a vec) scaled(s float64) vec { return make(vec, len(a)).plus(s, a) }
func (a vec) norm() float64        { return math.Sqrt(a.dot(a)) }

// apply maps every element.
func (a vec) apply(f func(i int, v float64) float64) vec {
	c := make(vec, len(a))
	for i, v := range a {
		c[i] = f(i, v)
	}
	return c
}

func times(m mat.Matrix, v vec) vec {
	var out mat.VecDense
	out.MulVec(m, mat.NewVecDense(len(v), v))
	return vec(out.RawVector().Data)
}

// reference recomputes the steps of a method for one image in float64, with the driver's noise.
type reference struct {
	problem
	y      vec
	stream *rng.Stream
	sigmas []float64
	k      int
}

func (r *reference) sigma() float64 { return r.sigmas[r.k] }
func (r *reference) next() float64  { return r.sigmas[r.k+1] }

// z draws standard normal numbers as the driver does.
func (r *reference) z(n int) vec {
	v := make([]float32, n)
	r.stream.FillNormal(v)
	return double(v)
}

func (r *reference) denoise(x vec, sigma float64) vec {
	d := r.prior.denoiser(sigma)
	return times(d.m, x).plus(1, d.c.RawVector().Data)
}

// vjp is J^T v.
func (r *reference) vjp(v vec, sigma float64) vec { return times(r.prior.jacobian(sigma).T(), v) }

func (r *reference) a(x vec) vec        { return times(r.op.a, x) }
func (r *reference) at(v vec) vec       { return times(r.op.a.T(), v) }
func (r *reference) residual(x vec) vec { return r.a(x).plus(-1, r.y) }

// solve is (A A^T + rho I)^-1 v.
func (r *reference) solve(v vec, rho float64) vec {
	var s mat.Dense
	s.Mul(r.op.a, r.op.a.T())
	for i := range v {
		s.Set(i, i, s.At(i, i)+rho)
	}
	var out mat.VecDense
	if err := out.SolveVec(&s, mat.NewVecDense(len(v), v)); err != nil {
		panic(err)
	}
	return vec(out.RawVector().Data)
}

// ddim is a DDIM step to the estimate x0 from the noise that x and x0hat say, with the noise z.
func (r *reference) ddim(x0, x, x0hat vec, eta float64, z vec) vec {
	s := eta * r.next() * math.Sqrt(1-math.Pow(r.next()/r.sigma(), 2))
	e := x.plus(-1, x0hat).scaled(1 / r.sigma())
	return x0.plus(math.Sqrt(r.next()*r.next()-s*s), e).plus(s, z)
}

// checkSteps runs a method on two images and compares every outer step with a reference step from the
// state before it. Methods with further state keep it between calls of the step that newStep returns.
func checkSteps(t *testing.T, s Sampler, op operator.Operator, tolerance float64, newStep func() func(r *reference, x vec) vec) *Result {
	t.Helper()
	const batch, dim, seed = 2, gaussianSide * gaussianSide * 3, 11
	p := newProblem(t, batch)
	if op == nil {
		op = p.op
	}
	images := []uint32{3, 8}
	var got states
	job := p.job
	job.Seed, job.Images, job.Observers = seed, images, []Observer{&got}
	sigmas := s.Sigmas()
	for i, v := range flat(t, job.XStart) {
		job.XStart.MustMutableFlatData(func(f any) { f.([]float32)[i] = v / 100 * float32(sigmas[0]) })
	}
	res, err := newDriver(t, p.prior, op).Run(context.Background(), s, job)
	if err != nil {
		t.Fatal(err)
	}
	worst := 0.0
	for i := range batch {
		step := newStep()
		x := vec(double(flat(t, p.job.XStart)[i*dim:][:dim]))
		for k := range len(sigmas) - 1 {
			r := &reference{problem: p, y: p.y[i].RawVector().Data, sigmas: sigmas, k: k, stream: rng.New(seed, images[i], uint32(k), rng.Sampler)}
			want := step(r, x)
			after := double(got.x[k][i*dim:][:dim])
			if e := relative(got.x[k][i*dim:][:dim], want); e > worst {
				worst = e
			}
			x = after
		}
	}
	t.Logf("largest relative error of x over %d steps: %.2g", len(sigmas)-1, worst)
	if !(worst <= tolerance) {
		t.Errorf("relative error %.3g, want at most %.3g", worst, tolerance)
	}
	return res
}
