package kernel

import "testing"

// The bands cover all rows, and the last ones are short enough that workers of one speed end
// within a fraction of the whole of one another.
func TestCutBands(t *testing.T) {
	for _, n := range []int{1, 2, 7, 16, 63, 64, 65, 1000} {
		for _, unit := range []int{1, 2, 3, 8, 100} {
			for _, workers := range []int{1, 2, 3, 16} {
				cuts := cutBands(nil, n, unit, workers)
				busy := make([]int, workers)
				for i, at := range cuts[:len(cuts)-1] {
					length := cuts[i+1] - at
					if length < 1 || i == 0 && at != 0 || i+2 < len(cuts) && length%unit != 0 {
						t.Fatalf("%d rows by %d for %d workers: bands begin at %v", n, unit, workers, cuts)
					}
					first := 0 // the worker that is free
					for w := range busy {
						if busy[w] < busy[first] {
							first = w
						}
					}
					busy[first] += length
				}
				lo, hi := busy[0], busy[0]
				for _, b := range busy {
					lo, hi = min(lo, b), max(hi, b)
				}
				if cuts[len(cuts)-1] != n || hi-lo > max(unit, n/(16*workers)) {
					t.Errorf("%d rows by %d for %d workers: bands begin at %v, workers have %v rows", n, unit, workers, cuts, busy)
				}
			}
		}
	}
}
