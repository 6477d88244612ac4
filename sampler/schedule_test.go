package sampler

import (
	"fmt"
	"math"
	"testing"
)

func TestPoly7Golden(t *testing.T) {
	g := readGolden(t, "testdata/schedule.safetensors")
	for _, steps := range []int{6, 30, 100, 200} {
		want := g.value[fmt.Sprintf("sigma/%d", steps)]
		got := Poly7(steps, 100, 0.1)
		if len(got) != len(want) || len(got) != steps+1 {
			t.Fatalf("T=%d: %d levels, want %d", steps, len(got), len(want))
		}
		for i := range want {
			if math.Abs(got[i]-want[i]) > 1e-12*math.Abs(want[i]) {
				t.Errorf("T=%d: sigma %d is %.17g, want %.17g", steps, i, got[i], want[i])
			}
		}
	}
}

func TestPoly7Edges(t *testing.T) {
	if got := Poly7(0, 100, 0.1); got != nil {
		t.Errorf("no steps: %v, want nil", got)
	}
	if got := Poly7(1, 100, 0.1); len(got) != 2 || math.Abs(got[0]-100) > 1e-10 || got[1] != 0 {
		t.Errorf("one step: %v, want [100 0]", got)
	}
	got := Poly7(9, 3, 0.02)
	for i := 1; i < len(got); i++ {
		if got[i] >= got[i-1] {
			t.Errorf("sigma %d is %g after %g, want a decreasing sequence", i, got[i], got[i-1])
		}
	}
}
