package prior

import (
	"errors"
	"fmt"
	"math"
)

// ErrTile is wrapped by the errors of tiles that are too small.
var ErrTile = errors.New("tile too small")

// DefaultOverlap is the least number of pixels that neighbouring tiles share unless their side is
// less than twice that. An estimate of natural-small differs from that of the whole image by the more the
// nearer a pixel lies to the tile's edge, up to some 32 pixels. With an overlap of 32 and tiles of 272 the
// estimates differ where tiles overlap by 1.03 to 1.08 of what they differ elsewhere, with one of 48 by 0.98 to
// 1.01, and larger ones change no more.
const DefaultOverlap = 48

// Tiling covers an image with overlapping tiles of one size, so that a denoiser needs memory for a
// tile and not for the image:
//
//	x0hat = sum_i w_i P_i^T D(P_i x; sigma)
//
// where P_i cuts out tile i and the weights w_i are products of a weight by row and one by column.
// They fall smoothly to the tiles' edges inside the image and are multiples of 2^-24 whose sum is 1 at every
// pixel, exactly, in float32 too: a partition of unity.
type Tiling struct {
	Height, Width         int // of the image
	TileHeight, TileWidth int
	Overlap               int // the least that neighbours share, 0 if there are none
	rows, columns         []span
}

// span is a tile's place along one axis, and its weights there.
type span struct {
	start  int
	weight []float32
}

// NewTiling covers an image of height x width with tiles of at most side x side pixels that share at
// least overlap pixels with their neighbours, at most half of the side; an overlap of 0 is
// DefaultOverlap, or half the side if that is less. Where several tiles are needed along an axis, their length is a multiple of multiple (a
// denoiser's SizeMultiple) no larger than it takes for their number, and they are spread evenly: few
// pixels are computed twice. An axis no longer than side has one tile, which is the whole axis. The
// error is an ErrTile.
func NewTiling(height, width, side, overlap, multiple int) (*Tiling, error) {
	if height < 1 || width < 1 || multiple < 1 || overlap < 0 {
		return nil, fmt.Errorf("prior: tiles for an image of %dx%d that overlap by %d, in multiples of %d", height, width, overlap, multiple)
	}
	whole := side / multiple * multiple
	if overlap == 0 {
		overlap = max(1, min(DefaultOverlap, whole/2))
	}
	if whole < 2*overlap {
		least := (2*overlap + multiple - 1) / multiple * multiple
		return nil, fmt.Errorf("prior: %w: %d pixels, want at least %d for tiles in multiples of %d that overlap by %d", ErrTile, side, least, multiple, overlap)
	}
	t := &Tiling{Height: height, Width: width}
	t.TileHeight, t.rows = cover(height, side, overlap, multiple)
	t.TileWidth, t.columns = cover(width, side, overlap, multiple)
	if t.Tiles() > 1 {
		t.Overlap = overlap
	}
	return t, nil
}

// cover places tiles along an axis of the given length.
func cover(length, side, overlap, multiple int) (tile int, spans []span) {
	if length <= side {
		return length, []span{{weight: unity(length)}}
	}
	side = side / multiple * multiple
	n := (length - overlap + side - overlap - 1) / (side - overlap) // n side - (n-1) overlap >= length
	tile = ((length+(n-1)*overlap+n-1)/n + multiple - 1) / multiple * multiple
	for i := range n {
		spans = append(spans, span{start: (i*(length-tile) + (n-1)/2) / max(1, n-1), weight: make([]float32, tile)})
	}
	for p := range length {
		blend(spans, p, overlap, length)
	}
	return tile, spans
}

// Shifted is another grid of tiles of the same shape for the same image, with one tile more along every axis
// that has several: where neighbours of the one grid blend, pixels lie in the middle of a tile of the
// other, and over as many pixels. So what borders do can be told from what the image does there.
func (t *Tiling) Shifted() *Tiling {
	s := *t
	s.rows = shift(t.rows, t.Height, t.TileHeight, t.Overlap)
	s.columns = shift(t.columns, t.Width, t.TileWidth, t.Overlap)
	return &s
}

