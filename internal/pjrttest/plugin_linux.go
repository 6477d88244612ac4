//go:build cgo && linux && (amd64 || arm64)

package pjrttest

/*
#cgo LDFLAGS: -ldl
#include <dlfcn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct spgd_buffer { int type; int64_t rank, dims[8]; void *data; int64_t bytes; };

extern int spgdFakeCompile(char *code, size_t size, int *program, size_t *outputs, char *text);
extern int spgdFakeExecute(int program, struct spgd_buffer **in, size_t inputs, struct spgd_buffer **out, size_t outputs, char *text);

static inline void spgd_begin(void *f) { ((void (*)(void *, void *))f)(spgdFakeCompile, spgdFakeExecute); }
static inline struct spgd_buffer *spgd_buffer(void *f, int type, int64_t rank, int64_t *dims) {
	return ((struct spgd_buffer *(*)(int, int64_t, int64_t *))f)(type, rank, dims);
}
static inline int64_t spgd_alive(void *f) { return ((int64_t (*)(void))f)(); }
static inline char *spgd_options(void *f) { return ((char *(*)(void))f)(); }
*/
import "C"

import (
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"unsafe"
)

//go:embed testdata/plugin.c
var source []byte

// state is that of the plugin which works.
var state struct {
	sync.Mutex
	library  unsafe.Pointer
	path     string
	programs []*program
	texts    []string
	runs     int
}

// Plugin compiles a plugin and returns its path, which has cuda in its name. There is one that works for all
// tests of a process. The test is skipped where there is no C compiler.
func Plugin(t testing.TB, mode Mode) string {
	t.Helper()
	state.Lock()
	defer state.Unlock()
	if mode == Works && state.path != "" {
		return state.path
	}
	dir := t.TempDir()
	if mode == Works {
		var err error
		if dir, err = os.MkdirTemp("", "spgd-pjrt"); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, "pjrt_c_api_cuda_plugin.so")
	build(t, path, mode)
	if mode != Works {
		return path
	}
	if err := load(path); err != nil {
		t.Fatal(err)
	}
	state.path = path
	return path
}

// Use makes the plugin that works serve a process which a test has started, under the path that Plugin returned to it.
func Use(path string) error {
	state.Lock()
	defer state.Unlock()
	return load(path)
}

// load loads the plugin that works and gives it the functions that compute.
func load(path string) error {
	name := C.CString(path)
	defer C.free(unsafe.Pointer(name))
	if state.library = C.dlopen(name, C.RTLD_NOW|C.RTLD_LOCAL); state.library == nil {
		return fmt.Errorf("the plugin cannot be loaded: %s", C.GoString(C.dlerror()))
	}
	C.spgd_begin(function("spgd_fake_begin"))
	return nil
}

// clean removes the file of the plugin that works.
func clean() {
	state.Lock()
	defer state.Unlock()
	if state.path != "" {
		_ = os.RemoveAll(filepath.Dir(state.path)) // of the system's temporary folder
	}
}

// build compiles the source.
func build(t testing.TB, path string, mode Mode) {
	t.Helper()
	cc := os.Getenv("CC")
	if cc == "" {
		cc = "cc"
	}
	if _, err := exec.LookPath(cc); err != nil {
		t.Skipf("there is no C compiler for a plugin: %v", err)
	}
	header, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/gomlx/go-xla").Output()
	if err != nil {
		t.Skipf("the header of the PJRT interface cannot be found: %v", err)
	}
	include := filepath.Join(strings.TrimSpace(string(header)), "pkg", "pjrt")
	cmd := exec.Command(cc, "-x", "c", "-shared", "-fPIC", "-O1", "-Wall", fmt.Sprintf("-DMODE=%d", mode), "-I", include, "-o", path, "-")
	cmd.Stdin = strings.NewReader(string(source))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("the plugin cannot be compiled: %v\n%s", err, out)
	}
}

// function finds a function of the plugin that works.
func function(name string) unsafe.Pointer {
	n := C.CString(name)
	defer C.free(unsafe.Pointer(n))
	return C.dlsym(state.library, n)
}

// Alive is the number of buffers that the plugin which works has.
func Alive() int { return int(C.spgd_alive(function("spgd_fake_alive"))) }

// Options are those that the plugin's client was made with.
func Options() string { return C.GoString(C.spgd_options(function("spgd_fake_options"))) }

// Programs are the texts that were compiled.
func Programs() []string {
	state.Lock()
	defer state.Unlock()
	return append([]string(nil), state.texts...)
}

// Runs is how many programs were run.
func Runs() int {
	state.Lock()
	defer state.Unlock()
	return state.runs
}

// maxText is the length of what the plugin keeps of an error.
const maxText = 500

// failed hands an error to the plugin. Its status is INTERNAL, or the one that the text begins with.
func failed(err error, text *C.char) C.int {
	message := err.Error()
	if len(message) > maxText {
		message = message[:maxText]
	}
	copy(unsafe.Slice((*byte)(unsafe.Pointer(text)), maxText+1), message+"\x00")
	if strings.HasPrefix(message, "RESOURCE_EXHAUSTED") {
		return 8
	}
	return 13
}

//export spgdFakeCompile
func spgdFakeCompile(code *C.char, size C.size_t, id *C.int, outputs *C.size_t, text *C.char) C.int {
	state.Lock()
	defer state.Unlock()
	module := C.GoStringN(code, C.int(size))
	p, err := compile(module)
	if err != nil {
		return failed(fmt.Errorf("INTERNAL: %w", err), text)
	}
	if n := CountConvolutions([]string{module}); Convolutions > 0 && n > Convolutions {
		return failed(fmt.Errorf("RESOURCE_EXHAUSTED: Out of memory while compiling %d convolutions", n), text)
	}
	*id, *outputs = C.int(len(state.programs)), C.size_t(len(p.outputs))
	state.programs, state.texts = append(state.programs, p), append(state.texts, module)
	return 0
}

//export spgdFakeExecute
func spgdFakeExecute(id C.int, in **C.struct_spgd_buffer, inputs C.size_t, out **C.struct_spgd_buffer, outputs C.size_t, text *C.char) C.int {
	state.Lock()
	defer state.Unlock()
	if fail := Fail; fail != nil {
		return failed(fail, text)
	}
	var args [][]byte
	for _, b := range unsafe.Slice(in, int(inputs)) {
		args = append(args, unsafe.Slice((*byte)(b.data), int(b.bytes)))
	}
	state.runs++
	p := state.programs[id]
	if n := p.bytes(); Limit > 0 && n > Limit {
		return failed(fmt.Errorf("RESOURCE_EXHAUSTED: Out of memory while trying to allocate %d bytes", n), text)
	}
	results, err := p.run(args)
	if err != nil {
		return failed(fmt.Errorf("INTERNAL: %w", err), text)
	}
	for i, r := range results {
		s := p.outputs[i]
		dims := make([]C.int64_t, s.Rank()+1)
		for k, d := range s.Dimensions {
			dims[k] = C.int64_t(d)
		}
		b := C.spgd_buffer(function("spgd_fake_buffer"), C.int(s.DType), C.int64_t(s.Rank()), &dims[0])
		copy(unsafe.Slice((*byte)(b.data), int(b.bytes)), r)
		unsafe.Slice(out, int(outputs))[i] = b
	}
	return 0
}
