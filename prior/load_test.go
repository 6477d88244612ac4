package prior

import (
	"bytes"
	"errors"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	"github.com/seed-0f004ec9/spgd/prior/checkpoint"
)

const tinyConfig = `{"image_size": 16, "num_channels": 32, "num_res_blocks": 1, "channel_mult": "1,1", "num_heads": 2,
	"attention_resolutions": "16", "learn_sigma": true, "resblock_updown": true}`

// tinyWeights is a state dict for tinyConfig.
func tinyWeights(t testing.TB) (Config, map[string]checkpoint.Tensor) {
	t.Helper()
	c, err := ParseConfig(tinyConfig)
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(3, 4))
	weights := map[string]checkpoint.Tensor{}
	for _, l := range c.plan().layers() {
		for _, p := range c.plan().params(l) {
			weights[p.name] = checkpoint.Tensor{Shape: p.shape, Data: randomParam(p, rng)}
		}
	}
	return c, weights
}

func write(t testing.TB, weights map[string]checkpoint.Tensor, metadata map[string]string) string {
	t.Helper()
	var b bytes.Buffer
	if err := checkpoint.Write(&b, weights, metadata); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "prior.safetensors")
	if err := os.WriteFile(path, b.Bytes(), 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLoad(t *testing.T) {
	_, weights := tinyWeights(t)
	m, err := Load(write(t, weights, map[string]string{"config": tinyConfig, "parameterization": "eps", "data_range": "[-1,1]"}), LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if m.Channels() != 3 || m.SizeMultiple() != 2 || len(m.Weights()) != len(weights) {
		t.Errorf("%d channels, size multiple %d, %d weights; want 3, 2, %d", m.Channels(), m.SizeMultiple(), len(m.Weights()), len(weights))
	}
	// The documented order and layouts.
	names := m.weights.names
	if names[0] != "time_embed.0.weight" || names[4] != "input_blocks.0.0.weight" || names[len(names)-1] != "out.2.bias" {
		t.Errorf("weights are in the order %v", names)
	}
	for name, want := range map[string][]int{
		"time_embed.0.weight":                   {32, 128},
		"input_blocks.0.0.weight":               {3, 3, 3, 32},
		"input_blocks.1.1.qkv.weight":           {1, 1, 32, 96},
		"output_blocks.0.0.in_layers.2.weight":  {3, 3, 64, 32},
		"output_blocks.0.0.in_layers.2.bias":    {32},
		"output_blocks.1.1.in_layers.0.weight":  {32},
		"output_blocks.0.0.emb_layers.1.weight": {128, 64},
		"out.2.weight":                          {3, 3, 32, 3}, // without the variances
	} {
		i := slices.Index(names, name)
		if i < 0 {
			t.Errorf("%s is missing", name)
		} else if got := m.Weights()[i].Shape().Dimensions; !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
	// [out,in,H,W] to [H,W,in,out].
	src := weights["input_blocks.0.0.weight"].Data
	dst := values(m.Weights()[slices.Index(names, "input_blocks.0.0.weight")])
	if dst[((2*3+1)*3+2)*32+5] != src[((5*3+2)*3+2)*3+1] {
		t.Error("input_blocks.0.0.weight is not transposed as documented")
	}
}

// TestLoadErrors checks that every fault in a file is an error of its kind that names it.
func TestLoadErrors(t *testing.T) {
	config := map[string]string{"config": tinyConfig}
	const name = "middle_block.0.in_layers.2.weight"
	changed := func(change func(map[string]checkpoint.Tensor)) string {
		_, weights := tinyWeights(t)
		change(weights)
		return write(t, weights, config)
	}
	described := func(metadata map[string]string) string {
		_, weights := tinyWeights(t)
		return write(t, weights, metadata)
	}
	cut := func() string {
		path := described(config)
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data[:len(data)/2], 0o666); err != nil {
			t.Fatal(err)
		}
		return path
	}
	poisoned := func() string {
		path := described(config)
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		copy(data[len(data)-4:], []byte{0, 0, 0xc0, 0x7f}) // NaN, in the last tensor of the file
		if err := os.WriteFile(path, data, 0o666); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, tt := range []struct {
		path, network string
		is            error
		want          string
	}{
		{changed(func(w map[string]checkpoint.Tensor) { delete(w, name) }), "", checkpoint.ErrTensors, "missing: " + name},
		{changed(func(w map[string]checkpoint.Tensor) { w["label_emb.weight"] = w[name] }), "", checkpoint.ErrTensors, "unexpected: label_emb.weight"},
		{changed(func(w map[string]checkpoint.Tensor) {
			w[name] = checkpoint.Tensor{Shape: []int{2, 2}, Data: make([]float32, 4)}
		}), "", checkpoint.ErrTensors, "misshapen: " + name + " is [2 2]"},
		{poisoned(), "", checkpoint.ErrNotFinite, "time_embed.2.weight"},
		{cut(), "", checkpoint.ErrTruncated, ""},
		{described(nil), "", ErrNoConfig, "ffhq256"},
		{described(nil), "ffhq256", checkpoint.ErrTensors, "missing: input_blocks.10.0"},
		{described(nil), "celeba", nil, `no network "celeba"`},
		{described(config), "ffhq256", ErrConfig, "another network than ffhq256"},
		{described(map[string]string{"config": "{}"}), "", ErrConfig, "channel_mult is missing"},
		{described(map[string]string{"config": tinyConfig, "parameterization": "v"}), "", ErrConfig, `parameterization is "v"`},
		{described(map[string]string{"config": tinyConfig, "data_range": "[0,1]"}), "", ErrConfig, `data_range is "[0,1]"`},
		{described(map[string]string{"config": tinyConfig, "schedule": "cosine"}), "", ErrConfig, `schedule is "cosine"`},
		{"no-such-file.safetensors", "", fs.ErrNotExist, "no-such-file.safetensors"},
		{"natural-medium", "", fs.ErrNotExist, "priors/natural-medium.safetensors"},
	} {
		_, err := Load(tt.path, LoadOptions{Network: tt.network})
		if err == nil || tt.is != nil && !errors.Is(err, tt.is) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("error %v, want a %v with %q", err, tt.is, tt.want)
		}
		if err != nil && strings.ContainsAny(err.Error(), "\n") {
			t.Errorf("error of several lines: %v", err)
		}
		if err != nil && strings.Count(err.Error(), "prior: ") != 1 {
			t.Errorf("error without one prefix: %v", err)
		}
	}
}

// TestLoadingLeavesNothing: a large network takes the memory of its weights once, not that of what they
// were made of.
func TestLoadingLeavesNothing(t *testing.T) {
	heap := func() int {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int(m.HeapSys - m.HeapReleased)
	}
	debug.FreeOSMemory()
	before := heap()
	m, err := Load("../priors/natural-medium.safetensors", LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	c := m.Config()
	took, bytes := heap()-before, 4*c.Parameters()
	if bytes < largeWeights {
		t.Fatalf("%d bytes of weights are no test", bytes)
	}
	if took > bytes+bytes/4 {
		t.Errorf("%d bytes of weights take %d", bytes, took)
	}
	runtime.KeepAlive(m)
}

func TestRandom(t *testing.T) {
	c, _ := tinyWeights(t)
	weights := func(seed uint64) []float32 {
		m, err := Random("tiny", c, seed)
		if err != nil {
			t.Fatal(err)
		}
		return values(m.Weights()[slices.Index(m.weights.names, "input_blocks.1.0.in_layers.2.weight")])
	}
	a, b, other := weights(1), weights(1), weights(2)
	if !slices.Equal(a, b) || slices.Equal(a, other) {
		t.Error("weights do not follow the seed")
	}
	if s := norm(a) / math.Sqrt(float64(len(a))); math.Abs(s*math.Sqrt(32*9)-1) > 0.05 {
		t.Errorf("standard deviation %.4f, want 1/sqrt(fan-in)", s)
	}
	c.NumChannels = 0
	if _, err := Random("tiny", c, 1); !errors.Is(err, ErrConfig) {
		t.Errorf("a bad configuration: error %v, want an ErrConfig", err)
	}
}
