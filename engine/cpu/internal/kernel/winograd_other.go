//go:build !amd64 && !arm64

package kernel

const winogradProducts = false

func winogradInputAssembly(isa, int, *winogradInput) {
	panic("kernel: no assembly for this architecture")
}

func winogradOutputAssembly(isa, int, *winogradOutput) {
	panic("kernel: no assembly for this architecture")
}

func winogradProductAssembly(isa, *winogradProduct) {
	panic("kernel: no assembly for this architecture")
}
