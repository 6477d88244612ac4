package prior

import "fmt"

// kind says what a layer computes.
type kind int

const (
	convolution   kind = iota // 3x3, same size
	residual                  // norm, SiLU, (resample,) 3x3; norm, SiLU, 3x3; plus the skip connection
	attention                 // multi-head self-attention over all positions
	downConv                  // 3x3 with stride 2
	downPool                  // average over 2x2
	upConv                    // nearest neighbour x2, then 3x3
	upNearest                 // nearest neighbour x2
	normOutput                // norm and SiLU before the last convolution
	timeEmbedding             // two linear layers
)

// resampling of a residual block.
type resampling int

const (
	same resampling = iota
	down
	up
)

// layer is one layer of the network. name is its prefix in the state dict.
type layer struct {
	kind     kind
	name     string
	in, out  int // channels
	resample resampling
	heads    int
}

// param is one tensor of the state dict, in PyTorch's layout.
type param struct {
	name  string
	shape []int
}

// plan is the network as a list of layers, in the order in which they run. The output of every
// encoder stage is kept, and each decoder stage starts by appending the latest one kept that has
// not been used yet.
type plan struct {
	config                    *Config
	embedding                 []layer
	encoder, middle, decoder  [][]layer
	outNorm, outConv          layer
	embeddingIn, embeddingOut int
}

// plan lays out the network as guided-diffusion's UNetModel does. The configuration must be valid.
func (c *Config) plan() *plan {
	p := &plan{config: c, embeddingIn: c.NumChannels, embeddingOut: 4 * c.NumChannels}
	p.embedding = []layer{{kind: timeEmbedding, name: "time_embed", in: p.embeddingIn, out: p.embeddingOut}}
	levels := len(c.ChannelMult)
	ch := c.width(0)
	p.encoder = [][]layer{{{kind: convolution, name: "input_blocks.0.0", in: c.InChannels, out: ch}}}
	kept := []int{ch}
	keep := func(stage []layer) {
		p.encoder = append(p.encoder, stage)
		kept = append(kept, ch)
	}
	for l := range levels {
		for range c.NumResBlocks {
			name := fmt.Sprintf("input_blocks.%d.", len(p.encoder))
			stage := []layer{{kind: residual, name: name + "0", in: ch, out: c.width(l)}}
			ch = c.width(l)
			if c.attends(1 << l) {
				stage = append(stage, layer{kind: attention, name: name + "1", in: ch, out: ch, heads: c.heads(ch, false)})
			}
			keep(stage)
		}
		if l < levels-1 {
			keep([]layer{c.downLayer(fmt.Sprintf("input_blocks.%d.0", len(p.encoder)), ch)})
		}
	}
	p.middle = [][]layer{{
		{kind: residual, name: "middle_block.0", in: ch, out: ch},
		{kind: attention, name: "middle_block.1", in: ch, out: ch, heads: c.heads(ch, false)},
		{kind: residual, name: "middle_block.2", in: ch, out: ch},
	}}
	for l := levels - 1; l >= 0; l-- {
		for i := range c.NumResBlocks + 1 {
			name := fmt.Sprintf("output_blocks.%d.", len(p.decoder))
			skip := kept[len(kept)-1]
			kept = kept[:len(kept)-1]
			stage := []layer{{kind: residual, name: name + "0", in: ch + skip, out: c.width(l)}}
			ch = c.width(l)
			if c.attends(1 << l) {
				stage = append(stage, layer{kind: attention, name: name + "1", in: ch, out: ch, heads: c.heads(ch, true)})
			}
			if l > 0 && i == c.NumResBlocks {
				stage = append(stage, c.upLayer(fmt.Sprintf("%s%d", name, len(stage)), ch))
			}
			p.decoder = append(p.decoder, stage)
		}
	}
	p.outNorm = layer{kind: normOutput, name: "out.0", in: ch, out: ch}
	p.outConv = layer{kind: convolution, name: "out.2", in: ch, out: c.OutChannels}
	return p
}

