package operator

// HalfTurner is implemented by operators that may have a symmetry: A(x) is also A of x turned by 180 degrees, so that a
// measurement does not say which of the two it is of.
type HalfTurner interface {
	// HalfTurn says whether the operator has that symmetry.
	HalfTurn() bool
}

// HalfTurn says whether an image and the same turned by 180 degrees have the same measurement.
func HalfTurn(op Operator) bool {
	t, ok := op.(HalfTurner)
	return ok && t.HalfTurn()
}

// HalfTurn is true: turning a real image conjugates its transform and shifts it, which no amplitude shows. The image
// fills what the padding leaves, so that shifting alone is no symmetry, and that channels turned against one
// another have the same amplitudes too does not count: they are no photograph.
func (o *PhaseRetrieval) HalfTurn() bool { return true }
