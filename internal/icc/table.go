package icc

import (
	"encoding/binary"
	"fmt"
	"math"
)

// table is a conversion to the connection space by curves and a grid of colours: per channel an
// input curve, the grid with linear interpolation in every direction, then curves, a matrix and
// curves again, as lutAToBType has them. lut8Type and lut16Type lack the last two.
type table struct {
	in     []*curve // one a device channel
	grid   []int    // points in each direction
	values []uint16 // the last channel varies fastest, then the connection space's 3 values
	middle []*curve // 3
	linear matrix
	offset [3]float64
	out    []*curve // 3
	space  pcs
}

// pcs says how the 3 values in [0,1] encode a colour of the connection space.
type pcs int

const (
	pcsXYZ    pcs = iota
	pcsLab        // version 4, and 8 bits of version 2
	pcsLabOld     // 16 bits of version 2
)

// d50 is the white of the connection space.
var d50 = [3]float64{0.9642, 1, 0.8249}

func (p *Profile) readTable(tags map[string][]byte, space string) error {
	t := tags["A2B0"]
	if t == nil {
		t = tags["A2B1"]
	}
	if t == nil {
		return fmt.Errorf("%w: it has neither a matrix nor a table", ErrUnsupported)
	}
	var err error
	switch kind := string(t[:4]); kind {
	case "mft1", "mft2":
		p.table, err = readLUT(t, p.Space.Channels(), kind == "mft2")
	case "mAB ":
		p.table, err = readAToB(t, p.Space.Channels())
	default:
		return fmt.Errorf("%w: a table of type %q", ErrUnsupported, kind)
	}
	if err != nil {
		return err
	}
	switch {
	case space == "XYZ ":
		p.table.space = pcsXYZ
	case string(t[:4]) == "mft2":
		p.table.space = pcsLabOld
	default:
		p.table.space = pcsLab
	}
	return nil
}

// readLUT reads a lut8Type or lut16Type. Its matrix is for XYZ as input and does not apply.
func readLUT(t []byte, channels int, wide bool) (*table, error) {
	cut := fmt.Errorf("%w: a table is cut", ErrDamaged)
	head, bytes := 48, 1
	if wide {
		head, bytes = 52, 2
	}
	if len(t) < head {
		return nil, cut
	}
	if int(t[8]) != channels || t[9] != 3 || t[10] < 2 {
		return nil, fmt.Errorf("%w: a table from %d to %d channels with %d points", ErrUnsupported, t[8], t[9], t[10])
	}
	nIn, nOut := 256, 256
	if wide {
		nIn, nOut = int(binary.BigEndian.Uint16(t[48:])), int(binary.BigEndian.Uint16(t[50:]))
		if nIn < 2 || nOut < 2 {
			return nil, fmt.Errorf("%w: a curve of %d values", ErrDamaged, min(nIn, nOut))
		}
	}
	rest := t[head:]
	take := func(n int) []uint16 {
		if n*bytes > len(rest) {
			rest = nil
			return nil
		}
		b := rest[:n*bytes]
		rest = rest[n*bytes:]
		return samples(b, bytes)
	}
	out := identityTable(channels)
	for c := range out.in {
		if out.in[c] = (&curve{table: take(nIn)}); out.in[c].table == nil {
			return nil, cut
		}
	}
	n := 3
	for c := range out.grid {
		out.grid[c] = int(t[10])
		if n > len(rest)/out.grid[c] {
			return nil, cut
		}
		n *= out.grid[c]
	}
	if out.values = take(n); out.values == nil {
		return nil, cut
	}
	for c := range out.out {
		if out.out[c] = (&curve{table: take(nOut)}); out.out[c].table == nil {
			return nil, cut
		}
	}
	return out, nil
}

