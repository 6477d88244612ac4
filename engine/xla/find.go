package xla

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/seed-0f004ec9/spgd/engine/xla/internal/environment"
)

// EnvPlugin names the variable that holds the path of the PJRT plugin to use. It goes before every other place.
const EnvPlugin = "SPGD_PJRT_PLUGIN"

// Plugin is a PJRT plugin on this machine.
type Plugin struct {
	Path   string `json:"path"`
	Source string `json:"source"` // the place where it was found, in words
	Given  bool   `json:"-"`      // the user named the file
}

// CUDA says whether the plugin is one for NVIDIA's GPUs, by its path: that is how they are named.
func (p Plugin) CUDA() bool { return strings.Contains(strings.ToLower(p.Path), "cuda") }

// Search says where plugins may be. The zero value knows no place at all.
type Search struct {
	Getenv func(name string) string
	Home   string // the user's folder
	Config string // the user's folder for configurations, which has spgd's
	Root   string // what paths of the system begin with: / but in tests
}

// System is the search on this machine.
func System() Search {
	home, _ := os.UserHomeDir() // "" is a folder that is not there
	config, _ := os.UserConfigDir()
	getenv := func(name string) string {
		if name == envLibraryPath {
			return environment.LibraryPath
		}
		return os.Getenv(name)
	}
	return Search{Getenv: getenv, Home: home, Config: config, Root: "/"}
}

// The variables of others that say where plugins are.
const (
	envLibraryPath = "PJRT_PLUGIN_LIBRARY_PATH" // of go-xla: folders
	envGoMLX       = "GOMLX_BACKEND"            // of GoMLX: xla:FILE
)

// place is somewhere that plugins may be: files that match a pattern.
type place struct{ what, pattern string }

// Find returns the CUDA plugins there are, the one to use first, and the places that were looked at. A
// variable that names a file that is not there is an error, which wraps ErrNoPlugin.
func (s Search) Find() (found []Plugin, looked []string, err error) {
	given := s.Getenv(EnvPlugin)
	source := EnvPlugin
	if given == "" {
		source = envGoMLX
		if backend, ok := strings.CutPrefix(s.Getenv(envGoMLX), "xla:"); ok {
			if given, _, _ = strings.Cut(backend, ","); !filepath.IsAbs(given) {
				given = "" // the name of a plugin, to be found like all
			}
		}
	}
	if given != "" {
		p, err := File(given)
		if err != nil {
			return nil, nil, fmt.Errorf("%w (%s)", err, source)
		}
		p.Source = source
		found = append(found, p)
	}
	seen := map[string]bool{}
	for _, p := range s.places() {
		if !slices.Contains(looked, p.what) {
			looked = append(looked, p.what)
		}
		files, err := filepath.Glob(p.pattern)
		if err != nil {
			continue // a folder whose name holds a bracket
		}
		slices.SortStableFunc(files, newer)
		for _, f := range files {
			plugin := Plugin{Path: f, Source: p.what}
			if !seen[f] && plugin.CUDA() && isFile(f) {
				found, seen[f] = append(found, plugin), true
			}
		}
	}
	return found, looked, nil
}

// File returns the plugin in a file that the user names.
func File(path string) (Plugin, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return Plugin{}, fmt.Errorf("xla: %w: %w", ErrNoPlugin, err)
	}
	if !isFile(abs) {
		return Plugin{}, fmt.Errorf("xla: %w: %s is not a file", ErrNoPlugin, path)
	}
	return Plugin{Path: abs, Source: "the command line", Given: true}, nil
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// The names of plugins: those of GoMLX and of the Python packages.
var pluginFiles = []string{"pjrt_c_api_*_plugin.so", "pjrt-plugin-*.so", "pjrt_plugin_*.so", "xla_cuda_plugin.so"}

const pythonPlugin = "jax_plugins/xla_cuda*/xla_cuda_plugin.so"

