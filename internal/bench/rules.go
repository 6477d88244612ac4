package bench

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// rules are how the numbers are to be read. without are the measures that no image is large enough
// for, tile the side of the tiles, 0 where images stay whole.
func rules(p *Plan, without []string, tile int) []string {
	n, unit, units := len(p.Images), "image", "images, each with the mean over its seeds"
	if n == 1 {
		n, unit, units = len(p.Spec.Seeds), "seed", "seeds of the one image, so that intervals and marks say nothing about others"
	}
	list := []string{
		"Values are mean ± standard deviation over images and seeds; * marks the best mean of the methods that finished every run.",
		fmt.Sprintf("Differences are method - reference over the runs that both finished, with %.0f %% intervals (bias-corrected accelerated bootstrap, %d resamples of %s).", 100*confidence, resamples, units),
		fmt.Sprintf("+ and - mark methods that are significantly better and worse than the reference (two-sided sign-flip test on the same units, p < %g after Holm's correction for the methods of the table's column); = marks the rest.", level),
	}
	if math.Pow(2, float64(1-n)) >= level {
		list = append(list, fmt.Sprintf("With %s no difference can be significant: that takes 6 or more, and intervals of so few numbers are too short.", plural(n, unit)))
	}
	list = append(list, fmt.Sprintf("The residual is the root mean square of A(x) - y in units of the noise: above 1 the result does not explain the measurement, below it reproduces the noise. Explained are the runs with at most %g.", explains))
	if slices.ContainsFunc(p.Tasks, func(t Task) bool { return t.Starts > 1 }) {
		list = append(list, "Of a task with *K the best of K starts counts, chosen by its residual, and evaluations and times are those of all K.")
	}
	if slices.ContainsFunc(p.Tasks, func(t Task) bool { return symmetric([]Task{t}) }) {
		list = append(list,
			"Phase retrieval does not tell an image from the same turned by 180 degrees: its measures are those of the one of the two with the higher PSNR. Which start counts does not depend on them.",
			fmt.Sprintf("A run of phase retrieval succeeded if its PSNR is at least %d dB: those with a wrong coarse structure mostly end below 18 dB, those with the right one above 19. The rates are over all runs and over all single starts, whichever was chosen.", succeeds))
	}
	if tile > 0 {
		list = append(list, fmt.Sprintf("The prior sees an image in overlapping tiles of at most %d pixels a side.", tile))
	}
	if len(without) > 0 {
		list = append(list, fmt.Sprintf("The images are too small for %s.", strings.Join(without, ", ")))
	}
	return list
}
