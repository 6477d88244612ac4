package engine

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/gomlx/gomlx/backends"

	"github.com/seed-0f004ec9/spgd/engine/cpu"
	"github.com/seed-0f004ec9/spgd/engine/xla"
)

// ErrDevice is wrapped by the error of a device that ParseDevice does not understand.
var ErrDevice = errors.New("unknown device")

// Device says what computes. The zero value is this program's CPU backend.
type Device struct {
	kind   deviceKind
	card   int    // of deviceCUDA, -1: the first
	plugin string // of deviceXLA
}

type deviceKind int

const (
	deviceCPU deviceKind = iota
	deviceAuto
	deviceCUDA
	deviceXLA
)

// Devices describes what ParseDevice takes.
const Devices = "auto, cpu, cuda, cuda:N or xla:FILE"

// ParseDevice reads a device: cpu; cuda, the first NVIDIA GPU, or cuda:N, with N from 0; xla:FILE, the first device
// of the PJRT plugin in FILE; or auto, which is cuda if that can be opened and cpu otherwise. The error wraps
// ErrDevice.
func ParseDevice(s string) (Device, error) {
	kind, rest, colon := strings.Cut(s, ":")
	switch {
	case s == "cpu":
		return Device{}, nil
	case s == "auto":
		return Device{kind: deviceAuto, card: -1}, nil
	case s == "cuda":
		return Device{kind: deviceCUDA, card: -1}, nil
	case kind == "cuda" && colon:
		if n, err := strconv.Atoi(rest); err == nil && n >= 0 && n < 1024 && strconv.Itoa(n) == rest {
			return Device{kind: deviceCUDA, card: n}, nil
		}
	case kind == "xla" && rest != "":
		return Device{kind: deviceXLA, card: -1, plugin: rest}, nil
	}
	return Device{}, fmt.Errorf("engine: %w %q: want %s", ErrDevice, s, Devices)
}

// String is what ParseDevice reads.
func (d Device) String() string {
	switch d.kind {
	case deviceAuto:
		return "auto"
	case deviceCUDA:
		if d.card < 0 {
			return "cuda"
		}
		return "cuda:" + strconv.Itoa(d.card)
	case deviceXLA:
		return "xla:" + d.plugin
	}
	return "cpu"
}

// CPU says whether the device is this program's CPU backend for sure.
func (d Device) CPU() bool { return d.kind == deviceCPU }

// open opens the device's backend. accelerator is nil for the CPU; why then says why auto came to that.
func (d Device) open(o Options) (b backends.Backend, accelerator *xla.Info, why, err error) {
	if d.kind != deviceCPU {
		b, accelerator, err = d.accelerator(o.Precision)
		if err == nil || d.kind != deviceAuto {
			return b, accelerator, nil, err
		}
		if errors.Is(err, xla.ErrPrecision) {
			return nil, nil, nil, err
		}
		why = err
	}
	c, err := cpu.New(cpu.Options{Threads: o.Threads, Precision: o.Precision})
	if err != nil {
		return nil, nil, why, err
	}
	return c, nil, why, nil
}

// accelerator opens an accelerator.
func (d Device) accelerator(precision string) (backends.Backend, *xla.Info, error) {
	if err := xla.Supported(); err != nil {
		return nil, nil, err
	}
	o := xla.Options{Card: d.card, Precision: precision}
	search := xla.System()
	var err error
	switch {
	case d.kind == deviceXLA:
		o.Plugin, err = xla.File(d.plugin)
	default:
		o.Plugin, err = search.ForCUDA()
	}
	if err != nil {
		return nil, nil, err
	}
	o.Cache = cacheFolder()
	return xla.Open(o)
}

// cacheFolder returns the folder for what XLA keeps between runs, "" if there can be none.
func cacheFolder() string {
	dir, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	dir = filepath.Join(dir, "spgd", "xla")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return ""
	}
	return dir
}

// Accelerator describes the accelerator behind the engine, nil if there is none.
func (e *Engine) Accelerator() *xla.Info { return e.accelerator }

// Fallback says why the device auto came to be the CPU, nil if it did not.
func (e *Engine) Fallback() error { return e.fallback }
