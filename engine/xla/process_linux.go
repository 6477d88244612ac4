//go:build cgo && linux && (amd64 || arm64)

package xla

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
)

// begun is the precision that the process has begun with, once a device was opened.
var begun struct {
	sync.Mutex
	precision string
}

// clientOptions are the options of a CUDA plugin's client. Memory is taken as it is needed, not most of
// the GPU's at the start, so that others can use the GPU and what a run takes can be said.
func clientOptions(o Options) map[string]any {
	if !o.Plugin.CUDA() {
		return nil
	}
	options := map[string]any{"preallocate": false}
	if o.Card >= 0 {
		options["visible_devices"] = []int64{int64(o.Card)}
	}
	return options
}

// begin settles the precision of the process.
func begin(o *Options) error {
	if o.Precision == "" {
		o.Precision = PrecisionF32
	}
	if !slices.Contains(Precisions, o.Precision) {
		return fmt.Errorf("xla: %w %q: want one of %s", ErrPrecision, o.Precision, strings.Join(Precisions, ", "))
	}
	begun.Lock()
	defer begun.Unlock()
	if begun.precision != "" && begun.precision != o.Precision {
		return fmt.Errorf("xla: %w %s: this process has begun with %s, which holds for all its devices", ErrPrecision, o.Precision, begun.precision)
	}
	begun.precision = o.Precision
	return nil
}

// setAll puts variables into the environment, which the plugin sees too: Go tells the C library.
func setAll(set map[string]string) error {
	for name, value := range set {
		if err := os.Setenv(name, value); err != nil {
			return fmt.Errorf("xla: setting %s: %w", name, err)
		}
	}
	return nil
}
