// Package lpips computes LPIPS, the learned perceptual image patch similarity of Zhang, Isola, Efros,
// Shechtman and Wang (CVPR 2018), with weights that the user gives.
//
// Images pass through a network that was trained to recognise things; at several depths the
// features of every place are scaled to unit length, and the distance is the mean over places of
// the squared differences under learned weights, summed over the depths. Three networks are
// known, by the names of torchvision's state dicts: VGG-16, AlexNet and SqueezeNet 1.1. The weights of
// the sums are the linear heads of version 0.1 of the authors' package.
package lpips

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gomlx/gomlx/pkg/core/dtypes"
	"github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/shapes"
	"github.com/gomlx/gomlx/pkg/core/tensors"

	"github.com/seed-0f004ec9/spgd/engine"
	"github.com/seed-0f004ec9/spgd/imageio"
	"github.com/seed-0f004ec9/spgd/metric"
	"github.com/seed-0f004ec9/spgd/prior/checkpoint"
)

// Network is a feature extractor with its heads.
type Network struct {
	architecture
	names   []string // of the weights, sorted
	weights []*tensors.Tensor
}

// Name is "vgg16", "alexnet" or "squeezenet".
func (n *Network) Name() string { return n.name }

// MinSide is the smallest side of images that the network takes.
func (n *Network) MinSide() int { return n.smallest() }

// Load reads a network from PyTorch or safetensors files that hold between them the extractor
// ("features.0.weight", ...) and its heads ("lin0.model.1.weight", ...). Which network it is follows
// from its tensors. Tensors of other names, such as those of the classifier, are not read. Errors
// wrap those of package checkpoint, ErrTensors for tensors that are missing, unexpected or of
// another shape.
func Load(paths ...string) (*Network, error) {
	all := &checkpoint.File{Name: strings.Join(paths, " and "), Tensors: map[string]checkpoint.Tensor{}, Skipped: map[string]string{}}
	for _, path := range paths {
		found := false
		for _, prefix := range []string{features, "lin"} {
			f, err := checkpoint.Open(path, checkpoint.Prefix(prefix))
			if errors.Is(err, checkpoint.ErrTensors) {
				continue
			}
			if err != nil {
				return nil, fmt.Errorf("lpips: %w", err)
			}
			found = true
			for name, t := range f.Tensors {
				if _, twice := all.Tensors[prefix+name]; twice {
					return nil, fmt.Errorf("lpips: %s: %w: %s is in an earlier file too", path, checkpoint.ErrTensors, prefix+name)
				}
				all.Tensors[prefix+name] = t
			}
			for name, kind := range f.Skipped {
				all.Skipped[prefix+name] = kind
			}
		}
		if !found {
			return nil, fmt.Errorf("lpips: %s: %w: neither a network (features.0.weight, ...) nor heads (lin0.model.1.weight, ...)", path, checkpoint.ErrTensors)
		}
	}
	return newNetwork(all)
}

// identify tells the network from its tensors.
func identify(f *checkpoint.File) (architecture, error) {
	first, ok := f.Tensors[features+"0.weight"]
	_, fires := f.Tensors[features+"3.squeeze.weight"]
	switch {
	case !ok:
		return architecture{}, fmt.Errorf("lpips: %s: %w: the network is missing, which begins with %s0.weight", f.Name, checkpoint.ErrTensors, features)
	case fires:
		return architectures["squeezenet"], nil
	case slices.Equal(first.Shape, []int{64, 3, 11, 11}):
		return architectures["alexnet"], nil
	case slices.Equal(first.Shape, []int{64, 3, 3, 3}):
		return architectures["vgg16"], nil
	}
	return architecture{}, fmt.Errorf("lpips: %s: %w: %s0.weight is %v, which is neither VGG-16's [64 3 3 3] nor AlexNet's [64 3 11 11]",
		f.Name, checkpoint.ErrTensors, features, first.Shape)
}

func newNetwork(f *checkpoint.File) (*Network, error) {
	a, err := identify(f)
	if err != nil {
		return nil, err
	}
	want := a.tensors()
	if err := checkpoint.Check(f, want); err != nil {
		return nil, fmt.Errorf("lpips: not the weights of LPIPS with %s: %w", a.name, err)
	}
	n := &Network{architecture: a, names: slices.Sorted(maps.Keys(want))}
	for _, name := range n.names {
		n.weights = append(n.weights, weight(f.Tensors[name]))
	}
	return n, nil
}

// weight brings a kernel of [out,in,h,w] into the order [h,w,in,out]; other shapes stay.
func weight(t checkpoint.Tensor) *tensors.Tensor {
	if len(t.Shape) != 4 {
		return tensors.FromFlatDataAndDimensions(t.Data, t.Shape...)
	}
	out, in, area := t.Shape[0], t.Shape[1], t.Shape[2]*t.Shape[3]
	v := make([]float32, len(t.Data))
	for o := range out {
		for i := range in {
			for k := range area {
				v[(k*in+i)*out+o] = t.Data[(o*in+i)*area+k]
			}
		}
	}
	return tensors.FromFlatDataAndDimensions(v, t.Shape[2], t.Shape[3], in, out)
}

