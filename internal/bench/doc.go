// Package bench compares restoration methods: images x tasks x methods x seeds, each combination a
// cell that is computed once and kept in a journal, to tables with paired differences.
//
// A Spec says what is asked for, and Plan makes it a list of cells. A Runner computes those
// that the Journal does not hold. NewTable makes the table from the plan and the journal alone, in the
// plan's order, so that it is the same bytes however often the work was interrupted.
package bench

import "errors"

// ErrSpec is wrapped by the errors of a specification that makes no sense.
var ErrSpec = errors.New("bad benchmark")

// ErrJournal is wrapped by the errors of a journal that is damaged or in use.
var ErrJournal = errors.New("bad journal of cells")
