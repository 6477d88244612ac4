package icc

import "math"

// matrix is a linear map of three values.
type matrix [3][3]float64

// xyzToSRGB maps XYZ relative to D50 to linear sRGB: the inverse of sRGB's colorants (IEC 61966-2-1)
// adapted from D65 to D50 by the Bradford method, as ICC.1 does.
var xyzToSRGB = func() matrix {
	m, _ := matrix{
		{0.4360413, 0.3851129, 0.1430458},
		{0.2224845, 0.7169051, 0.0606104},
		{0.0139202, 0.0970672, 0.7139126},
	}.inverse()
	return m
}()

func (m matrix) times(n matrix) (out matrix) {
	for i := range 3 {
		for j := range 3 {
			for k := range 3 {
				out[i][j] += float64(m[i][k] * n[k][j])
			}
		}
	}
	return out
}

func (m matrix) apply(v [3]float64) (out [3]float64) {
	for i := range 3 {
		out[i] = float64(m[i][0]*v[0]) + float64(m[i][1]*v[1]) + float64(m[i][2]*v[2])
	}
	return out
}

// inverse is found by Cramer's rule; ok is false if there is none worth the name.
func (m matrix) inverse() (out matrix, ok bool) {
	for i := range 3 {
		for j := range 3 {
			a, b := (j+1)%3, (j+2)%3
			c, d := (i+1)%3, (i+2)%3
			out[i][j] = float64(m[a][c]*m[b][d]) - float64(m[a][d]*m[b][c])
		}
	}
	det := float64(m[0][0]*out[0][0]) + float64(m[0][1]*out[1][0]) + float64(m[0][2]*out[2][0])
	if !(math.Abs(det) > 1e-6) {
		return matrix{}, false
	}
	for i := range out {
		for j := range out[i] {
			out[i][j] /= det
		}
	}
	return out, true
}

// encode is sRGB's transfer function, continued beyond [0,1] and below 0 as an odd function, so that
// colours outside sRGB's gamut keep their values.
func encode(v float64) float64 {
	a := math.Abs(v)
	if a <= 0.0031308 {
		return 12.92 * v
	}
	return math.Copysign(1.055*math.Pow(a, 1/2.4)-0.055, v)
}

// decode undoes encode.
func decode(v float64) float64 {
	a := math.Abs(v)
	if a <= 12.92*0.0031308 {
		return v / 12.92
	}
	return math.Copysign(math.Pow((a+0.055)/1.055, 2.4), v)
}

// ToSRGB converts device values in [0,1] (RGB, one of grey, or CMYK where 1 is full ink) to sRGB. A
// colour outside sRGB's gamut has values below 0 or above 1. Of a grey colour all three are equal.
func (p *Profile) ToSRGB(device [4]float64) [3]float64 {
	switch {
	case p.table != nil:
		return encodeAll(xyzToSRGB.apply(p.table.xyz(device)))
	case p.Space == Gray:
		v := encode(p.curves[0].eval(device[0]))
		return [3]float64{v, v, v}
	}
	var linear [3]float64
	for c := range linear {
		linear[c] = p.curves[c].eval(device[c])
	}
	return encodeAll(p.toRGB.apply(linear))
}

// FromSRGB undoes ToSRGB for RGB and grey profiles that are Invertible. What the device cannot show
// is clipped to [0,1], channel by channel. Grey takes the first value.
func (p *Profile) FromSRGB(rgb [3]float64) (device [3]float64) {
	if p.Space == Gray {
		device[0] = p.curves[0].inverse(decode(rgb[0]))
		return device
	}
	for c, v := range rgb {
		rgb[c] = decode(v)
	}
	for c, v := range p.back.apply(rgb) {
		device[c] = p.curves[c].inverse(v)
	}
	return device
}

// Neutral is ToSRGB of an RGB profile for equal device values, as one value: what a grey picture with
// a colour profile means.
func (p *Profile) Neutral(v float64) float64 {
	rgb := p.ToSRGB([4]float64{v, v, v})
	return rgb[1]
}

// FromNeutral undoes Neutral.
func (p *Profile) FromNeutral(v float64) float64 {
	return p.FromSRGB([3]float64{v, v, v})[1]
}

func encodeAll(v [3]float64) [3]float64 {
	for c := range v {
		v[c] = encode(v[c])
	}
	return v
}

// IsSRGB says whether device values are sRGB's to less than a quarter of an 8-bit step, so that
// nothing has to be converted.
func (p *Profile) IsSRGB() bool {
	const (
		bound = 0.25 / 255
		steps = 16
	)
	if p.table != nil || p.Space == CMYK {
		return false
	}
	for i := range 256 {
		v := float64(i) / 255
		for _, got := range p.ToSRGB([4]float64{v, v, v}) {
			if math.Abs(got-v) > bound {
				return false
			}
		}
	}
	if p.Space == Gray {
		return true
	}
	for i := range (steps + 1) * (steps + 1) * (steps + 1) {
		v := [4]float64{float64(i%(steps+1)) / steps, float64(i/(steps+1)%(steps+1)) / steps, float64(i/(steps+1)/(steps+1)) / steps}
		for c, got := range p.ToSRGB(v) {
			if math.Abs(min(max(got, 0), 1)-v[c]) > bound {
				return false
			}
		}
	}
	return true
}
