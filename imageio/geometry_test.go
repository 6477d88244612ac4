package imageio

import (
	"math"
	"strings"
	"testing"
)

func row(v ...float32) *Image { return &Image{1, len(v), 1, v} }

func equalPix(t *testing.T, got *Image, h, w int, want ...float32) {
	t.Helper()
	if got.Height != h || got.Width != w || len(got.Pix) != len(want) {
		t.Fatalf("got %dx%d with %d values, want %dx%d", got.Height, got.Width, len(got.Pix), h, w)
	}
	for i, v := range want {
		if math.Abs(float64(got.Pix[i]-v)) > 1e-6 {
			t.Fatalf("got %v, want %v", got.Pix, want)
		}
	}
}

func TestPadToMultiple(t *testing.T) {
	p, crop := PadToMultiple(row(1, 2, 3), 4)
	equalPix(t, p, 4, 4, 1, 2, 3, 3, 1, 2, 3, 3, 1, 2, 3, 3, 1, 2, 3, 3)
	if back, err := crop.Apply(p); err != nil {
		t.Fatal(err)
	} else {
		equalPix(t, back, 1, 3, 1, 2, 3)
	}
	// More padding than image: mirrored again and again.
	p, _ = PadToMultiple(row(1, 2, 3), 16)
	equalPix(t, &Image{1, 16, 1, p.Pix[:16]}, 1, 16, 1, 2, 3, 3, 2, 1, 1, 2, 3, 3, 2, 1, 1, 2, 3, 3)
	two := &Image{2, 1, 3, []float32{1, 2, 3, 4, 5, 6}}
	p, _ = PadToMultiple(two, 3)
	equalPix(t, p, 3, 3, 1, 2, 3, 1, 2, 3, 1, 2, 3, 4, 5, 6, 4, 5, 6, 4, 5, 6, 4, 5, 6, 4, 5, 6, 4, 5, 6)
	for _, m := range []int{-1, 0, 1, 3} {
		if p, crop := PadToMultiple(&Image{3, 3, 1, make([]float32, 9)}, m); p.Height != 3 || crop != (Crop{0, 0, 3, 3}) {
			t.Errorf("multiple %d: %dx%d, %+v", m, p.Height, p.Width, crop)
		}
	}
	for h := 1; h < 40; h += 13 {
		m := randomImage(uint64(h), h, 2*h+1, 3)
		p, crop := PadToMultiple(m, 16)
		if p.Height%16 != 0 || p.Width%16 != 0 || p.Height-h >= 16 {
			t.Fatalf("padded to %dx%d", p.Height, p.Width)
		}
		back, err := crop.Apply(p)
		if err != nil || meanAbs(t, back, m) != 0 {
			t.Fatalf("crop does not undo the padding (%v)", err)
		}
	}
}

func TestMirror(t *testing.T) {
	want := []int{1, 2, 2, 1, 0, 0, 1, 2, 2, 1, 0, 0}
	for k, w := range want {
		if got := Mirror(k-5, 3); got != w {
			t.Errorf("Mirror(%d, 3) = %d, want %d", k-5, got, w)
		}
	}
	if Mirror(-1<<62, 1) != 0 {
		t.Error("a single sample mirrors to itself")
	}
}

func TestCrop(t *testing.T) {
	m := &Image{3, 4, 1, []float32{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}}
	c, err := CenterCrop(m, 2, 2)
	if err != nil {
		t.Fatal(err)
	}
	equalPix(t, c, 2, 2, 1, 2, 5, 6)
	const big = math.MaxInt
	for _, bad := range []Crop{{0, 0, 4, 1}, {0, 0, 0, 1}, {-1, 0, 1, 1}, {2, 0, 2, 1}, {0, 3, 1, 2}, {1, 1, big, 1}, {big, 0, 1, 1}} {
		if _, err := bad.Apply(m); err == nil || !strings.Contains(err.Error(), "4x3") {
			t.Errorf("%+v: error %v", bad, err)
		}
	}
}

