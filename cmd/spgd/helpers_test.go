package main

import (
	"bytes"
	"context"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed-0f004ec9/spgd/imageio"
	"github.com/seed-0f004ec9/spgd/internal/pjrttest"
	"github.com/seed-0f004ec9/spgd/prior"
	"github.com/seed-0f004ec9/spgd/prior/checkpoint"
)

// pluginEnv names the plugin of a test's process for one that the test starts.
const pluginEnv = "SPGD_TEST_PLUGIN"

// TestMain lets the test binary be the program, for tests that need a process of its own.
func TestMain(m *testing.M) {
	if as := os.Getenv("SPGD_TEST_AS_PROGRAM"); as != "" {
		if as == "keep" {
			checkpointShare = 1
		}
		if path := os.Getenv(pluginEnv); path != "" {
			if err := pjrttest.Use(path); err != nil {
				panic(err)
			}
		}
		main()
	}
	os.Exit(pjrttest.Main(m))
}

// result is what one command line gave.
type result struct {
	code        int
	out, errOut string
}

// invoke runs a command line in this process.
func invoke(t *testing.T, args ...string) result {
	t.Helper()
	return invokeContext(t, context.Background(), args...)
}

func invokeContext(t *testing.T, ctx context.Context, args ...string) result {
	t.Helper()
	var out, errOut bytes.Buffer
	code := run(ctx, args, &out, &errOut)
	return result{code, out.String(), errOut.String()}
}

// mustRun runs a command line that has to succeed and returns its stdout.
func mustRun(t *testing.T, args ...string) string {
	t.Helper()
	r := invoke(t, args...)
	if r.code != exitOK {
		t.Fatalf("spgd %s: exit code %d: %s", strings.Join(args, " "), r.code, r.errOut)
	}
	return r.out
}

// testImage is a smooth picture with every channel different.
func testImage(height, width, channels int) *imageio.Image {
	m := imageio.New(height, width, channels)
	for y := range height {
		for x := range width {
			for c := range channels {
				v := 0.5*math.Sin(float64(x)/5+float64(c)) + 0.3*math.Cos(float64(y)/7-float64(c)*0.6)
				m.Pix[(y*width+x)*channels+c] = float32(v)
			}
		}
	}
	return m
}

// solid is a picture of one colour.
func solid(height, width int, value float32) *imageio.Image {
	m := imageio.New(height, width, 1)
	for i := range m.Pix {
		m.Pix[i] = value
	}
	return m
}

func writeImage(t *testing.T, path string, m *imageio.Image, o imageio.WriteOptions) {
	t.Helper()
	if err := imageio.Write(path, m, o); err != nil {
		t.Fatal(err)
	}
}

func readImage(t *testing.T, path string) (*imageio.Image, imageio.Info) {
	t.Helper()
	m, info, err := imageio.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	return m, info
}

func readBytes(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func writeBytes(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// tinyConfig describes a network of a few thousand weights.
const tinyConfig = `{"image_size": 32, "num_channels": 32, "num_res_blocks": 1, "channel_mult": [1], "attention_resolutions": "", "num_heads": 1}`

// writeCheckpoint writes a checkpoint of tinyConfig. Its last layer is zero, so it predicts no noise.
// change may alter the tensors and the metadata before.
func writeCheckpoint(t *testing.T, path string, change func(tensors map[string]checkpoint.Tensor, metadata map[string]string)) {
	t.Helper()
	config, err := prior.ParseConfig(tinyConfig)
	if err != nil {
		t.Fatal(err)
	}
	tensors := map[string]checkpoint.Tensor{}
	for name, shape := range config.Tensors() {
		n := 1
		for _, d := range shape {
			n *= d
		}
		data := make([]float32, n)
		if !strings.HasPrefix(name, "out.2.") {
			for i := range data {
				data[i] = float32(0.05 * math.Sin(float64(i)))
			}
		}
		tensors[name] = checkpoint.Tensor{Shape: shape, Data: data}
	}
	metadata := map[string]string{"config": tinyConfig}
	if change != nil {
		change(tensors, metadata)
	}
	var b bytes.Buffer
	if err := checkpoint.Write(&b, tensors, metadata); err != nil {
		t.Fatal(err)
	}
	writeBytes(t, path, b.Bytes())
}

// listing is the content of a folder: every file with its bytes.
func listing(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		files[path] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