func (c *Config) downLayer(name string, ch int) layer {
	switch {
	case c.ResblockUpdown:
		return layer{kind: residual, name: name, in: ch, out: ch, resample: down}
	case c.ConvResample:
		return layer{kind: downConv, name: name, in: ch, out: ch}
	}
	return layer{kind: downPool, name: name, in: ch, out: ch}
}

func (c *Config) upLayer(name string, ch int) layer {
	switch {
	case c.ResblockUpdown:
		return layer{kind: residual, name: name, in: ch, out: ch, resample: up}
	case c.ConvResample:
		return layer{kind: upConv, name: name, in: ch, out: ch}
	}
	return layer{kind: upNearest, name: name, in: ch, out: ch}
}

// layers returns all layers in order of the network.
func (p *plan) layers() []layer {
	all := append([]layer(nil), p.embedding...)
	for _, part := range [][][]layer{p.encoder, p.middle, p.decoder} {
		for _, stage := range part {
			all = append(all, stage...)
		}
	}
	return append(all, p.outNorm, p.outConv)
}

// params returns the tensors of one layer.
func (p *plan) params(l layer) []param {
	// A weight's first axis is the output's, and the bias has one value for each of it.
	pair := func(name string, shape ...int) []param {
		return []param{{name + ".weight", shape}, {name + ".bias", shape[:1]}}
	}
	norm := func(name string, ch int) []param { return pair(name, ch) }
	var ps []param
	switch l.kind {
	case timeEmbedding:
		ps = append(pair(l.name+".0", l.out, l.in), pair(l.name+".2", l.out, l.out)...)
	case convolution:
		ps = pair(l.name, l.out, l.in, 3, 3)
	case downConv:
		ps = pair(l.name+".op", l.out, l.in, 3, 3)
	case upConv:
		ps = pair(l.name+".conv", l.out, l.in, 3, 3)
	case normOutput:
		ps = norm(l.name, l.in)
	case attention:
		ps = append(ps, norm(l.name+".norm", l.in)...)
		ps = append(ps, pair(l.name+".qkv", 3*l.in, l.in, 1)...)
		ps = append(ps, pair(l.name+".proj_out", l.in, l.in, 1)...)
	case residual:
		emb := l.out
		if p.config.UseScaleShiftNorm {
			emb *= 2
		}
		ps = append(ps, norm(l.name+".in_layers.0", l.in)...)
		ps = append(ps, pair(l.name+".in_layers.2", l.out, l.in, 3, 3)...)
		ps = append(ps, pair(l.name+".emb_layers.1", emb, p.embeddingOut)...)
		ps = append(ps, norm(l.name+".out_layers.0", l.out)...)
		ps = append(ps, pair(l.name+".out_layers.3", l.out, l.out, 3, 3)...)
		if l.in != l.out {
			ps = append(ps, pair(l.name+".skip_connection", l.out, l.in, 1, 1)...)
		}
	}
	return ps
}

// Tensors returns the name and shape of every tensor in the network's state dict, in PyTorch's
// layout. The configuration must be valid.
func (c *Config) Tensors() map[string][]int {
	p := c.plan()
	all := map[string][]int{}
	for _, l := range p.layers() {
		for _, t := range p.params(l) {
			all[t.name] = t.shape
		}
	}
	return all
}

// flop counts the floating-point operations of one forward pass over one image.
func (p *plan) flop(height, width int) float64 {
	total := 0.0
	area := float64(height) * float64(width)
	products := func(l layer, area float64) {
		for _, t := range p.params(l) {
			switch {
			case len(t.shape) == 2: // linear: once an image
				total += 2 * float64(size(t.shape))
			case len(t.shape) > 2:
				total += 2 * float64(size(t.shape)) * area
			}
		}
	}
	for _, l := range p.layers() {
		switch {
		case l.kind == downConv || l.kind == downPool || l.resample == down:
			area /= 4
		case l.kind == upConv || l.kind == upNearest || l.resample == up:
			area *= 4
		}
		products(l, area)
		if l.kind == attention {
			total += 4 * area * area * float64(l.in)
		}
	}
	return total
}
