package kernel

import (
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/cpu"
)

// isa is an instruction set a kernel is written for, in ascending order of preference.
type isa uint8

const (
	isaPortable isa = iota
	isaAVX2         // AVX2 and FMA
	isaAVX512       // AVX-512 F, DQ, BW and VL
	isaNEON         // Advanced SIMD, which every arm64 processor has
)

// EnvISA is the environment variable that forces an instruction set.
const EnvISA = "SPGD_ISA"

var isaNames = [...]string{isaPortable: "portable", isaAVX2: "avx2", isaAVX512: "avx512", isaNEON: "neon"}

func (s isa) String() string { return isaNames[s] }

// active is the instruction set in use, and errISA why it is not the one asked for.
var active, errISA = chooseISA(os.Getenv(EnvISA))

// ISA names the instruction set in use: "avx512", "avx2", "neon" or "portable".
func ISA() string { return active.String() }

// CheckISA returns an error if the environment variable SPGD_ISA names an unknown instruction
// set or one that this processor lacks. ISA is then the best one it has.
func CheckISA() error { return errISA }

// ISAs lists the instruction sets this processor has, "portable" first.
func ISAs() []string {
	var names []string
	for s := range isa(len(isaNames)) {
		if s.supported() {
			names = append(names, s.String())
		}
	}
	return names
}

// supported reports whether processor and operating system can run s.
func (s isa) supported() bool {
	switch s {
	case isaPortable:
		return true
	case isaAVX2:
		return haveAssembly && cpu.X86.HasAVX2 && cpu.X86.HasFMA
	case isaAVX512:
		return isaAVX2.supported() && cpu.X86.HasAVX512F && cpu.X86.HasAVX512DQ &&
			cpu.X86.HasAVX512BW && cpu.X86.HasAVX512VL
	case isaNEON:
		return runtime.GOARCH == "arm64"
	}
	return false
}

func parseISA(name string) (isa, bool) {
	for s, known := range isaNames {
		if name == known {
			return isa(s), true
		}
	}
	return 0, false
}

func chooseISA(name string) (isa, error) {
	best := isaPortable
	for s := range isa(len(isaNames)) {
		if s.supported() {
			best = s
		}
	}
	if name == "" {
		return best, nil
	}
	s, ok := parseISA(name)
	if !ok {
		return best, fmt.Errorf("kernel: %s=%q is not an instruction set (want portable, avx2, avx512 or neon)", EnvISA, name)
	}
	if !s.supported() {
		return best, fmt.Errorf("kernel: %s=%s, but this %s processor lacks it", EnvISA, name, runtime.GOARCH)
	}
	return s, nil
}
