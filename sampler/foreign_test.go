package sampler

import (
	"context"
	"errors"
	"math"
	"testing"

	"github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/tensors"
	"gonum.org/v1/gonum/mat"

	"github.com/seed-0f004ec9/spgd/operator"
)

// mixing is an operator as a user of the library writes one, a graph and nothing else: scale times 20 rows of an
// orthogonal matrix that mixes all pixels of a channel (Hadamard's of 16).
func mixing(scale float64) *matrixOperator {
	const rows, dim = 20, gaussianSide * gaussianSide * 3
	a := mat.NewDense(rows, dim, nil)
	for i := range rows {
		for j := range dim {
			if i%3 != j%3 {
				continue
			}
			sign := 0
			for bits := i / 3 * 2 & (j / 3); bits > 0; bits &= bits - 1 {
				sign++
			}
			a.Set(i, j, scale/4*float64(1-sign%2*2))
		}
	}
	data := tensors.FromFlatDataAndDimensions(single(mat.DenseCopyOf(a.T()).RawMatrix().Data), dim, rows)
	return &matrixOperator{gaussianSide, gaussianSide, a, data}
}

// measured are measurements of draws from the problem's prior.
func (p problem) measured(op *matrixOperator, sigmaY float64) (y []*mat.VecDense, job Job) {
	rows, dim := op.a.Dims()
	batch := len(p.y)
	draws, noise := double(flatOf(normals(90, 1, batch*dim))), double(flatOf(normals(91, sigmaY, batch*rows)))
	var all []float32
	for i := range batch {
		x := mat.NewVecDense(dim, draws[i*dim:][:dim])
		for k, v := range p.prior.lambda {
			x.SetVec(k, math.Sqrt(v)*x.AtVec(k))
		}
		var image, r mat.VecDense
		image.MulVec(p.prior.q, x)
		image.AddVec(&image, p.prior.mean)
		r.MulVec(op.a, &image)
		r.AddVec(&r, mat.NewVecDense(rows, noise[i*rows:][:rows]))
		all = append(all, single(r.RawVector().Data)...)
		y = append(y, &r)
	}
	return y, Job{Y: tensors.FromFlatDataAndDimensions(all, batch, 1, rows, 1), Seed: 6}
}

func flatOf(t *tensors.Tensor) (v []float32) {
	_ = t.ConstFlatData(func(f any) { v = append(v, f.([]float32)...) })
	return v
}

// Steps from the problem need nothing of an operator but its graph, in any unit: results for a Gaussian prior are near the
// posterior's mean, which is known in closed form, and the same whatever the unit.
func TestAutoForeign(t *testing.T) {
	const batch, sigma = 6, 0.05
	p := newProblem(t, batch)
	var first []float32
	for _, scale := range []float64{7, 1. / 30} {
		op := mixing(scale)
		if got := operator.NormSquared(op); math.Abs(got-scale*scale) > 1e-4*scale*scale {
			t.Errorf("the largest eigenvalue is measured as %g, is %g", got, scale*scale)
		}
		y, job := p.measured(op, sigma*scale)
		res, err := newDriver(t, p.prior, op).Run(context.Background(), SPGD{autoSettings(Problem{op, sigma * scale}, 30, 2)}, job)
		if err != nil {
			t.Fatal(err)
		}
		x := flat(t, res.X)
		var apart, blind float64
		for i := range batch {
			for k, v := range posteriorMean(t, p.prior, op, y[i], sigma*scale).RawVector().Data {
				apart += math.Pow(float64(x[i*limitDim+k])-v, 2)
				blind += math.Pow(p.prior.mean.AtVec(k)-v, 2)
			}
		}
		t.Logf("scale %g: off by %.3g of what the prior's mean is", scale, math.Sqrt(apart/blind))
		if math.Sqrt(apart/blind) > 0.25 {
			t.Errorf("scale %g: the result is %.3g from the posterior's mean, the prior's mean %.3g", scale, math.Sqrt(apart), math.Sqrt(blind))
		}
		if first == nil {
			first = x
		} else if e := relative(x, double(first)); e > 1e-3 {
			t.Errorf("in another unit the result differs by %.3g", e)
		}
	}
}

// Every method that applies to such an operator runs on it without diverging.
func TestMethodsForeign(t *testing.T) {
	p, op := newProblem(t, 2), mixing(7)
	_, job := p.measured(op, 0.35)
	driver := newDriver(t, p.prior, op)
	applied := 0
	for _, name := range MethodNames() {
		m, err := smallMethod(t, name, Problem{op, 0.35})
		if err == nil {
			_, err = driver.Run(context.Background(), m, job)
		}
		if errors.Is(err, ErrOperator) {
			continue
		}
		if applied++; err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if applied < 10 {
		t.Errorf("only %d methods apply", applied)
	}
}

// squashing is one that is not linear: scale tanh(x).
type squashing struct {
	operator.Operator // of the sizes
	scale             float64
}

func (squashing) Linear() bool { return false }

func (o squashing) Apply(_ []*Node, x *Node) *Node { return graph.MulScalar(graph.Tanh(x), o.scale) }

// An operator that is not linear is restored too, and the unit of y changes nothing.
func TestAutoForeignNonlinear(t *testing.T) {
	base, err := operator.NewDenoise(gaussianSide, gaussianSide)
	if err != nil {
		t.Fatal(err)
	}
	const sigma = 0.05
	truth := flat(t, normals(92, 0.5, limitDim))
	noise := flat(t, normals(93, sigma, limitDim))
	var first []float32
	for _, scale := range []float64{1, 7} {
		// The interfaces of the base are not those of the operator.
		op := struct{ operator.Operator }{squashing{base, scale}}
		if got := operator.NormSquared(op) / (scale * scale); !(got > 0.9 && got < 1.001) {
			t.Errorf("scale %g: the largest eigenvalue is measured as %g of the unit's square", scale, got)
		}
		y := make([]float32, limitDim)
		for i, v := range truth {
			y[i] = float32(scale * (math.Tanh(float64(v)) + float64(noise[i])))
		}
		s := autoSettings(Problem{op, sigma * scale}, 20, 2)
		res, err := newDriver(t, white(t, 0, 0.25), op).Run(context.Background(), SPGD{s}, Job{Y: tensors.FromFlatDataAndDimensions(y, 1, gaussianSide, gaussianSide, 3), Seed: 2})
		if err != nil {
			t.Fatal(err)
		}
		x := flat(t, res.X)
		sum := 0.0
		for i, v := range x {
			sum += math.Pow(math.Tanh(float64(v))-float64(y[i])/scale, 2)
		}
		if rms := math.Sqrt(sum / limitDim); rms > 3*sigma {
			t.Errorf("scale %g: residual %.3g, noise %g", scale, rms, sigma)
		}
		if first == nil {
			first = x
		} else if e := relative(x, double(first)); e > 1e-2 {
			t.Errorf("in another unit the result differs by %.3g", e)
		}
	}
}
