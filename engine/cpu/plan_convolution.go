package cpu

import (
	"github.com/seed-0f004ec9/spgd/engine/cpu/internal/kernel"
)

// convolutionStep runs a convolution together with the program that makes its input, row by
// row, and the one that its reader applies to its output, row by row.
type convolutionStep struct {
	c, out   *vertex
	conv     *kernel.Conv
	fill     *boundProgram // nil: the input lies in memory
	finish   *boundProgram // nil: the output is the convolution's own
	sums     *rowSums      // nil: none are taken of the output's rows
	inRow    int           // elements in a row of the input
	inImage  int           // ... and in an image
	outRow   int
	outImage int
	stretch  int            // elements of a row that are finished at a time
	pack     *kernel.Packed // of a kernel that is not kept

	src    kernel.Source // nothing, if the input lies in memory
	ep     kernel.Epilogue
	packed func(dst *kernel.Packed) *kernel.Packed // packs the kernel
}

// convolutionShape describes a convolution of x, [N,H,W,C], with a kernel k, [KH,KW,I,O].
func convolutionShape(x, k []int, a *convAttr) kernel.ConvShape {
	return kernel.ConvShape{
		N: x[0], H: x[1], W: x[2], Cin: x[3],
		KH: k[0], KW: k[1], Cout: k[3],
		StrideH: a.strides[0], StrideW: a.strides[1],
		PadTop: a.paddings[0][0], PadBottom: a.paddings[0][1],
		PadLeft: a.paddings[1][0], PadRight: a.paddings[1][1],
		InDilH: a.inputDilations[0], InDilW: a.inputDilations[1],
		KerDilH: a.kernelDilations[0], KerDilW: a.kernelDilations[1],
	}
}

// supportsConvolution says whether the kernels take a shape; an empty result, for one, is left
// to the generic executor.
func supportsConvolution(s kernel.ConvShape) bool {
	h, w := s.Out()
	return min(h, w, s.N, s.H, s.W, s.Cin, s.KH, s.KW, s.Cout) >= 1
}

func newConvolutionStep(p *plan, c, out *vertex, finish *program, sums []*vertex) *convolutionStep {
	shape := c.attr.(kernel.ConvShape)
	algorithm := p.algorithm
	if c.in[1].base.kind != vertexParameter {
		algorithm = kernel.Direct // packing would cost more than it saves
	}
	conv, err := kernel.NewConv(shape, algorithm, p.precision, p.workers, &p.strips)
	if err != nil {
		panic(err) // supportsConvolution said otherwise
	}
	h, w := shape.Out()
	s := &convolutionStep{
		c: c, out: out, conv: conv,
		inRow: shape.W * shape.Cin, inImage: shape.H * shape.W * shape.Cin,
		outRow: w * shape.Cout, outImage: h * w * shape.Cout,
	}
	if x := c.in[0]; x.base == nil || x.opaque || !x.view.isDense() {
		s.fill = p.bound(inputProgram(x), roleMain)
	}
	if finish != nil {
		finish.readRows(c)
		s.finish = p.bound(finish, roleFinish)
	}
	if len(sums) > 0 {
		s.sums = newRowSums(p, out, sums)
	}
	switch s.stretch = s.outRow; {
	case s.sums != nil:
		s.stretch = s.sums.tile
	case s.finish != nil:
		s.stretch = s.finish.tile
	}
	if out.narrow {
		conv.Stage()
	}
	switch in := c.in[0]; {
	case s.fill != nil:
		s.src.Row = func(worker, n, y int, dst []float32) {
			s.fill.evaluators[worker].run(n*s.inImage+y*s.inRow, dst)
		}
	case in.base.narrow:
		s.src.Row = func(_, n, y int, dst []float32) {
			at := in.view.off + n*s.inImage + y*s.inRow
			kernel.Widen(dst, p.x.half(in.base)[at:at+len(dst)])
		}
	}
	if s.finish != nil || s.sums != nil || out.narrow {
		s.ep.Post = func(worker, n, y int, row []float32) { s.post(p.x, worker, n, y, row) }
	}
	s.packed = func(dst *kernel.Packed) *kernel.Packed {
		k := c.in[1]
		v := k.view
		return conv.Pack(p.x.b.pool, dst, p.x.array(k.base), v.off, v.strides[0], v.strides[1], v.strides[2], v.strides[3])
	}
	return s
}

// post finishes row y of image n of the output. A row may be too long for the first-level cache, so
// that it is done with one stretch before it comes to the next.
func (s *convolutionStep) post(x *execution, worker, n, y int, row []float32) {
	at := n*s.outImage + y*s.outRow
	if s.finish != nil {
		s.finish.evaluators[worker].onRow(at, row)
	}
	if s.sums != nil {
		s.sums.begin(worker, n, y, row)
	}
	for i := 0; i < len(row); i += s.stretch {
		part := row[i:min(i+s.stretch, len(row))]
		if s.finish != nil {
			s.finish.evaluators[worker].run(at+i, part)
		}
		if s.sums != nil {
			s.sums.next(worker, n, y, i)
		}
		if s.out.narrow {
			kernel.Narrow(x.half(s.out)[at+i:][:len(part)], part)
		}
	}
	if s.sums != nil {
		s.sums.end(worker, n, y)
	}
}

func (s *convolutionStep) run(x *execution) error {
	src := s.src
	if in := s.c.in[0]; s.fill != nil {
		s.fill.bind(x)
	} else if src.Row == nil {
		src.Flat = x.array(in.base)[in.view.off : in.view.off+in.size()]
	}
	if s.finish != nil {
		s.finish.bind(x)
	}
	if s.sums != nil {
		s.sums.bind(x)
	}
	k := s.c.in[1]
	var w *kernel.Packed
	if k.base.kind == vertexParameter {
		form := packKey(packConvolution, k.view)
		form.tile, form.precision = s.conv.Tile(), s.conv.Precision()
		w = x.bufs[k.base.id].packedAs(form, s.packed)
	} else {
		s.pack = s.packed(s.pack)
		w = s.pack
	}
	s.conv.Run(x.b.pool, x.array(s.out), src, w, s.ep) // no array if it is narrowed
	if s.sums != nil {
		s.sums.store(x)
	}
	return nil
}
