package html

import (
	"bytes"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The page in a real browser: nothing to complain about, nothing asked for, and a slider that follows
// pointer and keys. What it shows is read off a screenshot: the measurement is red, the result blue.
func TestPageInChromium(t *testing.T) {
	path := filepath.Join(t.TempDir(), "page.html")
	if err := os.WriteFile(path, []byte(write(t, example())), 0o644); err != nil {
		t.Fatal(err)
	}
	c := startChromium(t)
	const width, height = 1280, 900
	view := func(w int, scheme, media string) {
		c.call("Emulation.setDeviceMetricsOverride", map[string]any{"width": w, "height": height, "deviceScaleFactor": 1, "mobile": w < 600}, nil)
		c.call("Emulation.setEmulatedMedia", map[string]any{"media": media, "features": []map[string]any{{"name": "prefers-color-scheme", "value": scheme}}}, nil)
	}
	view(width, "light", "screen")
	c.open("file://" + filepath.ToSlash(path))

	var frame struct{ X, Y, W, H float64 }
	c.evaluate(`(() => { const r = document.querySelector(".frame").getBoundingClientRect(); return {X: r.x, Y: r.y, W: r.width, H: r.height} })()`, &frame)
	if frame.W != 96*6 || frame.H != 64*6 {
		t.Fatalf("the slider has the size %g x %g", frame.W, frame.H)
	}
	y := frame.Y + frame.H*0.8 // below the labels and the handle
	// boundary is how much of the width shows the measurement.
	boundary := func() float64 {
		t.Helper()
		img, err := png.Decode(bytes.NewReader(c.screenshot(width, height)))
		if err != nil {
			t.Fatal(err)
		}
		red := 0
		for x := range int(frame.W) {
			if isRed(img, int(frame.X)+x, int(y)) {
				red++
			}
		}
		return float64(red) / frame.W
	}
	near := func(what string, want float64) {
		t.Helper()
		if got := boundary(); got < want-0.015 || got > want+0.015 { // of which the handle takes 0.005
			t.Errorf("%s: the measurement takes %.3f of the width, want %.3f", what, got, want)
		}
	}
	near("at first", 0.5)
	at := func(share float64) float64 { return frame.X + share*frame.W }
	c.mouse("mousePressed", at(0.5), y)
	for _, share := range []float64{0.45, 0.3, 0.2} {
		c.mouse("mouseMoved", at(share), y)
	}
	near("dragged", 0.2)
	c.mouse("mouseReleased", at(0.2), y)
	c.mouse("mouseMoved", at(0.9), y)
	near("released", 0.2)
	c.mouse("mousePressed", at(0.7), y)
	c.mouse("mouseReleased", at(0.7), y)
	near("clicked", 0.7)
	c.key("ArrowRight", 39, 0)
	near("arrow", 0.72)
	c.key("ArrowLeft", 37, 8)
	near("shift and arrow", 0.62)
	c.key("Home", 36, 0)
	near("home", 0)
	c.key("End", 35, 0)
	near("end", 1)

	var label, value string
	c.evaluate(`document.querySelector(".frame input").getAttribute("aria-label")`, &label)
	c.evaluate(`document.querySelector(".frame input").getAttribute("aria-valuetext")`, &value)
	if !strings.Contains(label, "Measurement") || value != "100 % from the left" {
		t.Errorf("a screen reader is told %q, %q", label, value)
	}

	// The colours follow the system, and the plots with them.
	colours := func() (list []string) {
		c.evaluate(`[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.querySelector(".plot .s1.line")).stroke, getComputedStyle(document.querySelector(".plot .strong")).fill]`, &list)
		return list
	}
	light := colours()
	view(width, "dark", "screen")
	for i, dark := range colours() {
		if dark == light[i] {
			t.Errorf("%s in the light and in the dark", dark)
		}
	}
	// Nothing is wider than a telephone.
	view(360, "light", "screen")
	var w int
	c.evaluate(`document.documentElement.scrollWidth`, &w)
	if w > 360 {
		t.Errorf("the page is %d pixels wide on a screen of 360", w)
	}
	// On paper both pictures are there, side by side.
	view(width, "light", "print")
	var paper struct {
		Clip          string
		Before, After float64
	}
	c.evaluate(`(() => { const x = (s) => document.querySelector(s).getBoundingClientRect().x; return {Clip: getComputedStyle(document.querySelector(".before")).clipPath, Before: x(".before"), After: x(".after")} })()`, &paper)
	if paper.Clip != "none" || paper.Before >= paper.After {
		t.Errorf("on paper: %+v", paper)
	}

	if list := c.complaints(); len(list) > 0 {
		t.Errorf("the browser complains: %s", strings.Join(list, "; "))
	}
	if list := c.requests(); len(list) != 1 || !strings.HasPrefix(list[0], "file://") {
		t.Errorf("the page asks for %v", list)
	}
}

// The test above would see a page that misbehaves.
func TestChromiumComplains(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bad.html")
	bad := `<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'unsafe-inline'"><p style="color:red">x<img src="other.png"><script>console.error("one"); undefinedName()</script>`
	if err := os.WriteFile(path, []byte(bad), 0o644); err != nil {
		t.Fatal(err)
	}
	c := startChromium(t)
	c.open("file://" + filepath.ToSlash(path))
	list := c.complaints()
	for _, want := range []string{"exception", "console", "log"} {
		if !slices.ContainsFunc(list, func(s string) bool { return strings.HasPrefix(s, want) }) {
			t.Errorf("no complaint of the kind %q: %q", want, list)
		}
	}
}

func isRed(img image.Image, x, y int) bool {
	r, _, b, _ := img.At(x, y).RGBA()
	return r > 3*b && r > 0x8000
}
