package prior

import (
	"fmt"
	"math"

	"github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/tensors"
	"gonum.org/v1/gonum/mat"

	"github.com/seed-0f004ec9/spgd/internal/autodiff"
)

// Gaussian is the exact denoiser of images that follow a normal distribution N(mu, S):
//
//	D(x; sigma) = mu + S (S + sigma^2 I)^-1 (x - mu)
//
// It is linear in x, so that whole samplers can be checked against linear algebra; and it is the
// shortest example of a Denoiser. It holds S = U diag(l) U^T as its eigenvectors and eigenvalues,
// for which D is mu + U diag(l/(l+sigma^2)) U^T (x - mu), and takes images of one size only.
type Gaussian struct {
	height, width, channels int
	weights                 []*tensors.Tensor // mu [1,D], l [1,D] and, unless S is diagonal, U [D,D]
}

// NewGaussian returns the denoiser for a mean and a covariance over the D = height*width*channels
// values of an image, in the order [height, width, channels]. The covariance must be positive
// semi-definite. Its eigenvectors take D^2 values, so D should be some thousands at most.
func NewGaussian(mean []float64, covariance mat.Symmetric, height, width, channels int) (*Gaussian, error) {
	d := len(mean)
	if n := covariance.SymmetricDim(); n != d {
		return nil, fmt.Errorf("prior: a covariance of %dx%d for %d values", n, n, d)
	}
	if d == 0 {
		return nil, fmt.Errorf("prior: a normal distribution over an image without values")
	}
	for i := range d {
		for j := range i + 1 {
			if v := covariance.At(i, j); math.IsNaN(v) || math.IsInf(v, 0) {
				return nil, fmt.Errorf("prior: the covariance of values %d and %d is %g", i, j, v)
			}
		}
	}
	var eigen mat.EigenSym
	if !eigen.Factorize(covariance, true) {
		return nil, fmt.Errorf("prior: the eigenvalues of the covariance cannot be computed")
	}
	l := eigen.Values(nil) // in ascending order
	for i := range l {
		if l[i] < 0 && l[i] > -1e-12*l[d-1] {
			l[i] = 0 // rounding
		}
	}
	g, err := NewDiagonalGaussian(mean, l, height, width, channels)
	if err != nil {
		return nil, err
	}
	var u mat.Dense
	eigen.VectorsTo(&u)
	g.weights = append(g.weights, tensors.FromFlatDataAndDimensions(narrow(u.RawMatrix().Data), d, d))
	return g, nil
}

// NewDiagonalGaussian is NewGaussian for independent values with the given variances.
func NewDiagonalGaussian(mean, variance []float64, height, width, channels int) (*Gaussian, error) {
	d := height * width * channels
	if height < 1 || width < 1 || channels < 1 || len(mean) != d || len(variance) != d {
		return nil, fmt.Errorf("prior: %d means and %d variances for images of %dx%dx%d", len(mean), len(variance), height, width, channels)
	}
	for i := range d {
		if math.IsNaN(mean[i]) || math.IsInf(mean[i], 0) {
			return nil, fmt.Errorf("prior: mean %d is %g", i, mean[i])
		}
		if !(variance[i] >= 0) || math.IsInf(variance[i], 0) {
			return nil, fmt.Errorf("prior: variance %d is %g", i, variance[i])
		}
	}
	return &Gaussian{height: height, width: width, channels: channels, weights: []*tensors.Tensor{
		tensors.FromFlatDataAndDimensions(narrow(mean), 1, d),
		tensors.FromFlatDataAndDimensions(narrow(variance), 1, d),
	}}, nil
}

func narrow(x []float64) []float32 {
	y := make([]float32, len(x))
	for i, v := range x {
		y[i] = float32(v)
	}
	return y
}

// Name implements Denoiser.
func (g *Gaussian) Name() string { return "gaussian" }

// Weights implements Denoiser: the mean, the eigenvalues or variances, and the eigenvectors if any.
func (g *Gaussian) Weights() []*tensors.Tensor { return g.weights }

// SizeMultiple implements Denoiser. Denoise takes one size only.
func (g *Gaussian) SizeMultiple() int { return 1 }

// Channels implements Denoiser.
func (g *Gaussian) Channels() int { return g.channels }

// Denoise implements Denoiser. sigma must be positive.
func (g *Gaussian) Denoise(weights []*graph.Node, x, sigma *graph.Node) *graph.Node {
	if len(weights) != len(g.weights) {
		panic(fmt.Errorf("prior: gaussian: %d weights, want %d", len(weights), len(g.weights)))
	}
	if err := checkState("gaussian", x, sigma, g.channels); err != nil {
		panic(err)
	}
	d := x.Shape().Dimensions
	if d[1] != g.height || d[2] != g.width {
		panic(fmt.Errorf("prior: gaussian: an image of %dx%d, this distribution is over %dx%d", d[1], d[2], g.height, g.width))
	}
	mean, l := weights[0], weights[1]
	s := graph.Reshape(sigma, d[0], 1)
	shrink := graph.Div(l, graph.Add(l, graph.Mul(s, s))) // [N,D]
	z := graph.Sub(graph.Reshape(x, d[0], g.height*g.width*g.channels), mean)
	if len(weights) == 2 {
		z = graph.Mul(z, shrink)
	} else {
		z = spectral(z, shrink, weights[2])
	}
	return graph.Reshape(graph.Add(z, mean), d...)
}

// spectral is U diag(gain) U^T z for each row of z, with gain of the same shape. The matrix is
// symmetric, so that the VJP is the function itself; GoMLX's for a product of matrices multiplies
// and sums element by element at a size of N*D*D.
func spectral(z, gain, u *graph.Node) *graph.Node {
	apply := func(z *graph.Node) *graph.Node {
		z = graph.Mul(graph.DotGeneral(z, []int{1}, nil, u, []int{0}, nil), gain)
		return graph.DotGeneral(z, []int{1}, nil, u, []int{1}, nil)
	}
	return autodiff.Custom([]*graph.Node{z},
		func(in []*graph.Node) *graph.Node { return apply(in[0]) },
		func(_ []*graph.Node, _, v *graph.Node) []*graph.Node { return []*graph.Node{apply(v)} })
}
