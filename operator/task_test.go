package operator

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/seed-0f004ec9/spgd/imageio"
	"github.com/seed-0f004ec9/spgd/internal/rng"
)

func failure[T any](_ T, err error) error { return err }

// buildOnly is Build without warnings.
func buildOnly(task Task, h, w int) (Operator, error) {
	op, _, err := Build(task, h, w, 1, Files{})
	return op, err
}

func streamForTest(i uint32) *rng.Stream { return rng.New(11, i, 0, rng.Kernel) }

func TestTaskNames(t *testing.T) {
	for _, c := range []struct {
		task  Task
		name  string
		drawn bool
	}{
		{Task{Name: "sr", Scale: 4}, "sr:4", false},
		{Task{Name: "inpaint", Mask: "random:0.80"}, "inpaint:random:0.8", true},
		{Task{Name: "inpaint", Mask: "random:0.8", InvertMask: true}, "inpaint:random:0.8:inverted", true},
		{Task{Name: "inpaint", Mask: "box:9"}, "inpaint:box:9", true},
		{Task{Name: "deblur", Kernel: "gaussian:3.0"}, "deblur:gaussian:3", false},
		{Task{Name: "deblur", Kernel: "motion:15:30"}, "deblur:motion:15:30", false},
		{Task{Name: "deblur", Kernel: "motion:15:-30.5"}, "deblur:motion:15:-30.5", false},
		{Task{Name: "deblur", Kernel: "motion:random:.5"}, "deblur:motion:random:0.5", true},
		{Task{Name: "denoise"}, "denoise", false},
		{Task{Name: "colorize"}, "colorize", false},
		{Task{Name: "phase"}, "phase", false},
		{Task{Name: "hdr"}, "hdr", false},
	} {
		op := build(t, c.task, 64, 48)
		if op.Name() != c.name {
			t.Errorf("%+v: name %q, want %q", c.task, op.Name(), c.name)
		}
		if name, err := c.task.OperatorName(); err != nil || name != c.name {
			t.Errorf("%+v: OperatorName %q, %v", c.task, name, err)
		}
		if h, w := op.ImageSize(); h != 64 || w != 48 {
			t.Errorf("%s: image size %dx%d", c.name, h, w)
		}
		if c.task.Drawn() != c.drawn {
			t.Errorf("%s: drawn is %v", c.name, !c.drawn)
		}
		if _, needed := c.task.MaskFile(); needed {
			t.Errorf("%s: asks for a mask file", c.name)
		}
		if _, needed := c.task.KernelFile(); needed {
			t.Errorf("%s: asks for a kernel file", c.name)
		}
	}
}

func TestTaskFiles(t *testing.T) {
	for _, path := range []string{"mask.png", "dir/random.png", `C:\mask.png`, "./random:0.8", "boxes:4.png"} {
		task := Task{Name: "inpaint", Mask: path}
		if got, needed := task.MaskFile(); !needed || got != path {
			t.Errorf("mask %q: file %q, needed %v", path, got, needed)
		}
		task = Task{Name: "deblur", Kernel: path}
		if got, needed := task.KernelFile(); !needed || got != path {
			t.Errorf("kernel %q: file %q, needed %v", path, got, needed)
		}
	}
}

