package imageio

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seed-0f004ec9/spgd/internal/icc"
)

func iccFile(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "internal", "icc", "testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func encoded(t testing.TB, m *Image, format Format, o WriteOptions) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Encode(&b, m, format, o); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// pngWith is a PNG of the given samples with a profile.
func pngWith(t testing.TB, w, h, depth, colourType int, samples []uint16, profile []byte) []byte {
	t.Helper()
	extra, err := appendProfile(nil, PNG, profile)
	if err != nil {
		t.Fatal(err)
	}
	return rawPNG{w: w, h: h, depth: depth, colourType: colourType, samples: samples, extra: extra}.encode(t)
}

// samplesOf returns the samples of a PNG as they are stored.
func samplesOf(t testing.TB, data []byte) ([]uint16, Info) {
	t.Helper()
	m, info, err := decode(data, "png", ReadOptions{Raw: true})
	if err != nil {
		t.Fatal(err)
	}
	top := float64(int(1)<<info.BitDepth - 1)
	out := make([]uint16, len(m.Pix))
	for i, v := range m.Pix {
		out[i] = uint16(math.Round((float64(v) + 1) / 2 * top))
	}
	return out, info
}

// TestProfileRoundTrip: what is read in sRGB and written with the file's profile has the file's
// values, to the last bit in 8 bits, and the profile's bytes.
func TestProfileRoundTrip(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, c := range []struct {
		profile    string
		colourType int
		steps      int // that a 16-bit value may be off where it is next to black, float32 being between
		unchanged  bool
	}{
		{"p3-para3.icc", 2, 1, false}, {"adobe-gamma.icc", 2, 60, false}, {"prophoto-para0.icc", 2, 10, false},
		{"adobe-table.icc", 2, 60, false}, {"srgb-table.icc", 2, 0, true}, {"gray-gamma.icc", 0, 20, false}, {"gray-table.icc", 0, 1, false},
		{"p3-para3.icc", 0, 1, false}, {"srgb-table.icc", 0, 0, true},
	} {
		for _, depth := range []int{8, 16} {
			profile := iccFile(t, c.profile)
			n := 1 + c.colourType
			const w, h = 64, 64
			samples := make([]uint16, w*h*n)
			for i := range samples {
				samples[i] = uint16(r.Uint32()) & uint16(1<<depth-1)
				if i%3 == 0 { // next to black, where encodings differ most
					samples[i] &= 0xff
				}
			}
			data := pngWith(t, w, h, depth, c.colourType, samples, profile)
			img, info := mustDecode(t, data)
			if !bytes.Equal(info.Profile, profile) || info.ProfileName == "" || len(info.Warnings) > 0 {
				t.Fatalf("%s: profile of %d bytes, called %q, warnings %q", c.profile, len(info.Profile), info.ProfileName, info.Warnings)
			}
			raw, _, err := decode(data, "x", ReadOptions{Raw: true})
			if err != nil {
				t.Fatal(err)
			}
			if same := slices.Equal(raw.Pix, img.Pix); same != c.unchanged {
				t.Errorf("%s: values unchanged: %t", c.profile, same)
			}
			out := encoded(t, img, PNG, WriteOptions{Depth: depth, Profile: info.Profile})
			got, back := samplesOf(t, out)
			dark, bright := 0, 0
			for i, v := range got {
				if d := abs(int(v) - int(samples[i])); samples[i] < 256 && depth == 16 {
					dark = max(dark, d)
				} else {
					bright = max(bright, d)
				}
			}
			if bright > 0 || dark > c.steps {
				t.Errorf("%s, %d bits: off by %d steps, %d next to black", c.profile, depth, bright, dark)
			}
			t.Logf("%s, %d bits, %d channels: off by %d steps, %d next to black", c.profile, depth, n, bright, dark)
			if back.BitDepth != depth || back.Gray != (n == 1) {
				t.Errorf("%s: written as %+v", c.profile, back)
			}
			if again, err := findProfile(PNG, out); err != nil || !bytes.Equal(again, profile) {
				t.Errorf("%s: the profile is not what it was (%v)", c.profile, err)
			}
		}
	}
}

// TestProfileFormats: the profile is found in all three formats, also in parts, and gives the same
// conversion in each.
func TestProfileFormats(t *testing.T) {
	profile := iccFile(t, "p3-para3.icc")
	jpg := testdata(t, "video-001.q50.420.jpeg")
	plain, _ := mustDecode(t, jpg)
	want := plain.Clone()
	p, err := icc.Parse(profile)
	if err != nil {
		t.Fatal(err)
	}
	for i := range want.Height * want.Width {
		px := want.Pix[3*i:][:3]
		rgb := p.ToSRGB([4]float64{(float64(px[0]) + 1) / 2, (float64(px[1]) + 1) / 2, (float64(px[2]) + 1) / 2})
		px[0], px[1], px[2] = float32(2*rgb[0]-1), float32(2*rgb[1]-1), float32(2*rgb[2]-1)
	}
	part := func(i, n int, body []byte) []byte {
		return append(append([]byte(iccPrefix), byte(i), byte(n)), body...)
	}
	parts := jpegWith(jpegWith(jpg, jpegAPP2, part(1, 2, profile[:100])), jpegAPP2, part(2, 2, profile[100:])) // the second comes first
	for name, data := range map[string][]byte{
		"one part":  jpegWith(jpg, jpegAPP2, part(1, 1, profile)),
		"two parts": parts,
	} {
		got, info := mustDecode(t, data)
		if !bytes.Equal(info.Profile, profile) || meanAbs(t, got, want) != 0 {
			t.Errorf("%s: %d bytes, difference %g", name, len(info.Profile), meanAbs(t, got, want))
		}
	}
	webp := testdata(t, "video-001.lossy.webp")
	plain, _ = mustDecode(t, webp)
	ext := webpExtended(t, webp, plain.Width, plain.Height, nil, nil)
	chunk := binary.LittleEndian.AppendUint32([]byte("ICCP"), uint32(len(profile)))
	ext = append(ext, append(chunk, profile...)...)
	binary.LittleEndian.PutUint32(ext[4:], uint32(len(ext)-8))
	if got, info := mustDecode(t, ext); !bytes.Equal(info.Profile, profile) || meanAbs(t, got, plain) == 0 {
		t.Errorf("WebP: %d bytes, difference %g", len(info.Profile), meanAbs(t, got, plain))
	}

	// A profile longer than a segment goes out in parts and comes back whole.
	long := append(bytes.Clone(profile), make([]byte, 200_000)...)
	out := encoded(t, plain, JPEG, WriteOptions{Profile: long})
	if got, err := findProfile(JPEG, out); err != nil || !bytes.Equal(got, long) {
		t.Errorf("a long profile: %d bytes of %d (%v)", len(got), len(long), err)
	}
	mustDecode(t, out)
}

// TestProfileTrouble: what cannot be honoured costs a warning and never the picture.
func TestProfileTrouble(t *testing.T) {
	rgb := make([]uint16, 3*4*4)
	for i := range rgb {
		rgb[i] = uint16(5 * i)
	}
	p3 := iccFile(t, "p3-para3.icc")
	change := func(at int, v string) []byte {
		b := bytes.Clone(p3)
		copy(b[at:], v)
		return b
	}
	plain := rawPNG{w: 4, h: 4, depth: 8, colourType: 2, samples: rgb}
	plainImg, _ := mustDecode(t, plain.encode(t))
	for _, c := range []struct {
		name            string
		profile         []byte
		converted, kept bool
		warning         string
	}{
		{"damaged", p3[:200], false, false, "is ignored"},
		{"version 5", change(8, "\x05"), false, true, "as if they were sRGB"},
		{"grey on colour", iccFile(t, "gray-gamma.icc"), false, false, "is for GRAY"},
		{"CMYK on colour", iccFile(t, "cmyk-mab.icc"), false, false, "is for CMYK"},
		{"table", iccFile(t, "rgb-lut8.icc"), true, false, "the result is in sRGB"},
		{"sound", p3, true, true, ""},
	} {
		img, info := mustDecode(t, pngWith(t, 4, 4, 8, 2, rgb, c.profile))
		if converted := meanAbs(t, img, plainImg) > 0; converted != c.converted || (info.Profile != nil) != c.kept {
			t.Errorf("%s: converted %t, kept %t", c.name, converted, info.Profile != nil)
		}
		if (len(info.Warnings) > 0) != (c.warning != "") || !strings.Contains(strings.Join(info.Warnings, ""), c.warning) {
			t.Errorf("%s: warnings %q", c.name, info.Warnings)
		}
		if info.Profile != nil {
			got, _ := samplesOf(t, encoded(t, img, PNG, WriteOptions{Profile: info.Profile}))
			if !slices.Equal(got, rgb) {
				t.Errorf("%s: comes back as %v", c.name, got)
			}
		}
	}
	for name, data := range map[string][]byte{
		"no zlib":  rawPNG{w: 4, h: 4, depth: 8, colourType: 2, samples: rgb, extra: appendPNGChunk(nil, "iCCP", []byte("x\x00\x00abc"))}.encode(t),
		"no name":  rawPNG{w: 4, h: 4, depth: 8, colourType: 2, samples: rgb, extra: appendPNGChunk(nil, "iCCP", []byte("abc"))}.encode(t),
		"one of 2": jpegWith(testdata(t, "video-001.q50.420.jpeg"), jpegAPP2, append([]byte(iccPrefix+"\x01\x02"), p3...)),
		"count 0":  jpegWith(testdata(t, "video-001.q50.420.jpeg"), jpegAPP2, append([]byte(iccPrefix+"\x01\x00"), p3...)),
	} {
		if _, info := mustDecode(t, data); len(info.Warnings) != 1 && name != "count 0" || info.Profile != nil {
			t.Errorf("%s: profile of %d bytes, warnings %q", name, len(info.Profile), info.Warnings)
		}
	}
	// Decompression is bounded: 64 MB of zeros in 64 KB.
	if _, info := mustDecode(t, pngWith(t, 4, 4, 8, 2, rgb, make([]byte, 64<<20))); len(info.Warnings) != 1 || info.Profile != nil {
		t.Errorf("a huge profile: warnings %q", info.Warnings)
	}
	for name, profile := range map[string][]byte{"damaged": p3[:200], "table": iccFile(t, "rgb-lut8.icc"), "grey": iccFile(t, "gray-gamma.icc")} {
		if err := Encode(&bytes.Buffer{}, plainImg, PNG, WriteOptions{Profile: profile}); err == nil || ProfileFits(profile, 3) {
			t.Errorf("%s: written", name)
		}
	}
	if !ProfileFits(p3, 3) || !ProfileFits(iccFile(t, "gray-gamma.icc"), 1) || ProfileFits(nil, 3) {
		t.Error("ProfileFits")
	}
}

// TestClip: the limits are those of the profile, not sRGB's.
func TestClip(t *testing.T) {
	m := &Image{1, 3, 3, []float32{1.1, -0.9, -1.05, 3, 0, -3, 0.5, 0.5, 0.5}}
	plain := m.Clone()
	if err := Clip(plain, nil); err != nil || slices.Max(plain.Pix) != 1 || slices.Min(plain.Pix) != -1 || plain.Pix[4] != 0 {
		t.Errorf("%v (%v)", plain.Pix, err)
	}
	wide := m.Clone()
	profile := iccFile(t, "p3-para3.icc")
	if err := Clip(wide, profile); err != nil {
		t.Fatal(err)
	}
	if wide.Pix[0] < 1.05 || wide.Pix[3] > 1.3 || wide.Pix[3] < 1 || math.Abs(float64(wide.Pix[6]-0.5)) > 1e-6 {
		t.Errorf("within P3: %v", wide.Pix)
	}
	again := wide.Clone()
	if err := Clip(again, profile); err != nil || meanAbs(t, again, wide) > 1e-4 {
		t.Errorf("clipped twice: %v (%v)", again.Pix, err)
	}
	if err := Clip(m, iccFile(t, "rgb-lut8.icc")); err == nil {
		t.Error("a table profile clips")
	}
}

// TestCMYK: inks are converted by the picture's profile if it has one, as Little CMS does, and the
// inverted values of Adobe's files are understood.
func TestCMYK(t *testing.T) {
	data := testdata(t, "video-001.cmyk.jpeg")
	plain, _ := mustDecode(t, data)
	profile := iccFile(t, "cmyk-mab.icc")
	img, info := mustDecode(t, jpegWith(data, jpegAPP2, append([]byte(iccPrefix+"\x01\x01"), profile...)))
	if info.Profile != nil || len(info.Warnings) != 0 || info.Channels != 4 {
		t.Errorf("info %+v", info)
	}
	if d := meanAbs(t, img, plain); d < 5 {
		t.Errorf("the profile changes %g of 255", d)
	}
	pic, err := decodeJPEG(data)
	if err != nil {
		t.Fatal(err)
	}
	cmyk := pic.(*image.CMYK)
	p, err := icc.Parse(profile)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < img.Height*img.Width; i += 97 {
		y, x := i/img.Width, i%img.Width
		c := cmyk.Pix[cmyk.PixOffset(x, y):]
		rgb := p.ToSRGB([4]float64{float64(c[0]) / 255, float64(c[1]) / 255, float64(c[2]) / 255, float64(c[3]) / 255})
		for k, v := range rgb {
			if d := math.Abs(float64(img.Pix[3*i+k]) - (2*v - 1)); d > 1e-6 {
				t.Fatalf("pixel %d channel %d is %v, want %v", i, k, img.Pix[3*i+k], 2*v-1)
			}
		}
	}
	// Without Adobe's marker nothing says whether the inks are inverted.
	bare := bytes.Replace(data, []byte("Adobe"), []byte("Abode"), 1)
	if _, _, err := Decode(bytes.NewReader(bare)); err == nil || !strings.Contains(err.Error(), "CMYK JPEG without Adobe") {
		t.Errorf("CMYK without a marker: %v", err)
	}
}

func decodeJPEG(data []byte) (image.Image, error) {
	_, pixels := codecs(JPEG)
	return pixels(bytes.NewReader(data))
}

// fullEXIF is a block with everything that is touched, and with something that is not: a camera's
// name behind an offset and a thumbnail's directory.
func fullEXIF(order binary.AppendByteOrder, orientation int) []byte {
	b := []byte("II*\x00")
	if order.String() == binary.BigEndian.String() {
		b = []byte("MM\x00*")
	}
	entry := func(tag, typ uint16, count, value uint32) {
		b = order.AppendUint16(b, tag)
		b = order.AppendUint16(b, typ)
		b = order.AppendUint32(b, count)
		if typ == tiffShort && count == 1 {
			b = order.AppendUint16(b, uint16(value))
			b = order.AppendUint16(b, 0)
		} else {
			b = order.AppendUint32(b, value)
		}
	}
	b = order.AppendUint32(b, 8)
	b = order.AppendUint16(b, 5)
	entry(tagImageWidth, tiffShort, 1, 640)
	entry(tagImageLength, tiffLong, 1, 480)
	entry(0x010f, 2, 9, 74) // make
	entry(tagOrientation, tiffShort, 1, uint32(orientation))
	entry(tagExifDirectory, tiffLong, 1, 84)
	b = order.AppendUint32(b, 126) // thumbnail
	b = append(b, "Camera x\x00\x00"...)
	b = order.AppendUint16(b, 3) // at 84
	entry(tagColorSpace, tiffShort, 1, 0xffff)
	entry(tagPixelXDimension, tiffShort, 1, 640)
	entry(tagPixelYDimension, tiffLong, 1, 480)
	b = order.AppendUint32(b, 0)
	b = order.AppendUint16(b, 1) // at 126
	entry(tagOrientation, tiffShort, 1, uint32(orientation))
	return order.AppendUint32(b, 0)
}

// tags lists the entries that walk finds.
func tags(block []byte) string {
	t, ok := parseTIFF(block)
	if !ok {
		return "no TIFF"
	}
	var list []string
	t.walk(func(tag uint16, entry []byte) {
		v, ok := t.number(entry)
		list = append(list, fmt.Sprintf("%x=%d/%t", tag, v, ok))
	})
	return strings.Join(list, " ")
}

// TestEXIFRoundTrip: for every orientation, byte order and format, the picture is upright, its EXIF
// says so and names its size, and everything else in it is as it was.
func TestEXIFRoundTrip(t *testing.T) {
	for o := 1; o <= 8; o++ {
		for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
			block := fullEXIF(order, o)
			data := rawPNG{w: 2, h: 3, depth: 8, colourType: 0, samples: []uint16{10, 20, 30, 40, 50, 60},
				extra: appendPNGChunk(nil, "eXIf", block)}.encode(t)
			img, info := mustDecode(t, data)
			if info.Orientation != o {
				t.Fatalf("orientation %d, want %d", info.Orientation, o)
			}
			want := [9][]uint8{1: {10, 20, 30, 40, 50, 60}, 2: {20, 10, 40, 30, 60, 50}, 3: {60, 50, 40, 30, 20, 10}, 4: {50, 60, 30, 40, 10, 20},
				5: {10, 30, 50, 20, 40, 60}, 6: {50, 30, 10, 60, 40, 20}, 7: {60, 40, 20, 50, 30, 10}, 8: {20, 40, 60, 10, 30, 50}}[o]
			for i, v := range want {
				if img.Pix[i] != from8(v) {
					t.Fatalf("orientation %d: %v, want %v", o, img.Pix, want)
				}
			}
			for _, format := range []Format{PNG, JPEG} {
				out := encoded(t, img, format, WriteOptions{EXIF: info.EXIF, Profile: iccFile(t, "gray-gamma.icc"), Metadata: map[string]string{"spgd": "{}"}})
				again, back := mustDecode(t, out)
				if back.Orientation != 1 || again.Width != img.Width || again.Height != img.Height || metadata(format, out)["spgd"] != "{}" || back.Profile == nil {
					t.Errorf("orientation %d, %s: came back as %+v", o, format, back)
				}
				got := findEXIF(format, out)
				if len(got) != len(block) {
					t.Fatalf("EXIF of %d bytes, %d before", len(got), len(block))
				}
				text := fmt.Sprintf("100=%d/true 101=%d/true 10f=0/false 112=1/true 8769=84/true a001=65535/true a002=%d/true a003=%d/true",
					img.Width, img.Height, img.Width, img.Height)
				if s := tags(got); s != text {
					t.Errorf("EXIF %s, want %s", s, text)
				}
				if !bytes.Contains(got, []byte("Camera x")) {
					t.Error("the camera's name is lost")
				}
				if !bytes.Equal(got[70:74], make([]byte, 4)) {
					t.Error("the thumbnail is still linked")
				}
				changed := 0
				for i := range got {
					if got[i] != block[i] {
						changed++
					}
				}
				if changed > 12 { // the values above and the link
					t.Errorf("%d bytes have changed", changed)
				}
			}
		}
	}
	// After a conversion to sRGB for good, EXIF says so.
	rgb := make([]uint16, 12)
	extra, err := appendProfile(appendPNGChunk(nil, "eXIf", fullEXIF(binary.BigEndian, 1)), PNG, iccFile(t, "rgb-lut8.icc"))
	if err != nil {
		t.Fatal(err)
	}
	_, info := mustDecode(t, rawPNG{w: 2, h: 2, depth: 8, colourType: 2, samples: rgb, extra: extra}.encode(t))
	if !strings.Contains(tags(info.EXIF), "a001=1/true") {
		t.Errorf("EXIF %s", tags(info.EXIF))
	}
}

