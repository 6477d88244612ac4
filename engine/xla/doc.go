// Package xla opens accelerators: GoMLX's XLA backend with a PJRT plugin that lies on this machine.
//
// A plugin is a shared library that is loaded while the program runs; nothing is ever downloaded.
// Find says where it is looked for, Open loads it with the libraries that it needs, checks that it
// is one that this program can talk to, and starts it on one device. Both need a build with cgo on
// Linux (Supported); every other build has the same functions, which say so. See docs/gpu.md.
package xla

// Options say which device is opened, and how it computes.
type Options struct {
	// Plugin is the PJRT plugin. Its libraries are looked for beside it.
	Plugin Plugin
	// Card is the number of the GPU among those that CUDA shows to this process, -1 for the first. It
	// is for CUDA plugins only.
	Card int
	// Precision is one of Precisions; "" is PrecisionF32. It holds for the whole process: the second
	// device that is opened must have the same.
	Precision string
	// Cache is a folder for what XLA finds out by timing kernels while it compiles, "" for none. It
	// shortens the next compilation.
	Cache string
}

// Info describes a device that is open.
type Info struct {
	Name       string `json:"name"`        // such as NVIDIA H100 80GB HBM3
	Plugin     string `json:"plugin"`      // the plugin's file
	APIVersion string `json:"api_version"` // of PJRT, in the plugin
	Devices    int    `json:"devices"`     // that the plugin offers
	card       int    // number of the GPU among those that CUDA counts, -1 of a plugin that is not for CUDA
}

// Room is the memory of a GPU that no process has taken, in bytes, as its driver says now. It is not known of other
// devices, and where it is not sure which of several GPUs this is.
func (i *Info) Room() (bytes int, known bool) {
	if i.card < 0 {
		return 0, false
	}
	cards, err := driverCards()
	if err != nil {
		return 0, false
	}
	return currentVisibility().room(cards, i.card)
}

// The precisions of an accelerator.
const (
	// PrecisionF32 computes everything in float32: TF32 is turned off. It is there to check results.
	PrecisionF32 = "f32"
	// PrecisionTF32 lets products of float32 numbers be computed from TF32, which has 10 bits of mantissa,
	// where the device has it: XLA's own default.
	PrecisionTF32 = "tf32"
	// PrecisionBF16 computes the convolutions between feature maps from bfloat16 numbers; everything
	// else, sums and statistics among it, stays in float32. See Narrow.
	PrecisionBF16 = "bf16"
)

// Precisions are all of them.
var Precisions = []string{PrecisionF32, PrecisionTF32, PrecisionBF16}
