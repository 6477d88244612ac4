package xla

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Card is an NVIDIA GPU of this machine.
type Card struct {
	Name   string `json:"name"`
	UUID   string `json:"uuid,omitempty"`
	Driver string `json:"driver,omitempty"`
	Memory int64  `json:"memory_bytes,omitempty"` // 0 where the system does not say, or the GPU is divided (MIG)
	Used   int64  `json:"used_bytes,omitempty"`   // by all processes
	// Device is what --device calls it, cuda:0 and so on. It is empty where CUDA does not see it, for which Hidden is the
	// setting that is the cause, and where the settings do not tell.
	Device string `json:"device,omitempty"`
	Hidden string `json:"hidden,omitempty"`
}

// Cards lists the NVIDIA GPUs of this machine. It asks the driver's library, or reads /proc if that
// cannot be loaded; neither a plugin nor nvidia-smi is needed. The error wraps ErrNoDevice and says
// what is missing.
func (s Search) Cards() ([]Card, error) {
	cards, err := s.listed()
	currentVisibility().number(cards)
	return cards, err
}

// listed are the GPUs as driver or system list them.
func (s Search) listed() ([]Card, error) {
	if cards, err := driverCards(); err == nil && len(cards) > 0 {
		return cards, nil
	}
	files, _ := filepath.Glob(filepath.Join(s.Root, "proc/driver/nvidia/gpus/*/information"))
	slices.Sort(files)
	driver := s.driverVersion()
	var cards []Card
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			continue
		}
		c := Card{Name: "NVIDIA GPU", Driver: driver}
		for line := range strings.Lines(string(data)) {
			if name, ok := strings.CutPrefix(line, "Model:"); ok {
				c.Name = strings.TrimSpace(name)
			}
			if id, ok := strings.CutPrefix(line, "GPU UUID:"); ok {
				c.UUID = strings.TrimSpace(id)
			}
		}
		cards = append(cards, c)
	}
	if len(cards) > 0 {
		return cards, nil
	}
	return nil, s.visible()
}

// driverVersion is what the kernel's module calls itself, "" if there is none.
func (s Search) driverVersion() string {
	data, err := os.ReadFile(filepath.Join(s.Root, "proc/driver/nvidia/version"))
	if err != nil {
		return ""
	}
	line, _, _ := strings.Cut(string(data), "\n")
	for _, word := range strings.Fields(line) {
		if word[0] >= '0' && word[0] <= '9' && strings.Contains(word, ".") {
			return word
		}
	}
	return ""
}

// visible says whether this process can see an NVIDIA GPU: its device files, or the one of WSL.
func (s Search) visible() error {
	for _, pattern := range []string{"dev/nvidia[0-9]*", "dev/dxg"} {
		if files, _ := filepath.Glob(filepath.Join(s.Root, pattern)); len(files) > 0 {
			return nil
		}
	}
	why := "there is no /dev/nvidia0"
	if s.driverVersion() != "" {
		why = "its driver is loaded, but this process has no /dev/nvidia0: a container has to be given the GPU"
	}
	return fmt.Errorf("xla: %w: no NVIDIA GPU is visible here (%s)", ErrNoDevice, why)
}
