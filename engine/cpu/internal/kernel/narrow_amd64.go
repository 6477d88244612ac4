package kernel

// haveNarrow says whether there is assembly for bfloat16.
const haveNarrow = true

func narrowAssembly(s isa, dst *uint16, src *float32, n int) {
	if s == isaAVX512 {
		narrowAVX512(dst, src, n)
	} else {
		narrowAVX2(dst, src, n)
	}
}

func widenAssembly(s isa, dst *float32, src *uint16, n int) {
	if s == isaAVX512 {
		widenAVX512(dst, src, 1, n, n)
	} else {
		widenAVX2(dst, src, n)
	}
}

func widenRowsAssembly(dst *float32, src *uint16, rows, n, pitch int) {
	widenAVX512(dst, src, rows, n, pitch)
}

// The functions take n elements, a multiple of narrowStep that is not zero.

//go:noescape
func narrowAVX512(dst *uint16, src *float32, n int)

//go:noescape
func widenAVX512(dst *float32, src *uint16, rows, n, pitch int)

//go:noescape
func narrowAVX2(dst *uint16, src *float32, n int)

//go:noescape
func widenAVX2(dst *float32, src *uint16, n int)
