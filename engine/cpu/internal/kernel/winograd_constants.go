//go:build amd64 || arm64

package kernel

// winogradConstants are the powers of the points that the transforms multiply by.
//
//lint:ignore U1000 The assembly uses them.
var winogradConstants = [6]float32{
	winogradA, winogradB,
	winogradA * winogradA, winogradB * winogradB,
	winogradA * winogradA * winogradA, winogradB * winogradB * winogradB,
}

// winogradIn6Constants are the coefficients of winogradIn6.
//
//lint:ignore U1000 The assembly uses them.
var winogradIn6Constants = [8]float32{21.0 / 4, 17.0 / 4, 5.0 / 4, 4, 1.0 / 4, 5.0 / 2, 1.0 / 2, 2}

// winogradOut6Constants are the coefficients of winogradOut6.
//
//lint:ignore U1000 The assembly uses them.
var winogradOut6Constants = [10]float32{1.0 / 2, 2, 1.0 / 4, 4, 1.0 / 8, 8, 1.0 / 16, 16, 1.0 / 32, 32}
