package operator

import (
	"errors"
	"math"
	"testing"

	"github.com/seed-0f004ec9/spgd/imageio"
)

// moments returns a kernel's sum, the centroid relative to the centre pixel, and the largest and
// smallest standard deviation over directions.
func (k *Kernel) moments() (sum, my, mx, long, short float64) {
	var yy, xx, xy float64
	for i, w := range k.Weights {
		y, x := float64(i/k.Width-k.Height/2), float64(i%k.Width-k.Width/2)
		sum += w
		my += w * y
		mx += w * x
		yy += w * y * y
		xx += w * x * x
		xy += w * x * y
	}
	yy, xx, xy = yy-my*my, xx-mx*mx, xy-mx*my
	mean, d := (yy+xx)/2, math.Hypot((yy-xx)/2, xy)
	return sum, my, mx, math.Sqrt(mean + d), math.Sqrt(max(0, mean-d))
}

func TestMotionKernel(t *testing.T) {
	// A horizontal line of odd length is that many equal weights.
	k := must(MotionKernel(15, 0))(t)
	if k.Height != 1 || k.Width != 15 {
		t.Fatalf("motion:15:0 is %dx%d, want 15x1", k.Width, k.Height)
	}
	for i, w := range k.Weights {
		if math.Abs(w-1.0/15) > 1e-15 {
			t.Errorf("weight %d is %g, want 1/15", i, w)
		}
	}
	if k := must(MotionKernel(15, 90))(t); k.Height != 15 || k.Width != 1 {
		t.Errorf("motion:15:90 is %dx%d, want 1x15", k.Width, k.Height)
	}
	if k := must(MotionKernel(1, 20))(t); len(k.Weights) != 1 || k.Weights[0] != 1 {
		t.Errorf("motion:1:20 is %dx%d %v, want a single 1", k.Width, k.Height, k.Weights)
	}
	for _, length := range []float64{1.5, 2, 8, 15, 29.5} {
		for angle := -200.0; angle <= 200; angle += 12.5 {
			k := must(MotionKernel(length, angle))(t)
			sum, my, mx, long, short := k.moments()
			if math.Abs(sum-1) > 1e-12 || math.Hypot(my, mx) > 1e-9 {
				t.Errorf("motion:%g:%g: sum %g, centroid %g,%g", length, angle, sum, my, mx)
			}
			// A line of L has a standard deviation of L/sqrt(12) along it; across, the profile is at
			// most a pixel either way.
			if want := length / math.Sqrt(12); math.Abs(long-want) > 0.12*want+0.15 || short > 0.6 {
				t.Errorf("motion:%g:%g: standard deviation %g along and %g across, want about %g and below 0.6", length, angle, long, short, want)
			}
			half := must(MotionKernel(length, angle+180))(t)
			if len(half.Weights) != len(k.Weights) {
				t.Errorf("motion:%g:%g: half a turn changes the size", length, angle)
			}
		}
	}
	// Counter-clockwise: at 30 degrees the right end is above the centre.
	k = must(MotionKernel(21, 30))(t)
	cross := 0.0
	for i, w := range k.Weights {
		cross += w * float64(i/k.Width-k.Height/2) * float64(i%k.Width-k.Width/2)
	}
	if cross >= 0 {
		t.Errorf("motion:21:30 falls to the right (row-column correlation %g)", cross)
	}
}

func TestGaussianKernel(t *testing.T) {
	for _, std := range []float64{0.05, 0.5, 1, 2.4, 7, 12} {
		k := must(GaussianKernel(std))(t)
		if want := 2*int(4*std+0.5) + 1; k.Height != want || k.Width != want {
			t.Errorf("gaussian:%g is %dx%d, want %d", std, k.Width, k.Height, want)
		}
		sum, my, mx, long, short := k.moments()
		if math.Abs(sum-1) > 1e-12 || math.Hypot(my, mx) > 1e-12 || math.Abs(long-short) > 1e-9 {
			t.Errorf("gaussian:%g: sum %g, centroid %g,%g, deviations %g and %g", std, sum, my, mx, long, short)
		}
		if std >= 1 && math.Abs(long-std) > 0.01*std {
			t.Errorf("gaussian:%g has the standard deviation %g", std, long)
		}
	}
}

