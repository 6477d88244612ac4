// Instructions on vectors of floats that Go's assembler has no names for, by the numbers of their
// registers: destination d, sources n and m (d OP= n*m for the multiply-adds), as in the Arm
// Architecture Reference Manual, C7.2. All work on four float32 unless they say otherwise.

#define NEON2(op, d, n) WORD $((op) | ((n)<<5) | (d))
#define NEON3(op, d, n, m) WORD $((op) | ((m)<<16) | ((n)<<5) | (d))

#define FADD(d, n, m) NEON3(0x4e20d400, d, n, m)
#define FSUB(d, n, m) NEON3(0x4ea0d400, d, n, m)
#define FMUL(d, n, m) NEON3(0x6e20dc00, d, n, m)
#define FDIV(d, n, m) NEON3(0x6e20fc00, d, n, m)
#define FMAX(d, n, m) NEON3(0x4e20f400, d, n, m) // NaN if either is
#define FMIN(d, n, m) NEON3(0x4ea0f400, d, n, m) // NaN if either is
#define FMLA(d, n, m) NEON3(0x4e20cc00, d, n, m)
#define FMLS(d, n, m) NEON3(0x4ea0cc00, d, n, m)
// FMLALANE is d += n * m[lane], lane 0 to 3.
#define FMLALANE(d, n, m, lane) NEON3(0x4f801000 | (((lane)&1)<<21) | (((lane)>>1)<<11), d, n, m)

#define FNEG(d, n) NEON2(0x6ea0f800, d, n)
#define FABS(d, n) NEON2(0x4ea0f800, d, n)
#define FSQRT(d, n) NEON2(0x6ea1f800, d, n)
#define FRINTN(d, n) NEON2(0x4e218800, d, n) // to an integer, ties to even
#define FCVTNS(d, n) NEON2(0x4e21a800, d, n) // to an int32, ties to even

#define SSHR1(d, n) NEON2(0x4f3f0400, d, n) // int32 >> 1
#define SSHR31(d, n) NEON2(0x4f210400, d, n) // int32 >> 31: all ones if the sign bit is set

// Two float64: the lower or upper half of n converted; sum; multiply-add; sum of both.
#define FCVTL(d, n) NEON2(0x0e617800, d, n)
#define FCVTL2(d, n) NEON2(0x4e617800, d, n)
#define FADD64(d, n, m) NEON3(0x4e60d400, d, n, m)
#define FMLA64(d, n, m) NEON3(0x4e60cc00, d, n, m)
#define FADDP64(d, n) NEON2(0x7e70d800, d, n)

#define ZERO(v) VEOR v.B16, v.B16, v.B16
#define COPY(from, to) VORR from.B16, from.B16, to.B16
