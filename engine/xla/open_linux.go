//go:build cgo && linux && (amd64 || arm64)

package xla

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/gomlx/go-xla/pkg/pjrt"
	"github.com/gomlx/gomlx/backends"
	gomlx "github.com/gomlx/gomlx/backends/xla"
	"k8s.io/klog/v2"
)

// Supported returns nil if this build can open accelerators, and otherwise an error that wraps
// ErrUnsupported and says why.
func Supported() error { return nil }

// Open opens a device. The errors wrap ErrPlugin, ErrNoPlugin, ErrNoDevice, ErrMemory or ErrPrecision.
func Open(o Options) (backends.Backend, *Info, error) {
	if o.Card >= 0 && !o.Plugin.CUDA() {
		return nil, nil, fmt.Errorf("xla: %w: GPU %d of a plugin that is not for CUDA (%s)", ErrNoDevice, o.Card, o.Plugin.Path)
	}
	path, err := filepath.Abs(o.Plugin.Path)
	if err != nil || strings.Contains(path, ",") { // which GoMLX takes for the end of the path
		return nil, nil, fmt.Errorf("xla: %w: %q: its path cannot hold a comma", ErrPlugin, o.Plugin.Path)
	}
	o.Plugin.Path = path
	if err := begin(&o); err != nil {
		return nil, nil, err
	}
	if err := quiet(); err != nil {
		return nil, nil, err
	}
	gomlx.EnableAutoInstall(false)
	content := &fileContent{path: o.Plugin.Path}
	defer content.close()
	if err := setAll(variables(o, os.Getenv, content.contains)); err != nil {
		return nil, nil, err
	}
	version, err := Check(o.Plugin)
	if err != nil {
		return nil, nil, err
	}
	b, err := gomlx.NewWithOptions(o.Plugin.Path, pjrt.NamedValuesMap(clientOptions(o)))
	if err != nil {
		if err = Explain(err); errors.Is(err, ErrMemory) || errors.Is(err, ErrNoDevice) {
			return nil, nil, err
		}
		return nil, nil, fmt.Errorf("xla: %w: %s: it cannot start a device: %s", ErrPlugin, o.Plugin.Path, strings.TrimPrefix(firstSentence(err.Error()), "xla: "))
	}
	if b.NumDevices() == 0 {
		b.Finalize()
		return nil, nil, fmt.Errorf("xla: %w: %s offers none", ErrNoDevice, o.Plugin.Path)
	}
	b.DotGeneralConfig.UseTF32 = false // left to XLA's default, which is TF32 unless it is turned off
	info := &Info{Name: b.DeviceDescription(0), Plugin: o.Plugin.Path, APIVersion: version, Devices: b.NumDevices(), card: -1}
	if o.Plugin.CUDA() {
		info.card = max(o.Card, 0)
		cards, _ := driverCards() // the plugin's name serves too
		if name := currentVisibility().name(cards, info.card); name != "" {
			info.Name = name
		}
	}
	if o.Precision == PrecisionBF16 {
		return Narrow(b), info, nil
	}
	return b, info, nil
}

// quiet keeps what GoMLX and go-xla log off stderr: what matters comes back as an error.
func quiet() error {
	flags := flag.NewFlagSet("klog", flag.ContinueOnError)
	klog.InitFlags(flags)
	for name, value := range map[string]string{"logtostderr": "false", "alsologtostderr": "false", "stderrthreshold": "FATAL"} {
		if err := flags.Set(name, value); err != nil {
			return fmt.Errorf("xla: %w", err)
		}
	}
	klog.SetOutput(io.Discard)
	return nil
}
