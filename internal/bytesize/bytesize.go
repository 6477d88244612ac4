// Package bytesize reads and writes amounts of memory.
package bytesize

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Units lists the units that Parse knows, the largest last.
const Units = "B, kB, MB, GB, TB (powers of 1000) and KiB, MiB, GiB, TiB (powers of 1024)"

var units = []struct {
	name  string
	bytes float64
}{
	{"kib", 1 << 10}, {"mib", 1 << 20}, {"gib", 1 << 30}, {"tib", 1 << 40},
	{"kb", 1e3}, {"mb", 1e6}, {"gb", 1e9}, {"tb", 1e12}, {"b", 1},
}

// Parse reads an amount such as 3GB, 1.5GiB or 512 MiB: a positive number and one of Units, in
// upper or lower case. It returns the number of bytes, rounded down.
func Parse(s string) (int, error) {
	text := strings.ToLower(strings.TrimSpace(s))
	for _, u := range units {
		number, ok := strings.CutSuffix(text, u.name)
		if !ok {
			continue
		}
		v, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
		if err != nil || !(v > 0) || strings.ContainsAny(number, "xpn_") {
			break
		}
		if v*u.bytes >= math.MaxInt {
			return 0, fmt.Errorf("%q is more than any machine has", s)
		}
		return int(v * u.bytes), nil
	}
	return 0, fmt.Errorf("%q is not an amount of memory: want a number with a unit, one of %s", s, Units)
}

// Format writes a number of bytes with two digits or more, in powers of 1000: 940 MB, 1.2 GB.
func Format(bytes int) string {
	v, unit := float64(bytes), "B"
	for _, next := range []string{"kB", "MB", "GB", "TB"} {
		if math.Round(v) < 1000 {
			break
		}
		v, unit = v/1000, next
	}
	if unit == "B" || v >= 9.95 {
		return fmt.Sprintf("%.0f %s", v, unit)
	}
	return fmt.Sprintf("%.1f %s", v, unit)
}
