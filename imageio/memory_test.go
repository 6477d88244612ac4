package imageio

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// TestDecodingBytes: what Check is told is no less than everything that decoding allocates, and not much more.
func TestDecodingBytes(t *testing.T) {
	const height, width = 384, 640
	colour, grey := randomImage(1, height, width, 3), randomImage(2, height, width, 1)
	turned := func(m, alpha *Image, format Format, depth int) []byte {
		return encoded(t, m, format, WriteOptions{Depth: depth, Alpha: alpha, EXIF: exifBlock(binary.LittleEndian, 6)})
	}
	files := map[string][]byte{
		"colour.png":         encoded(t, colour, PNG, WriteOptions{}),
		"colour16.png":       encoded(t, colour, PNG, WriteOptions{Depth: 16}),
		"grey.png":           encoded(t, grey, PNG, WriteOptions{}),
		"grey16.png":         encoded(t, grey, PNG, WriteOptions{Depth: 16}),
		"opacity.png":        encoded(t, colour, PNG, WriteOptions{Alpha: grey}),
		"opacity16.png":      encoded(t, colour, PNG, WriteOptions{Alpha: grey, Depth: 16}),
		"grey-opacity.png":   encoded(t, grey, PNG, WriteOptions{Alpha: grey}),
		"grey-opacity16.png": encoded(t, grey, PNG, WriteOptions{Alpha: grey, Depth: 16}),
		"colour.jpg":         encoded(t, colour, JPEG, WriteOptions{}),
		"grey.jpg":           encoded(t, grey, JPEG, WriteOptions{}),
		"turned.jpg":         jpegWith(encoded(t, colour, JPEG, WriteOptions{}), jpegAPP1, append([]byte(exifPrefix), exifBlock(binary.LittleEndian, 6)...)),
		"turned.png":         turned(colour, grey, PNG, 16),
	}
	for _, name := range []string{
		"video-001.q50.444.progressive.jpeg", "video-001.q50.420.jpeg", "video-001.cmyk.jpeg", "rgb.interlaced.png",
		"video-001.lossy.webp", "gopher-doc.with-alpha.lossless.webp", "gopher-doc.with-alpha.png",
	} {
		files[name] = testdata(t, name)
	}
	dir := t.TempDir()
	for name, data := range files {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		var before, after runtime.MemStats
		told, pixels := 0, 0
		_, info, err := ReadWith(path, ReadOptions{Check: func(h, w, bytes int) error {
			told, pixels = bytes, h*w
			runtime.ReadMemStats(&before)
			return nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&after)
		const rest = 1 << 18 // tables of decompressors, rows, and what blocks of 16x16 pixels add to small pictures
		took := int(after.TotalAlloc - before.TotalAlloc)
		t.Logf("%s: %d pixels, orientation %d, told %.1f bytes a pixel, took %.1f", name, pixels, info.Orientation, float64(told)/float64(pixels), float64(took)/float64(pixels))
		if took > told+rest {
			t.Errorf("%s: %d bytes were announced and %d allocated", name, told, took)
		}
		if pixels == height*width && told > took+took/8 { // JPEGs of ours have half the colours' samples
			t.Errorf("%s: %d bytes were announced for %d", name, told, took)
		}
	}
}
