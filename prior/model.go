package prior

import (
	"fmt"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/tensors"
)

// The variance-preserving schedule that every network here was trained with: beta rises linearly
// from betaMin to betaMax over t in (0,1], and the network takes 999 t (Song et al., "Score-Based
// Generative Modeling through Stochastic Differential Equations", 2021).
const (
	betaMin   = 0.1
	betaMax   = 20.0
	timesteps = 999.0
)

// Model is a Denoiser made of a guided-diffusion UNet that predicts the noise eps. Engines may share
// its weights, one after the other or at once.
type Model struct {
	name    string
	config  Config
	plan    *plan
	weights *weightSet
}

func newModel(name string, c Config, read func([]param) [][]float32) *Model {
	p := c.plan()
	m := &Model{name: name, config: c, plan: p, weights: p.convert(c.InChannels, read)}
	if 4*c.Parameters() >= largeWeights {
		debug.FreeOSMemory() // the weights as they were read
	}
	return m
}

// largeWeights is the size in bytes from which on what loading leaves behind is given back at once: the
// collector, which lets garbage grow with what is in use, would let the process have both for good.
const largeWeights = 32 << 20

// Name implements Denoiser.
func (m *Model) Name() string { return m.name }

// Config returns the network's configuration.
func (m *Model) Config() Config { return m.config }

// Weights implements Denoiser. The order is that of the network, from time_embed to out; the
// layouts are channels last.
func (m *Model) Weights() []*tensors.Tensor { return m.weights.tensors }

// SizeMultiple implements Denoiser.
func (m *Model) SizeMultiple() int { return m.config.SizeMultiple() }

// Channels implements Denoiser.
func (m *Model) Channels() int { return m.config.InChannels }

// TileSide is the size of the training images of a network with attention, otherwise 0.
func (m *Model) TileSide() int {
	if slices.ContainsFunc(m.weights.names, func(name string) bool { return strings.HasSuffix(name, ".qkv.weight") }) {
		return m.config.ImageSize
	}
	return 0
}

// Denoise implements Denoiser with the network eps(x, t), trained on variance-preserving states
// (the preconditioning "VP" of Karras et al., "Elucidating the Design Space of Diffusion-Based
// Generative Models", 2022, Table 1):
//
//	D(x; sigma) = x - sigma eps(x/sqrt(1+sigma^2), 999 t(sigma))
//
// t is real-valued. sigma must be positive. For a sigma below about 0.01 the network is asked for
// less noise than it was trained on.
func (m *Model) Denoise(weights []*graph.Node, x, sigma *graph.Node) *graph.Node {
	if err := m.check(weights, x, sigma); err != nil {
		panic(err)
	}
	s := graph.Reshape(sigma, sigma.Shape().Dimensions[0], 1, 1, 1)
	scaled := graph.Div(x, graph.Sqrt(graph.OnePlus(graph.Mul(s, s))))
	eps := newUNet(m.plan, m.weights.names, weights).forward(scaled, timestep(sigma))
	return graph.Sub(x, graph.Mul(s, eps))
}

// timestep is 999 t(sigma) for sigma [N]: t solves sigma^2 = exp(betaMin t + (betaMax-betaMin) t^2/2) - 1.
// The root is written so that nothing cancels at a small sigma.
func timestep(sigma *graph.Node) *graph.Node {
	l := graph.Log1p(graph.Mul(sigma, sigma))
	root := graph.Sqrt(graph.AddScalar(graph.MulScalar(l, 2*(betaMax-betaMin)), betaMin*betaMin))
	return graph.Div(graph.MulScalar(l, 2*timesteps), graph.AddScalar(root, betaMin))
}

func (m *Model) check(weights []*graph.Node, x, sigma *graph.Node) error {
	if len(weights) != len(m.weights.tensors) {
		return fmt.Errorf("prior: %s: %d weights, want %d", m.name, len(weights), len(m.weights.tensors))
	}
	if err := checkState(m.name, x, sigma, m.Channels()); err != nil {
		return err
	}
	d, k := x.Shape().Dimensions, m.SizeMultiple()
	if d[1]%k != 0 || d[2]%k != 0 {
		return fmt.Errorf("prior: %s: an image of %dx%d: both sides must be multiples of %d", m.name, d[1], d[2], k)
	}
	return nil
}

// checkState checks the shapes of x [N,H,W,channels] and sigma [N].
func checkState(name string, x, sigma *graph.Node, channels int) error {
	xs, ss := x.Shape(), sigma.Shape()
	if xs.Rank() != 4 || xs.Dimensions[3] != channels || xs.Size() == 0 {
		return fmt.Errorf("prior: %s: x has shape %s, want [N,H,W,%d]", name, xs, channels)
	}
	if ss.Rank() != 1 || ss.Dimensions[0] != xs.Dimensions[0] || ss.DType != xs.DType {
		return fmt.Errorf("prior: %s: sigma has shape %s, want one value for each of %d images, of the images' type", name, ss, xs.Dimensions[0])
	}
	return nil
}
