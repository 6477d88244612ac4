package kernel

import "testing"

// TestTile holds the choice of tiles to what was fastest when it was measured, and to what the
// memory of the packed kernels permits.
func TestTile(t *testing.T) {
	for _, tc := range []struct {
		size, cin, cout int
		want, bf16      int
	}{
		{256, 32, 32, 6, 4},
		{256, 96, 32, 6, 4},
		{128, 160, 64, 6, 4},
		{128, 96, 96, 6, 4},
		{64, 96, 96, 4, 4}, // F(6x6) would take a kernel larger than the output
		{32, 128, 128, 4, 4},
		{32, 512, 512, 4, 4},
		{16, 512, 512, 2, 4}, // F(4x4) would take one 48 times as large, unless it is of bfloat16
		{256, 1, 1, 0, 0},
	} {
		s := square(1, tc.size, tc.cin, 3, tc.cout, 1, 1)
		batch := s
		batch.N = 7
		if got := Auto.tile(isaAVX512, F32, s); got != tc.want {
			t.Errorf("%d to %d channels of %dx%d pixels: tiles of %d, want %d", tc.cin, tc.cout, tc.size, tc.size, got, tc.want)
		}
		if got := Auto.tile(isaAVX512, BF16, s); got != tc.bf16 {
			t.Errorf("%d to %d channels of %dx%d pixels in bf16: tiles of %d, want %d", tc.cin, tc.cout, tc.size, tc.size, got, tc.bf16)
		}
		for is := range isa(len(isaNames)) {
			for _, a := range []Algorithm{Auto, Winograd} {
				if one, many := a.tile(is, F32, s), a.tile(is, F32, batch); one != many {
					t.Errorf("%s: tiles of %d in a batch, of %d for one image", is, many, one)
				}
			}
		}
	}
}
