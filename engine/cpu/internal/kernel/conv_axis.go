package kernel

// tap is a kernel element and the input index it meets, relative to a pixel.
type tap struct{ k, at int }

// axis describes one dimension of a convolution. Output element o and kernel element k meet at
// position t = o*stride + k*kernelDilation - pad of the dilated input, which is input element
// t/d if d, the input dilation, divides t, and a zero otherwise. Which k meet true elements
// depends on o only by its residue modulo period = d/gcd(d, stride), and from o to o+period the
// input index grows by step.
type axis struct {
	period int
	step   int
	taps   [][]tap // per residue of o; at is relative to step*(o/period)
	lo, hi int     // smallest and largest at
}

func newAxis(size, out, kernel, stride, pad, inDil, kerDil int) axis {
	period := inDil / gcd(inDil, stride)
	a := axis{period: period, step: period * stride / inDil, taps: make([][]tap, period)}
	first := true
	for r := range period {
		for k := range kernel {
			t := r*stride + k*kerDil - pad
			if t%inDil != 0 {
				continue
			}
			at := t / inDil
			a.taps[r] = append(a.taps[r], tap{k, at})
			if first || at < a.lo {
				a.lo = at
			}
			if first || at > a.hi {
				a.hi = at
			}
			first = false
		}
	}
	return a
}

// inputStart is the first input index that output o, a multiple of period, and those after it
// read.
func (a *axis) inputStart(o int) int { return o/a.period*a.step + a.lo }

// inputs is the number of input indices from inputStart that n outputs, a multiple of period,
// read.
func (a *axis) inputs(n int) int { return (n/a.period-1)*a.step + a.hi - a.lo + 1 }

// reach returns the smallest and largest input index that n outputs read.
func (a *axis) reach(n int) (lo, hi int) {
	return a.lo, (n-1)/a.period*a.step + a.hi
}

// countResidue counts the i < n with i%period == r.
func countResidue(n, r, period int) int { return max(0, (n-r+period-1)/period) }

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
