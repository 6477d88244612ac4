package prior

import (
	"slices"

	"github.com/gomlx/gomlx/pkg/core/dtypes"
	"github.com/gomlx/gomlx/pkg/core/shapes"
	"github.com/gomlx/gomlx/pkg/core/tensors"
)

// weightSet is a network's weights, ready for the graph.
type weightSet struct {
	names   []string // state-dict names
	tensors []*tensors.Tensor
}

// convert brings a state dict into the form that the graph takes, once, when it is loaded. read
// returns the tensors of one layer in PyTorch's layout; it is called once for each layer.
//
// The order is that of the network: time_embed, input_blocks, middle_block, output_blocks, out; in
// each layer, the order in which PyTorch registers the tensors. The layouts are:
//
//   - convolutions from [out,in,H,W] to [H,W,in,out]; attention's one-dimensional ones of size 1
//     too, with H = W = 1;
//   - linear layers from [out,in] to [in,out];
//   - the rest as it is, [channels].
//
// Three things are resolved here so that the graph need not know them. The output channels of qkv
// are put in the order query, key, value, each by head, whichever order the network has. Attention
// whose proj_out is all zeros is the identity and is left out. Of the last convolution, only the
// first outChannels output channels are kept.
func (p *plan) convert(outChannels int, read func([]param) [][]float32) *weightSet {
	w := &weightSet{}
	for _, l := range p.layers() {
		params := p.params(l)
		values := read(params)
		if l.kind == attention && isZero(values[4]) && isZero(values[5]) { // proj_out's weight and bias
			continue
		}
		for i, t := range params {
			data, shape := values[i], t.shape
			switch {
			case l.name == p.outConv.name:
				shape = append([]int{outChannels}, shape[1:]...)
				data = data[:size(shape)]
			case l.kind == attention && shape[0] == 3*l.in && !p.config.UseNewAttentionOrder:
				data = reorderQKV(data, l.heads, l.in/l.heads)
			}
			w.names = append(w.names, t.name)
			w.tensors = append(w.tensors, toChannelsLast(data, shape))
		}
	}
	return w
}

func isZero(x []float32) bool {
	return !slices.ContainsFunc(x, func(v float32) bool { return v != 0 })
}

// reorderQKV turns rows ordered by head, then q/k/v, then channel into rows ordered by q/k/v, then
// head, then channel.
func reorderQKV(src []float32, heads, channels int) []float32 {
	dst := make([]float32, 0, len(src))
	block := len(src) / (3 * heads) // one head's rows of one of q, k, v
	for part := range 3 {
		for head := range heads {
			at := (3*head + part) * block
			dst = append(dst, src[at:at+block]...)
		}
	}
	return dst
}

// toChannelsLast makes a tensor of a weight in PyTorch's layout, output channels first.
func toChannelsLast(src []float32, shape []int) *tensors.Tensor {
	dims := shape
	switch len(shape) {
	case 2: // linear
		dims = []int{shape[1], shape[0]}
	case 3: // one-dimensional convolution of size 1
		dims = []int{1, shape[2], shape[1], shape[0]}
	case 4:
		dims = []int{shape[2], shape[3], shape[1], shape[0]}
	}
	t := tensors.FromShape(shapes.Make(dtypes.Float32, dims...))
	tensors.MustMutableFlatData(t, func(dst []float32) {
		if len(shape) == 1 {
			copy(dst, src)
			return
		}
		transposeOIK(dst, src, shape[0], shape[1], size(shape[2:]))
	})
	return t
}

// transposeOIK turns [out,in,k] into [k,in,out]. It goes through blocks of output channels, because
// the largest weights do not fit into a cache.
func transposeOIK(dst, src []float32, out, in, k int) {
	const block = 16
	for o0 := 0; o0 < out; o0 += block {
		o1 := min(o0+block, out)
		for i := range in {
			for o := o0; o < o1; o++ {
				for j, v := range src[(o*in+i)*k : (o*in+i+1)*k] {
					dst[(j*in+i)*out+o] = v
				}
			}
		}
	}
}
