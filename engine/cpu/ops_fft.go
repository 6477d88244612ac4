package cpu

import (
	"fmt"
	"slices"
	"unsafe"

	"github.com/gomlx/gomlx/backends"
	"github.com/gomlx/gomlx/pkg/core/dtypes"
	"github.com/gomlx/gomlx/pkg/core/shapes"

	"github.com/seed-0f004ec9/spgd/engine/cpu/internal/pool"
)

func init() { register(execFFT, backends.OpTypeFFT) }

// fftAttr: the transform is over the last len(lengths) axes, whose sizes are lengths. For the
// real transforms, the complex side has lengths[last]/2+1 elements along the last axis.
type fftAttr struct {
	kind    backends.FFTType
	lengths []int
}

// FFT computes a discrete Fourier transform over the last axes. It is computed in float64
// whatever the data type; results are rounded after each axis. The inverse transforms divide by the number of elements.
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

func execFFT(b *Backend, n *node, in, out []*Buffer) error {
	attr := n.attr.(*fftAttr)
	if t := in[0].shape.DType; t == dtypes.Float32 || t == dtypes.Complex64 {
		transform(&b.fft, b.pool, &b.fft.scratch32, attr, flatParts[float32](in[0]), flatParts[float32](out[0]))
	} else {
		transform(&b.fft, b.pool, &b.fft.scratch64, attr, flatParts[float64](in[0]), flatParts[float64](out[0]))
	}
	return nil
}

// flatParts views a buffer of real or complex numbers as real numbers: complex ones are pairs.
func flatParts[F float32 | float64](x *Buffer) []F {
	switch flat := x.flat.(type) {
	case []F:
		return flat
	case []complex64:
		return unsafe.Slice((*F)(unsafe.Pointer(unsafe.SliceData(flat))), 2*len(flat))
	case []complex128:
		return unsafe.Slice((*F)(unsafe.Pointer(unsafe.SliceData(flat))), 2*len(flat))
	}
	return nil
}

// transform transforms in to out over all axes. Real transforms have the complex side's width,
// lengths[last]/2+1, along the last axis in all passes over other axes.
func transform[F float32 | float64](c *fftCache, p *pool.Pool, scratch *[]F, attr *fftAttr, in, out []F) {
	if len(out) == 0 {
		return
	}
	last := len(attr.lengths) - 1
	inverse := attr.kind == backends.FFTInverse || attr.kind == backends.FFTInverseReal
	t := fftPasses[F]{cache: c, pool: p, inverse: inverse, kind: attr.kind}
	width := attr.lengths[last]
	if attr.kind == backends.FFTForwardReal || attr.kind == backends.FFTInverseReal {
		width = width/2 + 1
	}
	columns := func(from, to []F) {
		inner := width
		for a := last - 1; a >= 0; a-- {
			t.columns(attr.lengths[a], inner, from, to)
			from = to
			inner *= attr.lengths[a]
		}
	}
	if attr.kind != backends.FFTInverseReal {
		t.rows(attr.lengths[last], in, out)
		columns(out, out)
		return
	}
	if last > 0 {
		if len(*scratch) < len(in) {
			*scratch = make([]F, len(in))
		}
		between := (*scratch)[:len(in)]
		columns(in, between)
		in = between
	}
	t.rows(attr.lengths[last], in, out)
}
