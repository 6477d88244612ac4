package bench

import (
	"fmt"
	"os"
	"strings"

	"github.com/seed-0f004ec9/spgd/report"
)

// ProgramID identifies the running program, as far as results depend on it: its version and the
// revision of its source, or, where a build does not say that or the source was changed, the SHA-256 of
// the program's file.
func ProgramID() (string, error) {
	p := report.ThisProgram()
	if p.Revision != "" && !strings.HasSuffix(p.Revision, "+dirty") {
		return p.Version + " " + p.Revision, nil
	}
	path, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("bench: finding the program's file: %w", err)
	}
	return report.HashFile(path)
}
