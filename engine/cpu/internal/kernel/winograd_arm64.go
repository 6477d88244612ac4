package kernel

// winogradProducts says whether there is assembly for the products of Winograd's method, beside
// the micro-kernels.
const winogradProducts = false

// The assembly takes four channels at a time; the last ones are left to portable code, and so are
// tiles of 6x6.

func winogradNEONChannels(tile, channels int) int {
	if tile > 4 {
		return 0
	}
	return channels &^ 3
}

func winogradInputAssembly(_ isa, tile int, g *winogradInput) {
	head, rest := *g, *g
	head.channels = winogradNEONChannels(tile, g.channels)
	rest.channels = g.channels - head.channels
	if head.channels > 0 {
		if tile == 4 {
			winogradInput4NEON(&head)
		} else {
			winogradInput2NEON(&head)
		}
	}
	if rest.channels > 0 {
		for i := range tile + 2 {
			rest.src[i] = g.src[i][head.channels:]
		}
		rest.dst = g.dst[head.channels:]
		winogradInputPortable(tile, &rest)
	}
}

func winogradOutputAssembly(_ isa, tile int, g *winogradOutput) {
	head, rest := *g, *g
	head.channels = winogradNEONChannels(tile, g.channels)
	rest.channels = g.channels - head.channels
	if head.channels > 0 {
		if tile == 4 {
			winogradOutput4NEON(&head)
		} else {
			winogradOutput2NEON(&head)
		}
	}
	if rest.channels > 0 {
		rest.src, rest.dst = g.src[head.channels:], g.dst[head.channels:]
		rest.bias = g.bias[head.channels:]
		if g.add != nil {
			rest.add = g.add[head.channels:]
		}
		winogradOutputPortable(tile, &rest)
	}
}

func winogradProductAssembly(isa, *winogradProduct) { panic("kernel: no assembly for products") }

//go:noescape
func winogradInput4NEON(arg *winogradInput)

//go:noescape
func winogradInput2NEON(arg *winogradInput)

//go:noescape
func winogradOutput4NEON(arg *winogradOutput)

//go:noescape
func winogradOutput2NEON(arg *winogradOutput)
