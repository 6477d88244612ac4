package xla

import (
	"slices"
	"strings"
)

// variables are what has to be in the environment before the plugin is loaded: the settings that XLA
// and NVIDIA's libraries take from there alone. known says which flags the plugin has: XLA ends the
// process over one that it does not know. Settings that the user has made stay.
func variables(o Options, getenv func(string) string, known func(flag string) bool) map[string]string {
	set := map[string]string{}
	flags := strings.Fields(getenv("XLA_FLAGS"))
	flag := func(name, value string) {
		given := slices.ContainsFunc(flags, func(f string) bool { return f == "--"+name || strings.HasPrefix(f, "--"+name+"=") })
		// XLA splits the variable at blanks.
		if value != "" && !given && !strings.ContainsAny(value, " \t\n\"'") && known(name) {
			flags = append(flags, "--"+name+"="+value)
			set["XLA_FLAGS"] = strings.Join(flags, " ")
		}
	}
	if !o.Plugin.CUDA() {
		return set
	}
	flag("xla_gpu_cuda_data_dir", o.Plugin.toolkit())
	flag("xla_gpu_per_fusion_autotune_cache_dir", o.Cache)
	if o.Precision != PrecisionTF32 {
		// cuBLAS and cuDNN obey the variable, the products that XLA writes itself do not.
		flag("xla_gpu_enable_triton_gemm", "false")
		set["NVIDIA_TF32_OVERRIDE"] = "0"
	}
	if getenv(envOrder) == "" {
		set[envOrder] = "PCI_BUS_ID" // as Cards and nvidia-smi count
	}
	// go-xla would otherwise look for the libraries in a folder of its author's.
	set["GOPJRT_CUDA_CHECKS"] = "0"
	return set
}