// readAToB reads a lutAToBType.
func readAToB(t []byte, channels int) (*table, error) {
	if len(t) < 32 {
		return nil, fmt.Errorf("%w: a table is cut", ErrDamaged)
	}
	if int(t[8]) != channels || t[9] != 3 {
		return nil, fmt.Errorf("%w: a table from %d to %d channels", ErrUnsupported, t[8], t[9])
	}
	out := identityTable(channels)
	at := func(field int) []byte { // of a part, nil if there is none or it lies outside
		o := binary.BigEndian.Uint32(t[field:])
		if o < 32 || uint64(o) > uint64(len(t)) {
			return nil
		}
		return t[o:]
	}
	curves := func(field int, list []*curve) error {
		if binary.BigEndian.Uint32(t[field:]) == 0 {
			return nil
		}
		b := at(field)
		for c := range list {
			curve, size, err := readCurve(b)
			if err != nil {
				return err
			}
			list[c] = curve
			b = b[min((size+3)/4*4, len(b)):]
		}
		return nil
	}
	if err := curves(12, out.out); err != nil { // B
		return nil, err
	}
	if b := at(16); b != nil {
		if len(b) < 48 {
			return nil, fmt.Errorf("%w: a table's matrix is cut", ErrDamaged)
		}
		for i := range 3 {
			for j := range 3 {
				out.linear[i][j] = fixed(b[12*i+4*j:])
			}
			out.offset[i] = fixed(b[36+4*i:])
		}
	}
	if err := curves(20, out.middle); err != nil { // M
		return nil, err
	}
	if err := curves(28, out.in); err != nil { // A
		return nil, err
	}
	if binary.BigEndian.Uint32(t[24:]) == 0 {
		if channels != 3 {
			return nil, fmt.Errorf("%w: a table without a grid", ErrDamaged)
		}
		out.grid = nil
		return out, nil
	}
	b := at(24)
	if len(b) < 20 || b[16] != 1 && b[16] != 2 {
		return nil, fmt.Errorf("%w: a table's grid is cut", ErrDamaged)
	}
	bytes, n := int(b[16]), 3
	for c := range out.grid {
		out.grid[c] = int(b[c])
		if out.grid[c] < 2 || n > (len(b)-20)/bytes/out.grid[c] {
			return nil, fmt.Errorf("%w: a table's grid is cut", ErrDamaged)
		}
		n *= out.grid[c]
	}
	out.values = samples(b[20:20+n*bytes], bytes)
	return out, nil
}

// identityTable is a table without its grid.
func identityTable(channels int) *table {
	t := &table{in: make([]*curve, channels), grid: make([]int, channels), middle: make([]*curve, 3), out: make([]*curve, 3)}
	for _, list := range [][]*curve{t.in, t.middle, t.out} {
		for c := range list {
			list[c] = identity()
		}
	}
	t.linear = matrix{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}
	return t
}

// samples widens values of 1 or 2 bytes to 16 bits.
func samples(b []byte, bytes int) []uint16 {
	if bytes == 2 {
		return words(b)
	}
	out := make([]uint16, len(b))
	for i, v := range b {
		out[i] = uint16(v) * 257
	}
	return out
}

// xyz is the colour of device values, relative to D50.
func (t *table) xyz(device [4]float64) [3]float64 {
	for c, curve := range t.in {
		device[c] = curve.eval(device[c])
	}
	v := [3]float64{device[0], device[1], device[2]}
	if t.grid != nil {
		v = t.interpolate(device)
	}
	for c, curve := range t.middle {
		v[c] = curve.eval(v[c])
	}
	v = t.linear.apply(v)
	for c, curve := range t.out {
		v[c] = curve.eval(v[c] + t.offset[c])
	}
	switch t.space {
	case pcsXYZ:
		for c := range v {
			v[c] *= 1 + 32767.0/32768
		}
		return v
	case pcsLabOld:
		for c := range v {
			v[c] *= 65535.0 / 65280
		}
	}
	return labToXYZ(100*v[0], 255*v[1]-128, 255*v[2]-128)
}

// interpolate looks a colour up in the grid: the mean of the corners of the cell around it,
// weighted by the distance along every channel.
func (t *table) interpolate(device [4]float64) (sum [3]float64) {
	n := len(t.grid)
	var base int
	var step [4]int
	var fraction [4]float64
	stride := 3
	for c := n - 1; c >= 0; c-- {
		pos := min(max(device[c], 0), 1) * float64(t.grid[c]-1)
		i := min(int(pos), t.grid[c]-2)
		fraction[c] = pos - float64(i)
		base += i * stride
		step[c] = stride
		stride *= t.grid[c]
	}
	for corner := range 1 << n {
		at, weight := base, 1.0
		for c := range n {
			if corner>>c&1 == 1 {
				at += step[c]
				weight *= fraction[c]
			} else {
				weight *= 1 - fraction[c]
			}
		}
		for c := range sum {
			sum[c] += float64(weight * float64(t.values[at+c]) / 65535)
		}
	}
	return sum
}

// labToXYZ converts CIELAB relative to D50.
func labToXYZ(l, a, b float64) (xyz [3]float64) {
	y := (l + 16) / 116
	for i, f := range [3]float64{y + a/500, y, y - b/200} {
		if f > 6.0/29 {
			xyz[i] = d50[i] * math.Pow(f, 3)
		} else {
			xyz[i] = d50[i] * 108 / 841 * (f - 4.0/29)
		}
	}
	return xyz
}
