package cpu

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/gomlx/gomlx/backends"
	"github.com/gomlx/gomlx/pkg/core/dtypes"
	. "github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/tensors"
)

// TestDotGeneral compares with the definition, over random axes.
func TestDotGeneral(t *testing.T) {
	r := newRand()
	for _, dtype := range supportedDTypes[1:] {
		for range 6 {
			nBatch, nContract := r.IntN(3), r.IntN(3)
			nX, nY := r.IntN(3), r.IntN(3)
			shared := randomDims(r, nBatch+nContract, 4)
			xDims, xAxes := shuffled(r, slices.Concat(shared, randomDims(r, nX, 4)))
			yDims, yAxes := shuffled(r, slices.Concat(shared, randomDims(r, nY, 4)))
			x, y := fill(r, dtype, xDims...), fill(r, dtype, yDims...)
			xBatch, xContract := xAxes[:nBatch], xAxes[nBatch:nBatch+nContract]
			yBatch, yContract := yAxes[:nBatch], yAxes[nBatch:nBatch+nContract]
			evaluate(t, func(bd *Builder, in []backends.Op) []backends.Op {
				return []backends.Op{op(bd.DotGeneral(in[0], xContract, xBatch, in[1], yContract, yBatch))}
			}, func(t *testing.T, out []*Buffer) {
				xOther, yOther := otherAxes(len(xDims), xBatch, xContract), otherAxes(len(yDims), yBatch, yContract)
				var want []complex128
				allIndices(out[0].shape.Dimensions, func(at []int) {
					xi, yi := make([]int, len(xDims)), make([]int, len(yDims))
					for i, a := range slices.Concat(xBatch, xOther) {
						xi[a] = at[i]
					}
					for i, a := range yBatch {
						yi[a] = at[i]
					}
					for i, a := range yOther {
						yi[a] = at[nBatch+len(xOther)+i]
					}
					var sum complex128
					allIndices(shared[nBatch:], func(k []int) {
						for i := range k {
							xi[xContract[i]], yi[yContract[i]] = k[i], k[i]
						}
						sum += numbers(x.flat)[position(xDims, xi)] * numbers(y.flat)[position(yDims, yi)]
					})
					want = append(want, sum)
				})
				wrapAround(want, dtype)
				near(t, values(out[0]), want, 32*precision(dtype))
			}, x, y)
			if t.Failed() {
				t.Fatalf("%s: %v (batch %v, contracting %v) with %v (batch %v, contracting %v)", dtype,
					xDims, xBatch, xContract, yDims, yBatch, yContract)
			}
		}
	}
}

// shuffled permutes dims; axes[i] is where dims[i] went.
func shuffled(r *rand.Rand, dims []int) (out, axes []int) {
	axes = r.Perm(len(dims))
	out = make([]int, len(dims))
	for i, a := range axes {
		out[a] = dims[i]
	}
	return out, axes
}

func TestDot(t *testing.T) {
	v, m := tensor([]float64{1, 2, 3}, 3), tensor([]float64{1, 2, 3, 4, 5, 6}, 2, 3)
	evaluate(t, func(bd *Builder, in []backends.Op) []backends.Op {
		return []backends.Op{op(bd.Dot(in[0], in[0])), op(bd.Dot(in[1], in[0])),
			op(bd.Dot(in[1], op(bd.Transpose(in[1], 1, 0)))), op(bd.Dot(in[0], op(bd.Transpose(in[1], 1, 0))))}
	}, func(t *testing.T, out []*Buffer) {
		near(t, values(out[0]), []complex128{14}, 0)
		near(t, values(out[1]), []complex128{14, 32}, 0)
		near(t, values(out[2]), []complex128{14, 32, 32, 77}, 0)
		near(t, values(out[3]), []complex128{14, 32}, 0)
	}, v, m)
}

