package main

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seed-0f004ec9/spgd/imageio"
	"github.com/seed-0f004ec9/spgd/internal/pjrttest"
)

// TestFolderOnDeviceEstimated: pictures whose noise is estimated are restored as a batch, each with its own, unless the
// levels of a run depend on it. Denoising is a single evaluation at the level of the noise, and no batch.
func TestFolderOnDeviceEstimated(t *testing.T) {
	_, args := deviceFolder(t, 0)
	dir, small, out, alone := t.TempDir(), t.TempDir(), t.TempDir(), t.TempDir()
	for i, sigma := range []float64{0.02, 0.035, 0.2, 0.025} {
		m := testImage(32, 32, 3)
		random := rand.New(rand.NewPCG(1, uint64(i)))
		for k := range m.Pix {
			m.Pix[k] = 0.8*m.Pix[k] + float32(sigma*random.NormFloat64())
		}
		for _, to := range []string{dir, small}[:min(2, 1+i)] {
			writeImage(t, filepath.Join(to, fmt.Sprintf("in%d.png", i)), m, imageio.WriteOptions{})
		}
	}
	own := args[slices.Index(args, "--device") : len(args)-1]
	args = slices.Concat(strings.Fields("restore --task deblur --kernel gaussian:1 --noise auto --steps 3 --warmup 2"), own)
	compiled := len(pjrttest.Programs())
	mustRun(t, append(args, dir, "-o", out, "-q")...)
	programs := len(pjrttest.Programs()) - compiled
	mustRun(t, append(args, dir, "-o", alone, "--jobs", "1", "-q")...)
	sigmas := map[float64]bool{}
	for i, want := range []int{4, 4, 0, 4} { // the size that all four were thought to have
		name := fmt.Sprintf("in%d.png", i)
		r, err := recordIn(filepath.Join(out, name))
		if err != nil || !r.Noise.Estimated || r.Batch != want {
			t.Errorf("%s: a batch of %d, want %d, noise %+v, %v", name, r.Batch, want, r.Noise, err)
		}
		sigmas[float64(r.Noise.Sigma)] = true
		if worst := levels(t, filepath.Join(out, name), filepath.Join(alone, name)); worst > 1 {
			t.Errorf("%s differs by %g levels from the one restored alone", name, worst)
		}
	}
	if len(sigmas) != 4 {
		t.Errorf("the noise is estimated as %v", sigmas)
	}
	if programs > 2*5 { // start, step, end, and two for the residual, for the batch and the one picture
		t.Errorf("%d programs were compiled", programs)
	}
	text := mustRun(t, slices.Concat([]string{"restore", "--task", "denoise"}, own, []string{small, "-o", t.TempDir()})...)
	if strings.Count(text, "1 evaluations of the prior and 0 with gradient") != 3 {
		t.Errorf("denoising: %s", text)
	}
}
