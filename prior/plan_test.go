package prior

import (
	"math"
	"testing"
)

func TestNetworks(t *testing.T) {
	// Parameter counts: 93.6 M and 552.8 M are the published checkpoints'; work: 386 GFLOP for
	// FFHQ-256 is a measured figure.
	tests := []struct {
		name       string
		parameters int
		gflop      float64
	}{
		{"ffhq256", 93559686, 386},
		{"imagenet256", 552814086, 2230},
	}
	for _, tt := range tests {
		c, err := Network(tt.name)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Validate(); err != nil {
			t.Fatal(err)
		}
		t.Log(tt.name, c.Parameters(), c.GFLOP(256, 256))
		if got := c.GFLOP(256, 256); math.Abs(got/tt.gflop-1) > 0.01 {
			t.Errorf("%s: %.1f GFLOP, want about %.0f", tt.name, got, tt.gflop)
		}
	}
}