// Random motion: support and centring of every kernel, and how spread and crookedness grow
// with the intensity over many draws.
func TestRandomMotionKernel(t *testing.T) {
	const draws = 150
	extent := func(intensity float64) (mean, deviation, crooked float64) {
		var sum, sum2 float64
		for seed := range uint64(draws) {
			k := must(RandomMotionKernel(intensity, seed))(t)
			if k.Height != 61 || k.Width != 61 {
				t.Fatalf("intensity %g, seed %d: %dx%d", intensity, seed, k.Width, k.Height)
			}
			total, my, mx, long, short := k.moments()
			if math.Abs(total-1) > 1e-12 {
				t.Errorf("intensity %g, seed %d: sum %g", intensity, seed, total)
			}
			// Centred on the mean of the path's points, not of its length: near, not at, the middle.
			if math.Hypot(my, mx) > 12 {
				t.Errorf("intensity %g, seed %d: centroid %g,%g", intensity, seed, my, mx)
			}
			sum += long
			sum2 += long * long
			crooked += short / long / draws
		}
		mean = sum / draws
		return mean, math.Sqrt(sum2/draws - mean*mean), crooked
	}
	m0, d0, c0 := extent(0)
	m5, _, c5 := extent(0.5)
	m1, d1, c1 := extent(1)
	t.Logf("intensity 0: deviation along the path %.2f +- %.2f, across/along %.3f; 0.5: %.2f, %.3f; 1: %.2f +- %.2f, %.3f", m0, d0, c0, m5, c5, m1, d1, c1)
	// At 0 the path is nearly straight, of length uniform in [0, 0.75 d] at twice the size: its mean is
	// 0.375 * 61 sqrt(2) = 32.3 pixels, a standard deviation of 9.3 along it; its own deviation
	// over draws is 1/sqrt(3) of that.
	if math.Abs(m0-9.3) > 1.5 || math.Abs(d0-5.4) > 1.5 {
		t.Errorf("intensity 0: standard deviation along the path %g +- %g, want about 9.3 +- 5.4", m0, d0)
	}
	if !(c0 < 0.2 && c0 < c5 && c5 < c1) {
		t.Errorf("crookedness %g, %g, %g does not grow with the intensity", c0, c5, c1)
	}
}

// The length of the path before drawing: uniform(0,1) + uniform(0,i^2) times 0.75 d, rounded up by
// the last step, whose spread grows with the intensity.
func TestMotionPathLength(t *testing.T) {
	const draws = 3000
	spread := func(intensity float64) (mean, deviation float64) {
		var sum, sum2 float64
		for i := range uint32(draws) {
			length, last := 0.0, complex128(0)
			for j, p := range motionPath(intensity, streamForTest(i)) {
				if j > 0 {
					length += math.Hypot(real(p-last), imag(p-last))
				}
				last = p
			}
			sum += length
			sum2 += length * length
		}
		mean = sum / draws
		return mean, math.Sqrt(sum2/draws - mean*mean)
	}
	diagonal := motionCanvas * math.Sqrt2
	var last float64
	for _, i := range []float64{0, 0.5, 1} {
		mean, deviation := spread(i)
		want := 0.75 * diagonal * (0.5 + i*i/2)
		wantDeviation := 0.75 * diagonal * math.Sqrt((1+i*i*i*i)/12)
		// The first step is before the first point and the last one overshoots; both are
		// (1.1-i) d/31 on average.
		if slack := 1.5*(1.1-i)*diagonal/31 + 5*wantDeviation/math.Sqrt(draws); math.Abs(mean-want) > slack || math.Abs(deviation-wantDeviation) > slack {
			t.Errorf("intensity %g: path length %g +- %g, want %g +- %g", i, mean, deviation, want, wantDeviation)
		}
		if deviation <= last {
			t.Errorf("intensity %g: the deviation of the length, %g, does not grow", i, deviation)
		}
		last = deviation
	}
}

