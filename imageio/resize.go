package imageio

import (
	"fmt"
	"math"
)

// Resize scales the image to height x width with the cubic convolution kernel of Keys (1981,
// a = -0.5), first along columns, then along rows. Where it shrinks, the kernel is widened by the
// factor, so that it averages (antialiasing). Borders are mirrored with the edge repeated, and
// the weights of each output sum to 1. The result may leave [-1,1] a little beside sharp edges.
func Resize(m *Image, height, width int) (*Image, error) {
	if height <= 0 || width <= 0 || int64(height)*int64(width) > MaxPixels {
		return nil, fmt.Errorf("imageio: cannot resize to %dx%d pixels: want 1 to %d in all", width, height, MaxPixels)
	}
	out := m
	if height != m.Height {
		out = resizeAxis(out, cubicTaps(m.Height, height), true)
	}
	if width != m.Width {
		out = resizeAxis(out, cubicTaps(m.Width, width), false)
	}
	if out == m {
		out = m.Clone()
	}
	return out, nil
}

// ResizeNearest scales the image to height x width by repeating or dropping pixels, for masks.
func ResizeNearest(m *Image, height, width int) (*Image, error) {
	if height <= 0 || width <= 0 || int64(height)*int64(width) > MaxPixels {
		return nil, fmt.Errorf("imageio: cannot resize to %dx%d pixels: want 1 to %d in all", width, height, MaxPixels)
	}
	out := New(height, width, m.Channels)
	n := m.Channels
	for y := range height {
		row := m.Pix[(2*y+1)*m.Height/(2*height)*m.Width*n:]
		for x := range width {
			copy(out.Pix[(y*width+x)*n:][:n], row[(2*x+1)*m.Width/(2*width)*n:])
		}
	}
	return out, nil
}

// taps are the inputs of one output sample and their weights.
type taps struct {
	index  []int
	weight []float64
}

func cubicTaps(in, out int) []taps {
	ratio := float64(in) / float64(out)
	widen := max(ratio, 1)
	list := make([]taps, out)
	for i := range list {
		centre := (float64(i)+0.5)*ratio - 0.5
		var sum float64
		var t taps
		for j := int(math.Ceil(centre - 2*widen)); float64(j) <= centre+2*widen; j++ {
			if w := Cubic((float64(j) - centre) / widen); w != 0 {
				t.index, t.weight = append(t.index, Mirror(j, in)), append(t.weight, w)
				sum += w
			}
		}
		for k := range t.weight {
			t.weight[k] /= sum
		}
		list[i] = t
	}
	return list
}

// Cubic is Keys' cubic convolution kernel with a = -1/2 (IEEE Transactions on Acoustics, Speech and
// Signal Processing 29, 1981), zero outside (-2, 2).
func Cubic(x float64) float64 {
	x = math.Abs(x)
	switch {
	case x <= 1:
		return (1.5*x-2.5)*x*x + 1
	case x < 2:
		return ((-0.5*x+2.5)*x-4)*x + 2
	}
	return 0
}

func resizeAxis(m *Image, list []taps, vertical bool) *Image {
	if !vertical {
		out := New(m.Height, len(list), m.Channels)
		for y := range m.Height {
			row := m.Pix[y*m.Width*m.Channels:]
			for x, t := range list {
				for c := range m.Channels {
					var sum float64
					for k, i := range t.index {
						sum += t.weight[k] * float64(row[i*m.Channels+c])
					}
					out.Pix[(y*len(list)+x)*m.Channels+c] = float32(sum)
				}
			}
		}
		return out
	}
	out := New(len(list), m.Width, m.Channels)
	n := m.Width * m.Channels
	sum := make([]float64, n)
	for y, t := range list {
		clear(sum)
		for k, i := range t.index {
			for x, v := range m.Pix[i*n:][:n] {
				sum[x] += t.weight[k] * float64(v)
			}
		}
		for x, v := range sum {
			out.Pix[y*n+x] = float32(v)
		}
	}
	return out
}
