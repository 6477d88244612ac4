//go:build !amd64

package kernel

// haveNarrow says whether there is assembly for bfloat16.
const haveNarrow = false

func narrowAssembly(s isa, dst *uint16, src *float32, n int) {
	panic("kernel: no bfloat16 in assembly")
}

func widenAssembly(s isa, dst *float32, src *uint16, n int) { panic("kernel: no bfloat16 in assembly") }

func widenRowsAssembly(dst *float32, src *uint16, rows, n, pitch int) {
	panic("kernel: no bfloat16 in assembly")
}
