package xla

import (
	"errors"
	"maps"
	"path/filepath"
	"strings"
	"testing"
)

func TestVariables(t *testing.T) {
	root := t.TempDir()
	plugin := Plugin{Path: tree(t, root, "jax_plugins/xla_cuda13/xla_cuda_plugin.so")[0]}
	tree(t, root, "nvidia/cu13/nvvm/x")
	toolkit := "--xla_gpu_cuda_data_dir=" + filepath.Join(root, "nvidia/cu13")
	all := func(string) bool { return true }
	none := func(string) bool { return false }
	for _, c := range []struct {
		name  string
		o     Options
		env   map[string]string
		known func(string) bool
		want  map[string]string
	}{
		{"f32", Options{Plugin: plugin, Precision: PrecisionF32}, nil, all,
			map[string]string{"XLA_FLAGS": toolkit + " --xla_gpu_enable_triton_gemm=false", "NVIDIA_TF32_OVERRIDE": "0", "GOPJRT_CUDA_CHECKS": "0", "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}},
		{"tf32 with a cache", Options{Plugin: plugin, Precision: PrecisionTF32, Cache: "/c"}, nil, all,
			map[string]string{"XLA_FLAGS": toolkit + " --xla_gpu_per_fusion_autotune_cache_dir=/c", "GOPJRT_CUDA_CHECKS": "0", "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}},
		{"a plugin that knows no flag", Options{Plugin: plugin, Precision: PrecisionTF32, Cache: "/c"}, nil, none,
			map[string]string{"GOPJRT_CUDA_CHECKS": "0", "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}},
		{"what the user has set", Options{Plugin: plugin, Precision: PrecisionTF32, Cache: "/c d"}, map[string]string{"XLA_FLAGS": "--xla_gpu_cuda_data_dir=/mine --a", "CUDA_DEVICE_ORDER": "FASTEST_FIRST"}, all,
			map[string]string{"GOPJRT_CUDA_CHECKS": "0"}},
		{"another plugin", Options{Plugin: Plugin{Path: filepath.Join(root, "tpu.so")}, Precision: PrecisionF32}, nil, all, map[string]string{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := variables(c.o, func(name string) string { return c.env[name] }, c.known)
			if !maps.Equal(got, c.want) {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

func TestExplain(t *testing.T) {
	for _, c := range []struct {
		said string
		want error // nil: none of them
	}{
		{"PJRT error (code=8): RESOURCE_EXHAUSTED: Out of memory while trying to allocate 9 bytes.\nBufferAssignment OOM Debugging.", ErrMemory},
		{"PJRT error (code=13): INTERNAL: CUDA_ERROR_OUT_OF_MEMORY: out of memory", ErrMemory},
		{"PJRT error (code=13): INTERNAL: CUDNN_STATUS_ALLOC_FAILED", ErrMemory},
		{"PJRT error (code=13): INTERNAL: no supported devices found for platform CUDA", ErrNoDevice},
		{"PJRT error (code=9): FAILED_PRECONDITION: No visible GPU devices.", ErrNoDevice},
		{"PJRT error (code=13): INTERNAL: CUDA_ERROR_ILLEGAL_ADDRESS: an illegal memory access was encountered", ErrLost},
		{"PJRT error (code=14): UNAVAILABLE: the device went away", ErrLost},
		{"PJRT error (code=3): INVALID_ARGUMENT: what is this", nil},
		{"an index out of range", nil},
	} {
		err := Explain(errors.New("backend \"xla\": " + c.said))
		for _, known := range []error{ErrMemory, ErrLost, ErrNoDevice} {
			if errors.Is(err, known) != (known == c.want) {
				t.Errorf("%q is %v", c.said, err)
			}
		}
		if text := err.Error(); strings.Contains(text, "\n") || c.want != nil && strings.Contains(text, "backend") {
			t.Errorf("%q is said as %q", c.said, text)
		}
		if again := Explain(err); c.want != nil && again != err {
			t.Errorf("explained twice: %v", again)
		}
	}
	if Explain(nil) != nil {
		t.Error("no error has become one")
	}
	if text := Explain(errors.New("PJRT error (code=13): " + strings.Repeat("x", 5000))).Error(); len(text) > 2*maxSaid {
		t.Errorf("%d bytes of a long message", len(text))
	}
	if text := Explain(errors.New("PJRT error (code=13): ")).Error(); !strings.Contains(text, "no reason") {
		t.Errorf("an empty message is %q", text)
	}
}
