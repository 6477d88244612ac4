package xla

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// cudaLibraries are the libraries of NVIDIA that a CUDA plugin asks for by name while it runs, those that
// others need first.
var cudaLibraries = []string{
	"libcudart", "libnvrtc", "libnvJitLink", "libcublasLt", "libcublas", "libcufft", "libcusparse", "libcusolver",
	"libcupti", "libnccl", "libnvshmem_host", "libcudnn",
}

// nvidiaFolder is the folder of NVIDIA's Python packages beside a plugin, or "". It stands beside
// jax_plugins in Python, and beside or below the plugin's folder in GoMLX.
func (p Plugin) nvidiaFolder() string {
	path := p.Path
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	dir := filepath.Dir(path)
	for range 3 {
		nvidia := filepath.Join(dir, "nvidia")
		if info, err := os.Stat(nvidia); err == nil && info.IsDir() {
			return nvidia
		}
		dir = filepath.Dir(dir)
	}
	return ""
}

// Libraries returns the files of NVIDIA's libraries beside a CUDA plugin, in the order in which they
// have to be loaded, and the names of those that are not there: the plugin then takes the system's, or
// does without. A library of which there are several, for different versions of CUDA, comes once by
// file name.
func (p Plugin) Libraries() (files, missing []string) {
	nvidia := p.nvidiaFolder()
	if !p.CUDA() || nvidia == "" {
		return nil, nil
	}
	for _, name := range cudaLibraries {
		matches, _ := filepath.Glob(filepath.Join(nvidia, "*", "lib", name+".so.*"))
		slices.SortStableFunc(matches, newer)
		seen := map[string]bool{}
		for _, m := range matches {
			base := filepath.Base(m)
			// The name that others ask for has one number, the version of the interface.
			version := strings.TrimPrefix(base, name+".so.")
			if version == "" || strings.Contains(version, ".") || seen[base] {
				continue
			}
			seen[base] = true
			files = append(files, m)
		}
		if len(seen) == 0 {
			missing = append(missing, name)
		}
	}
	return files, missing
}

// toolkit is the folder that has libdevice and ptxas, which XLA needs to compile, or "": cu13 and above in
// one folder with everything else, cuda_nvcc before.
func (p Plugin) toolkit() string {
	nvidia := p.nvidiaFolder()
	if !p.CUDA() || nvidia == "" {
		return ""
	}
	for _, name := range []string{"cu[0-9]*", "cuda_nvcc"} {
		dirs, _ := filepath.Glob(filepath.Join(nvidia, name))
		slices.SortStableFunc(dirs, newer)
		for _, dir := range dirs {
			if info, err := os.Stat(filepath.Join(dir, "nvvm")); err == nil && info.IsDir() {
				return dir
			}
		}
	}
	return ""
}
