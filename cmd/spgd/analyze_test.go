package main

import (
	"bytes"
	"encoding/json"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seed-0f004ec9/spgd/imageio"
	"github.com/seed-0f004ec9/spgd/internal/dynamics"
)

func TestAnalyze(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	writeImage(t, in("photo.png"), testImage(24, 40, 3), imageio.WriteOptions{})
	writeCheckpoint(t, in("tiny.safetensors"), nil)
	args := command(dir, "analyze photo.png -q --json --task sr:2@0.05 --size 16 --seeds 2 --nfe 8 --prior tiny.safetensors -o out")
	out := mustRun(t, args...)
	var s dynamics.Study
	if err := json.Unmarshal([]byte(out), &s); err != nil {
		t.Fatal(err)
	}
	if len(s.Methods) != 3 || len(s.Runs) != 6 || s.Task != "sr:2@0.05" || s.Image.Width != 16 || s.Image.Path != "photo.png" {
		t.Errorf("%d methods, %d runs, task %s, image %+v", len(s.Methods), len(s.Runs), s.Task, s.Image)
	}
	for _, r := range s.Runs { // as many evaluations with warm-up and without
		if r.NFE != 8 || len(r.Points) != 8 {
			t.Errorf("%s: %d evaluations, %d points", r.Method, r.NFE, len(r.Points))
		}
	}
	entries, err := os.ReadDir(in("out"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if want := []string{analysisPNG, analysisSVG, analysisCSV, analysisJSON, analysisPage}; !slices.Equal(names, want) {
		t.Errorf("files %v, want %v", names, want)
	}
	if _, err := png.DecodeConfig(bytes.NewReader(readBytes(t, filepath.Join(in("out"), analysisPNG)))); err != nil {
		t.Error(err)
	}
	if file := string(readBytes(t, filepath.Join(in("out"), analysisJSON))); strings.Contains(file, dir) {
		t.Error("the file tells folders")
	}
	before := listing(t, in("out"))
	text := mustRun(t, slices.DeleteFunc(args, func(a string) bool { return a == "--json" })...)
	for path, data := range listing(t, in("out")) {
		if before[path] != data {
			t.Errorf("%s is another the second time", path)
		}
	}
	if !strings.Contains(text, "Neither of them") || !strings.Contains(text, analysisPage) {
		t.Errorf("stdout: %s", text)
	}
}
