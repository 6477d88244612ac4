package cpu

import (
	"math"
	"testing"

	"github.com/gomlx/gomlx/backends"
	"github.com/gomlx/gomlx/backends/simplego"
	. "github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/tensors"
)

func TestSmoke(t *testing.T) {
	b, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	sg, _ := simplego.New("")
	_ = sg
	run := func(be backends.Backend, f any, args ...any) []*tensors.Tensor {
		return MustNewExec(be, f.(func(x, k *Node) []*Node)).MustExec(args...)
	}
	x := make([][][][]float32, 1)
	x[0] = make([][][]float32, 7)
	for i := range x[0] {
		x[0][i] = make([][]float32, 9)
		for j := range x[0][i] {
			x[0][i][j] = []float32{float32(i) * .1, float32(j) * .2, float32(i*j) * .01}
		}
	}
	k := make([][][][]float32, 3)
	for i := range k {
		k[i] = make([][][]float32, 3)
		for j := range k[i] {
			k[i][j] = make([][]float32, 3)
			for c := range k[i][j] {
				k[i][j][c] = make([]float32, 5)
				for o := range k[i][j][c] {
					k[i][j][c][o] = float32(math.Sin(float64(i + 3*j + 9*c + 27*o)))
				}
			}
		}
	}
	f := func(x, k *Node) []*Node {
		y := Convolve(x, k).Strides(2).PadSame().Done()
		y = Mul(y, Sigmoid(y))
		m := ReduceAndKeep(y, ReduceMean, 1, 2)
		y = Div(Sub(y, m), Sqrt(AddScalar(ReduceAndKeep(Square(Sub(y, m)), ReduceMean, 1, 2), 1e-5)))
		return []*Node{y}
	}
	a, c := run(b, f, x, k)[0], run(sg, f, x, k)[0]
	if !a.InDelta(c, 1e-5) {
		t.Fatalf("%v\n%v", a, c)
	}
	g := func(x, k *Node) []*Node {
		y := f(x, k)[0]
		return []*Node{Gradient(ReduceAllSum(Mul(y, Sin(y))), x)[0]}
	}
	t.Log(run(b, g, x, k)[0])
}
