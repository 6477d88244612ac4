package report

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
)

// Program says which build made a result.
type Program struct {
	Name     string `json:"name"`
	Version  string `json:"version"`            // module version, "(devel)" if the build has none
	Revision string `json:"revision,omitempty"` // of the source, with "+dirty" if it was changed
	Go       string `json:"go"`                 // version of the Go release
	Platform string `json:"platform"`           // GOOS/GOARCH
}

// ThisProgram describes the running binary from what the Go linker stored in it.
func ThisProgram() Program {
	p := Program{Name: "spgd", Version: "(devel)", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return p
	}
	p.fill(info)
	return p
}

func (p *Program) fill(info *debug.BuildInfo) {
	if info.Main.Version != "" {
		p.Version = info.Main.Version
	}
	dirty := false
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			p.Revision = s.Value
		case "vcs.modified":
			dirty = s.Value == "true"
		}
	}
	if dirty && p.Revision != "" {
		p.Revision += "+dirty"
	}
}

// HashFile returns the SHA-256 of a file in hexadecimal.
func HashFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("report: %w", err)
	}
	defer f.Close()
	return Hash(f)
}

// Hash returns the SHA-256 of everything r holds, in hexadecimal.
func Hash(r io.Reader) (string, error) {
	h := sha256.New()
	if _, err := io.Copy(h, r); err != nil {
		return "", fmt.Errorf("report: cannot hash: %w", err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
