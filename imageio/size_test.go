package imageio

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// TestReadSize: the size is that of the picture as it is stored, found in the beginning of the file,
// and what is no picture is refused as Read refuses it.
func TestReadSize(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		name          string
		height, width int
	}{
		{"video-001.png", 103, 150}, {"video-001.q50.420.jpeg", 103, 150}, {"video-001.lossy.webp", 103, 150},
		{"video-001.cmyk.jpeg", 103, 150}, {"gopher-doc.1bpp.lossless.webp", 100, 75}, {"gopher-doc.with-alpha.lossless.webp", 100, 75},
	} {
		data := testdata(t, c.name)
		for _, part := range []int{len(data), len(data) / 2} {
			path := filepath.Join(dir, c.name)
			if err := os.WriteFile(path, data[:part], 0o644); err != nil {
				t.Fatal(err)
			}
			if h, w, err := ReadSize(path); h != c.height || w != c.width || err != nil {
				t.Errorf("the first %d bytes of %s: %dx%d, %v", part, c.name, w, h, err)
			}
		}
	}
	for name, content := range map[string]string{
		"empty.png": "", "text.png": "not a picture at all, but a text of some length", "short.png": "\x89P",
		"head.png": pngSignature, "head.jpg": "\xff\xd8\xff\xe0", "gif.png": "GIF89a0000000000000000000000000000000000",
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		_, _, err := ReadSize(path)
		_, _, readErr := Read(path)
		if err == nil || readErr == nil || errors.Is(err, ErrFormat) != errors.Is(readErr, ErrFormat) {
			t.Errorf("%s: %v, and Read says %v", name, err, readErr)
		}
	}
	if _, _, err := ReadSize(dir); err == nil {
		t.Error("a folder has a size")
	}
	if _, _, err := ReadSize(filepath.Join(dir, "none.png")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}
