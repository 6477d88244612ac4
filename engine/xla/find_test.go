package xla

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// tree makes files below a folder and returns their paths.
func tree(t *testing.T, root string, files ...string) []string {
	t.Helper()
	var paths []string
	for _, f := range files {
		path := filepath.Join(root, f)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(f), 0o666); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	return paths
}

// search is one of a machine whose files are below root, with some variables.
func search(root string, env map[string]string) Search {
	return Search{Getenv: func(name string) string { return env[name] }, Home: filepath.Join(root, "home"), Config: filepath.Join(root, "home/.config"), Root: root}
}

func TestFindOrder(t *testing.T) {
	root := t.TempDir()
	const python = "/jax_plugins/xla_cuda13/xla_cuda_plugin.so"
	paths := tree(t, root,
		"given/any.so",
		"folder/pjrt_c_api_cuda_plugin.so",
		"home/.config/spgd/pjrt/xla_cuda_plugin.so",
		"home/.local/lib/go-xla/pjrt_c_api_cuda_plugin.so",
		"venv/lib/python3.12/site-packages"+python,
		"conda/lib/python3.11/site-packages"+python,
		"opt/lib64/python3.10/site-packages"+python,
		"home/.local/lib/python3.12/site-packages"+python,
		"usr/lib/python3/dist-packages"+python,
	)
	tree(t, root, "opt/bin/python3", // which leads to opt
		"folder/pjrt_c_api_cpu_plugin.so",          // for another device
		"folder/pjrt_c_api_cuda_plugin.so.old",     // another name
		"venv/lib/python3.12/site-packages/x/y.so") // another file
	env := map[string]string{
		EnvPlugin: paths[0], envLibraryPath: filepath.Join(root, "folder"),
		"VIRTUAL_ENV": filepath.Join(root, "venv"), "CONDA_PREFIX": filepath.Join(root, "conda"), "PATH": filepath.Join(root, "opt/bin"),
	}
	got, looked, err := search(root, env).Find()
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, p := range got {
		found = append(found, p.Path)
	}
	if !slices.Equal(found, paths) {
		t.Errorf("found %q, want %q", found, paths)
	}
	if !got[0].Given || got[1].Given || got[0].Source != EnvPlugin || !strings.Contains(got[4].Source, "VIRTUAL_ENV") {
		t.Errorf("sources: %+v", got)
	}
	if all := strings.Join(looked, "; "); !strings.Contains(all, "GoMLX's folders") || !strings.Contains(all, "the Python on PATH") {
		t.Errorf("looked at %s", all)
	}
}

func TestFindNewest(t *testing.T) {
	root := t.TempDir()
	tree(t, root,
		"v/lib/python3.9/site-packages/jax_plugins/xla_cuda13/xla_cuda_plugin.so",
		"v/lib/python3.12/site-packages/jax_plugins/xla_cuda9/xla_cuda_plugin.so",
		"v/lib/python3.12/site-packages/jax_plugins/xla_cuda13/xla_cuda_plugin.so")
	got, _, err := search(root, map[string]string{"VIRTUAL_ENV": filepath.Join(root, "v")}).Find()
	if err != nil || len(got) != 3 {
		t.Fatalf("%v, %v", got, err)
	}
	if p := got[0].Path; !strings.Contains(p, "python3.12") || !strings.Contains(p, "cuda13") {
		t.Errorf("the first is %s", p)
	}
}

func TestFindGoMLX(t *testing.T) {
	root := t.TempDir()
	path := tree(t, root, "p.so")[0]
	got, _, err := search(root, map[string]string{envGoMLX: "xla:" + path + ",tf32"}).Find()
	if err != nil || len(got) != 1 || got[0].Path != path || got[0].Source != envGoMLX {
		t.Errorf("%v, %v", got, err)
	}
	if got, _, err := search(root, map[string]string{envGoMLX: "xla:cuda"}).Find(); err != nil || len(got) != 0 {
		t.Errorf("the name of a plugin, not a file: %v, %v", got, err)
	}
}

