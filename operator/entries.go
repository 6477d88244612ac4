package operator

// Entries is how many entries of a measurement an image can influence: all, but for the dropped pixels of
// a mask.
func Entries(op Operator) int {
	h, w, c := op.MeasurementSize()
	inpaint, ok := op.(*Inpaint)
	if !ok {
		return h * w * c
	}
	n := 0
	for _, kept := range inpaint.Mask() {
		if kept {
			n += c
		}
	}
	return n
}
