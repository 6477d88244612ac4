package cpu

import (
	"fmt"
	"slices"

	"github.com/gomlx/gomlx/backends"
	"github.com/gomlx/gomlx/pkg/core/dtypes"
	"github.com/gomlx/gomlx/pkg/core/shapes"
)

func init() { register(execFFT, backends.OpTypeFFT) }

// fftAttr: the transform is over the last len(lengths) axes, whose sizes are lengths. For the
// real transforms, the complex side has lengths[last]/2+1 elements along the last axis.
type fftAttr struct {
	kind    backends.FFTType
	lengths []int
}

// FFT computes a discrete Fourier transform over the last axes. It is computed in complex128
// whatever the data type. The inverse transforms divide by the number of elements.
func (bd *Builder) FFT(operand backends.Op, kind backends.FFTType, lengths []int) (backends.Op, error) {
	in, err := bd.check("FFT", operand)
	if err != nil {
		return nil, err
	}
	s := in[0].shape
	want := kindComplex
	if kind == backends.FFTForwardReal {
		want = kindFloat
	}
	if kindOf(s.DType) != want || isHalf(s.DType) || kind < backends.FFTForward || kind > backends.FFTInverseReal {
		return nil, fmt.Errorf("cpu: FFT: %s of %s is not supported", kind, s.DType)
	}
	n := len(lengths)
	if n < 1 || n > s.Rank() {
		return nil, fmt.Errorf("cpu: FFT of %s over %d axes is not possible", s, n)
	}
	dims := slices.Clone(s.Dimensions)
	last := len(dims) - 1
	for i, length := range lengths {
		have, need := dims[last-n+1+i], length
		if kind == backends.FFTInverseReal && i == n-1 {
			need = length/2 + 1
		}
		if length < 1 || have != need {
			return nil, fmt.Errorf("cpu: FFT of %s: length %d needs %d elements, but the axis has %d", s, length, need, have)
		}
	}
	out := shapes.Shape{DType: s.DType, Dimensions: dims}
	switch kind {
	case backends.FFTForwardReal:
		dims[last] = lengths[n-1]/2 + 1
		out.DType = dtypes.Complex64
		if s.DType == dtypes.Float64 {
			out.DType = dtypes.Complex128
		}
	case backends.FFTInverseReal:
		dims[last] = lengths[n-1]
		out.DType = s.DType.RealDType()
	}
	return bd.add(backends.OpTypeFFT, out, &fftAttr{kind, slices.Clone(lengths)}, in...), nil
}

// block is the work space for one transform over all axes.
type block struct {
	attr   *fftAttr
	lines  []*line // per axis
	x      []complex128
	column []complex128
}

func newBlock(attr *fftAttr) *block {
	w := &block{attr: attr, x: make([]complex128, product(attr.lengths))}
	w.column = make([]complex128, slices.Max(attr.lengths))
	for _, n := range attr.lengths {
		w.lines = append(w.lines, newLine(n))
	}
	return w
}

func execFFT(b *Backend, n *node, in, out []*Buffer) error {
	attr := n.attr.(*fftAttr)
	total := product(attr.lengths)
	inWidth, outWidth := attr.lengths[len(attr.lengths)-1], attr.lengths[len(attr.lengths)-1]
	switch attr.kind {
	case backends.FFTForwardReal:
		outWidth = outWidth/2 + 1
	case backends.FFTInverseReal:
		inWidth = inWidth/2 + 1
	}
	rows := total / attr.lengths[len(attr.lengths)-1]
	count := 0
	if rows*inWidth > 0 {
		count = in[0].shape.Size() / (rows * inWidth)
	}
	blocks := make([]*block, b.pool.Workers())
	step := max(1, grain/(16*total)) // blocks a piece
	b.pool.Run((count+step-1)/step, func(worker, piece int) {
		if blocks[worker] == nil {
			blocks[worker] = newBlock(attr)
		}
		w := blocks[worker]
		for i := piece * step; i < min(count, (piece+1)*step); i++ {
			w.load(in[0], i*rows*inWidth, inWidth)
			w.run(inWidth)
			w.store(out[0], i*rows*outWidth, outWidth)
		}
	})
	return nil
}

// run transforms the block, of which width columns are set.
func (w *block) run(width int) {
	n := w.attr.lengths
	last := len(n) - 1
	inverse := w.attr.kind == backends.FFTInverse || w.attr.kind == backends.FFTInverseReal
	step := n[last]
	for a := last - 1; a >= 0; a-- {
		w.alongAxis(a, step, width, inverse)
		step *= n[a]
	}
	for at := 0; at < len(w.x); at += n[last] {
		row := w.x[at : at+n[last]]
		if w.attr.kind == backends.FFTInverseReal {
			hermitian(row)
		}
		if inverse {
			w.lines[last].inverse(row)
		} else {
			w.lines[last].transform(row)
		}
	}
}

// hermitian completes the spectrum of a real sequence from its first len(x)/2+1 elements. Of
// the elements that are their own mirror images, only the real part counts.
func hermitian(x []complex128) {
	n := len(x)
	x[0] = complex(real(x[0]), 0)
	if n%2 == 0 {
		x[n/2] = complex(real(x[n/2]), 0)
	}
	for k := 1; k < n-k; k++ {
		x[n-k] = complex(real(x[k]), -imag(x[k]))
	}
}

// alongAxis transforms the lines along axis a, whose elements are step apart, for the first
// width columns of the last axis.
func (w *block) alongAxis(a, step, width int, inverse bool) {
	n := w.attr.lengths[a]
	columns := w.attr.lengths[len(w.attr.lengths)-1]
	line := w.column[:n]
	for outer := 0; outer < len(w.x); outer += n * step {
		for s := range step {
			if s%columns >= width {
				continue
			}
			for k := range line {
				line[k] = w.x[outer+k*step+s]
			}
			if inverse {
				w.lines[a].inverse(line)
			} else {
				w.lines[a].transform(line)
			}
			for k, v := range line {
				w.x[outer+k*step+s] = v
			}
		}
	}
}

// load fills the first width columns of every row.
func (w *block) load(x *Buffer, from, width int) {
	columns := w.attr.lengths[len(w.attr.lengths)-1]
	for at := 0; at < len(w.x); at += columns {
		row := w.x[at : at+width]
		switch flat := x.flat.(type) {
		case []float32:
			for i, v := range flat[from : from+width] {
				row[i] = complex(float64(v), 0)
			}
		case []float64:
			for i, v := range flat[from : from+width] {
				row[i] = complex(v, 0)
			}
		case []complex64:
			for i, v := range flat[from : from+width] {
				row[i] = complex128(v)
			}
		case []complex128:
			copy(row, flat[from:from+width])
		}
		from += width
	}
}

// store rounds the first width columns of every row.
func (w *block) store(out *Buffer, to, width int) {
	columns := w.attr.lengths[len(w.attr.lengths)-1]
	for at := 0; at < len(w.x); at += columns {
		row := w.x[at : at+width]
		switch flat := out.flat.(type) {
		case []float32:
			for i, v := range row {
				flat[to+i] = float32(real(v))
			}
		case []float64:
			for i, v := range row {
				flat[to+i] = real(v)
			}
		case []complex64:
			for i, v := range row {
				flat[to+i] = complex64(v)
			}
		case []complex128:
			copy(flat[to:to+width], row)
		}
		to += width
	}
}
