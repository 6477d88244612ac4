// Package priors holds the diffusion priors that are part of the program. Package prior reads them.
package priors

import (
	_ "embed"
	"io"
	"strings"
)

// A string, not a slice: its pages are mapped from the executable and nobody can write to them.
//
//go:embed natural-small.safetensors
var naturalSmall string

// Open returns the safetensors file of an embedded prior and its size in bytes, or false if there
// is none of that name.
func Open(name string) (file io.ReaderAt, size int64, ok bool) {
	if name == "natural-small" {
		return strings.NewReader(naturalSmall), int64(len(naturalSmall)), true
	}
	return nil, 0, false
}
