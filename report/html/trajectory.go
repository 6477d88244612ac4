package html

import "github.com/seed-0f004ec9/spgd/imageio"

// shownEstimates is how many estimates of a run a page shows.
const shownEstimates = 8

// Shown says whether a page shows the estimate of step k, from 0, of a run of so many steps: those of
// steps that are spread evenly, the first and the last among them.
func Shown(k, steps int) bool {
	last := min(shownEstimates, steps) - 1
	for i := range last {
		if k == i*(steps-1)/last {
			return true
		}
	}
	return k == steps-1
}

// Thumbnail is a copy of a picture in the size in which a page shows estimates.
func Thumbnail(m *imageio.Image) (*imageio.Image, error) {
	small, err := Shrink(m, ThumbnailSide)
	if small == m {
		small = m.Clone()
	}
	return small, err
}

// Trajectory are the figures of estimates on the way.
func Trajectory(list []Estimate) ([]Figure, error) {
	var figures []Figure
	for _, e := range list {
		img, err := Embed(e.Image, ThumbnailSide, "Estimate at step "+whole(e.Step))
		if err != nil {
			return nil, err
		}
		img.Note = ""
		figures = append(figures, Figure{img, "Step " + whole(e.Step) + ", σ = " + short(e.Sigma)})
	}
	return figures, nil
}
