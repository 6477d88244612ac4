package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed-0f004ec9/spgd/imageio"
	"github.com/seed-0f004ec9/spgd/report"
)

// TestRestoreTiles: the record says how the picture was cut, and --from cuts it in the same way.
func TestRestoreTiles(t *testing.T) {
	dir := repeatFiles(t)
	writeImage(t, filepath.Join(dir, "large.png"), testImage(36, 61, 3), imageio.WriteOptions{})
	run := func(args string) *report.Run {
		t.Helper()
		return parseRun(t, mustRun(t, append(command(dir, "restore --json --task denoise --noise 0.1 "+args+tiny), few...)...))
	}
	r := run("--tile 40 large.png -o a.png")
	if want := (report.Tiles{Side: 40, Width: 34, Height: 36, Overlap: 20, Number: 3}); r.Tiles == nil || *r.Tiles != want || r.Padded != nil {
		t.Errorf("tiles %+v, padded %+v, want %+v and nothing", r.Tiles, r.Padded, want)
	}
	if r.Steps[0].AngleDenoiseLikelihood != nil {
		t.Error("a run in tiles reports angles")
	}
	again := parseRun(t, mustRun(t, command(dir, "restore --json -q --from a.png large.png -o b.png"+tiny)...))
	if again.Repeat == nil || !again.Repeat.Identical || again.Tiles == nil || *again.Tiles != *r.Tiles {
		t.Errorf("repeated: %+v, with tiles %+v", again.Repeat, again.Tiles)
	}
	// The prior has attention and was trained at 32x32.
	if r := run("large.png -o auto.png"); r.Tiles == nil || r.Tiles.Side != 32 {
		t.Errorf("auto: tiles %+v, want a side of 32", r.Tiles)
	}
	whole := run("--tile off large.png -o whole.png")
	if whole.Tiles != nil || whole.Padded == nil {
		t.Errorf("off: tiles %+v, padded %+v", whole.Tiles, whole.Padded)
	}
	if r := run("--tile 61 large.png -o same.png"); r.Tiles != nil {
		t.Errorf("the tile is as large as the picture: %+v", r.Tiles)
	}
	mustRun(t, command(dir, "restore -q --from whole.png large.png -o b.png"+tiny)...)
}

func TestTileErrors(t *testing.T) {
	dir := repeatFiles(t)
	for tile, want := range map[string]string{"0": "want a number of pixels", "-3": "want a number", "large": "want a number", "1": "tile too small"} {
		r := invoke(t, command(dir, strings.TrimSpace("restore --task denoise --noise 0.1 photo.png -o out.png --tile="+tile+tiny))...)
		checkError(t, r, exitUsage, want)
	}
}
