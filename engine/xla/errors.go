package xla

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

var (
	// ErrUnsupported reports a build that cannot open accelerators.
	ErrUnsupported = errors.New("this build has no accelerator support")
	// ErrNoDevice reports that there is no device of the kind that was asked for.
	ErrNoDevice = errors.New("no such device")
	// ErrNoPlugin reports that no PJRT plugin was found.
	ErrNoPlugin = errors.New("no PJRT plugin")
	// ErrPlugin reports a file that is no PJRT plugin, or one of a version that this program cannot talk to.
	ErrPlugin = errors.New("the PJRT plugin cannot be used")
	// ErrMemory reports that the device's memory does not suffice.
	ErrMemory = errors.New("not enough memory on the device")
	// ErrLost reports a device that stopped to answer; only a new process can use it again.
	ErrLost = errors.New("the device was lost")
	// ErrPrecision reports an unknown precision, or another than the process has begun with.
	ErrPrecision = errors.New("precision")
)

// statusError finds the status that a plugin gave, in the words of go-xla.
var statusError = regexp.MustCompile(`(?s)PJRT error \(code=(\d+)\): (.*)`)

// Status codes of PJRT that say more than that something failed.
const (
	codeExhausted   = "8"
	codeUnavailable = "14"
	codeDataLoss    = "15"
)

// noDevice is how CUDA plugins say that there is no GPU for them, or that its driver does not fit.
var noDevice = regexp.MustCompile(`(?i)no supported devices|no visible (gpu )?devices|CUDA_ERROR_(NO_DEVICE|INVALID_DEVICE|NOT_INITIALIZED|INSUFFICIENT_DRIVER|SYSTEM_DRIVER_MISMATCH|COMPAT_NOT_SUPPORTED_ON_DEVICE|SYSTEM_NOT_READY)|driver version is insufficient|failed call to cuInit|unable to find .*\bdevices?\b`)

// outOfMemory is how they say that memory ran out, whatever the status.
var outOfMemory = regexp.MustCompile(`(?i)out of memory|CUDA_ERROR_OUT_OF_MEMORY|CUBLAS_STATUS_ALLOC_FAILED|CUDNN_STATUS_ALLOC_FAILED`)

// lost is how they say that a device does not answer any more.
var lost = regexp.MustCompile(`CUDA_ERROR_[A-Z_]+|device lost|GPU is lost`)

// Explain says what an error of a plugin means: it returns one that wraps ErrMemory, ErrLost or ErrNoDevice
// and says what the plugin said, in one sentence, or err itself if the plugin had no part in it.
func Explain(err error) error {
	if err == nil {
		return nil
	}
	for _, known := range []error{ErrMemory, ErrLost, ErrNoDevice} {
		if errors.Is(err, known) {
			return err
		}
	}
	m := statusError.FindStringSubmatch(err.Error())
	if m == nil {
		return err
	}
	code, said := m[1], firstSentence(m[2])
	switch {
	case code == codeExhausted, outOfMemory.MatchString(m[2]):
		return fmt.Errorf("xla: %w: %s", ErrMemory, said)
	case noDevice.MatchString(m[2]):
		return fmt.Errorf("xla: %w: %s", ErrNoDevice, said)
	case code == codeUnavailable, code == codeDataLoss, lost.MatchString(m[2]):
		return fmt.Errorf("xla: %w: %s", ErrLost, said)
	}
	return fmt.Errorf("xla: the plugin reports an error (PJRT status %s): %s", code, said)
}

// maxSaid bounds what is repeated of a plugin's words, which may fill pages.
const maxSaid = 300

// firstSentence is the first line of what a plugin said, without the full stop.
func firstSentence(text string) string {
	text, _, _ = strings.Cut(strings.TrimSpace(text), "\n")
	text = strings.TrimSuffix(strings.TrimSpace(text), ".")
	if runes := []rune(text); len(runes) > maxSaid {
		text = string(runes[:maxSaid]) + "..."
	}
	if text == "" {
		return "it gives no reason"
	}
	return text
}
