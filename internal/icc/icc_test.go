package icc

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func profile(t testing.TB, name string) (*Profile, []byte) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	p, err := Parse(data)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return p, data
}

// TestAgainstLittleCMS: conversions to sRGB agree with those of Little CMS in double precision.
func TestAgainstLittleCMS(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("testdata", "vectors.json"))
	if err != nil {
		t.Fatal(err)
	}
	var vectors []struct {
		Profile string
		Device  []float64
		SRGB    [3]float64
	}
	if err := json.Unmarshal(data, &vectors); err != nil {
		t.Fatal(err)
	}
	worst := map[string]float64{}
	for _, v := range vectors {
		p, _ := profile(t, v.Profile)
		if len(v.Device) != p.Space.Channels() {
			t.Fatalf("%s: %d channels", v.Profile, p.Space.Channels())
		}
		var device [4]float64
		copy(device[:], v.Device)
		got := p.ToSRGB(device)
		for c, want := range v.SRGB {
			d := math.Abs(got[c] - want)
			if want < 0 || got[c] < 0 {
				// Below 0 Little CMS continues with the straight line, we with the odd function.
				d = math.Abs(decode(got[c]) - want/12.92)
			}
			worst[v.Profile] = max(worst[v.Profile], d)
		}
	}
	for name, d := range worst {
		t.Logf("%s: largest difference %.1e", name, d)
		bound := 5e-6
		if strings.HasSuffix(name, "-table.icc") || name == "cmyk-lut16.icc" {
			bound = 2e-4 // Little CMS rounds what it looks up in a table to 16 bits
		}
		if d > bound {
			t.Errorf("%s: %.2g from Little CMS", name, d)
		}
	}
	if len(worst) != 12 {
		t.Errorf("%d profiles were compared", len(worst))
	}
}

// TestRoundTrip: FromSRGB undoes ToSRGB, for 8-bit values exactly and for 16-bit values to what the
// curves allow. Values outside sRGB's gamut survive.
func TestRoundTrip(t *testing.T) {
	const bound = 0.01 // steps of 16 bits
	for _, name := range []string{
		"adobe-gamma.icc", "p3-para3.icc", "prophoto-para0.icc", "rec709-para4.icc",
		"adobe-table.icc", "srgb-table.icc", "gray-gamma.icc", "gray-table.icc",
	} {
		p, _ := profile(t, name)
		outside := 0
		for i := range 1 << 13 {
			v := [4]float64{float64(i&7) / 7, float64(i>>3&31) / 31, float64(i>>8) / 31}
			if p.Space == Gray {
				v = [4]float64{float64(i) / (1<<13 - 1)}
			}
			rgb := p.ToSRGB(v)
			if min(rgb[0], rgb[1], rgb[2]) < -0.01 || max(rgb[0], rgb[1], rgb[2]) > 1.01 {
				outside++
			}
			back := p.FromSRGB(rgb)
			for k := range p.Space.Channels() {
				if d := math.Abs(back[k]-v[k]) * 65535; d > bound {
					t.Fatalf("%s: %v came back as %v", name, v, back)
				}
			}
		}
		if wide := name[:2] == "p3" || name[:2] == "ad" || name[:2] == "pr"; wide != (outside > 0) {
			t.Errorf("%s: %d colours outside sRGB", name, outside)
		}
		if p.Space == RGB {
			for i := range 256 {
				v := float64(i) / 255
				if d := math.Abs(p.FromNeutral(p.Neutral(v))-v) * 65535; d > 1 {
					t.Fatalf("%s: neutral %d is off by %g", name, i, d)
				}
			}
		}
	}
}

func TestIsSRGB(t *testing.T) {
	files, err := filepath.Glob("testdata/*.icc")
	if err != nil || len(files) != 12 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		name := filepath.Base(f)
		p, _ := profile(t, name)
		if got := p.IsSRGB(); got != (name == "srgb-table.icc") {
			t.Errorf("%s: IsSRGB is %t", name, got)
		}
		table := name == "rgb-lut8.icc" || p.Space == CMYK
		if p.Invertible() == table {
			t.Errorf("%s: Invertible is %t", name, !table)
		}
	}
}

