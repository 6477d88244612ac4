package imageio

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"
)

// The builders here write files from the format specifications, so that the readers are not
// checked against the encoders they share code with.

// rawPNG describes a PNG by its samples.
type rawPNG struct {
	w, h, depth, colourType int
	samples                 []uint16 // pixels from the top left, channels interleaved
	palette, transparency   []byte
	interlaced              bool
	extra                   []byte // whole chunks to put after IHDR
}

func (p rawPNG) channels() int {
	return map[int]int{0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[p.colourType]
}

func (p rawPNG) encode(t testing.TB) []byte {
	t.Helper()
	ihdr := binary.BigEndian.AppendUint32(nil, uint32(p.w))
	ihdr = binary.BigEndian.AppendUint32(ihdr, uint32(p.h))
	ihdr = append(ihdr, byte(p.depth), byte(p.colourType), 0, 0, 0)
	if p.interlaced {
		ihdr[12] = 1
	}
	out := appendPNGChunk([]byte(pngSignature), "IHDR", ihdr)
	out = append(out, p.extra...)
	if p.palette != nil {
		out = appendPNGChunk(out, "PLTE", p.palette)
	}
	if p.transparency != nil {
		out = appendPNGChunk(out, "tRNS", p.transparency)
	}
	var z bytes.Buffer
	w := zlib.NewWriter(&z)
	type pass struct{ x0, y0, dx, dy int }
	passes := []pass{{0, 0, 1, 1}}
	if p.interlaced { // Adam7
		passes = []pass{{0, 0, 8, 8}, {4, 0, 8, 8}, {0, 4, 4, 8}, {2, 0, 4, 4}, {0, 2, 2, 4}, {1, 0, 2, 2}, {0, 1, 1, 2}}
	}
	n := p.channels()
	for _, ps := range passes {
		if ps.x0 >= p.w {
			continue
		}
		for y := ps.y0; y < p.h; y += ps.dy {
			row, bits, acc := []byte{0}, 0, uint32(0) // filter type 0
			for x := ps.x0; x < p.w; x += ps.dx {
				for c := range n {
					acc = acc<<p.depth | uint32(p.samples[(y*p.w+x)*n+c])
					for bits += p.depth; bits >= 8; bits -= 8 {
						row = append(row, byte(acc>>(bits-8)))
					}
				}
			}
			if bits > 0 {
				row = append(row, byte(acc<<(8-bits)))
			}
			w.Write(row)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	out = appendPNGChunk(out, "IDAT", z.Bytes())
	return appendPNGChunk(out, "IEND", nil)
}

// exifBlock is a TIFF structure whose first directory holds another tag and the orientation.
func exifBlock(order binary.AppendByteOrder, orientation int) []byte {
	b := []byte("II*\x00")
	if order.String() == binary.BigEndian.String() {
		b = []byte("MM\x00*")
	}
	b = order.AppendUint32(b, 8)
	b = order.AppendUint16(b, 2)
	entry := func(tag, typ uint16, count uint32, value uint16) {
		b = order.AppendUint16(b, tag)
		b = order.AppendUint16(b, typ)
		b = order.AppendUint32(b, count)
		b = order.AppendUint16(b, value)
		b = append(b, 0, 0)
	}
	entry(0x0100, 3, 1, 640)
	entry(0x0112, 3, 1, uint16(orientation))
	return order.AppendUint32(b, 0)
}

// jpegWith inserts a segment after the start of image.
func jpegWith(file []byte, marker byte, body []byte) []byte {
	out := []byte{0xff, 0xd8, 0xff, marker}
	out = binary.BigEndian.AppendUint16(out, uint16(len(body)+2))
	return append(append(out, body...), file[2:]...)
}

// webpExtended wraps the VP8 chunk of a simple lossy WebP with an ALPH chunk and an EXIF chunk;
// either may be nil. Alpha is stored without compression or filter.
func webpExtended(t testing.TB, simple []byte, w, h int, alpha, exif []byte) []byte {
	t.Helper()
	var vp8 []byte
	for id, body := range webpChunks(simple) {
		if id == "VP8 " {
			vp8 = body
		}
	}
	if vp8 == nil {
		t.Fatal("no VP8 chunk")
	}
	x := make([]byte, 10)
	if alpha != nil {
		x[0] |= 1 << 4
	}
	if exif != nil {
		x[0] |= 1 << 3
	}
	x[4], x[5] = byte(w-1), byte((w-1)>>8)
	x[7], x[8] = byte(h-1), byte((h-1)>>8)
	out := []byte("RIFF\x00\x00\x00\x00WEBP")
	chunk := func(id string, body []byte) {
		out = append(out, id...)
		out = binary.LittleEndian.AppendUint32(out, uint32(len(body)))
		out = append(out, body...)
		if len(body)%2 == 1 {
			out = append(out, 0)
		}
	}
	chunk("VP8X", x)
	if alpha != nil {
		chunk("ALPH", append([]byte{0}, alpha...))
	}
	chunk("VP8 ", vp8)
	if exif != nil {
		chunk("EXIF", exif)
	}
	binary.LittleEndian.PutUint32(out[4:], uint32(len(out)-8))
	return out
}

func testdata(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func mustDecode(t testing.TB, data []byte) (*Image, Info) {
	t.Helper()
	img, info, err := Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	if err := img.Check(); err != nil {
		t.Fatal(err)
	}
	return img, info
}
