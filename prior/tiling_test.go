package prior

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// tilings are images of many sizes with the largest tile's side, the overlap and the size multiple.
var tilings = [][5]int{
	{512, 512, 256, 32, 16}, {512, 512, 256, 0, 16}, {100, 3000, 128, 16, 16}, {257, 256, 256, 32, 16}, {65, 97, 64, 32, 16},
	{1000, 1, 64, 8, 8}, {7, 5000, 256, 48, 32}, {640, 480, 130, 33, 1}, {300, 300, 48, 24, 16}, {31, 17, 64, 0, 16}, {129, 64, 65, 32, 1}, {40, 9, 2, 0, 2},
}

// At every pixel the weights of the tiles sum up to exactly 1.
func TestTilingPartitionOfUnity(t *testing.T) {
	for _, c := range tilings {
		g, err := NewTiling(c[0], c[1], c[2], c[3], c[4])
		if err != nil {
			t.Fatal(err)
		}
		for _, g := range []*Tiling{g, g.Shifted()} {
			image, ones := make([]float32, c[0]*c[1]), slices.Repeat([]float32{1}, g.Size())
			for i := range g.Tiles() {
				g.AddWeighted(image, ones, i, 1)
			}
			for i, v := range image {
				if v != 1 {
					t.Fatalf("%v: the weights of %d tiles at row %d, column %d sum up to %g", c, g.Tiles(), i/c[1], i%c[1], v)
				}
			}
		}
	}
}

// A shifted grid has tiles of the same shape inside the image, one more along an axis with several, and where the
// neighbours of one grid blend along an axis, pixels have one tile in the other.
func TestTilingShifted(t *testing.T) {
	blends := func(spans []span, p int) bool {
		n := 0
		for _, s := range spans {
			if at := p - s.start; at >= 0 && at < len(s.weight) && s.weight[at] > 0 {
				n++
			}
		}
		return n > 1
	}
	for _, c := range [][5]int{{512, 360, 256, 0, 8}, {112, 192, 112, 32, 16}, {1000, 768, 256, 48, 16}} {
		g, err := NewTiling(c[0], c[1], c[2], c[3], c[4])
		if err != nil {
			t.Fatal(err)
		}
		s := g.Shifted()
		if s.TileHeight != g.TileHeight || s.TileWidth != g.TileWidth {
			t.Errorf("%v: tiles of %dx%d for tiles of %dx%d", c, s.TileWidth, s.TileHeight, g.TileWidth, g.TileHeight)
		}
		for _, axis := range []struct {
			length, tile int
			of, shifted  []span
		}{{c[0], g.TileHeight, g.rows, s.rows}, {c[1], g.TileWidth, g.columns, s.columns}} {
			if more := len(axis.shifted) - len(axis.of); len(axis.of) > 1 && more != 1 || len(axis.of) == 1 && more != 0 {
				t.Errorf("%v: %d tiles in place of %d along an axis of %d", c, len(axis.shifted), len(axis.of), axis.length)
			}
			for _, s := range axis.shifted {
				if s.start < 0 || s.start+len(s.weight) > axis.length || len(s.weight) != axis.tile {
					t.Errorf("%v: a tile from %d to %d along an axis of %d", c, s.start, s.start+len(s.weight), axis.length)
				}
			}
			borders := [2]int{}
			for p := range axis.length {
				a, b := blends(axis.of, p), blends(axis.shifted, p)
				if a && b {
					t.Errorf("%v: pixel %d of an axis of %d is at a border of both grids", c, p, axis.length)
				}
				if a {
					borders[0]++
				}
				if b {
					borders[1]++
				}
			}
			if n := len(axis.of); n > 1 && (borders[0] == 0 || borders[1] < borders[0]) {
				t.Errorf("%v: %d and %d pixels of an axis of %d are at borders", c, borders[0], borders[1], axis.length)
			}
		}
	}
}

