//go:build cgo && linux && (amd64 || arm64)

package xla

/*
#include <stdlib.h>

// NVIDIA's management library, which comes with the driver: the functions that are called.
typedef void *spgd_device;
typedef struct { unsigned long long total, free, used; } spgd_memory;

static int spgd_call(void *f) { return ((int (*)(void))f)(); }
static int spgd_text(void *f, char *to, unsigned n) { return ((int (*)(char *, unsigned))f)(to, n); }
static int spgd_count(void *f, unsigned *n) { return ((int (*)(unsigned *))f)(n); }
static int spgd_handle(void *f, unsigned i, spgd_device *d) { return ((int (*)(unsigned, spgd_device *))f)(i, d); }
static int spgd_name(void *f, spgd_device d, char *to, unsigned n) { return ((int (*)(spgd_device, char *, unsigned))f)(d, to, n); }
static int spgd_mig(void *f, spgd_device d, unsigned *now, unsigned *later) { return ((int (*)(spgd_device, unsigned *, unsigned *))f)(d, now, later); }
static int spgd_info(void *f, spgd_device d, spgd_memory *m) { return ((int (*)(spgd_device, spgd_memory *))f)(d, m); }
*/
import "C"

import (
	"errors"
	"fmt"
	"unsafe"
)

// managementLibrary is NVIDIA's management library.
const managementLibrary = "libnvidia-ml.so.1"

// driverCards asks the driver for its GPUs.
func driverCards() ([]Card, error) { return cardsOf(managementLibrary) }

// cardsOf asks a management library for the GPUs.
func cardsOf(path string) ([]Card, error) {
	h, err := library(path)
	if err != nil {
		return nil, err
	}
	f := map[string]unsafe.Pointer{}
	for _, name := range []string{"nvmlInit_v2", "nvmlShutdown", "nvmlSystemGetDriverVersion", "nvmlDeviceGetCount_v2", "nvmlDeviceGetHandleByIndex_v2", "nvmlDeviceGetName", "nvmlDeviceGetMemoryInfo"} {
		if f[name] = symbol(h, name); f[name] == nil {
			return nil, fmt.Errorf("xla: %s has no function %s", path, name)
		}
	}
	for _, name := range []string{"nvmlDeviceGetUUID", "nvmlDeviceGetMigMode"} { // which an old driver may lack
		f[name] = symbol(h, name)
	}
	if C.spgd_call(f["nvmlInit_v2"]) != 0 {
		return nil, errors.New("xla: NVIDIA's driver does not answer")
	}
	defer C.spgd_call(f["nvmlShutdown"])
	var text [96]C.char
	driver := ""
	if C.spgd_text(f["nvmlSystemGetDriverVersion"], &text[0], C.uint(len(text))) == 0 {
		driver = C.GoString(&text[0])
	}
	var n C.uint
	if C.spgd_count(f["nvmlDeviceGetCount_v2"], &n) != 0 {
		return nil, errors.New("xla: NVIDIA's driver does not say how many GPUs there are")
	}
	var cards []Card
	for i := range n {
		var d C.spgd_device
		if C.spgd_handle(f["nvmlDeviceGetHandleByIndex_v2"], i, &d) != 0 {
			continue
		}
		c := Card{Name: "NVIDIA GPU", Driver: driver}
		if C.spgd_name(f["nvmlDeviceGetName"], d, &text[0], C.uint(len(text))) == 0 {
			c.Name = C.GoString(&text[0])
		}
		if g := f["nvmlDeviceGetUUID"]; g != nil && C.spgd_name(g, d, &text[0], C.uint(len(text))) == 0 {
			c.UUID = C.GoString(&text[0])
		}
		var now, later C.uint
		if g := f["nvmlDeviceGetMigMode"]; g != nil && C.spgd_mig(g, d, &now, &later) == 0 && now != 0 {
			cards = append(cards, c) // a program has a part of its memory
			continue
		}
		var m C.spgd_memory
		if C.spgd_info(f["nvmlDeviceGetMemoryInfo"], d, &m) == 0 {
			c.Memory, c.Used = int64(m.total), int64(m.used)
		}
		cards = append(cards, c)
	}
	return cards, nil
}
