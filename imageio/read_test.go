package imageio

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Every colour type and depth of PNG, straight and interlaced, to the last bit.
func TestPNGSamples(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	const w, h = 13, 11
	palette := make([]byte, 3*256)
	for i := range palette {
		palette[i] = byte(r.Uint32())
	}
	alphas := make([]byte, 256)
	for i := range alphas {
		alphas[i] = byte(r.Uint32())
	}
	for _, c := range []struct {
		colourType, depth int
		trns              bool
		channels          int
		gray              bool
	}{
		{0, 1, false, 1, true}, {0, 2, false, 1, true}, {0, 4, false, 1, true}, {0, 8, false, 1, true}, {0, 16, false, 1, true},
		{0, 4, true, 2, true}, {0, 8, true, 2, true}, {0, 16, true, 2, true},
		{2, 8, false, 3, false}, {2, 16, false, 3, false}, {2, 8, true, 4, false}, {2, 16, true, 4, false},
		{3, 1, false, 3, false}, {3, 2, false, 3, false}, {3, 4, false, 3, false}, {3, 8, false, 3, false}, {3, 8, true, 4, false},
		{4, 8, false, 2, true}, {4, 16, false, 2, true}, {6, 8, false, 4, false}, {6, 16, false, 4, false},
	} {
		for _, interlaced := range []bool{false, true} {
			t.Run(fmt.Sprintf("type%d-depth%d-trns%v-interlaced%v", c.colourType, c.depth, c.trns, interlaced), func(t *testing.T) {
				p := rawPNG{w: w, h: h, depth: c.depth, colourType: c.colourType, interlaced: interlaced}
				n := p.channels()
				top := 1<<c.depth - 1
				for range w * h * n {
					p.samples = append(p.samples, uint16(r.IntN(top+1)))
				}
				if c.colourType == 3 {
					p.palette = palette[:3*(top+1)]
					if c.trns {
						p.transparency = alphas
					}
				} else if c.trns { // the colour of pixel 5 is transparent
					for _, v := range p.samples[5*n : 6*n] {
						p.transparency = binary.BigEndian.AppendUint16(p.transparency, v)
					}
				}
				img, info := mustDecode(t, p.encode(t))
				wantAlpha := c.trns || c.colourType >= 4
				if info.Format != PNG || info.BitDepth != c.depth || info.Channels != c.channels ||
					info.Gray != c.gray || info.HasAlpha != wantAlpha || (info.Alpha != nil) != wantAlpha || info.Orientation != 1 {
					t.Fatalf("info %+v", info)
				}
				if img.Height != h || img.Width != w || (img.Channels == 1) != c.gray {
					t.Fatalf("image is %dx%dx%d", img.Width, img.Height, img.Channels)
				}
				unit := func(v uint16, top int) float32 { return float32(2*float64(v)/float64(top) - 1) }
				for i := range w * h {
					s := p.samples[i*n : (i+1)*n]
					var want []float32
					alpha := float32(1)
					switch c.colourType {
					case 3:
						for _, v := range palette[3*s[0] : 3*s[0]+3] {
							want = append(want, unit(uint16(v), 255))
						}
						if c.trns {
							alpha = unit(uint16(alphas[s[0]]), 255)
						}
					default:
						for _, v := range s[:img.Channels] {
							want = append(want, unit(v, top))
						}
						if c.colourType >= 4 {
							alpha = unit(s[n-1], top)
						} else if c.trns {
							match := true
							for k := range s {
								match = match && s[k] == p.samples[5*n+k]
							}
							if match {
								alpha = -1
							}
						}
					}
					for k, v := range want {
						got := img.Pix[i*img.Channels+k]
						if d := math.Abs(float64(got - v)); d > 1.2e-7 {
							t.Fatalf("pixel %d channel %d: %v, want %v", i, k, got, v)
						}
					}
					if wantAlpha && math.Abs(float64(info.Alpha.Pix[i]-alpha)) > 1.2e-7 {
						t.Fatalf("pixel %d: alpha %v, want %v", i, info.Alpha.Pix[i], alpha)
					}
				}
			})
		}
	}
}

