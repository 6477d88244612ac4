package main

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestBenchEngine(t *testing.T) {
	stdout := mustRun(t, "bench", "engine", "--size", "32", "--runs", "2", "--batch", "2", "--json")
	var r engineTimes
	if err := json.Unmarshal([]byte(stdout), &r); err != nil {
		t.Fatal(err)
	}
	if r.Size != 32 || r.Batch != 2 || !(r.Forward > 0 && r.VJP > 0 && r.GFLOPS > 0) || !(r.PeakGFLOPS > 0) {
		t.Errorf("implausible result %+v", r)
	}
}

func TestBenchErrors(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"bench", "needs a YAML file or images"},
		{"bench ../../examples/coffee.png", "no tasks are given"},
		{"bench ../../examples/coffee.png --task sr:4@0.01", "no methods are given"},
		{"bench ../../examples/coffee.png --suite linear --seeds 0", "1 to 1000"},
		{"bench ../../examples/coffee.png --suite linear --size 0", "at least 1"},
		{"bench ../../examples/coffee.png --suite other", "linear"},
		{"bench ../../examples/coffee.png --task sr:4 --method dsp", "unknown method"},
		{"bench ../../examples --task sr:4", "no methods are given"},
		{"bench c.yaml b.png", "one YAML file"},
		{"bench ../../examples/coffee.png --suite linear --tile large", "want a number of pixels"},
		{"bench ../../examples/coffee.png --task sr:4 --method spgd --tile 1", "tile too small"},
		{"bench engine --size 40", "multiples of 16"},
		{"bench engine --runs 0", "at least 1"},
		{"bench engine --size 1000000000", "at most 16384"},
		{"bench engine --batch 1000000000", "1024"},
		{"bench engine --programs stage", "is for --step"},
		{"bench engine --programs level", "auto, step, stage"},
	} {
		r := invoke(t, strings.Fields(c.args)...)
		if r.code != exitUsage || !strings.Contains(r.errOut, c.want) {
			t.Errorf("%s: exit %d, %q", c.args, r.code, r.errOut)
		}
	}
}
