//go:build !amd64

package kernel

func fftAssembly(int, *fftArg) { panic("kernel: no assembly for this architecture") }