func TestForCUDA(t *testing.T) {
	root := t.TempDir()
	s := search(root, nil)
	if cards, err := s.Cards(); err == nil && len(cards) > 0 {
		t.Skip("this machine has a GPU, which the test is to be without")
	}
	check := func(step string, want error, words ...string) {
		t.Helper()
		p, err := s.ForCUDA()
		if !errors.Is(err, want) {
			t.Fatalf("%s: %v, %v", step, p, err)
		}
		for _, w := range words {
			if err != nil && !strings.Contains(err.Error(), w) {
				t.Errorf("%s: %q does not say %q", step, err, w)
			}
		}
	}
	check("nothing", ErrNoDevice, "/dev/nvidia0")
	tree(t, root, "proc/driver/nvidia/version")
	if err := os.WriteFile(filepath.Join(root, "proc/driver/nvidia/version"), []byte("NVRM version: NVIDIA UNIX x86_64 Kernel Module  575.57.08  Sat\nGCC\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	check("a driver", ErrNoDevice, "container")
	tree(t, root, "proc/driver/nvidia/gpus/0000:01:00.0/information")
	if err := os.WriteFile(filepath.Join(root, "proc/driver/nvidia/gpus/0000:01:00.0/information"), []byte("Model: \t\t NVIDIA H100 80GB HBM3\nIRQ:  1\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	cards, err := s.Cards()
	if err != nil || len(cards) != 1 || cards[0] != (Card{Name: "NVIDIA H100 80GB HBM3", Driver: "575.57.08", Device: cards[0].Device, Hidden: cards[0].Hidden}) {
		t.Errorf("cards %v, %v", cards, err)
	}
	check("a GPU", ErrNoPlugin, "pip install", "GoMLX's folders", "the system")
	tree(t, root, "usr/local/lib/go-xla/pjrt_c_api_cuda_plugin.so")
	check("a plugin", nil)
	s = search(root, map[string]string{EnvPlugin: filepath.Join(root, "gone.so")})
	check("a file that is not there", ErrNoPlugin, EnvPlugin, "gone.so")
	s = search(t.TempDir(), map[string]string{EnvPlugin: filepath.Join(root, "usr/local/lib/go-xla/pjrt_c_api_cuda_plugin.so")})
	check("a plugin that is named", nil)
}

func TestLibraries(t *testing.T) {
	root := t.TempDir()
	const packages = "lib/python3.12/site-packages/"
	p := Plugin{Path: tree(t, root, packages+"jax_plugins/xla_cuda13/xla_cuda_plugin.so")[0]}
	if files, missing := p.Libraries(); files != nil || missing != nil || p.toolkit() != "" {
		t.Errorf("without NVIDIA's packages: %v, %v", files, missing)
	}
	nvidia := tree(t, root, packages+"nvidia/cudnn/lib/libcudnn.so.9", packages+"nvidia/cu13/lib/libcublas.so.13",
		packages+"nvidia/cu13/lib/libcublasLt.so.13", packages+"nvidia/cublas/lib/libcublas.so.12", packages+"nvidia/cu13/lib/libcudart.so.13",
		packages+"nvidia/cu13/lib/libcudart.so.13.0.96", packages+"nvidia/cudnn/lib/libcudnn_graph.so.9", packages+"nvidia/cu13/nvvm/libdevice/libdevice.10.bc")
	files, missing := p.Libraries()
	want := []string{nvidia[4], nvidia[2], nvidia[1], nvidia[3], nvidia[0]}
	if !slices.Equal(files, want) {
		t.Errorf("libraries %q, want %q", files, want)
	}
	if !slices.Contains(missing, "libcufft") || slices.Contains(missing, "libcudnn") {
		t.Errorf("missing %q", missing)
	}
	if want := filepath.Join(root, packages, "nvidia/cu13"); p.toolkit() != want {
		t.Errorf("toolkit %q, want %q", p.toolkit(), want)
	}
	if files, _ := (Plugin{Path: filepath.Join(root, packages, "x/y/other.so")}).Libraries(); files != nil {
		t.Errorf("a plugin for something else has %q", files)
	}
}
