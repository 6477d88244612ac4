package operator

import (
	"github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/tensors"
	"gonum.org/v1/gonum/dsp/fourier"
)

// spectrum applies a kernel as a product of Fourier transforms. The reflected image is extended
// with zeros to a size that transforms are fast for; what wraps around is outside of the result.
type spectrum struct {
	rows, columns reflection // of [N,C,H,W]
	height, width int        // of the transforms
}

// newSpectrum returns the form and its data, the real and imaginary parts of the conjugate
// transform of the kernel, [height,width/2+1] each.
func newSpectrum(k *Kernel, rows, columns reflection) (*spectrum, []*tensors.Tensor) {
	rows.axis, columns.axis = 2, 3
	f := &spectrum{rows: rows, columns: columns, height: fastLength(rows.count), width: fastLength(columns.count)}
	half := f.width/2 + 1
	re, im := make([]float64, f.height*half), make([]float64, f.height*half)
	table := make([]complex128, k.Height*half)
	across := fourier.NewFFT(f.width)
	line := make([]float64, f.width)
	for y := range k.Height {
		copy(line, k.Weights[y*k.Width:(y+1)*k.Width])
		across.Coefficients(table[y*half:(y+1)*half], line)
	}
	down := fourier.NewCmplxFFT(f.height)
	column := make([]complex128, f.height)
	for x := range half {
		clear(column)
		for y := range k.Height {
			column[y] = table[y*half+x]
		}
		down.Coefficients(column, column)
		for y, v := range column {
			re[y*half+x], im[y*half+x] = real(v), -imag(v)
		}
	}
	return f, []*tensors.Tensor{floatTensor(re, f.height, half), floatTensor(im, f.height, half)}
}

// fastLength is the smallest even number from n on without prime factors beyond 5.
func fastLength(n int) int {
	for n += n % 2; ; n += 2 {
		rest := n
		for _, p := range []int{2, 3, 5} {
			for rest%p == 0 {
				rest /= p
			}
		}
		if rest == 1 {
			return n
		}
	}
}

func (f *spectrum) apply(data []*graph.Node, x *graph.Node) *graph.Node {
	x = graph.TransposeAllAxes(x, 0, 3, 1, 2)
	x = f.multiply(f.columns.extend(f.rows.extend(x)), graph.Complex(data[0], data[1]))
	return graph.TransposeAllAxes(part(part(x, 2, 0, f.rows.n), 3, 0, f.columns.n), 0, 2, 3, 1)
}

func (f *spectrum) adjoint(data []*graph.Node, v *graph.Node) *graph.Node {
	v = graph.TransposeAllAxes(v, 0, 3, 1, 2)
	v = f.multiply(v, graph.Complex(data[0], graph.Neg(data[1])))
	v = part(part(v, 2, 0, f.rows.count), 3, 0, f.columns.count)
	return graph.TransposeAllAxes(f.rows.fold(f.columns.fold(v)), 0, 2, 3, 1)
}

// multiply multiplies the transform of x, extended with zeros, by a response.
func (f *spectrum) multiply(x, response *graph.Node) *graph.Node {
	z := graph.RealFFT(padEnd(padEnd(x, 3, f.width), 2, f.height), f.height, f.width)
	z = graph.Mul(z, graph.Reshape(response, 1, 1, f.height, f.width/2+1))
	return graph.InverseRealFFT(z, f.height, f.width)
}