// shift places tiles halfway between others, and the first and the last where they were. These blend with their
// new neighbours over as many pixels as with their old ones, and have no weight beyond.
func shift(spans []span, length, tile, overlap int) []span {
	n := len(spans)
	if n == 1 {
		return spans
	}
	shared := func(i int) int { return spans[i].start + tile - spans[i+1].start }
	middle := func(i int) int { return (spans[i].start + spans[i+1].start) / 2 }
	shifted := []span{{0, make([]float32, middle(0)+shared(0))}}
	for i := range n - 1 {
		shifted = append(shifted, span{middle(i), make([]float32, tile)})
	}
	last := middle(n-2) + tile - shared(n-2)
	shifted = append(shifted, span{last, make([]float32, length-last)})
	for p := range length {
		blend(shifted, p, overlap, length)
	}
	shifted[0].weight = append(shifted[0].weight, make([]float32, tile-len(shifted[0].weight))...)
	shifted[n] = span{length - tile, append(make([]float32, tile-len(shifted[n].weight)), shifted[n].weight...)}
	return shifted
}

func unity(n int) []float32 {
	w := make([]float32, n)
	for i := range w {
		w[i] = 1
	}
	return w
}

// weightUnit is the unit of the weights along an axis. A product of two is a multiple of its square,
// 2^-24, and so are sums of products, all at most 1: none is rounded in float32.
const weightUnit = 1.0 / (1 << 12)

// blend shares pixel p of an axis out among the tiles that hold it, in proportion to raised cosines that
// rise from the tiles' edges over the length of the overlap. The edges of the image do not count.
func blend(spans []span, p, overlap, length int) {
	var shares []float64
	total := 0.0
	for _, s := range spans {
		share := 0.0
		if at := p - s.start; at >= 0 && at < len(s.weight) {
			share = 1
			if s.start > 0 {
				share *= ramp(at, overlap)
			}
			if s.start+len(s.weight) < length {
				share *= ramp(len(s.weight)-1-at, overlap)
			}
		}
		shares = append(shares, share)
		total += share
	}
	left, largest := 1.0, 0
	for i, s := range spans {
		if shares[i] == 0 {
			continue
		}
		w := math.Round(shares[i]/total/weightUnit) * weightUnit
		s.weight[p-s.start] = float32(w)
		left -= w
		if shares[i] > shares[largest] {
			largest = i
		}
	}
	spans[largest].weight[p-spans[largest].start] += float32(left)
}

// ramp is the raised cosine at a pixel that has the given number of others between itself and the edge.
func ramp(distance, overlap int) float64 {
	if distance >= overlap {
		return 1
	}
	s := math.Sin(math.Pi / 2 * (float64(distance) + 0.5) / float64(overlap))
	return s * s
}

// Tiles is the number of tiles.
func (t *Tiling) Tiles() int { return len(t.rows) * len(t.columns) }

// Size is the number of pixels of a tile.
func (t *Tiling) Size() int { return t.TileHeight * t.TileWidth }

// Cut copies tile i of an image [H,W,channels] to tile, [TileHeight,TileWidth,channels]: P_i x.
func (t *Tiling) Cut(tile, image []float32, i, channels int) {
	t.visit(i, channels, func(at, from int, _ float32, _ []float32) {
		n := t.TileWidth * channels
		copy(tile[at:][:n], image[from:][:n])
	})
}

// CutWeighted copies tile i of an image times its weights to tile: w_i P_i x, the
// transpose of AddWeighted.
func (t *Tiling) CutWeighted(tile, image []float32, i, channels int) {
	t.visit(i, channels, func(at, from int, row float32, columns []float32) {
		for x, w := range columns {
			w *= row
			for c := range channels {
				tile[at+x*channels+c] = w * image[from+x*channels+c]
			}
		}
	})
}

// AddWeighted adds tile i times its weights to an image: image += w_i P_i^T tile.
func (t *Tiling) AddWeighted(image, tile []float32, i, channels int) {
	t.visit(i, channels, func(at, to int, row float32, columns []float32) {
		for x, w := range columns {
			w *= row
			for c := range channels {
				image[to+x*channels+c] += w * tile[at+x*channels+c]
			}
		}
	})
}

// Add adds tile i to an image: image += P_i^T tile, the transpose of Cut.
func (t *Tiling) Add(image, tile []float32, i, channels int) {
	t.visit(i, channels, func(at, to int, _ float32, _ []float32) {
		n := t.TileWidth * channels
		from := tile[at:][:n]
		for j, v := range from {
			image[to+j] += v
		}
	})
}

// visit calls f for every row of tile i with the row's place in the tile and in the image, its weight
// and those of the columns.
func (t *Tiling) visit(i, channels int, f func(at, place int, row float32, columns []float32)) {
	rows, columns := t.rows[i/len(t.columns)], t.columns[i%len(t.columns)]
	for y, w := range rows.weight {
		f(y*t.TileWidth*channels, ((rows.start+y)*t.Width+columns.start)*channels, w, columns.weight)
	}
}