// meanAbs is the mean absolute difference in steps of 8 bits.
func meanAbs(t *testing.T, a, b *Image) float64 {
	t.Helper()
	if len(a.Pix) != len(b.Pix) || a.Width != b.Width {
		t.Fatalf("%dx%dx%d against %dx%dx%d", a.Width, a.Height, a.Channels, b.Width, b.Height, b.Channels)
	}
	var sum float64
	for i := range a.Pix {
		sum += math.Abs(float64(a.Pix[i]-b.Pix[i])) * 127.5
	}
	return sum / float64(len(a.Pix))
}

// The lossy formats show the same picture as a PNG of it, within bounds that the mistakes which
// are easily made exceed: JPEG's value range taken for a WebP, repeated chroma samples, CMYK not
// inverted.
func TestLossyFormats(t *testing.T) {
	for _, c := range []struct {
		file     string
		ref      string
		format   Format
		channels int
		bound    float64
	}{
		{"video-001.q50.420.jpeg", "video-001.png", JPEG, 3, 6.4}, // 6.47 with repeated chroma
		{"video-001.cmyk.jpeg", "video-001.cmyk.png", JPEG, 4, 0.2},
		{"video-001.lossy.webp", "video-001.png", WebP, 3, 5}, // 11.4 with JPEG's value range
	} {
		ref, _ := mustDecode(t, testdata(t, c.ref))
		img, info := mustDecode(t, testdata(t, c.file))
		if info.Format != c.format || info.BitDepth != 8 || info.Channels != c.channels || info.Gray || info.HasAlpha {
			t.Errorf("%s: info %+v", c.file, info)
		}
		d := meanAbs(t, img, ref)
		t.Logf("%s: mean absolute difference %.3f/255", c.file, d)
		if d > c.bound {
			t.Errorf("%s: mean absolute difference %.2f/255, want at most %v", c.file, d, c.bound)
		}
	}
}

func TestGreyJPEG(t *testing.T) {
	pic := image.NewGray(image.Rect(0, 0, 40, 24))
	for i := range pic.Pix {
		pic.Pix[i] = uint8(2*(i%40) + 3*(i/40) + 40)
	}
	var buf bytes.Buffer
	if err := jpeg.Encode(&buf, pic, &jpeg.Options{Quality: 100}); err != nil {
		t.Fatal(err)
	}
	img, info := mustDecode(t, buf.Bytes())
	if !info.Gray || info.Channels != 1 || img.Channels != 1 {
		t.Fatalf("info %+v, %d channels", info, img.Channels)
	}
	for i, v := range img.Pix {
		if d := math.Abs(float64(v+1)*127.5 - float64(pic.Pix[i])); d > 2 {
			t.Fatalf("pixel %d differs by %v", i, d)
		}
	}
	rgb := img.RGB()
	if rgb.Channels != 3 || rgb.Pix[7] != img.Pix[2] || rgb.Pix[6] != rgb.Pix[8] {
		t.Fatal("RGB does not repeat the grey channel")
	}
	if grey := rgb.Grey(); math.Abs(float64(grey.Pix[100]-img.Pix[100])) > 1e-6 {
		t.Fatal("Grey does not undo RGB")
	}
}

// Full chroma resolution must agree with the standard library's conversion.
func TestYCbCr444(t *testing.T) {
	pic := image.NewYCbCr(image.Rect(0, 0, 64, 64), image.YCbCrSubsampleRatio444)
	r := rand.New(rand.NewPCG(3, 4))
	for i := range pic.Y {
		pic.Y[i], pic.Cb[i], pic.Cr[i] = byte(r.Uint32()), byte(r.Uint32()), byte(r.Uint32())
	}
	img := fromYCbCr(pic, false)
	for i := range pic.Y {
		red, green, blue := color.YCbCrToRGB(pic.Y[i], pic.Cb[i], pic.Cr[i])
		for c, want := range []uint8{red, green, blue} {
			if d := math.Abs(float64(img.Pix[3*i+c]+1)*127.5 - float64(want)); d > 1.01 {
				t.Fatalf("pixel %d channel %d is off by %v", i, c, d)
			}
		}
	}
}

