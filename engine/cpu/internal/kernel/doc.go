// Package kernel holds the float32 compute kernels of the CPU engine: packed matrix products,
// convolutions, loops over vectors, and the passes of Fourier transforms.
//
// Every kernel exists in portable Go and in assembly: on amd64 for AVX2 with FMA and for AVX-512,
// on arm64 for NEON. (Fourier transforms, in float64, have assembly for AVX2 only, which AVX-512
// machines use too.) The best instruction set of the processor is chosen when the program starts;
// see ISA.
//
// # What the results depend on
//
// An element of a matrix product or convolution is one chain of multiply-adds over k in
// ascending order (for a convolution k runs over kernel rows, kernel columns and input channels,
// in this order), then the bias is added, then the residual. The chain is the same for every
// blocking, so results do not depend, to the bit, on the number of threads, on the batch size,
// or on which rows or columns are computed together. All versions in assembly fuse each
// multiply-add and agree to the bit; the portable version rounds the product first where Go's
// compiler does, as on amd64.
//
// A convolution by Winograd's method (see Algorithm) has such a chain over the input channels for
// each of its points. Its tiles always lie alike in an image, so the same holds; only with NEON the
// last channels, where their number is no multiple of 4, are transformed by portable code.
//
// With BF16 a link of the chain is a pair of input channels, of which both products are added in
// turn. All of the above holds for it, but the portable version rounds as in float32 and the
// processor's instruction takes denormal numbers for zero.
//
// # Slices
//
// Functions panic, as the built-in index operation does, if a slice is too short for the sizes
// given. The elements between the end of a row and its stride are never written.
package kernel