func TestEXIFTrouble(t *testing.T) {
	good := fullEXIF(binary.LittleEndian, 6)
	for n := range good {
		uprightEXIF(good[:n], true)
		sizedEXIF(good[:n], 1, 1)
	}
	for name, block := range map[string][]byte{"short": good[:7], "no TIFF": []byte("abcdefghijkl"), "cut": good[:40], "none": nil} {
		if got := uprightEXIF(block, false); got != nil {
			t.Errorf("%s: %d bytes are kept", name, len(got))
		}
	}
	loop := bytes.Clone(good) // the EXIF directory is the first again
	binary.LittleEndian.PutUint32(loop[10+4*12+8:], 8)
	if s := tags(loop); strings.Count(s, "112=") != 2 {
		t.Errorf("a loop: %s", s)
	}
	long := append(bytes.Clone(good), make([]byte, 1<<16)...)
	data := rawPNG{w: 1, h: 1, depth: 8, colourType: 0, samples: []uint16{0}, extra: appendPNGChunk(nil, "eXIf", long)}.encode(t)
	if _, info := mustDecode(t, data); info.EXIF != nil || info.Orientation != 6 || len(info.Warnings) != 1 {
		t.Errorf("long EXIF: %d bytes, orientation %d, warnings %q", len(info.EXIF), info.Orientation, info.Warnings)
	}
	if err := Encode(&bytes.Buffer{}, New(1, 1, 1), JPEG, WriteOptions{EXIF: long}); err == nil {
		t.Error("long EXIF goes into a JPEG")
	}
	if err := Encode(&bytes.Buffer{}, New(1, 1, 1), WebP, WriteOptions{}); !errors.Is(err, ErrFormat) {
		t.Errorf("WebP: %v", err)
	}
}

