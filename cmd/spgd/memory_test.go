package main

import (
	"math"
	"os"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/seed-0f004ec9/spgd/imageio"
	"github.com/seed-0f004ec9/spgd/internal/bytesize"
)

// TestRestoreMemory: the log says what a restoration takes, --memory chooses the tiles and nothing else,
// and what does not fit is refused with the flags that help.
func TestRestoreMemory(t *testing.T) {
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(math.MaxInt64)) // which --memory lowers
	dir := repeatFiles(t)
	writeImage(t, filepath.Join(dir, "large.png"), testImage(96, 140, 3), imageio.WriteOptions{})
	restore := func(args string) result {
		t.Helper()
		return invoke(t, command(dir, "restore --task denoise --noise 0.1 --steps 2 --warmup 1 large.png "+args+tiny)...)
	}
	r := restore("-o a.png --memory 8GB")
	if r.code != exitOK {
		t.Fatal(r.errOut)
	}
	about := regexp.MustCompile(`about ([0-9.]+ [kMG]B), [0-9]+ tiles of 32x32 pixels`).FindStringSubmatch(r.errOut)
	if about == nil {
		t.Fatalf("no estimate and no tiles in %q", r.errOut)
	}
	if n, err := bytesize.Parse(about[1]); err != nil || n < 20e6 || n > 8e9 {
		t.Errorf("an estimate of %s", about[1])
	}
	if limit := debug.SetMemoryLimit(-1); limit != 8e9 {
		t.Errorf("the collector's limit is %d, want 8 GB", limit)
	}
	if r := restore("-o b.png --memory 4GiB"); r.code != exitOK {
		t.Fatal(r.errOut)
	}
	a, errA := os.ReadFile(filepath.Join(dir, "a.png"))
	b, errB := os.ReadFile(filepath.Join(dir, "b.png"))
	if errA != nil || errB != nil {
		t.Fatal(errA, errB)
	}
	if string(a) != string(b) {
		t.Error("another budget, under which the tiles are the same, changes the bytes")
	}
	if r := restore("-o c.png --tile off"); r.code != exitOK || !strings.Contains(r.errOut, "whole image") {
		t.Errorf("--tile off: %q", r.errOut)
	}
	if r := invoke(t, command(dir, "restore --from a.png large.png -o d.png --memory 3GB"+tiny)...); r.code != exitOK {
		t.Errorf("--from with --memory: %s", r.errOut)
	}

	for args, want := range map[string]string{
		"--memory 1MB":              "of 1.0 MB that it may use: that is with tiles of 32 pixels, the smallest; allow more with --memory",
		"--memory 1MB --tile off":   "--tile auto takes less, or allow more with --memory",
		"--memory 1MB --tile 64":    "a smaller tile than --tile 64 takes less",
		"--memory 1MB --from a.png": "allow more with --memory",
	} {
		var r result
		if strings.Contains(args, "--from") {
			r = invoke(t, command(dir, "restore large.png -o out.png "+args+tiny)...)
		} else {
			r = restore("-o out.png " + args)
		}
		checkError(t, r, exitMemory, want)
		checkError(t, r, exitMemory, "not enough memory: the restoration takes")
	}
	checkError(t, restore("-o out.png --memory lots"), exitUsage, `--memory: "lots" is not an amount of memory`)
}
