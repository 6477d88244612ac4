package main

import (
	"cmp"
	"fmt"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"github.com/seed-0f004ec9/spgd/engine/cpu"
	"github.com/seed-0f004ec9/spgd/engine/xla"
	"github.com/seed-0f004ec9/spgd/internal/bytesize"
)

func newDevicesCommand(c *console) *cobra.Command {
	return &cobra.Command{
		Use:   "devices",
		Short: "List what can compute, and why something cannot",
		Long: `List the devices for --device: the processor, NVIDIA's GPUs, and the PJRT plugins that a
GPU needs, in the order in which they are taken. A plugin is a shared library; it is looked for in
SPGD_PJRT_PLUGIN, in GOMLX_BACKEND=xla:FILE, in the folders of PJRT_PLUGIN_LIBRARY_PATH, in the folder
pjrt of spgd's configuration, in GoMLX's folders and in Python installations. Nothing is ever downloaded.

With --json: cpu describes the processor; gpus the GPUs with name, driver and memory; plugins
the plugins with path, where each was found (source), the version of its interface (api_version) or, if it cannot
be loaded, why (error); cuda says whether --device cuda can be expected to work, and otherwise
why not.

` + exitStatusHelp(exitOutput),
		Example: "  spgd devices\n  spgd devices --json",
		Args:    exactArgs(0, "no arguments"),
		RunE:    func(*cobra.Command, []string) error { return runDevices(c, xla.System()) },
	}
}

// devicesInfo is the JSON form of the result.
type devicesInfo struct {
	CPU     cpuInfo      `json:"cpu"`
	GPUs    []xla.Card   `json:"gpus"`
	Plugins []pluginInfo `json:"plugins"`
	CUDA    usable       `json:"cuda"`
}

type cpuInfo struct {
	ISA        string   `json:"isa"`
	Threads    int      `json:"threads"`
	Precisions []string `json:"precisions"`
}

type pluginInfo struct {
	xla.Plugin
	APIVersion string   `json:"api_version,omitempty"`
	Error      string   `json:"error,omitempty"`
	Missing    []string `json:"missing_libraries,omitempty"`
}

type usable struct {
	Usable bool   `json:"usable"`
	Why    string `json:"why,omitempty"` // it is not
}

func runDevices(c *console, s xla.Search) error {
	d := devicesInfo{
		CPU:  cpuInfo{ISA: cpu.ISA(), Threads: runtime.GOMAXPROCS(0), Precisions: []string{cpu.PrecisionF32}},
		GPUs: []xla.Card{}, Plugins: []pluginInfo{},
	}
	if cpu.HasBF16() {
		d.CPU.Precisions = append(d.CPU.Precisions, cpu.PrecisionBF16)
	}
	if cards, err := s.Cards(); err == nil {
		d.GPUs = append(d.GPUs, cards...)
	}
	found, _, _ := s.Find() // ForCUDA has the same error
	for _, p := range found {
		info := pluginInfo{Plugin: p}
		_, info.Missing = p.Libraries()
		version, err := xla.Check(p)
		if info.APIVersion = version; err != nil {
			info.Error = message(err)
		}
		d.Plugins = append(d.Plugins, info)
	}
	if err := xla.Supported(); err != nil {
		d.CUDA.Why = message(err)
	} else if _, err := s.ForCUDA(); err != nil {
		d.CUDA.Why = message(err)
	} else {
		d.CUDA = usable{Usable: d.Plugins[0].Error == "", Why: d.Plugins[0].Error}
	}
	if c.json {
		return c.printJSON(d)
	}
	return c.printf("%s", d.text())
}

// text is the form for people.
func (d *devicesInfo) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "cpu     %s kernels, %d threads, precision %s\n", d.CPU.ISA, d.CPU.Threads, strings.Join(d.CPU.Precisions, " or "))
	for _, g := range d.GPUs {
		fmt.Fprintf(&b, "%-7s %s", cmp.Or(g.Device, "gpu"), g.Name)
		if g.Memory > 0 {
			fmt.Fprintf(&b, ", %s", bytesize.Format(int(g.Memory)))
		}
		if g.Driver != "" {
			fmt.Fprintf(&b, ", driver %s", g.Driver)
		}
		if g.Hidden != "" {
			fmt.Fprintf(&b, ", left out by %s", g.Hidden)
		}
		b.WriteString("\n")
	}
	for _, p := range d.Plugins {
		fmt.Fprintf(&b, "plugin  %s (%s)", p.Path, p.Source)
		if p.Error != "" {
			fmt.Fprintf(&b, ": %s", p.Error)
		} else {
			fmt.Fprintf(&b, ", PJRT %s", p.APIVersion)
		}
		if len(p.Missing) > 0 {
			fmt.Fprintf(&b, "; not beside it, so taken from the system: %s", strings.Join(p.Missing, ", "))
		}
		b.WriteString("\n")
	}
	if d.CUDA.Usable {
		b.WriteString("--device cuda can be used\n")
	} else {
		fmt.Fprintf(&b, "--device cuda cannot be used: %s\n", d.CUDA.Why)
	}
	return b.String()
}