// TestShapes: extreme shapes survive both formats.
func TestShapes(t *testing.T) {
	dir := t.TempDir()
	for _, s := range [][2]int{{1, 1}, {1, 17}, {23, 1}, {5000, 7}, {7, 5000}} {
		for _, channels := range []int{1, 3} {
			m := randomImage(uint64(s[0]), s[0], s[1], channels)
			for _, name := range []string{"a.png", "a.jpg"} {
				path := filepath.Join(dir, name)
				depth := 16
				if name == "a.jpg" {
					depth = 0
				}
				if err := Write(path, m, WriteOptions{Depth: depth, EXIF: fullEXIF(binary.BigEndian, 1)}); err != nil {
					t.Fatal(err)
				}
				got, info, err := Read(path)
				if err != nil || got.Height != s[0] || got.Width != s[1] || got.Channels != channels {
					t.Fatalf("%s %v: %v", name, s, err)
				}
				if len(info.SHA256) != 64 {
					t.Errorf("hash %q", info.SHA256)
				}
				if name == "a.png" {
					for i, v := range m.Pix {
						if q := from16(uint16(quantise(v, 65535))); got.Pix[i] != q {
							t.Fatalf("%v: value %d is %v, want %v", s, i, got.Pix[i], q)
						}
					}
				}
			}
		}
	}
}