func TestTaskErrors(t *testing.T) {
	for _, c := range []struct {
		task Task
		want error
		says string
	}{
		{Task{}, ErrTask, "no task"},
		{Task{Name: "blur"}, ErrTask, `"blur"`},
		{Task{Name: "sr"}, ErrTask, "0"},
		{Task{Name: "sr", Scale: 1}, ErrTask, "1"},
		{Task{Name: "sr", Scale: -4}, ErrTask, "-4"},
		{Task{Name: "sr", Scale: 17}, ErrTask, "17"},
		{Task{Name: "sr", Scale: 4, Mask: "box:3"}, ErrTask, "no mask"},
		{Task{Name: "denoise", Scale: 4}, ErrTask, "no scale"},
		{Task{Name: "denoise", Kernel: "gaussian:3"}, ErrTask, "no kernel"},
		{Task{Name: "denoise", InvertMask: true}, ErrTask, "no mask"},
		{Task{Name: "inpaint"}, ErrTask, "needs a mask"},
		{Task{Name: "inpaint", Mask: "random:"}, ErrTask, "random:"},
		{Task{Name: "inpaint", Mask: "random:half"}, ErrTask, "half"},
		{Task{Name: "inpaint", Mask: "random:1"}, ErrTask, "1"},
		{Task{Name: "inpaint", Mask: "random:-0.1"}, ErrTask, "-0.1"},
		{Task{Name: "inpaint", Mask: "random:NaN"}, ErrTask, "NaN"},
		{Task{Name: "inpaint", Mask: "random:0.0", InvertMask: true}, ErrMask, "keeps no pixel"},
		{Task{Name: "inpaint", Mask: "box:0"}, ErrTask, "box:0"},
		{Task{Name: "inpaint", Mask: "box:1.5"}, ErrTask, "box:1.5"},
		{Task{Name: "inpaint", Mask: "box:49"}, ErrSize, "49"},
		{Task{Name: "inpaint", Mask: "m.png"}, ErrMask, "mask"},
		{Task{Name: "deblur"}, ErrTask, "needs a kernel"},
		{Task{Name: "deblur", Kernel: "gaussian:"}, ErrTask, "gaussian:"},
		{Task{Name: "deblur", Kernel: "gaussian:3:4"}, ErrTask, "3:4"},
		{Task{Name: "deblur", Kernel: "gaussian:-3"}, ErrTask, "-3"},
		{Task{Name: "deblur", Kernel: "motion:15"}, ErrTask, "motion:LENGTH:ANGLE"},
		{Task{Name: "deblur", Kernel: "motion:15:x"}, ErrTask, `"x"`},
		{Task{Name: "deblur", Kernel: "motion:0:10"}, ErrTask, "length 0"},
		{Task{Name: "deblur", Kernel: "motion:random"}, ErrTask, "motion:random"},
		{Task{Name: "deblur", Kernel: "motion:random:1.5"}, ErrTask, "1.5"},
		{Task{Name: "deblur", Kernel: "motion:100:0"}, ErrSize, "50 pixels across"},
	} {
		op, err := buildOnly(c.task, 64, 48)
		if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%+v: error %v, want one that is %q and says %q", c.task, err, c.want, c.says)
		}
		if op != nil {
			t.Errorf("%+v: an operator beside the error", c.task)
		}
		if c.want == ErrTask && !errors.Is(c.task.Validate(), ErrTask) {
			t.Errorf("%+v: Validate says %v", c.task, c.task.Validate())
		}
	}
	for _, s := range [][2]int{{0, 4}, {4, -1}, {4, 1 << 15}} {
		for _, name := range []string{"denoise", "colorize", "phase", "hdr"} {
			if _, err := buildOnly(Task{Name: name}, s[0], s[1]); !errors.Is(err, ErrSize) {
				t.Errorf("%s on %v: error %v", name, s, err)
			}
		}
		if _, err := buildOnly(Task{Name: "sr", Scale: 2}, s[0], s[1]); !errors.Is(err, ErrSize) {
			t.Errorf("sr on %v: error %v", s, err)
		}
		if _, err := buildOnly(Task{Name: "inpaint", Mask: "random:0.5"}, s[0], s[1]); !errors.Is(err, ErrSize) {
			t.Errorf("inpaint on %v: error %v", s, err)
		}
	}
}

func dropped(keep []bool) int {
	n := 0
	for _, k := range keep {
		if !k {
			n++
		}
	}
	return n
}

func TestRandomMask(t *testing.T) {
	for _, c := range []struct {
		h, w     int
		fraction float64
		want     int
	}{{256, 256, 0.8, 52428}, {10, 7, 0.33, 23}, {5, 5, 0, 0}, {3, 3, 0.99, 8}} {
		keep := must(RandomMask(c.h, c.w, c.fraction, 3))(t)
		if len(keep) != c.h*c.w || dropped(keep) != c.want {
			t.Errorf("%dx%d, %g: %d of %d dropped, want %d", c.h, c.w, c.fraction, dropped(keep), len(keep), c.want)
		}
	}
	a, b, c := must(RandomMask(32, 32, 0.5, 1))(t), must(RandomMask(32, 32, 0.5, 1))(t), must(RandomMask(32, 32, 0.5, 2))(t)
	if !slices.Equal(a, b) || slices.Equal(a, c) {
		t.Error("the mask does not follow the seed")
	}
	// Every pixel is dropped about as often.
	var counts [12]int
	for seed := range uint64(3000) {
		for i, k := range must(RandomMask(3, 4, 0.5, seed))(t) {
			if !k {
				counts[i]++
			}
		}
	}
	for i, n := range counts {
		if math.Abs(float64(n)-1500) > 5*math.Sqrt(750) {
			t.Errorf("pixel %d was dropped %d times of 3000", i, n)
		}
	}
}

