package prior

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// groups is the number of groups of every GroupNorm in guided-diffusion.
const groups = 32

// ErrConfig is in the chain of every error about a network configuration.
var ErrConfig = errors.New("unsupported network configuration")

// Config describes a guided-diffusion UNet (Dhariwal and Nichol, "Diffusion Models Beat GANs on
// Image Synthesis"). The names are those of that code's arguments.
type Config struct {
	ImageSize   int // side of the training images in pixels; attention resolutions refer to it
	InChannels  int // channels of the image
	OutChannels int // channels of the network's output: InChannels, or twice that with LearnSigma
	NumChannels int // base width; level l has ChannelMult[l]*NumChannels channels

	NumResBlocks int       // residual blocks per encoder level (one more per decoder level)
	ChannelMult  []float64 // one multiplier per level, full resolution first

	AttentionResolutions []int // resolutions, at ImageSize, with attention in every residual block
	NumHeads             int   // attention heads, where NumHeadChannels is not given
	NumHeadsUpsample     int   // heads in the decoder, where they differ; 0 means NumHeads
	NumHeadChannels      int   // channels of a head; 0 means that NumHeads counts

	UseScaleShiftNorm    bool // the embedding scales and shifts the second norm; otherwise it is added before it
	ResblockUpdown       bool // residual blocks resample; otherwise separate layers do
	ConvResample         bool // those separate layers have a convolution
	UseNewAttentionOrder bool // qkv channels are split before heads; otherwise heads before qkv
	LearnSigma           bool // the output's second half is a variance, which nothing here uses
}

// Networks names the presets, for Network.
func Networks() []string { return []string{"ffhq256", "imagenet256"} }

// Network returns the configuration of a published checkpoint, which comes without one:
//
//   - ffhq256: the FFHQ 256x256 network of "Diffusion Posterior Sampling" (Chung et al., 2023),
//     often called ffhq_10m.pt.
//   - imagenet256: OpenAI's unconditional ImageNet network, 256x256_diffusion_uncond.pt.
func Network(name string) (Config, error) {
	c := Config{
		ImageSize: 256, InChannels: 3, OutChannels: 6,
		ChannelMult: []float64{1, 1, 2, 2, 4, 4}, NumHeadChannels: 64,
		UseScaleShiftNorm: true, ResblockUpdown: true, ConvResample: true, LearnSigma: true,
	}
	switch name {
	case "ffhq256":
		c.NumChannels, c.NumResBlocks, c.AttentionResolutions = 128, 1, []int{16}
	case "imagenet256":
		c.NumChannels, c.NumResBlocks, c.AttentionResolutions = 256, 2, []int{32, 16, 8}
	default:
		return Config{}, fmt.Errorf("prior: there is no network %q (there are %v)", name, Networks())
	}
	return c, nil
}

// width returns the channels of level l. guided-diffusion truncates.
func (c *Config) width(l int) int { return int(c.ChannelMult[l] * float64(c.NumChannels)) }

// SizeMultiple divides the sides of the images the network takes: 2^(levels-1).
func (c *Config) SizeMultiple() int { return 1 << (len(c.ChannelMult) - 1) }

// attends says whether the residual blocks at down-sampling factor ds are followed by attention.
func (c *Config) attends(ds int) bool {
	return slices.ContainsFunc(c.AttentionResolutions, func(r int) bool { return c.ImageSize/r == ds })
}

// heads returns the number of attention heads of a layer with the given channels.
func (c *Config) heads(channels int, decoder bool) int {
	switch {
	case c.NumHeadChannels > 0:
		return channels / c.NumHeadChannels
	case decoder && c.NumHeadsUpsample > 0:
		return c.NumHeadsUpsample
	}
	return c.NumHeads
}

// Limits that no real network comes near. They keep a hostile configuration from asking for an
// absurd number of layers or overflowing a size.
const (
	maxLevels   = 10
	maxBlocks   = 64
	maxChannels = 1 << 16
)

// Validate says what is wrong with the configuration, if anything. The error is an ErrConfig.
func (c *Config) Validate() error {
	if err := c.validate(); err != nil {
		return fmt.Errorf("prior: %w", err)
	}
	return nil
}

func badConfig(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrConfig, fmt.Sprintf(format, args...))
}

func (c *Config) validate() error {
	positive := []struct {
		name     string
		n, limit int
	}{
		{"image_size", c.ImageSize, maxChannels}, {"in_channels", c.InChannels, maxChannels},
		{"num_channels", c.NumChannels, maxChannels}, {"num_res_blocks", c.NumResBlocks, maxBlocks},
		{"channel_mult levels", len(c.ChannelMult), maxLevels},
	}
	for _, p := range positive {
		if p.n < 1 || p.n > p.limit {
			return badConfig("%s is %d, want 1 to %d", p.name, p.n, p.limit)
		}
	}
	if c.NumChannels%2 != 0 {
		return badConfig("num_channels is %d, want an even number: the timestep embedding has as many sines as cosines", c.NumChannels)
	}
	want := c.InChannels
	if c.LearnSigma {
		want *= 2
	}
	if c.OutChannels != want {
		return badConfig("out_channels is %d, want %d with in_channels %d and learn_sigma %t", c.OutChannels, want, c.InChannels, c.LearnSigma)
	}
	for i, m := range c.ChannelMult {
		if !(m > 0) || m*float64(c.NumChannels) > maxChannels {
			return badConfig("channel_mult[%d] is %g", i, m)
		}
		if w := c.width(i); w == 0 || w%groups != 0 {
			return badConfig("channel_mult[%d] = %g makes %d channels, want a multiple of %d", i, m, w, groups)
		}
	}
	for _, r := range c.AttentionResolutions {
		if r < 1 || c.ImageSize%r != 0 {
			return badConfig("attention_resolutions holds %d, which does not divide image_size %d", r, c.ImageSize)
		}
	}
	for _, n := range []int{c.NumHeads, c.NumHeadsUpsample, c.NumHeadChannels} {
		if n < 0 {
			return badConfig("a number of heads or head channels is %d", n)
		}
	}
	if c.NumHeads == 0 && c.NumHeadChannels == 0 {
		return badConfig("neither num_heads nor num_head_channels is given")
	}
	return c.validateHeads()
}

// validateHeads checks that the heads divide the channels wherever there is attention.
func (c *Config) validateHeads() error {
	for i := range c.ChannelMult {
		middle := i == len(c.ChannelMult)-1
		if !middle && !c.attends(1<<i) {
			continue
		}
		w := c.width(i)
		if c.NumHeadChannels > 0 && w%c.NumHeadChannels != 0 {
			return badConfig("%d channels of level %d are no multiple of num_head_channels %d", w, i, c.NumHeadChannels)
		}
		for _, decoder := range []bool{false, true} {
			if h := c.heads(w, decoder); w%h != 0 {
				return badConfig("%d channels of level %d are no multiple of %d heads", w, i, h)
			}
		}
	}
	return nil
}

// Parameters counts the network's parameters.
func (c *Config) Parameters() int {
	n := 0
	for _, shape := range c.Tensors() {
		n += size(shape)
	}
	return n
}

// GFLOP is the work of one forward pass over one image of height x width pixels, in 10^9
// floating-point operations: two per multiply-add of the convolutions and matrix products.
func (c *Config) GFLOP(height, width int) float64 {
	return math.Round(c.plan().flop(height, width)/1e6) / 1e3
}

func size(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}
