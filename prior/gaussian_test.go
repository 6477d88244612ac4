package prior

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/pkg/core/tensors"
	"gonum.org/v1/gonum/mat"
)

const gh, gw, gc = 3, 4, 2 // image size of the Gaussian tests
const gd = gh * gw * gc

// TestGaussian compares with S (S + sigma^2 I)^-1 solved directly in float64, for two images at two
// noise levels in one batch. The VJP of the symmetric matrix is the matrix.
func TestGaussian(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	mean, diagonal := make([]float64, gd), make([]float64, gd)
	factor := mat.NewDense(gd, gd-2, nil) // two eigenvalues of the covariance are zero
	for i := range gd {
		mean[i], diagonal[i] = rng.NormFloat64(), rng.Float64()
		for j := range gd - 2 {
			factor.Set(i, j, rng.NormFloat64()/3)
		}
	}
	dense, diag := mat.NewSymDense(gd, nil), mat.NewSymDense(gd, nil)
	dense.SymOuterK(1, factor)
	for i := range gd {
		diag.SetSym(i, i, diagonal[i])
	}
	denseGaussian, err := NewGaussian(mean, dense, gh, gw, gc)
	if err != nil {
		t.Fatal(err)
	}
	diagonalGaussian, err := NewDiagonalGaussian(mean, diagonal, gh, gw, gc)
	if err != nil {
		t.Fatal(err)
	}
	e := newEngine(t)
	for _, tt := range []struct {
		name       string
		prior      *Gaussian
		covariance *mat.SymDense
	}{{"dense", denseGaussian, dense}, {"diagonal", diagonalGaussian, diag}} {
		for _, sigma := range [][]float32{{0.5, 20}, {1, 0.1}} {
			x, v := make([]float32, 2*gd), make([]float32, 2*gd)
			for i := range x {
				x[i], v[i] = float32(rng.NormFloat64()), float32(rng.NormFloat64())
			}
			x0hat, gradient := denoise(t, e, tt.prior, tensors.FromFlatDataAndDimensions(x, 2, gh, gw, gc),
				tensors.FromValue(sigma), tensors.FromFlatDataAndDimensions(v, 2, gh, gw, gc))
			var wantX, wantV []float32
			for i, s := range sigma {
				z, u := make([]float64, gd), make([]float64, gd)
				for j := range gd {
					z[j], u[j] = float64(x[i*gd+j])-mean[j], float64(v[i*gd+j])
				}
				z, u = shrink(t, tt.covariance, float64(s), z), shrink(t, tt.covariance, float64(s), u)
				for j := range gd {
					z[j] += mean[j]
				}
				wantX, wantV = append(wantX, narrow(z)...), append(wantV, narrow(u)...)
			}
			if e := distance(x0hat, wantX) / norm(wantX); !(e <= 2e-6) {
				t.Errorf("%s at sigma %v: x0hat is off by %.2g", tt.name, sigma, e)
			}
			if e := distance(gradient, wantV) / norm(wantV); !(e <= 2e-6) {
				t.Errorf("%s at sigma %v: VJP is off by %.2g", tt.name, sigma, e)
			}
		}
	}
}

// shrink solves S (S + sigma^2 I)^-1 z.
func shrink(t *testing.T, covariance *mat.SymDense, sigma float64, z []float64) []float64 {
	t.Helper()
	sum := mat.NewSymDense(gd, nil)
	sum.CopySym(covariance)
	for i := range gd {
		sum.SetSym(i, i, sum.At(i, i)+sigma*sigma)
	}
	var solved, out mat.VecDense
	if err := solved.SolveVec(sum, mat.NewVecDense(gd, z)); err != nil {
		t.Fatal(err)
	}
	out.MulVec(covariance, &solved)
	return out.RawVector().Data
}

func TestGaussianErrors(t *testing.T) {
	ok := make([]float64, gd)
	with := func(v float64) []float64 {
		x := make([]float64, gd)
		x[5] = v
		return x
	}
	indefinite := mat.NewSymDense(gd, nil)
	indefinite.SetSym(0, 0, 1)
	indefinite.SetSym(1, 1, -1)
	notFinite := mat.NewSymDense(gd, nil)
	notFinite.SetSym(2, 1, math.NaN())
	diagonal := func(mean, variance []float64) error {
		_, err := NewDiagonalGaussian(mean, variance, gh, gw, gc)
		return err
	}
	dense := func(mean []float64, s mat.Symmetric) error {
		_, err := NewGaussian(mean, s, gh, gw, gc)
		return err
	}
	for _, tt := range []struct {
		err  error
		want string
	}{
		{diagonal(ok[1:], ok), "23 means"},
		{diagonal(ok, ok[1:]), "23 variances"},
		{diagonal(with(math.NaN()), ok), "mean 5 is NaN"},
		{diagonal(ok, with(-1)), "variance 5 is -1"},
		{diagonal(ok, with(math.Inf(1))), "variance 5 is +Inf"},
		{dense(ok, indefinite), "variance 0 is -1"},
		{dense(ok, notFinite), "values 2 and 1 is NaN"},
		{dense(ok, mat.NewSymDense(gd+1, nil)), "covariance of 25x25 for 24 values"},
		{dense(nil, &mat.SymDense{}), "without values"},
	} {
		if tt.err == nil || !strings.Contains(tt.err.Error(), tt.want) {
			t.Errorf("error %v, want one with %q", tt.err, tt.want)
		}
	}
}
