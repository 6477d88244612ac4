package sampler

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"sync"
	"testing"

	"github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/tensors"
	"gonum.org/v1/gonum/mat"

	"github.com/seed-0f004ec9/spgd/engine"
	"github.com/seed-0f004ec9/spgd/internal/rng"
	"github.com/seed-0f004ec9/spgd/operator"
	"github.com/seed-0f004ec9/spgd/prior"
)

// sharedEngine serves the whole test binary: a tensor that is on one engine cannot go to another.
var sharedEngine = sync.OnceValues(func() (*engine.Engine, error) {
	return engine.New(engine.Options{Threads: 2})
})

func newEngine(t testing.TB) *engine.Engine {
	t.Helper()
	e, err := sharedEngine()
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func newDriver(t testing.TB, d prior.Denoiser, op operator.Operator) *Driver {
	t.Helper()
	dr, err := NewDriver(newEngine(t), d, op)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(dr.Close)
	return dr
}

func flat(t testing.TB, x *tensors.Tensor) []float32 {
	t.Helper()
	var out []float32
	if err := x.ConstFlatData(func(f any) { out = append(out, f.([]float32)...) }); err != nil {
		t.Fatal(err)
	}
	return out
}

// relative is ||a-b|| / ||b||.
func relative(a []float32, b []float64) float64 {
	var num, den float64
	for i := range b {
		d := float64(a[i]) - b[i]
		num += d * d
		den += b[i] * b[i]
	}
	return math.Sqrt(num / den)
}

// gaussian is the exact denoiser of x0 ~ N(mean, C) for flattened h x w x 3 images, with
// C = Q diag(lambda) Q^T: D(x; sigma) = mean + Q diag(lambda/(lambda+sigma^2)) Q^T (x - mean).
type gaussian struct {
	multiple int
	mean     *mat.VecDense
	q        *mat.Dense
	lambda   []float64
	weights  []*tensors.Tensor
}

// newGaussian draws a mean and a covariance for images of dim values.
func newGaussian(t testing.TB, dim, multiple int) *gaussian {
	t.Helper()
	s := rng.New(1, 0, 0, rng.Diagnostic)
	a := mat.NewDense(dim, dim, nil)
	for i := range dim {
		for j := range dim {
			a.Set(i, j, s.Normal())
		}
	}
	var c mat.SymDense
	c.SymOuterK(0.3/float64(dim), a)
	var eig mat.EigenSym
	if !eig.Factorize(&c, true) {
		t.Fatal("no eigendecomposition")
	}
	g := &gaussian{multiple: multiple, mean: mat.NewVecDense(dim, nil), q: &mat.Dense{}}
	eig.VectorsTo(g.q)
	for i, v := range eig.Values(nil) {
		g.lambda = append(g.lambda, max(v, 0))
		g.mean.SetVec(i, 0.3*s.Normal())
	}
	// The graph works with these float32 values; so does the reference.
	round(g.mean.RawVector().Data, g.lambda, g.q.RawMatrix().Data)
	g.weights = []*tensors.Tensor{
		tensors.FromFlatDataAndDimensions(single(g.mean.RawVector().Data), dim),
		tensors.FromFlatDataAndDimensions(single(g.q.RawMatrix().Data), dim, dim),
		tensors.FromFlatDataAndDimensions(single(g.lambda), dim),
	}
	return g
}

func round(slices ...[]float64) {
	for _, s := range slices {
		for i, v := range s {
			s[i] = float64(float32(v))
		}
	}
}

func single(v []float64) []float32 {
	out := make([]float32, len(v))
	for i := range v {
		out[i] = float32(v[i])
	}
	return out
}

func double(v []float32) []float64 {
	out := make([]float64, len(v))
	for i := range v {
		out[i] = float64(v[i])
	}
	return out
}

func (*gaussian) Name() string                 { return "gaussian" }
func (*gaussian) Channels() int                { return 3 }
func (g *gaussian) SizeMultiple() int          { return g.multiple }
func (g *gaussian) Weights() []*tensors.Tensor { return g.weights }

func (g *gaussian) Denoise(w []*graph.Node, x, sigma *graph.Node) *graph.Node {
	n := x.Shape().Dimensions[0]
	mean, q, lambda := graph.InsertAxes(w[0], 0), w[1], graph.InsertAxes(w[2], 0)
	z := graph.Dot(graph.Sub(graph.Reshape(x, n, -1), mean), q)
	noise := graph.Reshape(graph.Mul(sigma, sigma), n, 1)
	z = graph.Mul(z, graph.Div(lambda, graph.Add(lambda, noise)))
	return graph.Reshape(graph.Add(graph.Dot(z, graph.Transpose(q, 0, 1)), mean), x.Shape().Dimensions...)
}

// jacobian is dD/dx at a noise level.
func (g *gaussian) jacobian(sigma float64) *mat.Dense {
	var scaled, j mat.Dense
	scaled.Apply(func(_, c int, v float64) float64 {
		return v * g.lambda[c] / (g.lambda[c] + sigma*sigma)
	}, g.q)
	j.Mul(&scaled, g.q.T())
	return &j
}

// matrixOperator is y = A x for flattened h x w x 3 images.
type matrixOperator struct {
	h, w int
	a    *mat.Dense // [m, h w 3]
	data *tensors.Tensor
}

func newMatrixOperator(h, w, m int) *matrixOperator {
	s := rng.New(2, 0, 0, rng.Diagnostic)
	a := mat.NewDense(m, h*w*3, nil)
	for i := range m {
		for j := range h * w * 3 {
			a.Set(i, j, float64(float32(s.Normal()/math.Sqrt(float64(h*w*3)))))
		}
	}
	data := tensors.FromFlatDataAndDimensions(single(mat.DenseCopyOf(a.T()).RawMatrix().Data), h*w*3, m)
	return &matrixOperator{h, w, a, data}
}

func (*matrixOperator) Name() string              { return "matrix" }
func (o *matrixOperator) ImageSize() (int, int)   { return o.h, o.w }
func (*matrixOperator) Linear() bool              { return true }
func (o *matrixOperator) Data() []*tensors.Tensor { return []*tensors.Tensor{o.data} }
func (o *matrixOperator) MeasurementSize() (h, w, c int) {
	m, _ := o.a.Dims()
	return 1, m, 1
}

func (o *matrixOperator) Apply(data []*graph.Node, x *graph.Node) *graph.Node {
	n := x.Shape().Dimensions[0]
	return graph.Reshape(graph.Dot(graph.Reshape(x, n, -1), data[0]), n, 1, -1, 1)
}

// normals returns a tensor of standard normal numbers.
func normals(seed uint64, scale float64, dims ...int) *tensors.Tensor {
	size := 1
	for _, d := range dims {
		size *= d
	}
	v := make([]float32, size)
	rng.New(seed, 0, 0, rng.Diagnostic).FillNormal(v)
	for i := range v {
		v[i] *= float32(scale)
	}
	return tensors.FromFlatDataAndDimensions(v, dims...)
}

// golden holds the arrays of a safetensors file, as float64.
type golden struct {
	shape map[string][]int
	value map[string][]float64
	meta  map[string]string
}

func readGolden(t testing.TB, path string) golden {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	n := binary.LittleEndian.Uint64(raw)
	var header map[string]json.RawMessage
	if err := json.Unmarshal(raw[8:8+n], &header); err != nil {
		t.Fatal(err)
	}
	body := raw[8+n:]
	g := golden{map[string][]int{}, map[string][]float64{}, nil}
	for name, h := range header {
		if name == "__metadata__" {
			if err := json.Unmarshal(h, &g.meta); err != nil {
				t.Fatal(err)
			}
			continue
		}
		var e struct {
			Dtype   string `json:"dtype"`
			Shape   []int  `json:"shape"`
			Offsets [2]int `json:"data_offsets"`
		}
		if err := json.Unmarshal(h, &e); err != nil {
			t.Fatal(err)
		}
		b := body[e.Offsets[0]:e.Offsets[1]]
		var v []float64
		switch e.Dtype {
		case "F64":
			for ; len(b) > 0; b = b[8:] {
				v = append(v, math.Float64frombits(binary.LittleEndian.Uint64(b)))
			}
		case "F32":
			for ; len(b) > 0; b = b[4:] {
				v = append(v, float64(math.Float32frombits(binary.LittleEndian.Uint32(b))))
			}
		default:
			t.Fatalf("%s: %s has type %s", path, name, e.Dtype)
		}
		g.shape[name], g.value[name] = e.Shape, v
	}
	return g
}