// Linear chroma must be interpolated without error: a chroma ramp stays a ramp away from the ends.
func TestChromaInterpolation(t *testing.T) {
	for _, ratio := range []image.YCbCrSubsampleRatio{
		image.YCbCrSubsampleRatio420, image.YCbCrSubsampleRatio422, image.YCbCrSubsampleRatio440,
		image.YCbCrSubsampleRatio411, image.YCbCrSubsampleRatio410,
	} {
		const w, h = 37, 29 // odd: the last chroma sample covers less
		pic := image.NewYCbCr(image.Rect(0, 0, w, h), ratio)
		fx, fy := subsampling(ratio)
		for i := range pic.Y {
			pic.Y[i] = 128
		}
		for y := range (h + fy - 1) / fy {
			for x := range (w + fx - 1) / fx {
				i := y*pic.CStride + x
				pic.Cb[i] = 128
				pic.Cr[i] = uint8(100 + 4*x/max(1, 4/fx)*2 + 2*y) // any ramp with slopes a, b
			}
		}
		img := fromYCbCr(pic, false)
		cr := func(x, y int) float64 { return float64(pic.Cr[y*pic.CStride+x]) }
		for y := fy; y < h-fy; y++ {
			for x := fx; x < w-fx; x++ {
				// Bilinear in the chroma samples at ((x+1/2)/f - 1/2).
				px, py := (float64(x)+0.5)/float64(fx)-0.5, (float64(y)+0.5)/float64(fy)-0.5
				x0, y0 := int(px), int(py)
				dx, dy := px-float64(x0), py-float64(y0)
				want := (1-dy)*((1-dx)*cr(x0, y0)+dx*cr(x0+1, y0)) + dy*((1-dx)*cr(x0, y0+1)+dx*cr(x0+1, y0+1))
				red := min(128+1.402*(want-128), 255)
				if got := float64(img.Pix[(y*w+x)*3]+1) * 127.5; math.Abs(got-red) > 0.51 {
					t.Fatalf("ratio %v at %d,%d: red %v, want %v", ratio, x, y, got, red)
				}
			}
		}
	}
}

func TestWebPAlpha(t *testing.T) {
	a, ai := mustDecode(t, testdata(t, "gopher-doc.with-alpha.lossless.webp"))
	b, bi := mustDecode(t, testdata(t, "gopher-doc.with-alpha.png"))
	if !ai.HasAlpha || !bi.HasAlpha || ai.Channels != 4 {
		t.Fatalf("%+v, %+v", ai, bi)
	}
	for i, v := range bi.Alpha.Pix {
		if ai.Alpha.Pix[i] != v {
			t.Fatalf("alpha %d: %v, want %v", i, ai.Alpha.Pix[i], v)
		}
		if v > -1 && a.Pix[3*i] != b.Pix[3*i] {
			t.Fatalf("pixel %d: %v, want %v", i, a.Pix[3*i], b.Pix[3*i])
		}
	}

	simple := testdata(t, "video-001.lossy.webp")
	plain, _ := mustDecode(t, simple)
	alpha := make([]byte, plain.Width*plain.Height)
	for i := range alpha {
		alpha[i] = byte(i * 7)
	}
	img, info := mustDecode(t, webpExtended(t, simple, plain.Width, plain.Height, alpha, nil))
	if !info.HasAlpha || meanAbs(t, img, plain) != 0 {
		t.Fatalf("info %+v", info)
	}
	for i, v := range alpha {
		if info.Alpha.Pix[i] != from8(v) {
			t.Fatalf("alpha %d: %v, want %v", i, info.Alpha.Pix[i], from8(v))
		}
	}
}

