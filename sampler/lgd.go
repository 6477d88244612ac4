package sampler

import (
	"fmt"
	"math"

	"github.com/gomlx/gomlx/pkg/core/graph"
)

// LGD is loss-guided diffusion with Monte Carlo samples (Song et al., "Loss-Guided Diffusion Models for
// Plug-and-Play Controllable Generation", ICML 2023). The residual is the mean over samples about
// x0hat of the spread that a standard normal prior gives x0,
//
//	L  = mean_i ||y - A(x0hat + r z_i)||^2,   r^2 = sigma^2/(1+sigma^2)
//	x' = ddim(x0hat, x; eta = 1) - scale_T sqrt((1+sigma^2)(1+next^2)) grad_x L / sqrt(L)
//
// with one VJP for all samples. The authors take up to 10 samples, and their scales are for other
// problems: the default is half of DPS's zeta, with which the two agree for r = 0; scale_T is as in
// DPS. It takes T evaluations with a VJP, 1000 by default.
type LGD struct {
	DPS
	Samples int `set:"samples"`
}

// NewLGD returns the method with 3 samples.
func NewLGD(p Problem) LGD {
	m := LGD{NewDPS(p), 3}
	m.Scale /= 2
	return m
}

// Name is "lgd-mc".
func (LGD) Name() string { return "lgd-mc" }

// maxSamples bounds the samples of a step, which are one graph.
const maxSamples = 100

// Validate implements Sampler.
func (m LGD) Validate() error {
	return m.check(m.Name(), within{"samples", float64(m.Samples), 1, maxSamples})
}

// Stages lists the programs.
func (m LGD) Stages() []Stage {
	st := dpsStep
	st.Name = fmt.Sprintf("step with %d samples", m.Samples)
	st.Scalars = append([]string{"spread"}, dpsScalars...)
	for i := range m.Samples {
		st.Noise = append(st.Noise[:1+i:1+i], fmt.Sprint("sample ", i))
	}
	st.Build = func(b *Builder) {
		b.SetState(StateX, pushed(b, func(x0hat *Node) *Node {
			var sum *Node
			for _, name := range st.Noise[1:] {
				loss := b.misfit(graph.Add(x0hat, graph.Mul(b.Scalar("spread"), b.Noise(name))))
				if sum == nil {
					sum = loss
				} else {
					sum = graph.Add(sum, loss)
				}
			}
			// The gradient of L over sqrt(L) is that of 2 sqrt(L).
			return graph.MulScalar(root(graph.DivScalar(sum, float64(m.Samples))), 2)
		}))
	}
	return []Stage{st}
}

// Step runs outer step k.
func (m LGD) Step(r *Run) error {
	sigma := r.Sigma()
	_, err := r.Exec(m.Stages()[0].Name, m.inputs(r).with(Scalars{"spread": sigma / math.Sqrt(1+sigma*sigma)}))
	return err
}
