package kernel

func winogradInputAssembly(_ isa, _ int, g *winogradInput) { winogradInput4AVX512(g) }

func winogradOutputAssembly(_ isa, _ int, g *winogradOutput) { winogradOutput4AVX512(g) }

func winogradProductAssembly(_ isa, g *winogradProduct) { winogradProductAVX512(g) }

//go:noescape
func winogradInput4AVX512(arg *winogradInput)

//go:noescape
func winogradOutput4AVX512(arg *winogradOutput)

//go:noescape
func winogradProductAVX512(arg *winogradProduct)
