//go:build !amd64

package kernel

func fftAssembly(int, *fftArg) { panic("kernel: no assembly for this architecture") }

func fftLoadAssembly(*fftMove) { panic("kernel: no assembly for this architecture") }

func fftStoreAssembly(*fftMove) { panic("kernel: no assembly for this architecture") }
