package resume_test

import (
	"path/filepath"
	"testing"

	"github.com/seed-0f004ec9/spgd/prior/checkpoint"
	"github.com/seed-0f004ec9/spgd/report"
	"github.com/seed-0f004ec9/spgd/resume"
	"github.com/seed-0f004ec9/spgd/sampler"
)

// BenchmarkSave writes the state of 4 megapixels.
func BenchmarkSave(b *testing.B) {
	state := map[string]checkpoint.Tensor{}
	for _, name := range []string{sampler.StateX, sampler.StateX0hat} {
		state[name] = checkpoint.Tensor{Shape: []int{1, 2000, 2000, 3}, Data: make([]float32, 12e6)}
	}
	b.SetBytes(2 * 4 * 12e6)
	path, record := filepath.Join(b.TempDir(), "a"), report.New("restore")
	for b.Loop() {
		if err := resume.Save(path, &sampler.Checkpoint{State: state}, record); err != nil {
			b.Fatal(err)
		}
	}
}
