package sampler

import (
	"cmp"
	"fmt"
	"math"

	"github.com/gomlx/gomlx/pkg/core/graph"
)

// With AutoStep, images of one operator that differ in the noise of y alone can be of one batch, as long as their noise levels are
// the same: what the steps take from the noise, sigma_y^2, is then a number for every image. A single image, and images
// of one noise, have a scalar.

// ownNoise is the state that holds sigma_y^2 of every image, [N,1,1,1].
const ownNoise = "noise of y"

// SameLevels says whether two settings, resolved for their problems by Settings.For, differ at most in the noise of y: a batch
// can hold images of both, with Job.SigmaY. The levels of a higher noise end higher; a measurement of the identity has a
// single level, its noise.
func SameLevels(a, b Settings) bool {
	if a.automatic() && a.resolved() && !a.auto.same {
		a.auto.sigmaY = b.auto.sigmaY
	}
	return a == b
}

// withOwnNoise is the sampler for a batch whose images have noise of their own.
func (d *Driver) withOwnNoise(s Sampler, sigmaY []float64, n int) (Sampler, error) {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("sampler: %w: %s", ErrProblem, fmt.Sprintf(format, args...))
	}
	own, ok := s.(SPGD)
	switch {
	case len(sigmaY) != n:
		return nil, bad("%d noise levels for %d measurements", len(sigmaY), n)
	case !ok || !own.automatic() || own.auto.same || d.tiler != nil:
		return nil, bad("%s takes measurements of one noise at a time here", s.Name())
	}
	for i, sigma := range sigmaY {
		if finest := own.leastNoise(sigma) / math.Sqrt(own.auto.largest); !(sigma >= 0 && finest <= own.SigmaMin) {
			return nil, bad("the noise of measurement %d has the standard deviation %g, for which the last noise level, %g, is too low", i, sigma, own.SigmaMin)
		}
	}
	own.auto.own = true
	return own, nil
}

// leastNoise is the noise of y, or what counts as none.
func (s Settings) leastNoise(sigma float64) float64 {
	return max(sigma, smallestNoise*math.Sqrt(s.auto.largest))
}

// withOwnNoise is the stage where sigma_y^2 is a number for every image. It has the same name.
func (st Stage) withOwnNoise() Stage {
	st.of = cmp.Or(st.of, st.Name) + ", own noise"
	st.State = append(st.State[:len(st.State):len(st.State)], ownNoise)
	return st
}

// atLeast is sigma_y^2 or the scalar of that name, whichever is more: of every image, [N,1,1,1], if it has its own, and otherwise
// the scalar, which is the more of both.
func (b *Builder) atLeast(name string) *Node {
	if own, ok := b.state[ownNoise]; ok {
		return graph.Max(own, b.Scalar(name))
	}
	return b.Scalar(name)
}

// giveNoise makes the state that holds the images' noise, once in a run.
func (s SPGD) giveNoise(r *Run) error {
	if r.state[ownNoise] != nil {
		return nil
	}
	t, err := r.driver.engine.Make(func(v []float32) error {
		for i := range v {
			sigma := s.leastNoise(r.job.SigmaY[i%r.images])
			v[i] = float32(sigma * sigma)
		}
		return nil
	}, r.batch, 1, 1, 1)
	if err == nil {
		r.set(ownNoise, t)
	}
	return err
}