// FuzzContainer: EXIF, profiles and text of any bytes; what is kept can be written and read again.
func FuzzContainer(f *testing.F) {
	p3 := iccFile(f, "p3-para3.icc")
	for _, format := range []Format{PNG, JPEG} {
		for _, channels := range []int{1, 3} {
			f.Add(encoded(f, randomImage(1, 2, 3, channels), format, WriteOptions{
				EXIF: fullEXIF(binary.BigEndian, 1), Profile: p3, Metadata: map[string]string{"spgd": "{}"}}))
		}
	}
	webp := webpExtended(f, testdata(f, "video-001.lossy.webp"), 150, 103, nil, fullEXIF(binary.LittleEndian, 7))
	f.Add(webp)
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, format := range []Format{PNG, JPEG, WebP} {
			metadata(format, data)
			profile, err := findProfile(format, data)
			img := New(2, 3, 3)
			info := Info{}
			pic := image.NewRGBA(image.Rect(0, 0, 3, 2))
			applyProfile(img, &info, pic, profile, err)
			if err := img.Check(); err != nil {
				t.Fatal(err)
			}
			exif := findEXIF(format, data)
			if o := exifOrientation(exif); o < 1 || o > 8 {
				t.Fatalf("orientation %d", o)
			}
			block := uprightEXIF(exif, true)
			if block != nil && (len(block) != len(exif) || exifOrientation(block) != 1) {
				t.Fatalf("EXIF of %d bytes became %d with orientation %d", len(exif), len(block), exifOrientation(block))
			}
			o := WriteOptions{Profile: info.Profile, EXIF: block}
			if len(block) > maxEXIF {
				o.EXIF = nil
			}
			for _, format := range []Format{PNG, JPEG} {
				var b bytes.Buffer
				if err := Encode(&b, img, format, o); err != nil {
					t.Fatal(err)
				}
				_, back, err := decode(b.Bytes(), "x", ReadOptions{})
				if err != nil || back.Orientation != 1 || !bytes.Equal(back.Profile, info.Profile) {
					t.Fatalf("%s: came back as %+v (%v)", format, back, err)
				}
			}
		}
	})
}
