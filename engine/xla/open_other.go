//go:build !(cgo && linux && (amd64 || arm64))

package xla

import (
	"fmt"
	"runtime"

	"github.com/gomlx/gomlx/backends"
)

// Supported returns nil if this build can open accelerators, and otherwise an error that wraps
// ErrUnsupported and says why.
func Supported() error {
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" && runtime.GOARCH != "arm64" {
		return fmt.Errorf("xla: %w (which there is on Linux for amd64 and arm64)", ErrUnsupported)
	}
	return fmt.Errorf("xla: %w (built without cgo): build it with a C compiler and CGO_ENABLED=1", ErrUnsupported)
}

// Open opens a device.
func Open(Options) (backends.Backend, *Info, error) { return nil, nil, Supported() }

// Check says whether a plugin can be loaded and which version of the interface it has.
func Check(Plugin) (version string, err error) { return "", Supported() }

func driverCards() ([]Card, error) { return nil, Supported() }