// upright is a picture in which no two pixels or axes can be confused, stored by the definition
// of each orientation: the visual side of the stored row 0 and of the stored column 0.
func TestOrientation(t *testing.T) {
	const w, h = 5, 3
	upright := func(x, y int) uint16 { return uint16(16*y + 3*x + 1) }
	// at[o] maps a stored row and column (of a picture with sh rows and sw columns) to x, y.
	at := map[int]func(r, c int) (x, y int){
		1: func(r, c int) (int, int) { return c, r },
		2: func(r, c int) (int, int) { return w - 1 - c, r },
		3: func(r, c int) (int, int) { return w - 1 - c, h - 1 - r },
		4: func(r, c int) (int, int) { return c, h - 1 - r },
		5: func(r, c int) (int, int) { return r, c },                 // row 0 left, column 0 top
		6: func(r, c int) (int, int) { return w - 1 - r, c },         // row 0 right, column 0 top
		7: func(r, c int) (int, int) { return w - 1 - r, h - 1 - c }, // row 0 right, column 0 bottom
		8: func(r, c int) (int, int) { return r, h - 1 - c },         // row 0 left, column 0 bottom
	}
	for o := 1; o <= 8; o++ {
		sw, sh := w, h
		if o >= 5 {
			sw, sh = h, w
		}
		var samples []uint16
		for r := range sh {
			for c := range sw {
				v := upright(at[o](r, c))
				samples = append(samples, v, 255-v)
			}
		}
		for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
			exif := exifBlock(order, o)
			img, info := mustDecode(t, rawPNG{w: sw, h: sh, depth: 8, colourType: 4, samples: samples,
				extra: appendPNGChunk(nil, "eXIf", exif)}.encode(t))
			if info.Orientation != o || img.Width != w || img.Height != h {
				t.Fatalf("PNG, orientation %d: info %+v, size %dx%d", o, info, img.Width, img.Height)
			}
			for y := range h {
				for x := range w {
					v := upright(x, y)
					if img.Pix[y*w+x] != from8(uint8(v)) || info.Alpha.Pix[y*w+x] != from8(uint8(255-v)) {
						t.Fatalf("PNG, orientation %d: pixel %d,%d is %v, want %v", o, x, y, img.Pix[y*w+x], from8(uint8(v)))
					}
				}
			}

			jpg := testdata(t, "video-001.q50.420.jpeg")
			plain, _ := mustDecode(t, jpg)
			img, info = mustDecode(t, jpegWith(jpg, jpegAPP1, append([]byte("Exif\x00\x00"), exif...)))
			if info.Orientation != o || meanAbs(t, img, orient(plain, o)) != 0 {
				t.Fatalf("JPEG: orientation %d, want %d", info.Orientation, o)
			}

			webp := testdata(t, "video-001.lossy.webp")
			plain, _ = mustDecode(t, webp)
			for _, prefix := range []string{"", "Exif\x00\x00"} {
				img, info = mustDecode(t, webpExtended(t, webp, plain.Width, plain.Height, nil, append([]byte(prefix), exif...)))
				if info.Orientation != o || meanAbs(t, img, orient(plain, o)) != 0 {
					t.Fatalf("WebP: orientation %d, want %d", info.Orientation, o)
				}
			}
		}
	}
}

func TestDamagedEXIFIsIgnored(t *testing.T) {
	good := exifBlock(binary.LittleEndian, 6)
	change := func(at int, v ...byte) []byte {
		b := bytes.Clone(good)
		copy(b[at:], v)
		return b
	}
	for name, block := range map[string][]byte{
		"empty":                nil,
		"short":                good[:7],
		"cut":                  good[:30],
		"byte order":           change(0, 'X', 'X'),
		"directory offset":     change(4, 0xff, 0xff, 0xff, 0xff),
		"offset in the header": change(4, 0, 0, 0, 0),
		"orientation 0":        change(30, 0),
		"orientation 9":        change(30, 9),
		"type":                 change(24, 4),
		"count":                change(26, 2),
	} {
		if o := exifOrientation(block); o != 1 {
			t.Errorf("%s: orientation %d, want 1", name, o)
		}
	}
	if o := exifOrientation(good); o != 6 {
		t.Errorf("orientation %d, want 6", o)
	}
}

