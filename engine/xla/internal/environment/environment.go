// Package environment takes over two variables before GoMLX's XLA packages are initialised.
//
// go-xla looks for plugins as the program starts: it reads the system's list of library folders, and
// complains on stderr where there is none. It leaves that if PJRT_PLUGIN_LIBRARY_PATH is set, and spgd
// looks for plugins itself, and only when a device is asked for. This package is initialised first: it
// needs nothing but the standard library, and of the packages that are ready Go takes the one whose
// path comes first, while go-xla waits for modules whose paths come later.
package environment

import "os"

// LibraryPath is what the user set PJRT_PLUGIN_LIBRARY_PATH to.
var LibraryPath = func() string {
	const name = "PJRT_PLUGIN_LIBRARY_PATH"
	path := os.Getenv(name)
	_ = os.Setenv(name, "") // which cannot fail for a name without = and a value without a zero byte
	return path
}()
