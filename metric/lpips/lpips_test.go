package lpips

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed-0f004ec9/spgd/engine"
	"github.com/seed-0f004ec9/spgd/imageio"
	"github.com/seed-0f004ec9/spgd/metric"
	"github.com/seed-0f004ec9/spgd/prior/checkpoint"
)

// uniform repeats the hash of testdata/make.py: numbers in [0,1).
func uniform(stream uint64, i int) float64 {
	x := uint32(stream*0x9E3779B9) + uint32(i)
	x = (x ^ x>>16) * 0x7FEB352D
	x = (x ^ x>>15) * 0x846CA68B
	return float64(x^x>>16) / (1 << 32)
}

// randomTensors are a network's tensors as testdata/make.py draws them.
func randomTensors(a architecture) map[string]checkpoint.Tensor {
	ts := map[string]checkpoint.Tensor{}
	stream := uint64(0)
	draw := func(name string, low, high float64, shape ...int) {
		stream++
		n := 1
		for _, d := range shape {
			n *= d
		}
		t := checkpoint.Tensor{Shape: shape, Data: make([]float32, n)}
		for i := range t.Data {
			t.Data[i] = float32(low + float64((high-low)*uniform(stream, i)))
		}
		ts[name] = t
	}
	for _, l := range a.layers {
		for _, c := range l.convolutions() {
			bound := math.Sqrt(6 / float64(c.in*c.side*c.side))
			draw(features+c.name+".weight", -bound, bound, c.out, c.in, c.side, c.side)
			draw(features+c.name+".bias", -0.1, 0.1, c.out)
		}
	}
	for i, n := range a.taps() {
		draw(head(i), 0, 1, 1, n, 1, 1)
	}
	return ts
}

// picture repeats image of testdata/make.py.
func picture(seed, height, width int) *imageio.Image {
	m := imageio.New(height, width, 3)
	for y := range height {
		for x := range width {
			for c := range 3 {
				noise := int(uniform(uint64(1000+seed), (c*height+y)*width+x) * 64)
				wave := (x*(3+c)+y*(7-2*c)+40*seed)%256 - 128
				m.Pix[(y*width+x)*3+c] = float32((max(wave, -wave)+noise)%257-128) / 128
			}
		}
	}
	return m
}

