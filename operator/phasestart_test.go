package operator

import (
	"math"
	"slices"
	"testing"

	"github.com/seed-0f004ec9/spgd/internal/rng"
)

// A coarse image that is one wave is the same wave when it is enlarged, and its transform has what the definition says.
func TestCoarseWaves(t *testing.T) {
	for _, s := range [][4]int{{8, 8, 12, 12}, {64, 50, 96, 74}, {5, 9, 7, 13}, {130, 70, 194, 104}} {
		height, width, H, W := s[0], s[1], s[2], s[3]
		c := newCoarse(height, width, H, W)
		if c.h%2 == 0 || c.w%2 == 0 || c.h > H || c.w > W || max(c.h, c.w) > coarseSide {
			t.Fatalf("%v: coarse image of %dx%d", s, c.h, c.w)
		}
		p, q := c.h/2, c.w/4
		wave := func(i, h, j, w int) float64 {
			return math.Cos(2*math.Pi*(float64(p*i)/float64(h)+float64(q*j)/float64(w)) + 0.3)
		}
		u := make([]float64, c.h*c.w)
		for i := range u {
			u[i] = wave(i/c.w, c.h, i%c.w, c.w)
		}
		for i, v := range c.enlarge(u, height, width) {
			if want := wave(i/width, H, i%width, W); math.Abs(v-want) > 1e-9 {
				t.Fatalf("%v: pixel %d is %g, want %g", s, i, v, want)
			}
		}
		c.spectrum(u)
		c.transform(true)
		for i, z := range c.z {
			if math.Abs(real(z)-u[i]) > 1e-9 || math.Abs(imag(z)) > 1e-9 {
				t.Fatalf("%v: there and back pixel %d is %g, was %g", s, i, z, u[i])
			}
		}
	}
}

// scene is a picture of some rectangles of several colours.
func scene(h, w int) []float32 {
	s := rng.New(3, 0, 0, rng.Diagnostic)
	x := make([]float32, h*w*imageChannels)
	for i := range x {
		x[i] = -0.6
	}
	for range 12 {
		top, left := s.Intn(h*3/4), s.Intn(w*3/4)
		bottom, right := min(h, top+h/8+s.Intn(h/3)), min(w, left+w/8+s.Intn(w/3))
		grey := s.Between(-0.8, 0.8)
		for c := range imageChannels {
			v := float32(grey + s.Between(-0.2, 0.2))
			for i := top; i < bottom; i++ {
				for j := left; j < right; j++ {
					x[(i*w+j)*imageChannels+c] = v
				}
			}
		}
	}
	return x
}

// The search finds the coarse structure, in one of the two orientations that the measurement cannot tell apart and the same
// one for all channels, and its residual is that of the true image at the frequencies that it sees.
func TestPhaseStart(t *testing.T) {
	const h, w, sigma = 96, 80, 0.05
	op := must(NewPhaseRetrieval(h, w))(t)
	mh, mw, mc := op.MeasurementSize()
	truth := scene(h, w)
	y, _ := compile(t, op, 1).run(truth, make([]float32, mh*mw*mc))
	noise := rng.New(4, 0, 0, rng.Diagnostic)
	for i := range y {
		y[i] += float32(sigma * noise.Normal())
	}
	start := func(seed uint64) []float32 {
		stream := rng.New(seed, 0, 0, rng.XStart)
		return op.Start(y, func() float64 { return stream.Between(0, 1) })
	}
	turned := make([]float32, len(truth))
	mean := 0.0
	for i := 0; i < len(truth); i += imageChannels {
		copy(turned[len(truth)-imageChannels-i:], truth[i:][:imageChannels])
		mean += float64(truth[i]) * imageChannels / float64(len(truth))
	}
	flat := make([]float32, len(truth))
	for i := range flat {
		flat[i] = float32(mean)
	}
	blind := relative(flat, truth)
	found := 0
	var first []float32
	for seed := range uint64(3) {
		x := start(seed)
		if first == nil {
			first = x
		}
		e := min(relative(x, truth), relative(x, turned))
		t.Logf("seed %d: relative error %.3f, of the mean %.3f", seed, e, blind)
		if e < 0.9*blind {
			found++
		}
	}
	if found < 2 {
		t.Errorf("%d of 3 searches found the coarse structure", found)
	}
	if !slices.Equal(first, start(0)) {
		t.Error("the same random numbers find another image")
	}
}

// Whatever the sizes and the measurement, what is found is an image.
func TestPhaseStartSizes(t *testing.T) {
	for _, s := range [][2]int{{1, 1}, {1, 40}, {2, 3}, {7, 12}, {33, 200}} {
		op := must(NewPhaseRetrieval(s[0], s[1]))(t)
		mh, mw, mc := op.MeasurementSize()
		for name, y := range map[string][]float32{"zeros": make([]float32, mh*mw*mc), "noise": random(mh*mw*mc, 8)} {
			stream := rng.New(1, 0, 0, rng.XStart)
			x := op.Start(y, func() float64 { return stream.Between(0, 1) })
			if len(x) != s[0]*s[1]*imageChannels {
				t.Fatalf("%v, %s: %d values", s, name, len(x))
			}
			for i, v := range x {
				if !(v >= -1 && v <= 1) {
					t.Fatalf("%v, %s: value %d is %g", s, name, i, v)
				}
			}
		}
	}
}
