//go:build cgo && linux && (amd64 || arm64)

package xla

/*
#cgo LDFLAGS: -ldl
#include <dlfcn.h>
#include <stddef.h>
#include <stdlib.h>

// The beginning of the table of functions that every PJRT plugin returns (PJRT_Api of the PJRT C API).
// It has been the same since the first version; the functions follow it, the newest last.
struct spgd_api {
	size_t size; // of the whole table, in bytes
	void *extensions;
	struct { size_t size; void *extensions; int major, minor; } version;
};

static const struct spgd_api *spgd_table(void *get) {
	return ((const struct spgd_api *(*)(void))get)();
}
*/
import "C"

import (
	"fmt"
	"os"
	"strings"
	"unsafe"
)

// What a plugin needs for go-xla v0.1.4 to talk to it: the version of the interface, and a table with
// every function that it calls, up to PJRT_Executable_GetCompiledMemoryStats.
const (
	apiMajor = 0
	apiSize  = 816
)

// library loads a shared library, and keeps it loaded. Its names are its own: a program can have several
// versions of a library at once. Who asks for its file name later gets it, wherever it lies.
func library(path string) (unsafe.Pointer, error) {
	name := C.CString(path)
	defer C.free(unsafe.Pointer(name))
	C.dlerror() // forget an earlier one
	h := C.dlopen(name, C.RTLD_LAZY|C.RTLD_LOCAL)
	if h == nil {
		return nil, fmt.Errorf("%s", C.GoString(C.dlerror()))
	}
	return h, nil
}

// symbol finds a function in a library, nil if it has none of that name.
func symbol(h unsafe.Pointer, name string) unsafe.Pointer {
	n := C.CString(name)
	defer C.free(unsafe.Pointer(n))
	return C.dlsym(h, n)
}

// preload loads NVIDIA's libraries from beside the plugin, so that it finds them without LD_LIBRARY_PATH,
// which the system's loader reads but once, when a program starts. It returns the complaints about those
// that cannot be loaded, which the plugin may do without.
func preload(p Plugin) (complaints []string) {
	files, _ := p.Libraries()
	for _, f := range files {
		if _, err := library(f); err != nil {
			complaints = append(complaints, err.Error())
		}
	}
	return complaints
}

// Check loads a plugin, with its libraries, and returns the version of its interface. The error wraps
// ErrPlugin and names what is wrong with the file.
func Check(p Plugin) (version string, err error) {
	fail := func(format string, args ...any) error {
		return fmt.Errorf("xla: %w: %s: %s", ErrPlugin, p.Path, fmt.Sprintf(format, args...))
	}
	if _, err := os.Stat(p.Path); err != nil {
		return "", fmt.Errorf("xla: %w: %w", ErrNoPlugin, err)
	}
	complaints := preload(p)
	h, err := library(p.Path)
	if err != nil {
		why := firstSentence(strings.TrimPrefix(err.Error(), p.Path+": "))
		if len(complaints) > 0 {
			why += "; of its libraries, " + firstSentence(complaints[0])
		}
		return "", fail("it cannot be loaded: %s", why)
	}
	get := symbol(h, "GetPjrtApi")
	if get == nil {
		return "", fail("it has no function GetPjrtApi, so it is not a PJRT plugin")
	}
	api := C.spgd_table(get)
	if api == nil {
		return "", fail("its GetPjrtApi returns nothing")
	}
	version = fmt.Sprintf("%d.%d", int(api.version.major), int(api.version.minor))
	if api.version.major != apiMajor || api.size < apiSize {
		return "", fail("it has version %s of the PJRT interface, and this program needs %d.x with at least the functions of go-xla 0.1.4: take another version of the plugin", version, apiMajor)
	}
	return version, nil
}
