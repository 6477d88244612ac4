package kernel

// ColMoments takes the rows of x as deviations from pivot and adds up these, and their squares: with
// d = x[p*C+c] - pivot[c] and C = len(pivot), sum[c] += sum over p of d and square[c] += sum over p
// of d*d. Short stretches are summed in float32, these sums in float64. sum and square are as long as
// pivot.
func ColMoments(sum, square []float64, pivot, x []float32) {
	colMoments(active, sum, square, pivot, x)
}

func colMoments(s isa, sum, square []float64, pivot, x []float32) {
	c := len(pivot)
	sum, square = sum[:c], square[:c]
	if len(x) == 0 {
		return
	}
	checkRows(len(x), c)
	var sums, squares [colWidth]float32
	for p := 0; p < len(x); p += colRows * c {
		rows := min(colRows, (len(x)-p)/c)
		for j := 0; j < c; j += colWidth {
			n := min(colWidth, c-j)
			if done := colMomentsAssembly(s, sums[:n], squares[:n], x[p+j:], pivot[j:], rows, c); done < n {
				colMomentsPortable(sums[done:n], squares[done:n], x[p+j+done:], pivot[j+done:], rows, c)
			}
			accumulate(s, sum[j:], sums[:n])
			accumulate(s, square[j:], squares[:n])
		}
	}
}

// colMomentsPortable sets sums[j] and squares[j] to the sums over r < rows of d and d*d, with d =
// x[r*stride+j] - pivot[j].
func colMomentsPortable(sums, squares, x, pivot []float32, rows, stride int) {
	clear(sums)
	clear(squares)
	for r := range rows {
		row := x[r*stride:][:len(sums)]
		for j, v := range row {
			d := v - pivot[j]
			sums[j] += d
			squares[j] += d * d
		}
	}
}
