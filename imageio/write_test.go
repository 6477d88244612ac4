package imageio

import (
	"bytes"
	"errors"
	"fmt"
	"image/png"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func randomImage(seed uint64, h, w, c int) *Image {
	r := rand.New(rand.NewPCG(seed, 0))
	m := New(h, w, c)
	for i := range m.Pix {
		m.Pix[i] = float32(2.4*r.Float64() - 1.2) // also values to clip
	}
	return m
}

func onlyFile(t *testing.T, dir, name string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() != name {
			t.Errorf("%s is left in the directory", e.Name())
		}
	}
}

// What is written and read again is the image clipped and rounded to the depth.
func TestPNGRoundTrip(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.png")
	for _, depth := range []int{0, 8, 16} {
		for _, channels := range []int{1, 3} {
			for _, withAlpha := range []bool{false, true} {
				m := randomImage(1, 9, 7, channels)
				o := WriteOptions{Depth: depth}
				if withAlpha {
					o.Alpha = randomImage(2, 9, 7, 1)
				}
				if err := Write(path, m, o); err != nil {
					t.Fatal(err)
				}
				got, info, err := Read(path)
				if err != nil {
					t.Fatal(err)
				}
				top := 255.0
				if depth == 16 {
					top = 65535
				}
				if info.HasAlpha != withAlpha || info.BitDepth == 16 != (depth == 16) || info.Gray != (channels == 1) {
					t.Fatalf("info %+v", info)
				}
				compare := func(what string, got, want *Image) {
					t.Helper()
					for i, v := range want.Pix {
						level := math.Round((math.Min(math.Max(float64(v), -1), 1) + 1) * top / 2)
						if d := math.Abs(float64(got.Pix[i]) - (2*level/top - 1)); d > 1e-7 {
							t.Fatalf("%s, depth %d: value %d (%v) came back as %v", what, depth, i, v, got.Pix[i])
						}
					}
				}
				compare("colour", got, m)
				if withAlpha {
					compare("alpha", info.Alpha, o.Alpha)
				}
				// Once rounded, nothing changes any more.
				if err := Write(path, got, WriteOptions{Depth: depth, Alpha: info.Alpha}); err != nil {
					t.Fatal(err)
				}
				again, _, err := Read(path)
				if err != nil || meanAbs(t, again, got) != 0 {
					t.Fatalf("second round trip differs (%v)", err)
				}
			}
		}
	}
	onlyFile(t, dir, "a.png")
}

func TestJPEGRoundTrip(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.JPG")
	for _, channels := range []int{1, 3} {
		m := New(48, 40, channels)
		for i := range m.Pix {
			p := i / channels
			m.Pix[i] = float32(math.Sin(float64(p%40)/9) * math.Cos(float64(p/40)/7) * 0.9)
		}
		if err := Write(path, m, WriteOptions{Quality: 100}); err != nil {
			t.Fatal(err)
		}
		got, info, err := Read(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Format != JPEG || got.Channels != channels || meanAbs(t, got, m) > 0.7 {
			t.Errorf("%d channels: info %+v, mean difference %v", channels, info, meanAbs(t, got, m))
		}
	}
}

func TestMetadataRoundTrip(t *testing.T) {
	dir := t.TempDir()
	want := map[string]string{"spgd": `{"seed":7,"name":"Zoë = 漢字"}`, "Comment": "a=b\nc", "empty": ""}
	for _, name := range []string{"a.png", "a.jpeg"} {
		path := filepath.Join(dir, name)
		m := randomImage(5, 8, 8, 3)
		if err := Write(path, m, WriteOptions{Metadata: want}); err != nil {
			t.Fatal(err)
		}
		got, err := ReadMetadata(path)
		if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %v (%v), want %v", name, got, err, want)
		}
		first, _ := os.ReadFile(path)
		if err := Write(path, m, WriteOptions{Metadata: want}); err != nil {
			t.Fatal(err)
		}
		if second, _ := os.ReadFile(path); string(first) != string(second) {
			t.Errorf("%s: the same image gives other bytes", name)
		}
		if _, _, err := Read(path); err != nil {
			t.Error(err)
		}
	}
	// tEXt, which other programs write, is Latin-1.
	p := rawPNG{w: 1, h: 1, depth: 8, colourType: 0, samples: []uint16{0}, extra: appendPNGChunk(nil, "tEXt", []byte("Author\x00Zo\xeb"))}
	if got := metadata(PNG, p.encode(t)); got["Author"] != "Zoë" {
		t.Errorf("tEXt: %q", got)
	}
}

