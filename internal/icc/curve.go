package icc

import (
	"encoding/binary"
	"fmt"
	"math"
)

// curve maps [0,1] to about [0,1]: a table with linear interpolation, or the parametric function
//
//	y = (a x + b)^g + e   for x >= d
//	y = c x + f           for x < d
//
// of which all types of parametricCurveType are special cases.
type curve struct {
	table               []uint16 // nil for the function
	g, a, b, c, d, e, f float64
}

// identity is the curve y = x.
func identity() *curve { return &curve{g: 1, a: 1} }

// readCurve reads a curveType or parametricCurveType and says how long it is.
func readCurve(t []byte) (c *curve, size int, err error) {
	if len(t) < 12 {
		return nil, 0, fmt.Errorf("%w: a curve is missing or cut", ErrDamaged)
	}
	switch kind := string(t[:4]); kind {
	case "curv":
		n := binary.BigEndian.Uint32(t[8:])
		if uint64(n) > uint64(len(t)-12)/2 {
			return nil, 0, fmt.Errorf("%w: a curve should have %d values and is cut", ErrDamaged, n)
		}
		values := t[12 : 12+2*n]
		switch n {
		case 0:
			return identity(), 12, nil
		case 1:
			c := identity()
			c.g = float64(binary.BigEndian.Uint16(values)) / 256
			return c, 14, checkCurve(c)
		}
		return &curve{table: words(values)}, 12 + 2*int(n), nil
	case "para":
		function := int(binary.BigEndian.Uint16(t[8:]))
		counts := []int{1, 3, 4, 5, 7}
		if function >= len(counts) {
			return nil, 0, fmt.Errorf("%w: curve of type %d", ErrUnsupported, function)
		}
		n := counts[function]
		if len(t) < 12+4*n {
			return nil, 0, fmt.Errorf("%w: a curve is cut", ErrDamaged)
		}
		v := make([]float64, n)
		for i := range v {
			v[i] = fixed(t[12+4*i:])
		}
		c := identity()
		c.g = v[0]
		if function > 0 {
			c.a, c.b = v[1], v[2]
			c.d = -c.b / c.a
		}
		switch function {
		case 2:
			c.e, c.f = v[3], v[3]
		case 3:
			c.c, c.d = v[3], v[4]
		case 4:
			c.c, c.d, c.e, c.f = v[3], v[4], v[5], v[6]
		}
		return c, 12 + 4*n, checkCurve(c)
	default:
		return nil, 0, fmt.Errorf("%w: %q in the place of a curve", ErrUnsupported, kind)
	}
}

func checkCurve(c *curve) error {
	if !(c.g > 0) || !(c.a > 0) {
		return fmt.Errorf("%w: a curve with exponent %g and factor %g", ErrUnsupported, c.g, c.a)
	}
	return nil
}

// words decodes big-endian 16-bit values.
func words(b []byte) []uint16 {
	out := make([]uint16, len(b)/2)
	for i := range out {
		out[i] = binary.BigEndian.Uint16(b[2*i:])
	}
	return out
}

// eval is the curve at x, which is limited to [0,1].
func (c *curve) eval(x float64) float64 {
	x = min(max(x, 0), 1)
	if c.table == nil {
		if x < c.d {
			return c.c*x + c.f
		}
		return power(c.a*x+c.b, c.g) + c.e
	}
	pos := x * float64(len(c.table)-1)
	i := min(int(pos), len(c.table)-2)
	v0, v1 := float64(c.table[i]), float64(c.table[i+1])
	return (v0 + (pos-float64(i))*(v1-v0)) / 65535
}

// inverse is an x in [0,1] where the curve is y, or the end that is nearer. The curve must be
// increasing. On a plateau it is the left end, but 1 at the highest value, so that white stays white.
func (c *curve) inverse(y float64) float64 {
	var rounding float64
	if c.table != nil {
		// A table is often flat at its ends, and a value there that was rounded on its way must not
		// come back from beyond the plateau. Tables have steps of 1.5e-5.
		rounding = 1e-7
	}
	if !(y > c.eval(0)+rounding) {
		return 0
	}
	if y >= c.eval(1)-rounding {
		return 1
	}
	if c.table == nil {
		x := c.d
		if y >= power(c.a*c.d+c.b, c.g)+c.e {
			x = (power(y-c.e, 1/c.g) - c.b) / c.a
		} else if c.c > 0 {
			x = min((y-c.f)/c.c, c.d)
		}
		return min(max(x, 0), 1)
	}
	y *= 65535
	lo, hi := 0, len(c.table)-1 // table[lo] < y <= table[hi]
	for hi-lo > 1 {
		mid := (lo + hi) / 2
		if float64(c.table[mid]) < y {
			lo = mid
		} else {
			hi = mid
		}
	}
	v0, v1 := float64(c.table[lo]), float64(c.table[hi])
	return (float64(lo) + (y-v0)/(v1-v0)) / float64(len(c.table)-1)
}

// power is x^g, and 0 for a base below 0.
func power(x, g float64) float64 {
	if x <= 0 {
		return 0
	}
	return math.Pow(x, g)
}

// increasing says whether the curve never falls on [0,1] and is finite, rises at all and begins and
// ends near the range that a photograph's values have.
func (c *curve) increasing() bool {
	if c.table != nil {
		for i := 1; i < len(c.table); i++ {
			if c.table[i] < c.table[i-1] {
				return false
			}
		}
		return c.table[len(c.table)-1] > c.table[0]
	}
	const n = 4096 // the steps of the densest tables in use
	last := math.Inf(-1)
	for i := range n + 1 {
		v := c.eval(float64(i) / n)
		if !(v >= last-1e-4) || math.IsInf(v, 0) { // parameters are rounded, so that the parts may overlap a little
			return false
		}
		last = v
	}
	lo, hi := c.eval(0), c.eval(1)
	return hi > lo && lo > -1 && hi < 2
}
