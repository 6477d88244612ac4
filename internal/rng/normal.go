package rng

import "math"

// Normal returns a standard normal number, by inversion of one uniform number. Its absolute
// value is at most 8.2.
func (s *Stream) Normal() float64 { return normalQuantile(s.open()) }

// FillNormal fills dst with standard normal numbers.
func (s *Stream) FillNormal(dst []float32) {
	for i := range dst {
		dst[i] = float32(s.Normal())
	}
}

// normalQuantile is the inverse of the standard normal distribution function on (0,1), to about
// 1e-16 relative: Wichura's PPND16 (Algorithm AS 241, Applied Statistics 37, 1988).
func normalQuantile(p float64) float64 {
	q := p - 0.5
	if math.Abs(q) <= 0.425 {
		r := 0.180625 - float64(q*q)
		return q * horner(r, &centralNum) / horner(r, &centralDen)
	}
	r := p
	if q > 0 {
		r = 1 - p
	}
	r = math.Sqrt(-log(r))
	var z float64
	if r <= 5 {
		z = horner(r-1.6, &middleNum) / horner(r-1.6, &middleDen)
	} else {
		z = horner(r-5, &tailNum) / horner(r-5, &tailDen)
	}
	if q < 0 {
		return -z
	}
	return z
}

// horner evaluates c[0] + c[1] x + ... + c[7] x^7. The conversions round every product, which
// keeps the compiler from fusing it with the sum.
func horner(x float64, c *[8]float64) float64 {
	v := c[7]
	for i := 6; i >= 0; i-- {
		v = float64(v*x) + c[i]
	}
	return v
}

var (
	centralNum = [8]float64{
		3.3871328727963666080e0, 1.3314166789178437745e2, 1.9715909503065514427e3, 1.3731693765509461125e4,
		4.5921953931549871457e4, 6.7265770927008700853e4, 3.3430575583588128105e4, 2.5090809287301226727e3,
	}
	centralDen = [8]float64{
		1, 4.2313330701600911252e1, 6.8718700749205790830e2, 5.3941960214247511077e3,
		2.1213794301586595867e4, 3.9307895800092710610e4, 2.8729085735721942674e4, 5.2264952788528545610e3,
	}
	middleNum = [8]float64{
		1.42343711074968357734e0, 4.63033784615654529590e0, 5.76949722146069140550e0, 3.64784832476320460504e0,
		1.27045825245236838258e0, 2.41780725177450611770e-1, 2.27238449892691845833e-2, 7.74545014278341407640e-4,
	}
	middleDen = [8]float64{
		1, 2.05319162663775882187e0, 1.67638483018380384940e0, 6.89767334985100004550e-1,
		1.48103976427480074590e-1, 1.51986665636164571966e-2, 5.47593808499534494600e-4, 1.05075007164441684324e-9,
	}
	tailNum = [8]float64{
		6.65790464350110377720e0, 5.46378491116411436990e0, 1.78482653991729133580e0, 2.96560571828504891230e-1,
		2.65321895265761230930e-2, 1.24266094738807843860e-3, 2.71155556874348757815e-5, 2.01033439929228813265e-7,
	}
	tailDen = [8]float64{
		1, 5.99832206555887937690e-1, 1.36929880922735805310e-1, 1.48753612908506148525e-2,
		7.86869131145613259100e-4, 1.84631831751005468180e-5, 1.42151175831644588870e-7, 2.04426310338993978564e-15,
	}
)

// log is the natural logarithm of a positive normal number to 1 ulp. math.Log is assembly on
// some platforms and may be contracted on others; this is the same everywhere. With
// x = 2^k (1+f), sqrt(1/2) < 1+f < sqrt(2) and s = f/(2+f), log(1+f) is 2 atanh(s), whose series in s^2 is cut
// where its terms fall below rounding.
func log(x float64) float64 {
	m, k := math.Frexp(x)
	if m < math.Sqrt2/2 {
		m *= 2
		k--
	}
	f := m - 1
	s := f / (2 + f)
	z := float64(s * s)
	t := 0.0
	for n := 23; n >= 3; n -= 2 {
		t = float64((t + 1/float64(n)) * z)
	}
	// 2s + 2s t, with 2s = f - f s to keep the low bits of f.
	tail := float64(s * float64(2*t-f))
	const ln2Hi, ln2Lo = 6.93147180369123816490e-01, 1.90821492927058770002e-10
	kf := float64(k)
	return float64(kf*ln2Hi) + (f + (tail + float64(kf*ln2Lo)))
}