func TestBoxMask(t *testing.T) {
	// place returns the box's corner, having checked that it is a full square.
	place := func(h, w, side int, seed uint64) (top, left int) {
		keep := must(BoxMask(h, w, side, seed))(t)
		first := slices.Index(keep, false)
		top, left = first/w, first%w
		for i, k := range keep {
			y, x := i/w-top, i%w-left
			if inside := y >= 0 && y < side && x >= 0 && x < side; inside == k {
				t.Fatalf("%dx%d, box %d, seed %d: pixel %d is wrong", h, w, side, seed, i)
			}
		}
		return top, left
	}
	for _, c := range []struct{ h, w, side, top0, top1, left0, left1 int }{
		{256, 256, 128, 32, 95, 32, 95}, // the reference's range
		{32, 40, 8, 4, 19, 5, 26},
		{32, 40, 30, 0, 2, 0, 10}, // no room for the margin
		{8, 8, 8, 0, 0, 0, 0},
	} {
		if c.side == c.h && c.side == c.w {
			if dropped(must(BoxMask(c.h, c.w, c.side, 1))(t)) != c.h*c.w {
				t.Error("a box of the image's size does not cover it")
			}
			continue
		}
		tops, lefts := map[int]bool{}, map[int]bool{}
		for seed := range uint64(700) {
			top, left := place(c.h, c.w, c.side, seed)
			if top < c.top0 || top > c.top1 || left < c.left0 || left > c.left1 {
				t.Fatalf("%dx%d, box %d: placed at %d,%d", c.h, c.w, c.side, top, left)
			}
			tops[top], lefts[left] = true, true
		}
		if len(tops) != c.top1-c.top0+1 || len(lefts) != c.left1-c.left0+1 {
			t.Errorf("%dx%d, box %d: %d rows and %d columns seen in 700 draws", c.h, c.w, c.side, len(tops), len(lefts))
		}
	}
}

func TestMaskFromImage(t *testing.T) {
	img := imageio.New(2, 3, 1)
	copy(img.Pix, []float32{1, -1, 1, -1, 1, -1})
	keep, warning, err := MaskFromImage(img, 2, 3)
	if err != nil || warning != "" || !slices.Equal(keep, []bool{true, false, true, false, true, false}) {
		t.Errorf("mask %v, warning %q, error %v", keep, warning, err)
	}
	op, warnings, err := Build(Task{Name: "inpaint", Mask: "m.png", InvertMask: true}, 2, 3, 0, Files{Mask: img})
	if err != nil || len(warnings) != 0 || !slices.Equal(op.(*Inpaint).Mask(), []bool{false, true, false, true, false, true}) || op.Name() != "inpaint:mask:inverted" {
		t.Errorf("inverted mask: %v, warnings %q, error %v", op, warnings, err)
	}
	img.Pix[0], img.Pix[1] = 0.3, -0.3
	_, warnings, err = Build(Task{Name: "inpaint", Mask: "m.png"}, 2, 3, 0, Files{Mask: img})
	if err != nil || len(warnings) != 1 || !strings.Contains(warnings[0], "2 of the mask's 6") {
		t.Errorf("grey mask: warnings %q, error %v", warnings, err)
	}
	if _, _, err := MaskFromImage(img, 3, 2); !errors.Is(err, ErrSize) || !strings.Contains(err.Error(), "3x2") || !strings.Contains(err.Error(), "2x3") {
		t.Errorf("mask of another size: error %v", err)
	}
	back, warning, err := MaskFromImage(MaskImage(2, 3, keep), 2, 3)
	if err != nil || warning != "" || !slices.Equal(back, keep) {
		t.Errorf("a mask drawn and read back is %v, warning %q, error %v", back, warning, err)
	}
	colour := imageio.New(1, 2, 3)
	copy(colour.Pix, []float32{1, 1, 1, -1, -1, -1})
	if keep, warning, err = MaskFromImage(colour, 1, 2); err != nil || warning != "" || !keep[0] || keep[1] {
		t.Errorf("colour mask %v, warning %q, error %v", keep, warning, err)
	}
	for i := range img.Pix {
		img.Pix[i] = -1
	}
	if _, _, err := Build(Task{Name: "inpaint", Mask: "m.png"}, 2, 3, 0, Files{Mask: img}); !errors.Is(err, ErrMask) {
		t.Errorf("black mask: error %v", err)
	}
}
