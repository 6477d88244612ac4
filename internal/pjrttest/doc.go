// Package pjrttest makes PJRT plugins for tests, on a machine that has a C compiler but no accelerator.
//
// The plugin that works has one device, whose memory is the host's. It understands the StableHLO programs that
// GoMLX writes, which it runs on this program's CPU backend: all that lies between a graph and the plugin,
// from the text of a program to the ownership of buffers, is the real thing.
package pjrttest

import (
	"os"
	"strings"
	"testing"
)

// Mode chooses a plugin: the one that works, or one of those that must be refused.
type Mode int

const (
	Works      Mode = iota
	NoSymbol        // is no PJRT plugin
	NoTable         // GetPjrtApi returns nothing
	OtherMajor      // has version 7 of the interface
	ShortTable      // lacks the functions of later versions
	NoDevice        // finds no GPU
	NoMemory        // finds no memory for a client
	NoDevices       // starts, and offers no device
	BadOption       // refuses the client's options
)

// Device returns the device that the variable SPGD_TEST_DEVICE names, a GPU perhaps, or else that of the plugin
// which works. Where there is none, the test is skipped.
func Device(t testing.TB) string {
	t.Helper()
	if d := os.Getenv("SPGD_TEST_DEVICE"); d != "" {
		return d
	}
	return "xla:" + Plugin(t, Works)
}

// Fail, if it is set, is what every run of a program ends with: its text begins with the name of a status of
// PJRT.
var Fail error

// Limit, if it is above 0, is the number of bytes that the arguments and results of a program may have: a run of one
// with more ends for want of memory.
var Limit int

// Convolutions, if it is above 0, is the number of convolutions that a program may have: compiling one with more ends for
// want of memory.
var Convolutions int

// CountConvolutions is the largest number of convolutions in a program, of several texts as Programs returns them.
func CountConvolutions(texts []string) (most int) {
	for _, text := range texts {
		most = max(most, strings.Count(text, "stablehlo.convolution"))
	}
	return most
}

// Main runs the tests of a package and takes what the plugins have left behind away: a TestMain that calls nothing
// else is os.Exit(pjrttest.Main(m)).
func Main(m *testing.M) int {
	defer clean()
	return m.Run()
}
