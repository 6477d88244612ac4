package main

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/spf13/pflag"

	"github.com/seed-0f004ec9/spgd/operator"
	"github.com/seed-0f004ec9/spgd/prior"
	"github.com/seed-0f004ec9/spgd/report"
	"github.com/seed-0f004ec9/spgd/sampler"
)

// Values of --tile beside a number of pixels.
const (
	tileAuto = "auto"
	tileOff  = "off"
)

// tileOptions say how large pictures are cut into tiles for the prior.
type tileOptions struct{ tile string }

// AddFlags adds them.
func (o *tileOptions) AddFlags(f *pflag.FlagSet) {
	f.StringVar(&o.tile, "tile", tileAuto, "largest `SIDE` in pixels of the overlapping tiles in which the prior sees a picture, or off:\n"+
		"auto takes 256 (restore with too little memory 192 or 128); larger ones take less time and more memory")
}

// check checks the flag.
func (o *tileOptions) check() error {
	if o.tile == tileAuto || o.tile == tileOff {
		return nil
	}
	if n, err := strconv.Atoi(o.tile); err != nil || n < 1 {
		return usagef("--tile %s: want a number of pixels, %s or %s", o.tile, tileAuto, tileOff)
	}
	return nil
}

// sides lists the sides of tiles to choose from for a prior and the images of an operator, 0 for whole
// images; none leaves the choice to the memory.
func (o *tileOptions) sides(d prior.Denoiser, op operator.Operator) ([]int, error) {
	switch o.tile {
	case tileOff:
		return []int{0}, nil
	case tileAuto:
		return nil, nil
	}
	side, err := strconv.Atoi(o.tile)
	if err != nil {
		return nil, err
	}
	h, w := op.ImageSize()
	if _, err := prior.NewTiling(h, w, side, 0, d.SizeMultiple()); err != nil {
		if errors.Is(err, prior.ErrTile) {
			return nil, usagef("--tile %s: %v", o.tile, err)
		}
		return nil, err
	}
	return []int{side}, nil
}

// of returns the tiles of pictures of a size, nil where those stay whole; auto is what it is with memory enough.
func (o *tileOptions) of(d prior.Denoiser, height, width int) (*report.Tiles, error) {
	op, err := operator.NewDenoise(height, width) // any of this size
	if err != nil {
		return nil, err
	}
	sides, err := o.sides(d, op)
	if err != nil {
		return nil, err
	}
	if len(sides) == 0 {
		sides = []int{sampler.FitTiles(d, op)[0].Side}
	}
	return tilesRecord(sides[0], d, op)
}

// repeated sets the flag to what an earlier run used.
func (o *tileOptions) repeated(r *report.Run) {
	o.tile = tileOff
	if r.Tiles != nil {
		o.tile = strconv.Itoa(r.Tiles.Side)
	}
}

// tilesRecord describes the tiles of a run; it is nil where the images stay whole.
func tilesRecord(side int, d prior.Denoiser, op operator.Operator) (*report.Tiles, error) {
	h, w := op.ImageSize()
	if side == 0 || side >= max(h, w) {
		return nil, nil
	}
	t, err := prior.NewTiling(h, w, side, 0, d.SizeMultiple())
	if err != nil {
		return nil, err
	}
	return &report.Tiles{Side: side, Width: t.TileWidth, Height: t.TileHeight, Overlap: t.Overlap, Number: t.Tiles()}, nil
}

// describeTiles says how the prior sees the images of a run.
func describeTiles(t *report.Tiles) string {
	if t == nil {
		return "whole image"
	}
	return fmt.Sprintf("%d tiles of %dx%d pixels that overlap by %d or more", t.Number, t.Width, t.Height, t.Overlap)
}