// A truncated file is an error at whatever byte it stops, unless no pixel is lost (the last
// chunk of the lossless WebP is not picture data).
func TestTruncated(t *testing.T) {
	files := map[string][]byte{
		"jpeg": testdata(t, "video-001.q50.420.jpeg"),
		"webp": testdata(t, "video-001.lossy.webp"),
		"png":  rawPNG{w: 4, h: 4, depth: 8, colourType: 0, samples: make([]uint16, 16)}.encode(t),
		"vp8l": testdata(t, "gopher-doc.with-alpha.lossless.webp"),
	}
	for name, data := range files {
		whole, _ := mustDecode(t, data)
		for n := range len(data) {
			if name != "png" && n > 60 && n%41 != 0 && n < len(data)-4 {
				continue
			}
			img, _, err := Decode(bytes.NewReader(data[:n]))
			if err == nil && (name != "vp8l" || meanAbs(t, img, whole) != 0) {
				t.Errorf("%s cut to %d of %d bytes: no error", name, n, len(data))
			}
		}
	}
}

func TestDecodeErrors(t *testing.T) {
	png := rawPNG{w: 4, h: 4, depth: 8, colourType: 0, samples: make([]uint16, 16)}.encode(t)
	crc := bytes.Clone(png)
	crc[len(crc)-20] ^= 1
	huge := func(w, h uint32, depth byte) []byte {
		ihdr := binary.BigEndian.AppendUint32(nil, w)
		ihdr = binary.BigEndian.AppendUint32(ihdr, h)
		return appendPNGChunk([]byte(pngSignature), "IHDR", append(ihdr, depth, 6, 0, 0, 0))
	}
	jpg := testdata(t, "video-001.q50.420.jpeg")
	hugeJPEG := bytes.Clone(jpg)
	i := bytes.Index(hugeJPEG, []byte{0xff, 0xc0})
	copy(hugeJPEG[i+5:], []byte{0xff, 0xff, 0xff, 0xff})
	bigJPEG := bytes.Clone(jpg)
	copy(bigJPEG[i+5:], []byte{0x2c, 0, 0x2c, 0})
	flatJPEG := bytes.Clone(jpg)
	copy(flatJPEG[i+5:], []byte{0, 0, 0, 100})
	anim := []byte("RIFF\x16\x00\x00\x00WEBPANIM\x06\x00\x00\x00\x00\x00\x00\x00\x00\x00")
	for _, c := range []struct {
		name string
		data []byte
		is   error
		text string
	}{
		{"empty", nil, ErrFormat, "is empty"},
		{"gif", []byte("GIF89a......"), ErrFormat, "GIF"},
		{"heic", []byte("\x00\x00\x00\x18ftypheic"), ErrFormat, "HEIC"},
		{"text", []byte("hello"), ErrFormat, "not a PNG, JPEG or WebP"},
		{"animation", anim, ErrFormat, "animated"},
		{"crc", crc, nil, "checksum"},
		{"cut", png[:len(png)-14], io.ErrUnexpectedEOF, "truncated"},
		{"zero width", huge(0, 5, 8), nil, "dimension"},
		{"too many pixels", huge(1<<20, 1<<10, 8), ErrTooLarge, "1048576x1024"},
		{"few bytes, many pixels", huge(10000, 10000, 16), nil, "truncated"},
		{"overflow", huge(1<<31-1, 1<<31-1, 16), nil, "overflow"},
		{"huge jpeg", hugeJPEG, ErrTooLarge, "65535x65535"},
		{"big jpeg", bigJPEG, nil, "truncated"},
		{"flat jpeg", flatJPEG, nil, ""},
	} {
		_, _, err := Decode(bytes.NewReader(c.data))
		switch {
		case err == nil:
			t.Errorf("%s: no error", c.name)
		case c.is != nil && !errors.Is(err, c.is):
			t.Errorf("%s: %v is not %v", c.name, err, c.is)
		case !strings.Contains(err.Error(), c.text) || strings.Contains(err.Error(), "\n"):
			t.Errorf("%s: %q does not say %q", c.name, err, c.text)
		}
	}
}

