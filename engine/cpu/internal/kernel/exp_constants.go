//go:build amd64 || arm64

package kernel

//lint:file-ignore U1000 The constants are used by the assembly.

// expConstants are what exp needs: exp(x) = 2^n * exp(r) with n = round(x/ln 2) and
// r = x - n*ln 2, |r| <= ln(2)/2. The polynomial has the smallest largest relative error with the
// first two coefficients 1: 6.1e-2 units in the last place.
var expConstants = [...]float32{
	89,                       // exp is +Inf from here on
	-104,                     // exp is 0 from here on
	1.4426950216293335,       // 1/ln 2
	0.693147182464599609375,  // ln 2, the first 24 bits
	-1.904654323148236017e-9, // and the rest
	0.0013814540579915047,    // r^6
	0.00836874544620513916,   // r^5
	0.04166838899254798889,   // r^4
	0.1666652113199234,       // r^3
	0.4999999403953552,       // r^2
	1,                        // r and 1
}
