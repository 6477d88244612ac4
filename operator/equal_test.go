package operator

import "testing"

// TestEqual: operators built alike are equal, those of another mask, kernel, factor, size or task are
// not, even under the same name.
func TestEqual(t *testing.T) {
	make := func(task Task, h, w int, seed uint64) Operator {
		op, _, err := Build(task, h, w, seed, Files{})
		if err != nil {
			t.Fatal(err)
		}
		return op
	}
	mask := func(drop int) Operator {
		keep := must(RandomMask(24, 32, 0.5, 1))(t)
		keep[drop] = !keep[drop]
		return must(NewInpaint("", 24, 32, keep))(t)
	}
	operators := []func() Operator{
		func() Operator { return make(Task{Name: "inpaint", Mask: "random:0.5"}, 24, 32, 1) },
		func() Operator { return make(Task{Name: "inpaint", Mask: "random:0.5"}, 24, 32, 2) },
		func() Operator { return mask(0) },
		func() Operator { return mask(1) },
		func() Operator { return make(Task{Name: "deblur", Kernel: "gaussian:1"}, 24, 32, 1) },
		func() Operator { return make(Task{Name: "deblur", Kernel: "gaussian:1"}, 32, 24, 1) },
		func() Operator { return make(Task{Name: "deblur", Kernel: "motion:random:0.5"}, 24, 32, 1) },
		func() Operator { return make(Task{Name: "deblur", Kernel: "motion:random:0.5"}, 24, 32, 2) },
		func() Operator { return make(Task{Name: "sr", Scale: 2}, 24, 32, 1) },
		func() Operator { return make(Task{Name: "sr", Scale: 4}, 24, 32, 1) },
		func() Operator { return make(Task{Name: "denoise"}, 24, 32, 1) },
		func() Operator { return make(Task{Name: "hdr"}, 24, 32, 1) },
	}
	other := must(NewInpaint("", 32, 24, must(RandomMask(32, 24, 0.5, 1))(t)))(t)
	if SamePrograms(other, operators[0]()) || SamePrograms(operators[0](), other) {
		t.Error("masks of two sizes have the same programs")
	}
	for i, a := range operators {
		if same := a(); !Equal(same, same) {
			t.Errorf("%s does not equal itself", same.Name())
		}
		for j, b := range operators {
			if got := Equal(a(), b()); got != (i == j) {
				t.Errorf("%s and %s (%d, %d): equal is %v", a().Name(), b().Name(), i, j, got)
			}
			if got, want := SamePrograms(a(), b()), i == j || max(i, j) < 4; got != want { // masks
				t.Errorf("%s and %s (%d, %d): same programs is %v", a().Name(), b().Name(), i, j, got)
			}
		}
	}
}