func newMeter(t *testing.T, n *Network) *Meter {
	t.Helper()
	e, err := engine.New(engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	m, err := n.Meter(e)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return m
}

func network(t *testing.T, name string) *Network {
	t.Helper()
	n, err := newNetwork(&checkpoint.File{Name: name, Tensors: randomTensors(architectures[name])})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestGolden compares every term of the distance with PyTorch's, on random weights.
func TestGolden(t *testing.T) {
	data, err := os.ReadFile("testdata/lpips.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Network       string
		Height, Width int
		Terms         []float64
	}
	if err := json.Unmarshal(data, &cases); err != nil {
		t.Fatal(err)
	}
	meters := map[string]*Meter{}
	worst := 0.0
	for _, c := range cases {
		if testing.Short() && c.Network == "vgg16" {
			continue
		}
		m := meters[c.Network]
		if m == nil {
			m = newMeter(t, network(t, c.Network))
			meters[c.Network] = m
		}
		a, b := picture(0, c.Height, c.Width), picture(1, c.Height, c.Width)
		terms, err := m.layers(a, b)
		if err != nil {
			t.Fatal(err)
		}
		if len(terms) != len(c.Terms) {
			t.Fatalf("%s has %d terms, want %d", c.Network, len(terms), len(c.Terms))
		}
		for i, v := range terms {
			d := math.Abs(v-c.Terms[i]) / c.Terms[i]
			worst = max(worst, d)
			if d > 2e-5 {
				t.Errorf("%s, %dx%d: term %d is %.8f, want %.8f", c.Network, c.Width, c.Height, i, v, c.Terms[i])
			}
		}
	}
	if len(meters) < 2 {
		t.Errorf("%d networks", len(meters))
	}
	t.Logf("largest relative difference of a term %.2g", worst)
}

// TestDistance: identical images have none, the order does not matter, grey is three equal channels,
// and values beyond the range count as black or white.
func TestDistance(t *testing.T) {
	m := newMeter(t, network(t, "squeezenet"))
	a, b := picture(2, 40, 48), picture(3, 40, 48)
	distance := func(a, b *imageio.Image) float64 {
		t.Helper()
		v, err := m.Distance(a, b)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	if v := distance(a, a); v != 0 {
		t.Errorf("an image is %v from itself", v)
	}
	if x, y := distance(a, b), distance(b, a); x <= 0 || x != y {
		t.Errorf("distances %v and, exchanged, %v", x, y)
	}
	if x, y := distance(a.Grey(), b), distance(a.Grey().RGB(), b); x != y {
		t.Errorf("grey %v, three equal channels %v", x, y)
	}
	over, edge := a.Clone(), a.Clone()
	over.Pix[7], edge.Pix[7] = 3, 1
	if x, y := distance(over, b), distance(edge, b); x != y {
		t.Errorf("beyond the range %v, at its end %v", x, y)
	}
	// Another size needs another program.
	if v := distance(picture(2, 33, 20), picture(3, 33, 20)); v <= 0 {
		t.Errorf("distance %v", v)
	}
}

func TestDistanceErrors(t *testing.T) {
	m := newMeter(t, network(t, "squeezenet"))
	nan := picture(0, 40, 40)
	nan.Pix[3] = float32(math.NaN())
	least := m.network.MinSide()
	for _, c := range []struct {
		a, b *imageio.Image
		is   error
	}{
		{picture(0, 40, 40), picture(0, 40, 41), metric.ErrSize},
		{picture(0, least-1, 40), picture(0, least-1, 40), metric.ErrSize},
		{picture(0, 40, 40), nan, imageio.ErrNotFinite},
	} {
		if _, err := m.Distance(c.a, c.b); !errors.Is(err, c.is) {
			t.Errorf("error %v, want %v", err, c.is)
		}
	}
	if _, err := m.Distance(picture(0, least, least), picture(1, least, least)); err != nil {
		t.Errorf("the smallest images, of %d pixels: %v", least, err)
	}
	for name, want := range map[string]int{"vgg16": 16, "alexnet": 31, "squeezenet": 17} {
		if n := architectures[name].smallest(); n != want {
			t.Errorf("%s takes images from %d pixels, want %d", name, n, want)
		}
	}
}

// TestLoad: safetensors for the network, PyTorch's own file for the heads; the tensors of a classifier
// and of other things are left alone.
func TestLoad(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, ts map[string]checkpoint.Tensor) string {
		var b bytes.Buffer
		if err := checkpoint.Write(&b, ts, nil); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	// without returns the tensors but for one, changed by add.
	without := func(from map[string]checkpoint.Tensor, name string) map[string]checkpoint.Tensor {
		to := map[string]checkpoint.Tensor{"classifier.1.weight": {Shape: []int{1}, Data: []float32{1}}}
		for n, x := range from {
			if n != name {
				to[n] = x
			}
		}
		return to
	}
	both := randomTensors(architectures["alexnet"])
	body := map[string]checkpoint.Tensor{}
	for n, x := range both {
		if strings.HasPrefix(n, features) {
			body[n] = x
		}
	}
	path := write("body.safetensors", without(body, ""))
	n, err := Load(path, "testdata/heads_alexnet.pth")
	if err != nil {
		t.Fatal(err)
	}
	if n.Name() != "alexnet" {
		t.Errorf("network %s", n.Name())
	}
	a, b := picture(0, 40, 40), picture(1, 40, 40)
	got, err := newMeter(t, n).Distance(a, b)
	want, err2 := newMeter(t, network(t, "alexnet")).Distance(a, b)
	if err != nil || err2 != nil || got != want {
		t.Errorf("from files %v (%v), from memory %v (%v)", got, err, want, err2)
	}
	if _, err := Load(write("both.safetensors", both)); err != nil {
		t.Errorf("network and heads in one file: %v", err)
	}

	extra := without(body, "")
	extra["features.1.running_mean"] = checkpoint.Tensor{Shape: []int{1}, Data: []float32{0}}
	odd := without(body, "")
	odd["features.0.weight"] = checkpoint.Tensor{Shape: []int{1}, Data: []float32{0}}
	heads := "testdata/heads_alexnet.pth"
	for name, c := range map[string]struct {
		paths []string
		says  string
	}{
		"no heads":       {[]string{path}, "5 missing: lin0.model.1.weight"},
		"no network":     {[]string{heads}, "the network is missing"},
		"missing":        {[]string{write("m", without(body, "features.3.bias")), heads}, "1 missing: features.3.bias"},
		"extra":          {[]string{write("e", extra), heads}, "1 unexpected: features.1.running_mean"},
		"another":        {[]string{write("o", odd), heads}, "[1], which is neither VGG-16's"},
		"twice":          {[]string{path, path, heads}, "is in an earlier file too"},
		"nothing":        {[]string{write("c", map[string]checkpoint.Tensor{"x": {Shape: []int{1}, Data: []float32{0}}})}, "neither a network"},
		"other's heads":  {[]string{write("s", randomTensors(architectures["squeezenet"])), heads}, "is in an earlier file too"},
		"heads misshape": {[]string{write("v", squeezeBody()), heads}, "lin1.model.1.weight is [1 192 1 1] instead of [1 128 1 1]"},
	} {
		_, err := Load(c.paths...)
		if !errors.Is(err, checkpoint.ErrTensors) || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Load(filepath.Join(dir, "nothing")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
}

func squeezeBody() map[string]checkpoint.Tensor {
	ts := randomTensors(architectures["squeezenet"])
	for name := range ts {
		if strings.HasPrefix(name, "lin") {
			delete(ts, name)
		}
	}
	return ts
}