// Meter computes distances on an engine. It keeps a compiled program for the size of image that it
// saw last, and is for use by one goroutine at a time.
type Meter struct {
	network       *Network
	engine        *engine.Engine
	program       *engine.Program
	height, width int
}

// Meter makes one on an engine, which should compute in float32.
func (n *Network) Meter(e *engine.Engine) (*Meter, error) {
	if err := e.Share(n.weights...); err != nil {
		return nil, fmt.Errorf("lpips: %w", err)
	}
	return &Meter{network: n, engine: e}, nil
}

// Close releases the compiled program.
func (m *Meter) Close() {
	if m.program != nil {
		m.program.Close()
		m.program = nil
	}
}

// Distance is the LPIPS distance of two images of one size: 0 for identical images, and larger for
// images that look less alike. Values are clipped to [-1,1]; a grey image counts as three equal
// channels. Sizes that differ or are below MinSide are a metric.ErrSize, values that are not finite
// an imageio.ErrNotFinite.
func (m *Meter) Distance(a, b *imageio.Image) (float64, error) {
	layers, err := m.layers(a, b)
	if err != nil {
		return 0, err
	}
	var sum float64
	for _, v := range layers {
		sum += v
	}
	return sum, nil
}

// layers are the terms of the distance by depth.
func (m *Meter) layers(a, b *imageio.Image) ([]float64, error) {
	for _, img := range []*imageio.Image{a, b} {
		if err := img.Check(); err != nil {
			return nil, fmt.Errorf("lpips: %w", err)
		}
	}
	if a.Height != b.Height || a.Width != b.Width {
		return nil, fmt.Errorf("lpips: %w: %dx%d pixels against %dx%d", metric.ErrSize, a.Width, a.Height, b.Width, b.Height)
	}
	if least := m.network.smallest(); a.Height < least || a.Width < least {
		return nil, fmt.Errorf("lpips: %w: %s needs at least %dx%d pixels, the images have %dx%d",
			metric.ErrSize, m.network.name, least, least, a.Width, a.Height)
	}
	if err := m.compile(a.Height, a.Width); err != nil {
		return nil, err
	}
	var pix []float32
	for _, img := range []*imageio.Image{a.RGB(), b.RGB()} {
		for _, v := range img.Pix {
			pix = append(pix, min(max(v, -1), 1))
		}
	}
	x := tensors.FromFlatDataAndDimensions(pix, 2, a.Height, a.Width, 3)
	out, err := m.program.Run(append([]*tensors.Tensor{x}, m.network.weights...)...)
	if err != nil {
		return nil, fmt.Errorf("lpips: %w", err)
	}
	var layers []float64
	err = out[0].ConstFlatData(func(flat any) {
		for _, v := range flat.([]float32) {
			layers = append(layers, float64(v))
		}
	})
	for _, t := range []*tensors.Tensor{x, out[0]} {
		err = errors.Join(err, t.FinalizeAll())
	}
	if err != nil {
		return nil, fmt.Errorf("lpips: reading the result: %w", err)
	}
	return layers, nil
}

// The shift and scale of the inputs, per channel: those of version 0.1.
var (
	shift = []float32{-0.030, -0.088, -0.188}
	scale = []float32{0.458, 0.448, 0.450}
)

// tiny keeps features without length finite.
const tiny = 1e-10

// compile builds the program that compares two images of a size: images [2,H,W,3] to a term for
// each depth.
func (m *Meter) compile(height, width int) error {
	if m.program != nil && m.height == height && m.width == width {
		return nil
	}
	m.Close()
	in := []shapes.Shape{shapes.Make(dtypes.Float32, 2, height, width, 3)}
	for _, w := range m.network.weights {
		in = append(in, w.Shape())
	}
	p, err := m.engine.Compile("LPIPS "+m.network.name, in, func(in []*graph.Node) []*graph.Node {
		g := in[0].Graph()
		named := func(name string) *graph.Node {
			i, _ := slices.BinarySearch(m.network.names, name)
			return in[1+i]
		}
		channels := func(v []float32) *graph.Node { return graph.Reshape(graph.Const(g, v), 1, 1, 1, 3) }
		x := graph.Div(graph.Sub(in[0], channels(shift)), channels(scale))
		var terms []*graph.Node
		for i, f := range m.network.extract(x, named) {
			length := graph.Sqrt(graph.ReduceAndKeep(graph.Mul(f, f), graph.ReduceSum, 3))
			f = graph.Div(f, graph.AddScalar(length, tiny))
			d := graph.Sub(graph.Slice(f, graph.AxisRange(0, 1)), graph.Slice(f, graph.AxisRange(1, 2)))
			// The head's kernel is [1,1,C,1].
			weights := graph.Reshape(named(head(i)), 1, 1, 1, -1)
			sum := graph.ReduceSum(graph.Mul(graph.Mul(d, d), weights), 3)
			terms = append(terms, graph.ReduceAllMean(sum))
		}
		return []*graph.Node{graph.Stack(terms, 0)}
	})
	if err != nil {
		return fmt.Errorf("lpips: %w", err)
	}
	m.program, m.height, m.width = p, height, width
	return nil
}
