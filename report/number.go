package report

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
)

// Number is a float64 whose JSON form exists for every value: NaN and the infinities, which JSON
// has no numbers for, are the strings "nan", "inf" and "-inf" (as Go's and Python's parsers of
// floats take them). The PSNR of two identical images is one of them. null is read as NaN.
type Number float64

// MarshalJSON writes the shortest number that reads back the same, or one of the strings.
func (n Number) MarshalJSON() ([]byte, error) {
	f := float64(n)
	switch {
	case math.IsNaN(f):
		return []byte(`"nan"`), nil
	case math.IsInf(f, 1):
		return []byte(`"inf"`), nil
	case math.IsInf(f, -1):
		return []byte(`"-inf"`), nil
	}
	return json.Marshal(f)
}

// UnmarshalJSON reads what MarshalJSON writes.
func (n *Number) UnmarshalJSON(b []byte) error {
	switch s := string(b); s {
	case `"nan"`, "null":
		*n = Number(math.NaN())
	case `"inf"`:
		*n = Number(math.Inf(1))
	case `"-inf"`:
		*n = Number(math.Inf(-1))
	default:
		f, err := strconv.ParseFloat(s, 64)
		if err != nil {
			return fmt.Errorf("report: %s is not a number", s)
		}
		*n = Number(f)
	}
	return nil
}

// Numbers converts a slice.
func Numbers(v []float64) []Number {
	if v == nil {
		return nil
	}
	out := make([]Number, len(v))
	for i, f := range v {
		out[i] = Number(f)
	}
	return out
}