func TestResize(t *testing.T) {
	// A constant stays constant, whatever the sizes.
	flat := New(7, 5, 3)
	for i := range flat.Pix {
		flat.Pix[i] = 0.25
	}
	for _, size := range [][2]int{{1, 1}, {3, 11}, {20, 2}, {7, 5}} {
		out, err := Resize(flat, size[0], size[1])
		if err != nil || out.Height != size[0] || out.Width != size[1] {
			t.Fatal(err)
		}
		for _, v := range out.Pix {
			if math.Abs(float64(v)-0.25) > 1e-6 {
				t.Fatalf("%v: a constant became %v", size, v)
			}
		}
	}
	// Keys' kernel reproduces polynomials of degree 2 when enlarging, away from the border.
	const n = 24
	m := New(n, n, 1)
	f := func(y, x float64) float64 { return 0.3 + 0.01*x - 0.02*y + 0.001*x*x - 0.0015*x*y + 0.0005*y*y }
	for i := range m.Pix {
		m.Pix[i] = float32(f(float64(i/n), float64(i%n)))
	}
	up, err := Resize(m, 3*n, 4*n)
	if err != nil {
		t.Fatal(err)
	}
	for y := 9; y < 3*n-9; y++ {
		for x := 12; x < 4*n-12; x++ {
			want := f((float64(y)+0.5)/3-0.5, (float64(x)+0.5)/4-0.5)
			if d := math.Abs(float64(up.Pix[y*4*n+x]) - want); d > 2e-6 {
				t.Fatalf("at %d,%d off by %g", x, y, d)
			}
		}
	}
	// Shrinking by 4: the 16 antialiased weights of the interior, as published for the x4 resizer.
	impulse := New(1, 64, 1)
	want := []float64{-0.00171, -0.01099, -0.01831, -0.01196, 0.02271, 0.09741, 0.18188, 0.24097}
	for k := range 16 {
		clear(impulse.Pix)
		impulse.Pix[34-8+k] = 1 // output 8 is centred between inputs 33 and 34
		down, err := Resize(impulse, 1, 16)
		if err != nil {
			t.Fatal(err)
		}
		if w := want[min(k, 15-k)]; math.Abs(float64(down.Pix[8])-w) > 6e-6 {
			t.Errorf("weight %d is %.5f, want %.5f", k, down.Pix[8], w)
		}
	}
	if same, _ := Resize(m, n, n); &same.Pix[0] == &m.Pix[0] {
		t.Error("a copy is promised")
	}
	for _, size := range [][2]int{{0, 1}, {1, -1}, {1 << 20, 1 << 20}} {
		if _, err := Resize(m, size[0], size[1]); err == nil {
			t.Errorf("%v: no error", size)
		}
		if _, err := ResizeNearest(m, size[0], size[1]); err == nil {
			t.Errorf("%v: no error", size)
		}
	}
	near, _ := ResizeNearest(row(1, 2, 3), 2, 6)
	equalPix(t, near, 2, 6, 1, 1, 2, 2, 3, 3, 1, 1, 2, 2, 3, 3)
	near, _ = ResizeNearest(row(1, 2, 3, 4, 5, 6), 1, 2)
	equalPix(t, near, 1, 2, 2, 5)
}

func TestFillHoles(t *testing.T) {
	// One hole between two kept pixels at distances 1 and 2.
	img, mask := row(0.5, 9, 9, -0.5), row(1, -1, -1, 1)
	got, err := FillHoles(img, mask, 1.5)
	if err != nil {
		t.Fatal(err)
	}
	w1, w2 := math.Exp(-1/(2*2.25)), math.Exp(-4/(2*2.25))
	v := float32(0.5 * (w1 - w2) / (w1 + w2))
	equalPix(t, got, 1, 4, 0.5, v, -v, -0.5)
	if img.Pix[1] != 9 {
		t.Error("the input was changed")
	}
	// In two dimensions, against the direct sum.
	img, mask = randomImage(3, 12, 9, 3), randomImage(4, 12, 9, 1)
	got, err = FillHoles(img, mask, 1.5)
	if err != nil {
		t.Fatal(err)
	}
	for y := range 12 {
		for x := range 9 {
			for c := range 3 {
				i := y*9 + x
				want := float64(img.Pix[3*i+c])
				if mask.Pix[i] <= 0 {
					var num, den float64
					for j, k := range mask.Pix {
						dy, dx := float64(j/9-y), float64(j%9-x)
						if k > 0 && math.Abs(dy) <= 6 && math.Abs(dx) <= 6 {
							w := math.Exp(-(dy*dy + dx*dx) / 4.5)
							num, den = num+w*float64(img.Pix[3*j+c]), den+w
						}
					}
					want = num / den
				}
				if d := math.Abs(float64(got.Pix[3*i+c]) - want); d > 1e-5 {
					t.Fatalf("pixel %d,%d channel %d is off by %g", x, y, c, d)
				}
			}
		}
	}
	// A hole far wider than the Gaussian is still filled.
	img, mask = New(60, 60, 1), New(60, 60, 1)
	img.Pix[0], mask.Pix[0] = 0.75, 1
	if got, err = FillHoles(img, mask, 1.5); err != nil {
		t.Fatal(err)
	}
	for i, v := range got.Pix {
		if math.Abs(float64(v)-0.75) > 1e-5 {
			t.Fatalf("pixel %d is %v", i, v)
		}
	}
	for name, err := range map[string]error{
		"size":    second(FillHoles(img, New(60, 59, 1), 1.5)),
		"std":     second(FillHoles(img, mask, math.NaN())),
		"nothing": second(FillHoles(img, New(60, 60, 1), 1.5)),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func second(_ *Image, err error) error { return err }
