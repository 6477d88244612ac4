package main

import (
	"encoding/json"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seed-0f004ec9/spgd/engine/xla"
	"github.com/seed-0f004ec9/spgd/imageio"
	"github.com/seed-0f004ec9/spgd/internal/pjrttest"
)

// TestDevices lists devices of a machine whose plugin is a file that is no library.
func TestDevices(t *testing.T) {
	plugin := filepath.Join(t.TempDir(), "xla_cuda_plugin.so")
	writeBytes(t, plugin, []byte("no library"))
	t.Setenv(xla.EnvPlugin, plugin)
	var d devicesInfo
	if err := json.Unmarshal([]byte(mustRun(t, "devices", "--json")), &d); err != nil {
		t.Fatal(err)
	}
	if d.CPU.ISA == "" || d.CPU.Threads < 1 || !slices.Contains(d.CPU.Precisions, "f32") {
		t.Errorf("cpu: %+v", d.CPU)
	}
	if len(d.Plugins) == 0 || d.Plugins[0].Path != plugin || d.Plugins[0].Source != xla.EnvPlugin || d.Plugins[0].Error == "" {
		t.Errorf("plugins: %+v", d.Plugins)
	}
	if d.CUDA.Usable || d.CUDA.Why == "" {
		t.Errorf("cuda: %+v", d.CUDA)
	}
	text := mustRun(t, "devices")
	for _, want := range []string{d.CPU.ISA + " kernels", "plugin  " + plugin, "--device cuda cannot be used: " + d.CUDA.Why} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
}

// TestDeviceErrors asks for devices that there are not.
func TestDeviceErrors(t *testing.T) {
	t.Setenv(xla.EnvPlugin, filepath.Join(t.TempDir(), "gone.so"))
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"--device", "gpu"}, exitUsage, "want auto, cpu, cuda, cuda:N or xla:FILE"},
		{[]string{"--device", "cpu", "--precision", "tf32"}, exitUsage, "for GPUs"},
		{[]string{"--device", "cuda"}, exitDevice, ""},
		{[]string{"--device", "xla:/gone.so"}, exitDevice, ""},
	} {
		r := invoke(t, append([]string{"bench", "engine", "--size", "16", "--runs", "1"}, c.args...)...)
		if r.code != c.code || !strings.Contains(r.errOut, c.says) || strings.Count(r.errOut, "\n") != 1 {
			t.Errorf("%v: exit status %d: %s", c.args, r.code, r.errOut)
		}
	}
	r := invoke(t, "bench", "engine", "--size", "16", "--runs", "1", "--device", "auto")
	if r.code != exitOK || !strings.Contains(r.errOut, "computing on the CPU: ") {
		t.Errorf("auto: exit status %d: %s", r.code, r.errOut)
	}
}

// TestRestoreThroughPlugin restores pictures on the device of a plugin and compares the results with the CPU's.
// Between them the tasks and methods have products, Fourier transforms, clipping, masks and inverses.
func TestRestoreThroughPlugin(t *testing.T) {
	device := "xla:" + pjrttest.Plugin(t, pjrttest.Works)
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	writeImage(t, path("in.png"), testImage(32, 32, 3), imageio.WriteOptions{})
	writeImage(t, path("small.png"), testImage(16, 16, 3), imageio.WriteOptions{})
	for _, c := range []struct {
		name, in string
		args     []string
		levels   float64 // the mean difference, of 8 bits
	}{
		{"sr", "small.png", []string{"--task", "sr", "--scale", "2"}, 0.1},
		{"deblur", "in.png", []string{"--task", "deblur", "--kernel", "gaussian:1.5"}, 0.1},
		{"hdr", "in.png", []string{"--task", "hdr"}, 1},
		{"ddnm", "in.png", []string{"--task", "inpaint", "--mask", "random:0.5", "--method", "ddnm"}, 0.1},
	} {
		t.Run(c.name, func(t *testing.T) {
			args := append(c.args, "--noise", "0.02", "--steps", "3", path(c.in))
			mustRun(t, append([]string{"restore", "-o", path(c.name + "-cpu.png")}, args...)...)
			r := invoke(t, append([]string{"restore", "-o", path(c.name + ".png"), "--device", device}, args...)...)
			if r.code != exitOK || !strings.Contains(r.errOut, "computing on fake device") || !strings.Contains(r.errOut, "went into compiling") {
				t.Fatalf("exit status %d: %s", r.code, r.errOut)
			}
			a, _, err := imageio.Read(path(c.name + "-cpu.png"))
			if err != nil {
				t.Fatal(err)
			}
			b, _, err := imageio.Read(path(c.name + ".png"))
			if err != nil {
				t.Fatal(err)
			}
			// The kink of clipping amplifies rounding: SPGD_CONV=direct alone moves hdr by half a level.
			sum := 0.0
			for i := range a.Pix {
				sum += math.Abs(float64(a.Pix[i]-b.Pix[i])) * 255 / 2
			}
			if mean := sum / float64(len(a.Pix)); !(mean < c.levels) {
				t.Errorf("the results differ by %g levels in the mean", mean)
			}
		})
	}
}

// TestBenchEngineStep times the step of SPGD on the device of a plugin.
func TestBenchEngineStep(t *testing.T) {
	device := "xla:" + pjrttest.Plugin(t, pjrttest.Works)
	var got engineTimes
	if err := json.Unmarshal([]byte(mustRun(t, "bench", "engine", "--device", device, "--size", "16", "--batch", "2", "--runs", "1", "--step", "--programs", "stage", "--json", "--quiet")), &got); err != nil {
		t.Fatal(err)
	}
	if !(got.Step > 0 && got.StepCompile > 0 && got.Run > 9*got.Step) || got.Evaluations != 10 || !strings.Contains(got.Device, "fake device") || got.Precision != "f32" || got.ISA != "" {
		t.Errorf("%+v", got)
	}
	var alone engineTimes
	compiled := len(pjrttest.Programs())
	if err := json.Unmarshal([]byte(mustRun(t, "bench", "engine", "--device", device, "--size", "16", "--batch", "2", "--runs", "1", "--step-only", "--json", "--quiet")), &alone); err != nil {
		t.Fatal(err)
	}
	if n := len(pjrttest.Programs()) - compiled; n != 1 || alone.VJP != 0 || !(alone.Step > 0 && alone.GFLOPS > 0) {
		t.Errorf("with %d programs compiled: %+v", n, alone)
	}
}
