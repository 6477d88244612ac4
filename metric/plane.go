package metric

import "github.com/seed-0f004ec9/spgd/imageio"

// grid is one channel that is read row by row, so that it need not be stored.
type grid struct {
	height, width int
	row           func(y int, dst []float64)
}

// channel is a channel of an image, on [0,1] and clipped.
func channel(m *imageio.Image, c int) grid {
	return grid{m.Height, m.Width, func(y int, dst []float64) {
		row := m.Pix[y*m.Width*m.Channels:]
		for x := range dst {
			dst[x] = unit(row[x*m.Channels+c])
		}
	}}
}

// mixed is a weighted sum of an image's channels on [0,255], where grey counts as three equal
// channels.
func mixed(m *imageio.Image, weights [3]float64) grid {
	if m.Channels == 1 {
		sum := weights[0] + weights[1] + weights[2]
		g := channel(m, 0)
		return grid{g.height, g.width, func(y int, dst []float64) {
			g.row(y, dst)
			for x := range dst {
				dst[x] *= 255 * sum
			}
		}}
	}
	return grid{m.Height, m.Width, func(y int, dst []float64) {
		row := m.Pix[y*m.Width*3:]
		for x := range dst {
			var sum float64
			for c, w := range weights {
				sum += w * unit(row[3*x+c])
			}
			dst[x] = 255 * sum
		}
	}}
}

// plane is one channel in memory, in row order.
type plane struct {
	height, width int
	v             []float64
}

func newPlane(height, width int) plane { return plane{height, width, make([]float64, height*width)} }

func (p plane) grid() grid {
	return grid{p.height, p.width, func(y int, dst []float64) { copy(dst, p.v[y*p.width:]) }}
}

// border says what lies beyond an image's last row and column.
type border int

const (
	zeros  border = iota
	mirror        // the last row and column again
)

// shrink averages blocks of n x n pixels. Blocks start (n-1)/2 pixels before multiples of n, so that
// those multiples are at their middle, which for n = 2 is the upper left pixel. The first row and
// column are kept by clipping; a block that reaches beyond the last ones follows b.
func shrink(g grid, n int, b border) plane {
	if n == 1 {
		p := newPlane(g.height, g.width)
		for y := range g.height {
			g.row(y, p.v[y*g.width:][:g.width])
		}
		return p
	}
	p := newPlane((g.height+n-1)/n, (g.width+n-1)/n)
	row := make([]float64, g.width)
	before := (n - 1) / 2
	for y := range p.height {
		out := p.v[y*p.width:][:p.width]
		for j := y*n - before; j < y*n-before+n; j++ {
			if j < 0 || j >= g.height && b == zeros {
				continue
			}
			g.row(min(j, g.height-1), row)
			for x := range out {
				for i := x*n - before; i < x*n-before+n; i++ {
					if i >= 0 && (i < g.width || b == mirror) {
						out[x] += row[min(i, g.width-1)]
					}
				}
			}
		}
		for x := range out {
			out[x] /= float64(n * n)
		}
	}
	return p
}

// at is a value of the plane, 0 beyond its borders.
func (p plane) at(y, x int) float64 {
	if y < 0 || x < 0 || y >= p.height || x >= p.width {
		return 0
	}
	return p.v[y*p.width+x]
}

// windows sums the n x m values (rows by columns) around every pixel, those that lie (n-1)/2 before
// to n/2 after it, zeros beyond the borders.
func (p plane) windows(n, m int) plane {
	across := newPlane(p.height, p.width)
	for y := range p.height {
		row := p.v[y*p.width:][:p.width]
		for x := range row {
			var sum float64
			for _, v := range row[max(0, x-(m-1)/2):min(p.width, x+m/2+1)] {
				sum += v
			}
			across.v[y*p.width+x] = sum
		}
	}
	if n == 1 {
		return across
	}
	out := newPlane(p.height, p.width)
	for y := range p.height {
		dst := out.v[y*p.width:][:p.width]
		for j := max(0, y-(n-1)/2); j < min(p.height, y+n/2+1); j++ {
			for x, v := range across.v[j*p.width:][:p.width] {
				dst[x] += v
			}
		}
	}
	return out
}

// similarity is (2 a b + c)/(a^2 + b^2 + c), which is exactly 1 where a = b: the conversions keep the
// compiler from fusing a product with a sum, which would round the two sides differently.
func similarity(a, b, c float64) float64 {
	return (2*float64(a*b) + c) / (float64(a*a) + float64(b*b) + c)
}
