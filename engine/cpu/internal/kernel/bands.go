package kernel

// cutBands appends to cuts where the bands of n rows begin, and n. The bands become shorter and
// shorter, so that the workers, which take them in order, end at about the same time although one
// came later or is slower; that makes fewer bands, with fewer rows that two of them need, than short
// ones throughout. All but the last are multiples of unit.
func cutBands(cuts []int, n, unit, workers int) []int {
	least := max(1, n/unit/(16*workers))
	for at := 0; at < n; {
		cuts = append(cuts, at)
		at += max(least, (n-at)/unit/(2*workers)) * unit
	}
	return append(cuts, n)
}
