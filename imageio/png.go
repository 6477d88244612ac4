package imageio

import (
	"bufio"
	"compress/zlib"
	"encoding/binary"
	"io"
)

// encodePNG writes a PNG with 1 to 4 channels of 8 or 16 bits. image/png does not write grey with
// alpha, and drops an alpha that is opaque everywhere. ancillary are whole chunks to put before the
// picture.
func encodePNG(w io.Writer, m, alpha *Image, depth int, ancillary []byte) error {
	channels, colourType := m.Channels, byte(0)
	if channels == 3 {
		colourType = 2
	}
	if alpha != nil {
		channels, colourType = channels+1, colourType+4
	}
	head := binary.BigEndian.AppendUint32(nil, uint32(m.Width))
	head = binary.BigEndian.AppendUint32(head, uint32(m.Height))
	head = appendPNGChunk([]byte(pngSignature), "IHDR", append(head, byte(depth), colourType, 0, 0, 0))
	if _, err := w.Write(append(head, ancillary...)); err != nil {
		return err
	}
	chunks := bufio.NewWriterSize(&idat{w: w}, 1<<16)
	z := zlib.NewWriter(chunks)
	pixel := channels * depth / 8
	f := newFilter(m.Width*pixel, pixel)
	for y := range m.Height {
		storeRow(f.row, m, alpha, y, depth)
		if _, err := z.Write(f.next()); err != nil {
			return err
		}
	}
	if err := z.Close(); err != nil {
		return err
	}
	if err := chunks.Flush(); err != nil {
		return err
	}
	_, err := w.Write(appendPNGChunk(nil, "IEND", nil))
	return err
}

// storeRow quantises a row, with alpha as the last channel if it is not nil.
func storeRow(dst []byte, m, alpha *Image, y, depth int) {
	put := func(v float32) {
		if depth == 16 {
			binary.BigEndian.PutUint16(dst, uint16(quantise(v, 65535)))
			dst = dst[2:]
			return
		}
		dst[0] = uint8(quantise(v, 255))
		dst = dst[1:]
	}
	for x := range m.Width {
		i := y*m.Width + x
		for _, v := range m.Pix[i*m.Channels:][:m.Channels] {
			put(v)
		}
		if alpha != nil {
			put(alpha.Pix[i])
		}
	}
}

// idat makes an IDAT chunk of each write.
type idat struct{ w io.Writer }

func (d *idat) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if _, err := d.w.Write(appendPNGChunk(nil, "IDAT", p)); err != nil {
		return 0, err
	}
	return len(p), nil
}

// filter predicts each row from the pixel to the left and the row above (PNG specification, section
// 9), by the filter whose differences have the smallest sum.
type filter struct {
	row, above []byte
	out        [5][]byte // the filtered row after the filter's number
	pixel      int       // bytes of a pixel
}

func newFilter(length, pixel int) *filter {
	f := &filter{row: make([]byte, length), above: make([]byte, length), pixel: pixel}
	for i := range f.out {
		f.out[i] = make([]byte, length+1)
		f.out[i][0] = byte(i)
	}
	return f
}

// next filters what stands in row, which becomes the row above.
func (f *filter) next() []byte {
	var sums [5]int
	for i, v := range f.row {
		b := int(f.above[i])
		a, c := 0, 0
		if i >= f.pixel {
			a, c = int(f.row[i-f.pixel]), int(f.above[i-f.pixel])
		}
		for k, predicted := range [5]int{0, a, b, (a + b) / 2, paeth(a, b, c)} {
			d := v - byte(predicted)
			f.out[k][i+1] = d
			sums[k] += abs(int(int8(d)))
		}
	}
	best := 0
	for k, s := range sums {
		if s < sums[best] {
			best = k
		}
	}
	f.row, f.above = f.above, f.row
	return f.out[best]
}

// paeth is the neighbour that is nearest to a + b - c.
func paeth(a, b, c int) int {
	pa, pb, pc := abs(b-c), abs(a-c), abs(a+b-2*c)
	switch {
	case pa <= pb && pa <= pc:
		return a
	case pb <= pc:
		return b
	}
	return c
}

func abs(v int) int {
	if v < 0 {
		return -v
	}
	return v
}
