package bench

import (
	"fmt"
	"slices"

	"github.com/seed-0f004ec9/spgd/imageio"
	"github.com/seed-0f004ec9/spgd/metric"
	"github.com/seed-0f004ec9/spgd/operator"
)

// halfTurn is the symmetry of operators that are an operator.HalfTurner.
const halfTurn = "half turn"

// succeeds is the PSNR in dB from which on a run of a task with a symmetry has found the image. It lies in a gap: runs
// from random starts end either well below it, with a coarse structure that is wrong, or about where runs
// that begin with the right one do.
const succeeds = 20

// resolve returns the image, or the same turned by 180 degrees if that is nearer to the reference, and its PSNR.
func resolve(reference, m *imageio.Image) (resolved *imageio.Image, turned bool, psnr float64, err error) {
	if psnr, err = metric.PSNR(reference, m); err != nil {
		return nil, false, 0, err
	}
	other := m.HalfTurn()
	if v, err := metric.PSNR(reference, other); err != nil || v > psnr {
		return other, true, v, err
	}
	return m, false, psnr, nil
}

// symmetric says whether all tasks have the symmetry.
func symmetric(tasks []Task) bool {
	return !slices.ContainsFunc(tasks, func(t Task) bool { return t.Task.Name != operator.TaskPhase })
}

// Success is how often a method found the image of tasks with a symmetry.
type Success struct {
	Runs      int     `json:"runs"`
	Successes int     `json:"successes"`
	PSNR      float64 `json:"psnr"` // from which on a run is one, in dB
	// Of all starts alike, whichever was chosen.
	Starts         int `json:"starts"`
	StartSuccesses int `json:"start_successes"`
}

// success counts the runs of a method by cells, by task, method, image and seed. A run that is not finished is none.
func success(cells [][][][]Cell, method int) *Success {
	s := &Success{PSNR: succeeds}
	for _, task := range cells {
		for _, image := range task[method] {
			for _, c := range image {
				s.Runs++
				if c.Status == Finished && c.Values["psnr"] >= succeeds {
					s.Successes++
				}
				s.Starts += len(c.PSNRs)
				for _, v := range c.PSNRs {
					if v >= succeeds {
						s.StartSuccesses++
					}
				}
			}
		}
	}
	return s
}

// rate is the share of n, NaN of none.
func rate(successes, n int) Summary {
	v := make([]float64, n)
	for i := range successes {
		v[i] = 1
	}
	return summary(v)
}

func (s *Success) words() []string {
	if s == nil || s.Runs == 0 {
		return []string{dash, dash}
	}
	return []string{fmt.Sprintf("%d of %d", s.Successes, s.Runs), fmt.Sprintf("%d of %d", s.StartSuccesses, s.Starts)}
}