func TestWriteErrors(t *testing.T) {
	dir := t.TempDir()
	good := randomImage(1, 4, 4, 3)
	nan, inf := good.Clone(), good.Clone()
	nan.Pix[17] = float32(math.NaN())
	inf.Pix[0] = float32(math.Inf(-1))
	sub := filepath.Join(dir, "d.png")
	if err := os.Mkdir(sub, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, path string
		m          *Image
		o          WriteOptions
		is         error
		text       string
	}{
		{"nan", "a.png", nan, WriteOptions{}, ErrNotFinite, "column 1, row 1, channel 2"},
		{"inf", "a.png", inf, WriteOptions{}, ErrNotFinite, "-Inf"},
		{"extension", "a.webp", good, WriteOptions{}, ErrFormat, ".webp"},
		{"no extension", "a", good, WriteOptions{}, ErrFormat, "extension"},
		{"depth", "a.png", good, WriteOptions{Depth: 12}, nil, "12"},
		{"16-bit JPEG", "a.jpg", good, WriteOptions{Depth: 16}, nil, "8 bits"},
		{"quality", "a.jpg", good, WriteOptions{Quality: 101}, nil, "101"},
		{"directory missing", "none/a.png", good, WriteOptions{}, os.ErrNotExist, "none does not exist"},
		{"is a directory", "d.png", good, WriteOptions{}, nil, "is a directory"},
		{"under a file", "f/a.png", good, WriteOptions{}, nil, "f"},
		{"alpha size", "a.png", good, WriteOptions{Alpha: New(4, 5, 1)}, nil, "alpha is 5x4"},
		{"alpha nan", "a.png", good, WriteOptions{Alpha: &Image{4, 4, 1, nan.Pix[16:32]}}, ErrNotFinite, "alpha"},
		{"channels", "a.png", New(2, 2, 2), WriteOptions{}, nil, "2 channels"},
		{"empty", "a.png", New(0, 2, 3), WriteOptions{}, nil, "not positive"},
		{"short", "a.png", &Image{2, 2, 3, make([]float32, 11)}, WriteOptions{}, nil, "11 values"},
		{"key", "a.png", good, WriteOptions{Metadata: map[string]string{"a=b": ""}}, nil, "a=b"},
		{"long comment", "a.jpg", good, WriteOptions{Metadata: map[string]string{"k": strings.Repeat("x", 70000)}}, nil, "65533"},
		{"utf8", "a.png", good, WriteOptions{Metadata: map[string]string{"k": "\xff"}}, nil, "UTF-8"},
		{"zero byte", "a.png", good, WriteOptions{Metadata: map[string]string{"k": "a\x00b"}}, nil, "zero byte"},
	} {
		if err := os.WriteFile(filepath.Join(dir, "f"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		err := Write(filepath.Join(dir, c.path), c.m, c.o)
		switch {
		case err == nil:
			t.Errorf("%s: no error", c.name)
		case c.is != nil && !errors.Is(err, c.is):
			t.Errorf("%s: %v is not %v", c.name, err, c.is)
		case !strings.Contains(err.Error(), c.text) || strings.Contains(err.Error(), "\n"):
			t.Errorf("%s: %q does not say %q", c.name, err, c.text)
		}
		entries, _ := os.ReadDir(dir)
		if len(entries) != 2 {
			t.Fatalf("%s: left %v", c.name, entries)
		}
	}
	if err := CheckOutput(filepath.Join(dir, "new.png"), WriteOptions{Depth: 16}); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "new.png")); err == nil {
		t.Error("CheckOutput made the file")
	}
}

// TestPNGSize: our encoder is as thrifty as the standard library's.
func TestPNGSize(t *testing.T) {
	m, _ := mustDecode(t, testdata(t, "video-001.png"))
	var want bytes.Buffer
	if err := png.Encode(&want, to8(m)); err != nil {
		t.Fatal(err)
	}
	if got := encoded(t, m, PNG, WriteOptions{}); len(got) > want.Len()+want.Len()/100 {
		t.Errorf("%d bytes, image/png makes %d", len(got), want.Len())
	}
}