// TestCurves: parametric curves by the formulas of ICC.1:2022, table 68, and their inverses.
func TestCurves(t *testing.T) {
	para := func(function uint16, v ...float64) []byte {
		b := append([]byte("para\x00\x00\x00\x00"), byte(function>>8), byte(function), 0, 0)
		for _, x := range v {
			b = binary.BigEndian.AppendUint32(b, uint32(int32(math.Round(x*65536))))
		}
		return b
	}
	for i, c := range []struct {
		data []byte
		f    func(x float64) float64
	}{
		{para(0, 2.25), func(x float64) float64 { return math.Pow(x, 2.25) }},
		{para(1, 2, 1.25, -0.25), func(x float64) float64 {
			if x >= 0.2 {
				return math.Pow(1.25*x-0.25, 2)
			}
			return 0
		}},
		{para(2, 2, 0.875, 0, 0.125), func(x float64) float64 { return math.Pow(0.875*x, 2) + 0.125 }},
		{para(3, 2, 0.75, 0.25, 0.5, 0.25), func(x float64) float64 {
			if x >= 0.25 {
				return math.Pow(0.75*x+0.25, 2)
			}
			return 0.5 * x
		}},
		{para(4, 2, 0.75, 0.25, 0.5, 0.25, 0.0625, 0.03125), func(x float64) float64 {
			if x >= 0.25 {
				return math.Pow(0.75*x+0.25, 2) + 0.0625
			}
			return 0.5*x + 0.03125
		}},
		{[]byte("curv\x00\x00\x00\x00\x00\x00\x00\x00"), func(x float64) float64 { return x }},
		{[]byte("curv\x00\x00\x00\x00\x00\x00\x00\x01\x01\x80"), func(x float64) float64 { return math.Pow(x, 1.5) }},
		{[]byte("curv\x00\x00\x00\x00\x00\x00\x00\x03\x00\x00\x40\x00\xff\xff"), func(x float64) float64 {
			if x < 0.5 {
				return 2 * x * 0x4000 / 65535
			}
			return (0x4000 + (2*x-1)*(65535-0x4000)) / 65535
		}},
	} {
		curve, size, err := readCurve(append(c.data, "garbage"...))
		if err != nil || size != len(c.data) {
			t.Fatalf("curve %d: size %d, error %v", i, size, err)
		}
		if !curve.increasing() {
			t.Errorf("curve %d does not increase", i)
		}
		for k := range 1001 {
			x := float64(k) / 1000
			y := curve.eval(x)
			if d := math.Abs(y - c.f(x)); d > 1e-12 {
				t.Fatalf("curve %d at %g: %g, want %g", i, x, y, c.f(x))
			}
			// Where the curve is flat or jumps, its value is what comes back.
			if d := math.Abs(curve.eval(curve.inverse(y)) - y); d > 1e-9 {
				t.Fatalf("curve %d at %g: inverse %g", i, y, curve.inverse(y))
			}
		}
		if curve.inverse(-1) != 0 || curve.inverse(2) != 1 {
			t.Errorf("curve %d: the ends are %g and %g", i, curve.inverse(-1), curve.inverse(2))
		}
	}
	for _, table := range [][]uint16{{1, 0}, {5, 5}, {0, 9, 8}} {
		if (&curve{table: table}).increasing() {
			t.Errorf("%v increases", table)
		}
	}
}

func TestNames(t *testing.T) {
	for text, want := range map[string]string{
		"desc\x00\x00\x00\x00\x00\x00\x00\x05ab\nc\x00": "abc",
		"desc\x00\x00\x00\x00\xff\xff\xff\xffDisplay":   "Display",
		"desc\x00\x00\x00\x00":                          "",
		"mluc\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x0cenUS\x00\x00\x00\x04\x00\x00\x00\x1c\x00P\x003": "P3",
		"mluc\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x0cenUS\xff\xff\xff\xff\x00\x00\x00\x1c\x00P\x003": "",
	} {
		if got := name([]byte(text)); got != want {
			t.Errorf("%q is called %q, want %q", text, got, want)
		}
	}
}

// TestDamaged: every sound profile, cut anywhere, is refused or still a profile, and other kinds are
// named.
func TestDamaged(t *testing.T) {
	_, rgb := profile(t, "p3-para3.icc")
	change := func(at int, with string) []byte {
		b := append([]byte(nil), rgb...)
		copy(b[at:], with)
		return b
	}
	for name, c := range map[string]struct {
		data []byte
		want error
	}{
		"empty":             {nil, ErrDamaged},
		"no signature":      {change(36, "abcd"), ErrDamaged},
		"longer than it is": {change(0, "\x7f"), ErrDamaged},
		"tag count":         {change(128, "\xff\xff\xff\xff"), ErrDamaged},
		"version 5":         {change(8, "\x05"), ErrUnsupported},
		"device link":       {change(12, "link"), ErrUnsupported},
		"Lab picture":       {change(16, "Lab "), ErrUnsupported},
		"grey without kTRC": {change(16, "GRAY"), ErrUnsupported},
		"CMYK without A2B0": {change(16, "CMYK"), ErrUnsupported},
		"odd space":         {change(20, "Luv "), ErrUnsupported},
	} {
		if _, err := Parse(c.data); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	for _, name := range []string{"p3-para3.icc", "adobe-table.icc", "cmyk-lut16.icc", "cmyk-mab.icc", "rgb-lut8.icc", "gray-table.icc"} {
		_, data := profile(t, name)
		for n := 0; n < len(data); n += 1 + n/97 {
			b := append([]byte(nil), data[:n]...)
			if n >= 4 {
				binary.BigEndian.PutUint32(b, uint32(n)) // so that the length does not tell
			}
			if p, err := Parse(b); err == nil {
				checkProfile(t, p)
			} else if !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrUnsupported) {
				t.Fatalf("%s cut to %d: %v", name, n, err)
			}
		}
	}
}

// checkProfile uses a profile: what comes out is finite, and what Invertible promises holds.
func checkProfile(t *testing.T, p *Profile) {
	t.Helper()
	p.IsSRGB()
	for _, v := range [][4]float64{{}, {1, 1, 1, 1}, {0.2, 0.9, 0.4, 0.1}, {1, 0, 0, 0}, {0, 0.001, 1, 0.999}} {
		rgb := p.ToSRGB(v)
		for _, x := range rgb {
			if math.IsNaN(x) || math.IsInf(x, 0) {
				t.Fatalf("%v becomes %v", v, rgb)
			}
		}
		if !p.Invertible() {
			continue
		}
		for _, x := range p.FromSRGB(rgb) {
			if !(x >= 0 && x <= 1) {
				t.Fatalf("%v becomes %v and comes back as %g", v, rgb, x)
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("testdata/*.icc")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range files {
		_, data := profile(f, filepath.Base(name))
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := Parse(data)
		if err != nil {
			if !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrUnsupported) {
				t.Fatalf("error %v", err)
			}
			return
		}
		checkProfile(t, p)
	})
}