// The tiles keep to what NewTiling promises: their size, their overlap, their number; and their weights
// are small at their edges and smooth.
func TestTilingGeometry(t *testing.T) {
	for _, c := range tilings {
		g, err := NewTiling(c[0], c[1], c[2], c[3], c[4])
		if err != nil {
			t.Fatal(err)
		}
		overlap := c[3]
		if overlap == 0 {
			overlap = min(DefaultOverlap, c[2]/2)
		}
		for _, axis := range []struct {
			name         string
			length, tile int
			spans        []span
		}{{"rows", c[0], g.TileHeight, g.rows}, {"columns", c[1], g.TileWidth, g.columns}} {
			if axis.length <= c[2] {
				if len(axis.spans) != 1 || axis.tile != axis.length {
					t.Errorf("%v: %d tiles of %d for %d %s that fit into one", c, len(axis.spans), axis.tile, axis.length, axis.name)
				}
				continue
			}
			n := len(axis.spans)
			if axis.tile > c[2] || axis.tile%c[4] != 0 {
				t.Errorf("%v: tiles of %d %s", c, axis.tile, axis.name)
			}
			side := c[2] / c[4] * c[4]
			if fewer := n - 1; fewer*side-(fewer-1)*overlap >= axis.length {
				t.Errorf("%v: %d tiles of %s where %d would do", c, n, axis.name, fewer)
			}
			if shorter := axis.tile - c[4]; n*shorter-(n-1)*overlap >= axis.length {
				t.Errorf("%v: %d tiles of %d %s, %d would do", c, n, axis.tile, axis.name, shorter)
			}
			if axis.spans[0].start != 0 || axis.spans[n-1].start+axis.tile != axis.length {
				t.Errorf("%v: the %s are not covered", c, axis.name)
			}
			for i := range n - 1 {
				if shared := axis.spans[i].start + axis.tile - axis.spans[i+1].start; shared < overlap {
					t.Errorf("%v: tiles %d and %d share %d %s", c, i, i+1, shared, axis.name)
				}
			}
			// A raised cosine has the slope pi/2 over its length, shared out among two tiles at most
			// twice that; and half a pixel from the edge it is (pi/4/length)^2.
			slope := math.Pi/float64(overlap) + 2*weightUnit
			for i, s := range axis.spans {
				for p := range s.weight[1:] {
					if d := math.Abs(float64(s.weight[p+1] - s.weight[p])); d > slope {
						t.Errorf("%v: the weight of tile %d jumps by %g after %d %s", c, i, d, p, axis.name)
					}
				}
				edge := math.Pow(math.Pi/2/float64(overlap), 2) + 2*weightUnit
				if first := float64(s.weight[0]); i > 0 && overlap >= 8 && first > edge {
					t.Errorf("%v: the weight of tile %d begins with %g", c, i, first)
				}
			}
		}
	}
}

func TestTilingErrors(t *testing.T) {
	for _, c := range [][5]int{{512, 512, 48, 32, 16}, {512, 512, 15, 1, 16}, {512, 512, 0, 0, 16}, {512, 512, 1, 0, 1}} {
		if _, err := NewTiling(c[0], c[1], c[2], c[3], c[4]); !errors.Is(err, ErrTile) {
			t.Errorf("%v: %v, want ErrTile", c, err)
		}
	}
	for _, c := range [][5]int{{0, 512, 64, 0, 16}, {512, 512, 64, -1, 16}, {512, 512, 64, 8, 0}} {
		if _, err := NewTiling(c[0], c[1], c[2], c[3], c[4]); err == nil {
			t.Errorf("%v: no error", c)
		}
	}
}

// Cut and Add, and CutWeighted and AddWeighted, are transposes of one another, and a tile is where its
// pixels are.
func TestTilingTransposes(t *testing.T) {
	const channels = 3
	random := rand.New(rand.NewPCG(1, 2))
	normal := func(n int) []float32 {
		v := make([]float32, n)
		for i := range v {
			v[i] = float32(random.NormFloat64())
		}
		return v
	}
	dot := func(a, b []float32) (sum float64) {
		for i := range a {
			sum += float64(a[i]) * float64(b[i])
		}
		return sum
	}
	g, err := NewTiling(70, 101, 48, 12, 4)
	if err != nil {
		t.Fatal(err)
	}
	for i := range g.Tiles() {
		image, tile := normal(70*101*channels), normal(g.Size()*channels)
		cut, sum := make([]float32, len(tile)), make([]float32, len(image))
		g.Cut(cut, image, i, channels)
		g.Add(sum, tile, i, channels)
		if a, b := dot(cut, tile), dot(image, sum); math.Abs(a-b) > 1e-6*norm(cut)*norm(tile) {
			t.Errorf("tile %d: <Cut x, v> is %g, <x, Add v> %g", i, a, b)
		}
		y, x := g.rows[i/len(g.columns)].start, g.columns[i%len(g.columns)].start
		if want := image[((y+5)*101+x+7)*channels+1]; cut[(5*g.TileWidth+7)*channels+1] != want {
			t.Errorf("tile %d: its pixels are not where they should be", i)
		}
		clear(sum)
		g.CutWeighted(cut, image, i, channels)
		g.AddWeighted(sum, tile, i, channels)
		if a, b := dot(cut, tile), dot(image, sum); math.Abs(a-b) > 1e-6*norm(cut)*norm(tile) {
			t.Errorf("tile %d: <CutWeighted x, v> is %g, <x, AddWeighted v> %g", i, a, b)
		}
	}
}

// TileSide is the training size of a network with attention, as long as its attention does something.
func TestTileSide(t *testing.T) {
	c := naturalSmall()
	c.ImageSize = 64
	with, err := Random("attends", c, 1) // in the middle, with random weights
	if err != nil {
		t.Fatal(err)
	}
	without, err := Load("natural-small", LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for d, want := range map[Denoiser]int{with: 64, without: 0, weighing{}: 0} {
		if got := TileSide(d); got != want {
			t.Errorf("%T: %d, want %d", d, got, want)
		}
	}
}