// TestConvolutionDefinition compares random convolutions with their definition in convAttr.
func TestConvolutionDefinition(t *testing.T) {
	r := newRand()
	for _, dtype := range supportedDTypes[1:] {
		for trial := range 12 {
			rank := 1 + r.IntN(3)
			channelGroups, batchGroups := 1, 1
			switch trial % 3 {
			case 1:
				channelGroups = 1 + r.IntN(3)
			case 2:
				batchGroups = 1 + r.IntN(3)
			}
			n, ci, co := batchGroups*(1+r.IntN(2)), 1+r.IntN(5), batchGroups*channelGroups*(1+r.IntN(5))
			var in, k, stride, inDil, kDil []int
			var pad [][2]int
			for range rank {
				for {
					d, s, a, b := 1+r.IntN(6), 1+r.IntN(3), 1+r.IntN(2), 1+r.IntN(2)
					p := [2]int{r.IntN(4) - 1, r.IntN(4) - 1}
					if (s-1)*b+1 <= (d-1)*a+1+p[0]+p[1] {
						in, k, inDil, kDil, pad = append(in, d), append(k, s), append(inDil, a), append(kDil, b), append(pad, p)
						stride = append(stride, 1+r.IntN(2))
						break
					}
				}
			}
			xDims, xAxes := shuffled(r, slices.Concat([]int{n, ci * channelGroups}, in))
			kDims, kAxes := shuffled(r, slices.Concat([]int{ci, co}, k))
			oAxes := r.Perm(rank + 2)
			axes := backends.ConvolveAxesConfig{
				InputBatch: xAxes[0], InputChannels: xAxes[1], InputSpatial: xAxes[2:],
				KernelInputChannels: kAxes[0], KernelOutputChannels: kAxes[1], KernelSpatial: kAxes[2:],
				OutputBatch: oAxes[0], OutputChannels: oAxes[1], OutputSpatial: oAxes[2:],
			}
			x, w := fill(r, dtype, xDims...), fill(r, dtype, kDims...)
			evaluate(t, func(bd *Builder, ops []backends.Op) []backends.Op {
				return []backends.Op{op(bd.ConvGeneral(ops[0], ops[1], axes, stride, pad, inDil, kDil, channelGroups, batchGroups))}
			}, func(t *testing.T, out []*Buffer) {
				var want []complex128
				xs, ws := numbers(x.flat), numbers(w.flat)
				allIndices(out[0].shape.Dimensions, func(at []int) {
					c := at[oAxes[1]]
					xi, wi := make([]int, rank+2), make([]int, rank+2)
					xi[xAxes[0]] = at[oAxes[0]] + c/(co/batchGroups)*(n/batchGroups)
					wi[kAxes[1]] = c
					var sum complex128
					allIndices(k, func(tap []int) {
						for a := range rank {
							p := at[oAxes[2+a]]*stride[a] + tap[a]*kDil[a] - pad[a][0]
							if p < 0 || p%inDil[a] != 0 || p/inDil[a] >= in[a] {
								return
							}
							xi[xAxes[2+a]], wi[kAxes[2+a]] = p/inDil[a], tap[a]
						}
						for i := range ci {
							xi[xAxes[1]], wi[kAxes[0]] = c/(co/channelGroups)*ci+i, i
							sum += xs[position(xDims, xi)] * ws[position(kDims, wi)]
						}
					})
					want = append(want, sum)
				})
				wrapAround(want, dtype)
				near(t, values(out[0]), want, 64*precision(dtype))
			}, x, w)
			if t.Failed() {
				t.Fatalf("%s: input %v kernel %v %+v strides %v paddings %v dilations %v %v groups %d %d", dtype,
					xDims, kDims, axes, stride, pad, inDil, kDil, channelGroups, batchGroups)
			}
		}
	}
}

// TestStridedConvolutionGradient holds GoMLX's VJP of a strided convolution, in float64, to
// central differences.
func TestStridedConvolutionGradient(t *testing.T) {
	r := newRand()
	xDims, kDims := []int{2, 7, 6, 3}, []int{3, 3, 3, 4}
	x, k := fill(r, dtypes.Float64, xDims...), fill(r, dtypes.Float64, kDims...)
	loss := func(x, k *Node) *Node {
		y := Convolve(x, k).Strides(2).PadSame().Done()
		return ReduceAllSum(Mul(y, Sin(y)))
	}
	b := newTestBackend(t, 2)
	value := MustNewExec(b, loss)
	gradient := MustNewExec(b, func(x, k *Node) []*Node { return Gradient(loss(x, k), x, k) })
	at := func(x, k []float64) float64 {
		return tensors.ToScalar[float64](value.MustExec(tensors.FromFlatDataAndDimensions(x, xDims...),
			tensors.FromFlatDataAndDimensions(k, kDims...))[0])
	}
	xs, ks := x.flat.([]float64), k.flat.([]float64)
	grads := gradient.MustExec(tensors.FromFlatDataAndDimensions(xs, xDims...), tensors.FromFlatDataAndDimensions(ks, kDims...))
	for n, flat := range [][]float64{xs, ks} {
		grad := tensors.MustCopyFlatData[float64](grads[n])
		for i := 0; i < len(flat); i += 11 {
			const h = 1e-5
			old := flat[i]
			flat[i] = old + h
			up := at(xs, ks)
			flat[i] = old - h
			down := at(xs, ks)
			flat[i] = old
			if want := (up - down) / (2 * h); math.Abs(grad[i]-want) > 1e-6*max(1, math.Abs(want)) {
				t.Fatalf("operand %d, element %d: %g, by differences %g", n, i, grad[i], want)
			}
		}
	}
}
