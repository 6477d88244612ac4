package bench

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"unicode"

	"github.com/seed-0f004ec9/spgd/report"
	"github.com/seed-0f004ec9/spgd/sampler"
)

// Status says how a cell ended.
type Status string

const (
	Finished     Status = "finished"
	Diverged     Status = "diverged"
	Inapplicable Status = "does not apply" // the method cannot treat the operator
)

// Causes is everything that determines what a cell comes to.
type Causes struct {
	Image     string            `json:"image_sha256"` // of the square's pixels
	Task      string            `json:"task"`         // operator and noise
	Method    string            `json:"method"`
	Set       map[string]string `json:"set,omitempty"` // settings that are not the method's own
	Seed      uint64            `json:"seed"`
	Prior     string            `json:"prior_sha256"`
	Network   string            `json:"network,omitempty"` // of a checkpoint that does not describe its own
	Measures  []string          `json:"measures"`          // what is measured, networks with their hash
	Program   string            `json:"program"`           // version and revision, or the hash of the program
	Platform  string            `json:"platform"`
	Engine    string            `json:"engine"`
	ISA       string            `json:"isa"`
	Precision string            `json:"precision"`
	// Convolution is how 3x3 convolutions were computed, if that was not left to the engine.
	Convolution string `json:"convolution,omitempty"`
	// Tile is the largest side of the tiles in which the prior sees an image, 0 where that stays whole.
	Tile int `json:"tile,omitempty"`
	// Programs is what is one program on an accelerator, if that was not left to the sampler.
	Programs sampler.Programs `json:"programs,omitempty"`
}

// key identifies a cell by its causes.
func (c Causes) key() (string, error) {
	b, err := json.Marshal(c) // the keys of maps are sorted
	if err != nil {
		return "", fmt.Errorf("bench: %w", err)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:]), nil
}

// Cell is one restoration and what was measured of it: a line of the journal.
type Cell struct {
	Key    string `json:"key"` // SHA-256 of the causes
	Causes Causes `json:"causes"`

	Image string `json:"image"` // name
	Label string `json:"label"` // of the method
	// Draw is the seed that "spgd degrade" and "spgd restore" repeat the cell with: of the mask, the
	// kernel, the noise and the (first) start.
	Draw     uint64 `json:"draw_seed"`
	Operator string `json:"operator"`
	Drawn    string `json:"operator_sha256"` // of the operator's arrays: mask, kernel, resize matrices

	Status   Status         `json:"status"`
	Reason   string         `json:"reason,omitempty"` // why it is not finished
	Settings map[string]any `json:"settings,omitempty"`
	// Estimated is the noise that the method was told, where that is not the task's.
	Estimated *report.Number `json:"estimated_noise,omitempty"`

	// Values are by measure; those that the image is too small for are left out.
	Values   map[string]report.Number `json:"values,omitempty"`
	Residual report.Number            `json:"residual_rms"` // sqrt(mean (A(x) - y)^2) of the result
	// Residuals are those of all starts, if there are several; Residual is the smallest.
	Residuals []report.Number `json:"residuals_rms,omitempty"`
	// Symmetry is halfTurn where the measurement does not tell an image from the same turned by 180 degrees. The values
	// are then those of the one of the two with the higher PSNR, which is the turned one where Turned says so, and
	// PSNRs are those of all starts, likewise. No start is chosen by them.
	Symmetry string          `json:"symmetry,omitempty"`
	Turned   bool            `json:"turned,omitempty"`
	PSNRs    []report.Number `json:"psnr_of_starts,omitempty"`
	Forwards int             `json:"forwards"`
	VJPs     int             `json:"vjps"`
	NFE      int             `json:"nfe"`

	// Seconds are those of the restoration without compilation; PeakBytes the largest resident memory
	// of the process during it, 0 where the system does not say. They differ from run to run.
	Seconds   report.Number `json:"seconds"`
	Compile   report.Number `json:"compile_seconds"`
	PeakBytes int64         `json:"peak_bytes"`
}

// FileName is a name for a file about the cell, without its extension: readable, and of this cell
// alone.
func (c Cell) FileName() string {
	name := strings.Map(func(r rune) rune {
		if r < 128 && (unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("._+-=", r)) {
			return r
		}
		return '_'
	}, fmt.Sprintf("%s_%s_%s_%d", c.Image, c.Causes.Task, c.Label, c.Causes.Seed))
	return strings.TrimLeft(name[:min(len(name), 100)], ".") + "_" + c.Key[:min(len(c.Key), 12)]
}
