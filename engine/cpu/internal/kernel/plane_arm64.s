#include "textflag.h"
#include "go_asm.h"
#include "neon_arm64.h"

// A block of 4 output rows times 16 pixels of a one-channel convolution: V0 to V3 hold 16 pixels
// of the input, the lanes of V4 the weights of a tap for the output rows, V16 to V31 the sums.

#define FMA1(n, a, b, c, d) \
	FMLALANE(a, n, 4, 0) \
	FMLALANE(b, n, 4, 1) \
	FMLALANE(c, n, 4, 2) \
	FMLALANE(d, n, 4, 3)

#define ZERO4(a, b, c, d) ZERO(a); ZERO(b); ZERO(c); ZERO(d)

#define STORE(a, b, c, d) \
	FSTPQ (a, b), (R1) \
	FSTPQ (c, d), 32(R1)

// func planeNEON(arg *plane)
//
// All 16 pixels are stored.
TEXT ·planeNEON(SB), NOSPLIT, $0-8
	MOVD arg+0(FP), R0
	MOVD plane_src(R0), R1
	MOVD plane_taps(R0), R5
	MOVD (plane_taps+8)(R0), R3
	ZERO4(V16, V17, V18, V19)
	ZERO4(V20, V21, V22, V23)
	ZERO4(V24, V25, V26, V27)
	ZERO4(V28, V29, V30, V31)

	CBZ R3, sums

tap:
	MOVD planeTap_at(R5), R6
	ADD R6<<2, R1, R9
	FMOVQ planeTap_w(R5), F4
	FMOVQ (R9), F0
	FMOVQ 16(R9), F1
	FMOVQ 32(R9), F2
	FMOVQ 48(R9), F3
	FMA1(0, 16, 20, 24, 28)
	FMA1(1, 17, 21, 25, 29)
	FMA1(2, 18, 22, 26, 30)
	FMA1(3, 19, 23, 27, 31)
	ADD $planeTap__size, R5
	SUBS $1, R3
	BNE tap

sums:
	MOVD plane_dst(R0), R1
	MOVD plane_ldd(R0), R2
	LSL $2, R2
	MOVD plane_m(R0), R3
	STORE(F16, F17, F18, F19)
	SUBS $1, R3
	BEQ done
	ADD R2, R1
	STORE(F20, F21, F22, F23)
	SUBS $1, R3
	BEQ done
	ADD R2, R1
	STORE(F24, F25, F26, F27)
	SUBS $1, R3
	BEQ done
	ADD R2, R1
	STORE(F28, F29, F30, F31)

done:
	RET