func TestRandomMotionSeeds(t *testing.T) {
	a, b, c := must(RandomMotionKernel(0.5, 1))(t), must(RandomMotionKernel(0.5, 1))(t), must(RandomMotionKernel(0.5, 2))(t)
	if relative(a.Weights, b.Weights) != 0 {
		t.Error("one seed gives two kernels")
	}
	if relative(a.Weights, c.Weights) < 0.1 {
		t.Error("two seeds give one kernel")
	}
}

func TestKernelImage(t *testing.T) {
	k := randomKernel(t, 7, 4)
	back := must(KernelFromImage(k.Image()))(t)
	if back.Height != 7 || back.Width != 4 || relative(back.Weights, k.Weights) > 1e-6 {
		t.Errorf("a kernel drawn and read back differs by %g", relative(back.Weights, k.Weights))
	}
	colour := imageio.New(1, 2, 3)
	copy(colour.Pix, []float32{1, 1, 1, 1, -1, -1})
	k = must(KernelFromImage(colour))(t)
	if want := []float64{1 / 1.299, 0.299 / 1.299}; relative(k.Weights, want) > 1e-6 {
		t.Errorf("colour kernel %v, want %v", k.Weights, want)
	}
}

func TestKernelErrors(t *testing.T) {
	black := imageio.New(3, 3, 1)
	for i := range black.Pix {
		black.Pix[i] = -1
	}
	nan := math.NaN()
	for name, c := range map[string]struct {
		err  error
		want error
	}{
		"negative":         {failure(NewKernel(1, 2, []float64{1, -0.1})), ErrKernel},
		"NaN":              {failure(NewKernel(1, 2, []float64{1, nan})), ErrKernel},
		"infinite":         {failure(NewKernel(1, 2, []float64{1, math.Inf(1)})), ErrKernel},
		"overflowing":      {failure(NewKernel(1, 2, []float64{math.MaxFloat64, math.MaxFloat64})), ErrKernel},
		"all zero":         {failure(NewKernel(1, 2, []float64{0, 0})), ErrKernel},
		"black picture":    {failure(KernelFromImage(black)), ErrKernel},
		"no picture":       {failure(KernelFromImage(&imageio.Image{})), ErrSize},
		"two channels":     {failure(KernelFromImage(imageio.New(3, 3, 2))), ErrSize},
		"weights missing":  {failure(NewKernel(2, 2, []float64{1})), ErrSize},
		"no size":          {failure(NewKernel(0, 0, nil)), ErrSize},
		"std 0":            {failure(GaussianKernel(0)), ErrTask},
		"std NaN":          {failure(GaussianKernel(nan)), ErrTask},
		"std huge":         {failure(GaussianKernel(1e9)), ErrTask},
		"length 0":         {failure(MotionKernel(0, 0)), ErrTask},
		"length NaN":       {failure(MotionKernel(nan, 0)), ErrTask},
		"length huge":      {failure(MotionKernel(1e9, 0)), ErrTask},
		"angle infinite":   {failure(MotionKernel(5, math.Inf(1))), ErrTask},
		"intensity 2":      {failure(RandomMotionKernel(2, 0)), ErrTask},
		"intensity NaN":    {failure(RandomMotionKernel(nan, 0)), ErrTask},
		"too wide":         {failure(NewBlur("", 64, 8, randomKernel(t, 3, 17))), ErrSize},
		"too high":         {failure(NewBlur("", 8, 64, randomKernel(t, 17, 3))), ErrSize},
		"too large a std":  {failure(buildOnly(Task{Name: "deblur", Kernel: "gaussian:20"}, 64, 64)), ErrSize},
		"no kernel passed": {failure(buildOnly(Task{Name: "deblur", Kernel: "k.png"}, 64, 64)), ErrKernel},
	} {
		if !errors.Is(c.err, c.want) {
			t.Errorf("%s: error %v, want one that is %q", name, c.err, c.want)
		}
	}
	if _, err := NewBlur("", 9, 9, randomKernel(t, 17, 17)); err != nil {
		t.Errorf("a kernel that reaches 8 pixels fits 9: %v", err)
	}
}
