package operator

import (
	"math"
	"testing"
)

// powerIteration is the largest eigenvalue of A^T A by the operator's own graph, slowly: an
// independent path in float32 through Apply and its VJP.
func powerIteration(t testing.TB, op Operator, steps int) float64 {
	h, w := op.ImageSize()
	mh, mw, mc := op.MeasurementSize()
	a := compile(t, op, 1)
	x := random(h*w*imageChannels, 9)
	for i := range x {
		x[i] = 1 + 0.3*x[i]
	}
	lambda := 0.0
	for range steps {
		y, _ := a.run(x, make([]float32, mh*mw*mc))
		_, next := a.run(x, y)
		norm := math.Sqrt(inner(next, next))
		lambda = norm / math.Sqrt(inner(x, x))
		for i := range x {
			x[i] = next[i] / float32(norm)
		}
	}
	return lambda
}

func TestDefaultStepSize(t *testing.T) {
	for _, c := range []struct {
		task         Task
		c, lambda    float64
		tolerance    float64
		againstGraph int // steps of power iteration, 0 for none
	}{
		{Task{Name: "sr", Scale: 2}, 7.0 / 16, 0.25, 0.01, 60},
		{Task{Name: "sr", Scale: 4}, 7.0 / 16, 0.0625, 0.01, 60},
		{Task{Name: "sr", Scale: 8}, 7.0 / 16, 0.015625, 0.01, 60},
		{Task{Name: "inpaint", Mask: "random:0.8"}, 2.5, 1, 0, 3},
		{Task{Name: "inpaint", Mask: "box:9"}, 2.5, 1, 0, 3},
		{Task{Name: "denoise"}, 0.5, 1, 0, 3},
		{Task{Name: "colorize"}, 1, 0.299*0.299 + 0.587*0.587 + 0.114*0.114, 1e-12, 3},
		{Task{Name: "deblur", Kernel: "gaussian:3"}, 1, 1, 0.03, 100},
		{Task{Name: "deblur", Kernel: "gaussian:1"}, 1, 1, 0.03, 0},
		{Task{Name: "deblur", Kernel: "motion:15:30"}, 1, 1, 0.1, 60},
		{Task{Name: "deblur", Kernel: "motion:random:0.5"}, 1, 1, 0.3, 100},
		{Task{Name: "phase"}, 2, 1, 0, 0},
		{Task{Name: "hdr"}, 1, 1, 0, 0},
	} {
		op := build(t, c.task, 48, 64)
		step, factor, lambda := DefaultStepSize(op)
		t.Logf("%s: step size %.5g = %g / %.6f", op.Name(), step, factor, lambda)
		if factor != c.c || step != factor/lambda {
			t.Errorf("%s: step size %g from c = %g, lambda = %g", op.Name(), step, factor, lambda)
		}
		if math.Abs(lambda-c.lambda) > c.tolerance*c.lambda {
			t.Errorf("%s: lambda = %g, want %g", op.Name(), lambda, c.lambda)
		}
		if c.againstGraph > 0 {
			if got := powerIteration(t, op, c.againstGraph); math.Abs(got-lambda) > 2e-3*lambda {
				t.Errorf("%s: lambda = %g, power iteration gives %g", op.Name(), lambda, got)
			}
		}
		if _, _, again := DefaultStepSize(op); again != lambda {
			t.Errorf("%s: lambda is not reproducible", op.Name())
		}
	}
}

// A general kernel and its product form have the same lambda.
func TestKernelNorm(t *testing.T) {
	for _, std := range []float64{0.7, 1.5} {
		op := build(t, Task{Name: "deblur", Kernel: "gaussian:" + formatNumber(std)}, 30, 50).(*Blur)
		if _, ok := op.form.(*lines); !ok {
			t.Fatalf("%s is not applied as a product of lines", op.Name())
		}
		want := op.normSquared
		if got := op.kernel.normSquared(30, 50); math.Abs(got-want) > 1e-5 {
			t.Errorf("gaussian:%g: %g as a kernel, %g as a product", std, got, want)
		}
	}
}

// Matrices whose largest squared singular value is known.
func TestLargestEigenvalue(t *testing.T) {
	const n = 40
	second := newMatrix(n, n) // the second difference: largest eigenvalue 2 + 2 cos(pi/(n+1))
	for i := range n {
		second.row(i)[i] = 2
		if i > 0 {
			second.row(i)[i-1] = -1
			second.row(i - 1)[i] = -1
		}
	}
	want := math.Pow(2+2*math.Cos(math.Pi/(n+1)), 2)
	if got := squared(second); math.Abs(got-want) > 1e-6*want {
		t.Errorf("second difference: %.9g, want %.9g", got, want)
	}
	outer := newMatrix(3, 5) // rank 1
	sum := 0.0
	for i := range outer.v {
		outer.v[i] = float64(i/5+1) * float64(i%5-1)
		sum += outer.v[i] * outer.v[i]
	}
	if got := squared(outer); math.Abs(got-sum) > 1e-9*sum {
		t.Errorf("rank 1: %g, want %g", got, sum)
	}
	one := newMatrix(1, 1)
	one.v[0] = 3
	if got := squared(one); math.Abs(got-9) > 1e-9 {
		t.Errorf("1x1: %g, want 9", got)
	}
	if got := squared(newMatrix(4, 4)); got != 0 {
		t.Errorf("zero matrix: %g", got)
	}
}

// squared is the largest squared singular value of a matrix.
func squared(m *matrix) float64 {
	return largestEigenvalue(m.cols, func(dst, x []float64) {
		clear(dst)
		for i := range m.rows {
			axpy(dst, dot(m.row(i), x), m.row(i))
		}
	})
}
