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
