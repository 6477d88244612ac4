package lpips

import (
	"fmt"

	"github.com/gomlx/gomlx/pkg/core/graph"
)

// layer is a piece of a feature extractor: a convolution with bias and ReLU, a max-pooling, or a fire
// module of SqueezeNet.
type layer struct {
	name string // of its tensors, after "features."; empty for pooling
	// A convolution's channels, side, stride and padding; a pooling has side and stride alone.
	in, out, side, stride, pad int
	fire                       int  // channels that a fire module squeezes to, 0 for other layers
	ceil                       bool // a pooling whose last window may reach beyond the border
	tap                        bool // its result is one of those that are compared
}

func conv(name string, in, out, side, stride, pad int) layer {
	return layer{name: name, in: in, out: out, side: side, stride: stride, pad: pad}
}

func pool(side, stride int, ceil bool) layer { return layer{side: side, stride: stride, ceil: ceil} }

// fire squeezes to a few channels, and concatenates a 1x1 and a 3x3 convolution of half its output each.
func fire(name string, in, squeeze, out int) layer {
	return layer{name: name, in: in, out: out, fire: squeeze}
}

func (l layer) tapped() layer {
	l.tap = true
	return l
}

// architecture is a feature extractor with the names of torchvision's state dict.
type architecture struct {
	name   string
	layers []layer
}

// The networks of LPIPS: VGG-16 (Simonyan and Zisserman 2015, configuration D), AlexNet in the
// variant of "One weird trick" (Krizhevsky 2014) and SqueezeNet 1.1 (Iandola et al. 2016).
var architectures = map[string]architecture{
	"vgg16": {"vgg16", []layer{
		conv("0", 3, 64, 3, 1, 1), conv("2", 64, 64, 3, 1, 1).tapped(), pool(2, 2, false),
		conv("5", 64, 128, 3, 1, 1), conv("7", 128, 128, 3, 1, 1).tapped(), pool(2, 2, false),
		conv("10", 128, 256, 3, 1, 1), conv("12", 256, 256, 3, 1, 1), conv("14", 256, 256, 3, 1, 1).tapped(), pool(2, 2, false),
		conv("17", 256, 512, 3, 1, 1), conv("19", 512, 512, 3, 1, 1), conv("21", 512, 512, 3, 1, 1).tapped(), pool(2, 2, false),
		conv("24", 512, 512, 3, 1, 1), conv("26", 512, 512, 3, 1, 1), conv("28", 512, 512, 3, 1, 1).tapped(),
	}},
	"alexnet": {"alexnet", []layer{
		conv("0", 3, 64, 11, 4, 2).tapped(), pool(3, 2, false),
		conv("3", 64, 192, 5, 1, 2).tapped(), pool(3, 2, false),
		conv("6", 192, 384, 3, 1, 1).tapped(), conv("8", 384, 256, 3, 1, 1).tapped(), conv("10", 256, 256, 3, 1, 1).tapped(),
	}},
	"squeezenet": {"squeezenet", []layer{
		conv("0", 3, 64, 3, 2, 0).tapped(), pool(3, 2, true),
		fire("3", 64, 16, 128), fire("4", 128, 16, 128).tapped(), pool(3, 2, true),
		fire("6", 128, 32, 256), fire("7", 256, 32, 256).tapped(), pool(3, 2, true),
		fire("9", 256, 48, 384).tapped(), fire("10", 384, 48, 384).tapped(),
		fire("11", 384, 64, 512).tapped(), fire("12", 512, 64, 512).tapped(),
	}},
}

// convolutions are the layer's convolutions: one, none for pooling, three for a fire module.
func (l layer) convolutions() []layer {
	switch {
	case l.name == "":
		return nil
	case l.fire > 0:
		return []layer{
			conv(l.name+".squeeze", l.in, l.fire, 1, 1, 0),
			conv(l.name+".expand1x1", l.fire, l.out/2, 1, 1, 0),
			conv(l.name+".expand3x3", l.fire, l.out/2, 3, 1, 1),
		}
	}
	return []layer{l}
}

// size is the side of the layer's result, less than 1 if there is none.
func (l layer) size(n int) int {
	if l.fire > 0 {
		return n
	}
	room := n + 2*l.pad - l.side
	if l.ceil {
		room += l.stride - 1
	}
	if room < 0 {
		return 0
	}
	return room/l.stride + 1
}

// smallest is the smallest side of images of which every layer has a result.
func (a architecture) smallest() int {
	for n := 1; ; n++ {
		side := n
		for _, l := range a.layers {
			if side = l.size(side); side < 1 {
				break
			}
		}
		if side >= 1 {
			return n
		}
	}
}

// tensors are the shapes of the extractor's tensors, by name.
func (a architecture) tensors() map[string][]int {
	want := map[string][]int{}
	for _, l := range a.layers {
		for _, c := range l.convolutions() {
			want[features+c.name+".weight"] = []int{c.out, c.in, c.side, c.side}
			want[features+c.name+".bias"] = []int{c.out}
		}
	}
	for i, n := range a.taps() {
		want[head(i)] = []int{1, n, 1, 1}
	}
	return want
}

// taps are the channels of the results that are compared.
func (a architecture) taps() []int {
	var n []int
	for _, l := range a.layers {
		if l.tap {
			n = append(n, l.out)
		}
	}
	return n
}

const features = "features."

func head(i int) string { return fmt.Sprintf("lin%d.model.1.weight", i) }

// extract builds the results that are compared, for images of [N,H,W,3]. weights gives the layers'
// kernels, [h,w,in,out], and biases.
func (a architecture) extract(x *graph.Node, weights func(name string) *graph.Node) []*graph.Node {
	apply := func(c layer, x *graph.Node) *graph.Node {
		y := graph.Convolve(x, weights(features+c.name+".weight")).
			PaddingPerDim([][2]int{{c.pad, c.pad}, {c.pad, c.pad}}).Strides(c.stride).Done()
		bias := graph.Reshape(weights(features+c.name+".bias"), 1, 1, 1, c.out)
		return graph.MaxScalar(graph.Add(y, bias), 0)
	}
	var taps []*graph.Node
	for _, l := range a.layers {
		switch c := l.convolutions(); {
		case l.fire > 0:
			s := apply(c[0], x)
			x = graph.Concatenate([]*graph.Node{apply(c[1], s), apply(c[2], s)}, 3)
		case len(c) == 1:
			x = apply(c[0], x)
		default:
			var pads [2][2]int
			for i, n := range x.Shape().Dimensions[1:3] {
				pads[i][1] = max(0, (l.size(n)-1)*l.stride+l.side-n) // where the last window ends
			}
			x = graph.MaxPool(x).Window(l.side).Strides(l.stride).PaddingPerDim(pads[:]).Done()
		}
		if l.tap {
			taps = append(taps, x)
		}
	}
	return taps
}
