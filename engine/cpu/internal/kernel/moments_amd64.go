package kernel

// colMomentsAssembly does as colMomentsPortable for the first columns and returns how many they are.
func colMomentsAssembly(s isa, sums, squares, x, pivot []float32, rows, stride int) int {
	var n int
	switch s {
	case isaAVX512:
		if n = len(sums) &^ 15; n > 0 {
			colMomentsAVX512(&sums[0], &squares[0], &x[0], &pivot[0], rows, stride, n)
		}
	case isaAVX2:
		if n = len(sums) &^ 7; n > 0 {
			colMomentsAVX2(&sums[0], &squares[0], &x[0], &pivot[0], rows, stride, n)
		}
	}
	return n
}

//go:noescape
func colMomentsAVX512(sums, squares, x, pivot *float32, rows, stride, n int)

//go:noescape
func colMomentsAVX2(sums, squares, x, pivot *float32, rows, stride, n int)