func TestReadErrors(t *testing.T) {
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty.png")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, text := range map[string]string{
		dir:                            "is a directory",
		empty:                          "is empty",
		filepath.Join(dir, "none.png"): "none.png",
	} {
		_, _, err := Read(path)
		if err == nil || !strings.Contains(err.Error(), text) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: error %v", path, err)
		}
	}
	if _, _, err := Read(filepath.Join(dir, "none.png")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v is not os.ErrNotExist", err)
	}
}

func FuzzDecode(f *testing.F) {
	// Small files, because the fuzzer is slow with large ones.
	exif := exifBlock(binary.BigEndian, 5)
	for _, channels := range []int{1, 3} {
		var jpg bytes.Buffer
		o := WriteOptions{Quality: 20, Metadata: map[string]string{"spgd": "{}"}}
		if err := Encode(&jpg, randomImage(1, 9, 17, channels), JPEG, o); err != nil {
			f.Fatal(err)
		}
		f.Add(jpegWith(jpg.Bytes(), jpegAPP1, append([]byte("Exif\x00\x00"), exif...)))
	}
	f.Add(testdata(f, "gopher-doc.1bpp.lossless.webp"))
	f.Add(webpExtended(f, testdata(f, "video-001.lossy.webp"), 150, 103, nil, exif))
	for _, p := range []rawPNG{
		{w: 3, h: 2, depth: 8, colourType: 2, samples: make([]uint16, 18), extra: appendPNGChunk(nil, "eXIf", exif)},
		{w: 5, h: 5, depth: 16, colourType: 6, samples: make([]uint16, 100), interlaced: true},
		{w: 5, h: 5, depth: 4, colourType: 3, samples: make([]uint16, 25), palette: []byte{1, 2, 3}, transparency: []byte{9},
			extra: appendPNGChunk(nil, "iTXt", []byte("spgd\x00\x00\x00\x00\x00{}"))},
	} {
		f.Add(p.encode(f))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		img, info, err := decode(data, "fuzz", ReadOptions{maxPixels: 1 << 16})
		if format, err := sniff(data); err == nil {
			metadata(format, data)
		}
		if err != nil {
			return
		}
		if err := img.Check(); err != nil {
			t.Fatal(err)
		}
		if info.HasAlpha != (info.Alpha != nil) || info.HasAlpha && info.Alpha.Check() != nil {
			t.Fatalf("alpha of %+v", info)
		}
		if info.Gray != (img.Channels == 1) || info.Orientation < 1 || info.Orientation > 8 || info.Channels < 1 || info.Channels > 4 {
			t.Fatalf("info %+v with %d channels", info, img.Channels)
		}
	})
}

// TestReadStopsEarly: a stream that is no picture is refused by its beginning, and a size that the
// caller does not want before the pixels are decoded.
func TestReadStopsEarly(t *testing.T) {
	endless := &countingReader{}
	if _, _, err := Decode(endless); !errors.Is(err, ErrFormat) || endless.read > 1<<16 {
		t.Errorf("an endless stream of zeros: %d bytes read, error %v", endless.read, err)
	}
	path := filepath.Join(t.TempDir(), "x.png")
	if err := Write(path, New(2, 3, 1), WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	refusal := errors.New("no")
	var h, w int
	_, _, err := ReadWith(path, ReadOptions{Check: func(height, width, _ int) error {
		h, w = height, width
		return refusal
	}})
	if err != refusal || h != 2 || w != 3 {
		t.Errorf("check got %dx%d, ReadWith returned %v", w, h, err)
	}
}

// countingReader is an endless stream of zeros.
type countingReader struct{ read int }

func (r *countingReader) Read(p []byte) (int, error) {
	clear(p)
	r.read += len(p)
	return len(p), nil
}
