package kernel

func fftAssembly(radix int, arg *fftArg) {
	switch radix {
	case 2:
		fft2AVX2(arg)
	case 3:
		fft3AVX2(arg)
	case 4:
		fft4AVX2(arg)
	case 5:
		fft5AVX2(arg)
	}
}

func fftLoadAssembly(arg *fftMove) { fftLoadAVX2(arg) }

func fftStoreAssembly(arg *fftMove) { fftStoreAVX2(arg) }

//go:noescape
func fftLoadAVX2(arg *fftMove)

//go:noescape
func fftStoreAVX2(arg *fftMove)

//go:noescape
func fft2AVX2(arg *fftArg)

//go:noescape
func fft3AVX2(arg *fftArg)

//go:noescape
func fft4AVX2(arg *fftArg)

//go:noescape
func fft5AVX2(arg *fftArg)
