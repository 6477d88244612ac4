//go:build !(cgo && linux && (amd64 || arm64))

package pjrttest

import (
	"errors"
	"testing"
)

// Plugin skips the test: there is nothing to load a plugin with.
func Plugin(t testing.TB, _ Mode) string {
	t.Helper()
	t.Skip("a build without cgo, or not on Linux, loads no plugin")
	return ""
}

// Use has nothing to load.
func Use(string) error { return errors.New("a build without cgo, or not on Linux, loads no plugin") }

// Alive is the number of buffers that the plugin which works has.
func Alive() int { return 0 }

// Options are those that the plugin's client was made with.
func Options() string { return "" }

// Programs are the texts that were compiled.
func Programs() []string { return nil }

// Runs is how many programs were run.
func Runs() int { return 0 }

// clean has nothing to take away.
func clean() {}
