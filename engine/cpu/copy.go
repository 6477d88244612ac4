package cpu

import "fmt"

// access says how a tensor's elements are walked through: one stride per axis, from an offset.
type access struct {
	offset  int
	strides []int
}

// rowMajor walks through a whole tensor in order.
func rowMajor(dims []int) access { return access{strides: stridesOf(dims)} }

// copyStrided copies a block of elements of the given dimensions between two buffers of one
// data type. It is behind every operation that only moves elements: stride 0 broadcasts, a
// negative one reverses.
func (b *Backend) copyStrided(dst *Buffer, to access, src *Buffer, from access, dims []int) error {
	if product(dims) == 0 {
		return nil
	}
	switch size := dst.shape.DType.Size(); size {
	case 1:
		copyWords[uint8](b, dst, to, src, from, dims)
	case 2:
		copyWords[uint16](b, dst, to, src, from, dims)
	case 4:
		copyWords[uint32](b, dst, to, src, from, dims)
	case 8:
		copyWords[uint64](b, dst, to, src, from, dims)
	case 16:
		copyWords[u128](b, dst, to, src, from, dims)
	default:
		return fmt.Errorf("cpu: elements of %d bytes are not supported", size)
	}
	return nil
}

func copyWords[W word](b *Backend, dst *Buffer, to access, src *Buffer, from access, dims []int) {
	d, s := words[W](dst), words[W](src)
	dims, st := mergeAxes(dims, [][]int{to.strides, from.strides})
	last := len(dims) - 1
	// For a transposition, the axis along which the source is contiguous is walked in tiles
	// together with the last one, so that each cache line is read once.
	if st[0][last] == 1 && st[1][last] != 1 && st[1][last] != 0 {
		for a := range last {
			if st[1][a] == 1 {
				copyTiled(b, d, to.offset, s, from.offset, dims, st, a)
				return
			}
		}
	}
	n := dims[last]
	dn, sn := st[0][last], st[1][last]
	outer := dims[:last]
	outerStrides := [][]int{st[0][:last], st[1][:last]}
	rows := product(outer)
	if rows == 1 && dn == 1 {
		b.parallel(n, 1, func(lo, hi int) {
			copyRow(d, to.offset+lo, 1, s, from.offset+lo*sn, sn, hi-lo)
		})
		return
	}
	b.parallel(rows, n, func(lo, hi int) {
		var at [2]int
		for i := lo; i < hi; i++ {
			offsets(i, outer, outerStrides, at[:])
			copyRow(d, to.offset+at[0], dn, s, from.offset+at[1], sn, n)
		}
	})
}

// copyRow copies n elements with a stride on each side.
func copyRow[W word](d []W, di, dn int, s []W, si, sn, n int) {
	switch {
	case dn == 1 && sn == 1:
		copy(d[di:di+n], s[si:si+n])
	case dn == 1 && sn == 0:
		v := s[si]
		row := d[di : di+n]
		for j := range row {
			row[j] = v
		}
	default:
		for range n {
			d[di] = s[si]
			di += dn
			si += sn
		}
	}
}

// copyTiled copies with the source contiguous along axis a and the destination along the last.
func copyTiled[W word](b *Backend, d []W, d0 int, s []W, s0 int, dims []int, st [][]int, a int) {
	const tile = 32
	last := len(dims) - 1
	var outer []int
	outerStrides := make([][]int, 2)
	for k, n := range dims {
		if k != a && k != last {
			outer = append(outer, n)
			outerStrides[0] = append(outerStrides[0], st[0][k])
			outerStrides[1] = append(outerStrides[1], st[1][k])
		}
	}
	na, nl := dims[a], dims[last]
	da, sl := st[0][a], st[1][last]
	tiles := (na + tile - 1) / tile
	b.parallel(product(outer)*tiles, nl*tile, func(lo, hi int) {
		var at [2]int
		for i := lo; i < hi; i++ {
			offsets(i/tiles, outer, outerStrides, at[:])
			a0 := i % tiles * tile
			a1 := min(na, a0+tile)
			for l0 := 0; l0 < nl; l0 += tile {
				l1 := min(nl, l0+tile)
				for j := a0; j < a1; j++ {
					row := d[d0+at[0]+j*da+l0 : d0+at[0]+j*da+l1]
					si := s0 + at[1] + j + l0*sl
					for k := range row {
						row[k] = s[si]
						si += sl
					}
				}
			}
		}
	})
}