// places lists where plugins may be, in the order in which they count.
func (s Search) places() []place {
	var places []place
	folder := func(what, dir string) {
		if dir == "" {
			return
		}
		for _, name := range pluginFiles {
			places = append(places, place{what, filepath.Join(dir, name)})
		}
	}
	for _, dir := range filepath.SplitList(s.Getenv(envLibraryPath)) {
		folder("the folders of "+envLibraryPath, dir)
	}
	if s.Config != "" {
		folder("spgd's folder", filepath.Join(s.Config, "spgd", "pjrt"))
		folder("spgd's folder", filepath.Join(s.Config, "spgd", "pjrt", "*"))
	}
	const gomlx = "GoMLX's folders"
	for _, dir := range []string{"go-xla", "gomlx/pjrt"} {
		if s.Home != "" {
			folder(gomlx, filepath.Join(s.Home, ".local", "lib", dir))
		}
		folder(gomlx, filepath.Join(s.Root, "usr", "local", "lib", dir))
	}
	for _, p := range s.pythons() {
		for _, packages := range []string{"lib/python3*/site-packages", "lib64/python3*/site-packages", "lib/python3*/dist-packages"} {
			places = append(places, place{p.what, filepath.Join(p.pattern, packages, pythonPlugin)})
		}
	}
	return places
}

// pythons lists the prefixes of Python installations, the active one first. No Python is run.
func (s Search) pythons() []place {
	var prefixes []place
	add := func(what, prefix string) {
		if prefix != "" {
			prefixes = append(prefixes, place{what, prefix})
		}
	}
	add("the Python environment of VIRTUAL_ENV", s.Getenv("VIRTUAL_ENV"))
	add("the Python environment of CONDA_PREFIX", s.Getenv("CONDA_PREFIX"))
	const onPath = "the Python on PATH"
	for _, dir := range filepath.SplitList(s.Getenv("PATH")) {
		for _, name := range []string{"python3", "python"} {
			python := filepath.Join(dir, name)
			if !filepath.IsAbs(dir) || !isFile(python) {
				continue
			}
			add(onPath, filepath.Dir(dir))
			if target, err := filepath.EvalSymlinks(python); err == nil {
				add(onPath, filepath.Dir(filepath.Dir(target)))
			}
		}
	}
	const own = "Python packages of the user"
	if s.Home != "" {
		add(own, filepath.Join(s.Home, ".local"))
		for _, dir := range []string{".pyenv/versions/*", "miniconda3", "miniforge3", "anaconda3"} {
			add(own, filepath.Join(s.Home, dir))
		}
	}
	add("Python packages of the system", filepath.Join(s.Root, "usr", "local"))
	add("Python packages of the system", filepath.Join(s.Root, "usr"))
	return prefixes
}

// number finds the numbers in a path.
var number = regexp.MustCompile(`\d+`)

// newer sorts the paths of one place: of two that differ in a number, a version, the higher comes first.
func newer(a, b string) int {
	x, y := number.FindAllString(a, -1), number.FindAllString(b, -1)
	for i := range min(len(x), len(y)) {
		m, _ := strconv.Atoi(x[i])
		n, _ := strconv.Atoi(y[i])
		if c := cmp.Compare(n, m); c != 0 {
			return c
		}
	}
	return cmp.Compare(a, b)
}

// HowToGet says how to get a plugin for NVIDIA's GPUs.
const HowToGet = `pip install "jax[cuda13]" brings one, in any Python environment that python3 on PATH, VIRTUAL_ENV or ` + EnvPlugin + ` leads to`

// ForCUDA returns the plugin to use for NVIDIA's GPUs. The error wraps ErrNoDevice if there is no GPU, unless the
// user names a plugin, or ErrNoPlugin and says how to get one.
func (s Search) ForCUDA() (Plugin, error) {
	found, looked, err := s.Find()
	if err != nil {
		return Plugin{}, err
	}
	if len(found) > 0 && found[0].Given {
		return found[0], nil
	}
	if _, err := s.Cards(); err != nil {
		return Plugin{}, err
	}
	if len(found) == 0 {
		return Plugin{}, fmt.Errorf("xla: %w for CUDA was found in %s: %s", ErrNoPlugin, strings.Join(looked, ", "), HowToGet)
	}
	return found[0], nil
}
