package kernel

// Packed is a K x N right-hand matrix in the order in which the micro-kernels read it: panels
// of adjacent columns, each panel stored row after row. The last panel is narrower when few
// columns are left, and is filled up with zeros. The kernel of a convolution is the matrix with
// K = height*width*inputChannels rows and a column for each output channel.
//
// A Packed is read-only once packed and may be used by any number of goroutines.
type Packed struct {
	isa  isa
	k, n int
	rows int // of elements, k unless these are pairs
	tile int // of Winograd's method; 0: the matrix itself
	prec Precision
	data []float32
}

// K is the number of rows.
func (p *Packed) K() int { return p.k }

// N is the number of columns.
func (p *Packed) N() int { return p.n }

// Bytes is the size of the packed data in bytes.
func (p *Packed) Bytes() int { return 4 * len(p.data) }

// panelWidth is the number of columns of a full panel.
func (s isa) panelWidth() int {
	switch s {
	case isaAVX512:
		return 32
	case isaAVX2:
		return 16
	case isaNEON:
		return 8
	}
	return 4
}

// tailWidth is the width of the panel that holds the last rest columns.
func (s isa) tailWidth(rest int) int {
	w := s.panelWidth()
	least := 8
	if s == isaNEON {
		least = 4
	}
	for w > least && rest <= w/2 {
		w /= 2
	}
	return w
}

// panels is the number of panels.
func (p *Packed) panels() int {
	w := p.isa.panelWidth()
	return (p.n + w - 1) / w
}

// panel returns the data of panel i, its width, its first column and how many of its columns
// belong to the matrix.
func (p *Packed) panel(i int) (data []float32, width, col, cols int) {
	width = p.isa.panelWidth()
	start := i * width * p.rows
	col = i * width
	cols = min(width, p.n-col)
	width = p.isa.tailWidth(cols)
	return p.data[start : start+width*p.rows], width, col, cols
}

func packedLen(s isa, k, n int) int {
	w := s.panelWidth()
	full := n / w * w
	if rest := n - full; rest > 0 {
		full += s.tailWidth(rest)
	}
	return k * full
}

// reset gives dst (or a new Packed) room for a k x n matrix.
func reset(dst *Packed, s isa, k, n int) *Packed {
	if dst == nil {
		dst = new(Packed)
	}
	size := packedLen(s, k, n)
	if cap(dst.data) < size {
		dst.data = make([]float32, size)
	}
	*dst = Packed{isa: s, k: k, rows: k, n: n, data: dst.data[:size]}
	return dst
}

// PackMatrix packs the k x n matrix B[i][j] = b[offset + i*rowStride + j*colStride]. Strides may
// be negative or zero. It reuses the memory of dst where it fits; dst may be nil.
func PackMatrix(dst *Packed, k, n int, b []float32, offset, rowStride, colStride int) *Packed {
	return packMatrix(active, dst, k, n, b, offset, rowStride, colStride)
}

func packMatrix(s isa, dst *Packed, k, n int, b []float32, offset, rowStride, colStride int) *Packed {
	dst = reset(dst, s, k, n)
	dst.packRows(0, k, b, offset, rowStride, colStride)
	return dst
}

// PackConv packs the kernel of a convolution, w[offset + y*sh + x*sw + i*si + o*so] for kernel
// row y < kh, kernel column x < kw, input channel i < cin and output channel o < cout. Strides
// may be negative, so that a reversed or transposed kernel is only a view. It reuses the memory
// of dst where it fits; dst may be nil.
func PackConv(dst *Packed, kh, kw, cin, cout int, w []float32, offset, sh, sw, si, so int) *Packed {
	return packConv(active, dst, kh, kw, cin, cout, w, offset, sh, sw, si, so)
}

func packConv(s isa, dst *Packed, kh, kw, cin, cout int, w []float32, offset, sh, sw, si, so int) *Packed {
	dst = reset(dst, s, kh*kw*cin, cout)
	if sw == cin*si && sh == kw*sw { // the K index has one stride
		dst.packRows(0, kh*kw*cin, w, offset, si, so)
		return dst
	}
	for y := range kh {
		for x := range kw {
			dst.packRows((y*kw+x)*cin, cin, w, offset+y*sh+x*sw, si, so)
		}
	}
	return dst
}

// packConvBF16 is packConv with rows of pairs of input channels: see bf16Pair.
func packConvBF16(s isa, dst *Packed, kh, kw, cin, cout int, w []float32, offset, sh, sw, si, so int) *Packed {
	pairs := BF16.elements(cin)
	dst = reset(dst, s, kh*kw*pairs, cout)
	dst.prec, dst.k = BF16, kh*kw*cin
	for i := range dst.panels() {
		data, width, col, cols := dst.panel(i)
		clear(data)
		for row := range dst.rows {
			tap, c := row/pairs, row%pairs*2
			at := offset + tap/kw*sh + tap%kw*sw + c*si + col*so
			for j := range cols {
				hi := float32(0)
				if c+1 < cin {
					hi = w[at+j*so+si]
				}
				data[row*width+j] = bf16Pair(w[at+j*so], hi)
			}
		}
	}
	return dst
}

// packRows packs rows [k0, k0+rows) of the matrix from b.
func (p *Packed) packRows(k0, rows int, b []float32, offset, rowStride, colStride int) {
	for i := range p.panels() {
		data, width, col, cols := p.panel(i)
		data = data[k0*width : (k0+rows)*width]
		at := offset + col*colStride
		if cols < width {
			for k := range rows {
				clear(data[k*width+cols : (k+1)*width])
			}
		}
		if colStride == 1 {
			for k := range rows {
				copy(data[k*width:k*width+cols], b[at+k*rowStride:])
			}
			continue
		}
		// Blocks of rows keep the panel's lines in the first-level cache while its columns
		// are filled in one after the other.
		const block = 64
		for kb := 0; kb < rows; kb += block {
			kn := min(block, rows-kb)
			for j := range cols {
				from := at + j*colStride + kb*rowStride
				to := data[kb*width+j:]
				for k := range kn {
					to[k*width] = b[from]
					from += rowStride
				}
			}
		}
	}
}
