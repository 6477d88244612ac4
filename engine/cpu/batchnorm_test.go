package cpu

import (
	"math"
	"testing"

	"github.com/gomlx/gomlx/backends"
	"github.com/gomlx/gomlx/pkg/core/dtypes"
)

// batchNormOf normalises by the definition, with the statistics of x.
func batchNormOf(x []float64, dims []int, axis int, scale, offset []float64, eps float64) (y, mean, variance []float64) {
	n := dims[axis]
	count := float64(len(x) / n)
	mean, variance = make([]float64, n), make([]float64, n)
	feature := func(visit func(i, f int)) {
		allIndices(dims, func(at []int) { visit(position(dims, at), at[axis]) })
	}
	feature(func(i, f int) { mean[f] += x[i] / count })
	feature(func(i, f int) { variance[f] += (x[i] - mean[f]) * (x[i] - mean[f]) / count })
	y = make([]float64, len(x))
	feature(func(i, f int) { y[i] = (x[i]-mean[f])/math.Sqrt(variance[f]+eps)*scale[f] + offset[f] })
	return y, mean, variance
}

func TestBatchNorm(t *testing.T) {
	const eps = 1e-3
	r := newRand()
	for _, dtype := range []dtypes.DType{dtypes.Float32, dtypes.Float64} {
		for axis, dims := range [][]int{{3, 8, 2}, {4, 3, 5}, {6, 2, 3}} {
			n := dims[axis]
			x, grad := fill(r, dtype, dims...), fill(r, dtype, dims...)
			scale, offset := fill(r, dtype, n), fill(r, dtype, n)
			reals := func(a arg) []float64 {
				out := make([]float64, 0, product(a.dims))
				for _, v := range numbers(a.flat) {
					out = append(out, real(v))
				}
				return out
			}
			xs, gs, ss, os := reals(x), reals(grad), reals(scale), reals(offset)
			y, mean, variance := batchNormOf(xs, dims, axis, ss, os, float64(float32(eps)))
			// The VJP by central differences.
			loss := func() float64 {
				out, _, _ := batchNormOf(xs, dims, axis, ss, os, float64(float32(eps)))
				sum := 0.0
				for i, v := range out {
					sum += v * gs[i]
				}
				return sum
			}
			slope := func(p []float64) []float64 {
				out := make([]float64, len(p))
				for i, v := range p {
					const h = 1e-5
					p[i] = v + h
					up := loss()
					p[i] = v - h
					out[i] = (up - loss()) / (2 * h)
					p[i] = v
				}
				return out
			}
			dx, ds, do := slope(xs), slope(ss), slope(os)
			evaluate(t, func(bd *Builder, in []backends.Op) []backends.Op {
				normal, m, v, err := bd.BatchNormForTraining(in[0], in[1], in[2], eps, axis)
				op(normal, err)
				gx, gs, g0, err := bd.BatchNormGradient(in[0], in[1], m, v, in[3], eps, axis)
				op(gx, err)
				return []backends.Op{normal, m, v, op(bd.BatchNormForInference(in[0], in[1], in[2], m, v, eps, axis)), gx, gs, g0}
			}, func(t *testing.T, out []*Buffer) {
				for i, want := range [][]float64{y, mean, variance, y} {
					near(t, values(out[i]), fromReal(want), 8*precision(dtype))
				}
				for i, want := range [][]float64{dx, ds, do} {
					near(t, values(out[4+i]), fromReal(want), 1e-5)
				}
			}, x, scale, offset, grad)
		}
	}
}
