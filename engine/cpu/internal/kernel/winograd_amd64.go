package kernel

// winogradProducts says whether there is assembly for the products of Winograd's method, beside
// the micro-kernels.
const winogradProducts = true

func winogradInputAssembly(s isa, tile int, g *winogradInput) {
	switch {
	case g.bf16 != 0 && tile == 4:
		winogradInput4BF16(g)
	case g.bf16 != 0:
		winogradInput2BF16(g)
	case s == isaAVX512 && tile == 6:
		winogradInput6AVX512(g)
	case tile == 6:
		winogradInputPortable(tile, g)
	case s == isaAVX512 && tile == 4:
		winogradInput4AVX512(g)
	case s == isaAVX512:
		winogradInput2AVX512(g)
	case tile == 4:
		winogradInput4AVX2(g)
	default:
		winogradInput2AVX2(g)
	}
}

func winogradOutputAssembly(s isa, tile int, g *winogradOutput) {
	switch {
	case s == isaAVX512 && tile == 6:
		winogradOutput6AVX512(g)
	case tile == 6:
		winogradOutputPortable(tile, g)
	case s == isaAVX512 && tile == 4:
		winogradOutput4AVX512(g)
	case s == isaAVX512:
		winogradOutput2AVX512(g)
	case tile == 4:
		winogradOutput4AVX2(g)
	default:
		winogradOutput2AVX2(g)
	}
}

func winogradProductAssembly(s isa, g *winogradProduct) {
	if s == isaAVX512 {
		winogradProductAVX512(g)
	} else {
		winogradProductAVX2(g)
	}
}

//go:noescape
func winogradInput6AVX512(arg *winogradInput)

//go:noescape
func winogradOutput6AVX512(arg *winogradOutput)

//go:noescape
func winogradInput4AVX512(arg *winogradInput)

//go:noescape
func winogradInput2AVX512(arg *winogradInput)

//go:noescape
func winogradInput4BF16(arg *winogradInput)

//go:noescape
func winogradInput2BF16(arg *winogradInput)

//go:noescape
func winogradOutput4AVX512(arg *winogradOutput)

//go:noescape
func winogradOutput2AVX512(arg *winogradOutput)

//go:noescape
func winogradProductAVX512(arg *winogradProduct)

//go:noescape
func winogradInput4AVX2(arg *winogradInput)

//go:noescape
func winogradInput2AVX2(arg *winogradInput)

//go:noescape
func winogradOutput4AVX2(arg *winogradOutput)

//go:noescape
func winogradOutput2AVX2(arg *winogradOutput)

//go:noescape
func winogradProductAVX2(arg *winogradProduct)
