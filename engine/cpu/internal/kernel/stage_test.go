package kernel

import (
	"sync"
	"testing"

	"github.com/seed-0f004ec9/spgd/engine/cpu/internal/pool"
)

// TestStage checks that every row is handed over once, with the bits of a run that has a dst,
// whether the result is staged whole or in steps of any size.
func TestStage(t *testing.T) {
	type testCase struct {
		s    ConvShape
		tile int // 0: direct
		prec Precision
	}
	var cases []testCase
	for _, s := range append(convShapes, square(1, 4, 64, 3, 256, 1, 1), square(4, 32, 8, 3, 40, 1, 1)) {
		cases = append(cases, testCase{s, 0, F32})
	}
	for _, s := range convBF16Shapes {
		cases = append(cases, testCase{s, 0, BF16})
	}
	for _, s := range append(winogradShapes, square(1, 12, 64, 3, 256, 1, 1), square(6, 16, 32, 3, 32, 1, 1)) {
		for _, v := range winogradVariants {
			cases = append(cases, testCase{s, v.tile, v.prec})
		}
	}
	one, three := pool.New(1), pool.New(3)
	defer one.Close()
	defer three.Close()
	for i, tc := range cases {
		if !active.distinct(tc.prec) {
			continue
		}
		x, w, bias, _ := tc.s.random(uint64(i))
		ho, wo := tc.s.Out()
		row := wo * tc.s.Cout
		want := make([]float32, tc.s.N*ho*row)
		for j, limit := range []int{0, 3 * row, 20 * row, stageFloats} {
			c, err := newConv(tc.s, Direct, tc.prec, 3, nil)
			if err != nil {
				t.Fatal(err)
			}
			if tc.tile > 0 {
				c.wino = newWinograd(active, tc.prec, tc.s, tc.tile, 3, c.scratch)
			}
			packed := c.Pack(nil, nil, w, 0, tc.s.KW*tc.s.Cin*tc.s.Cout, tc.s.Cin*tc.s.Cout, tc.s.Cout, 1)
			if j == 0 {
				c.Run(one, want, Source{Flat: x}, packed, Epilogue{Bias: bias})
			}
			before := c.ScratchBytes()
			c.stage(limit)
			size := 4 * len(want)
			if 3*limit < len(want) {
				size = 4 * 3 * row // at least a row for each worker
			}
			if grown := c.ScratchBytes() - before; grown < size {
				t.Errorf("%+v tile %d %s: a stage of %d rows takes %d bytes, want %d or more", tc.s, tc.tile, tc.prec, limit/row, grown, size)
			}
			for name, src := range map[string]Source{"flat": {Flat: x}, "rows": rowSource(tc.s, x)} {
				for _, p := range []*pool.Pool{one, three} {
					seen := make([]int, tc.s.N*ho)
					var mu sync.Mutex
					c.Run(p, nil, src, packed, Epilogue{Bias: bias, Post: func(_, n, y int, got []float32) {
						mu.Lock()
						defer mu.Unlock()
						seen[n*ho+y]++
						if len(got) != row || !sameBits(got, want[(n*ho+y)*row:][:row]) {
							t.Errorf("%+v tile %d %s, stage of %d rows, source %s: row %d of image %d differs", tc.s, tc.tile, tc.prec, limit/row, name, y, n)
						}
						for k := range got { // the row is the caller's
							got[k] = 7
						}
					}})
					for r, times := range seen {
						if times != 1 {
							t.Fatalf("%+v tile %d %s, stage of %d rows: row %d handed over %d times", tc.s, tc.tile, tc.prec, limit/row, r, times)
						}
					}
				}
			}
		}
	}
}

func TestStageErrors(t *testing.T) {
	s := square(1, 8, 3, 3, 4, 1, 1)
	x, w, _, add := s.random(1)
	post := func(_, n, y int, row []float32) {}
	for name, tc := range map[string]struct {
		staged bool
		ep     Epilogue
	}{
		"no stage": {false, Epilogue{Post: post}},
		"no post":  {true, Epilogue{}},
		"residual": {true, Epilogue{Post: post, Add: add}},
	} {
		c, err := NewConv(s, Direct, F32, 1, nil)
		if err != nil {
			t.Fatal(err)
		}
		if tc.staged {
			c.Stage()
		}
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			c.Run(nil, nil, Source{Flat: x}, packHWIO(active, s, w), tc.ep)
		}()
	}
}
