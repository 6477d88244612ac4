package cpu

import (
	"fmt"

	"github.com/gomlx/gomlx/backends"
	"github.com/gomlx/gomlx/pkg/core/shapes"
)

func init() { register(execPad, backends.OpTypePad) }

// padAttr has one entry per axis. Start and End may be negative, which crops; Interior is not.
type padAttr struct{ axes []backends.PadAxis }

// Pad puts fillValue before, behind and between the elements of x. Axes without a
// configuration are left as they are.
func (bd *Builder) Pad(x, fillValue backends.Op, config ...backends.PadAxis) (backends.Op, error) {
	in, err := bd.check("Pad", x, fillValue)
	if err != nil {
		return nil, err
	}
	s := in[0].shape
	if f := in[1].shape; f.Rank() != 0 || f.DType != s.DType {
		return nil, fmt.Errorf("cpu: Pad of %s: the fill value of shape %s is not a scalar of that data type", s, f)
	}
	if len(config) > s.Rank() {
		return nil, fmt.Errorf("cpu: Pad of %s: %d axes are configured", s, len(config))
	}
	attr := &padAttr{axes: make([]backends.PadAxis, s.Rank())}
	copy(attr.axes, config)
	dims := make([]int, s.Rank())
	for a, d := range s.Dimensions {
		p := attr.axes[a]
		if p.Interior < 0 {
			return nil, fmt.Errorf("cpu: Pad: interior padding %d at axis %d is negative", p.Interior, a)
		}
		dims[a] = d + max(d-1, 0)*p.Interior + p.Start + p.End
		if dims[a] < 0 {
			return nil, fmt.Errorf("cpu: Pad of %s: cropping %d and %d at axis %d leaves nothing", s, -p.Start, -p.End, a)
		}
	}
	return bd.add(backends.OpTypePad, shapes.Shape{DType: s.DType, Dimensions: dims}, attr, in...), nil
}

func execPad(b *Backend, n *node, in, out []*Buffer) error {
	x, o := in[0], out[0]
	all := []int{o.shape.Size()}
	if err := b.copyStrided(o, rowMajor(all), in[1], access{strides: []int{0}}, all); err != nil {
		return err
	}
	dims := make([]int, x.shape.Rank())
	from, to := rowMajor(x.shape.Dimensions), rowMajor(o.shape.Dimensions)
	for a, p := range n.attr.(*padAttr).axes {
		// Element i lands at Start + i*step: keep the range of i that lands inside.
		step := p.Interior + 1
		first := max(0, (-p.Start+step-1)/step)
		end := min(x.shape.Dimensions[a], floorDiv(o.shape.Dimensions[a]-1-p.Start, step)+1)
		if end <= first {
			return nil
		}
		dims[a] = end - first
		from.offset += first * from.strides[a]
		to.offset += (p.Start + first*step) * to.strides[a]
		to.strides[a] *= step
	}
	return b.copyStrided(o, to, x, from, dims)
}

// floorDiv rounds towards minus infinity; d > 0.
func floorDiv(n, d int) int {
	q := n / d
	if n%d < 0 {
		q--
	}
	return q
}
