#include "textflag.h"
#include "go_asm.h"
#include "neon_arm64.h"

// A block of 4 output rows times 16 pixels of a one-channel convolution. Four taps are taken at a
// time: V0 to V3 hold 16 pixels of the input, V4 to V7 four taps for each of the output rows, V16
// to V31 the sums. That makes 64 multiply-adds with 20 loads. The pixels are loaded for every tap
// again, at any alignment, since shifting them together (EXT) would take the place of
// multiply-adds.

#define FMA1(n, lane, a, b, c, d) \
	FMLALANE(a, n, 4, lane) \
	FMLALANE(b, n, 5, lane) \
	FMLALANE(c, n, 6, lane) \
	FMLALANE(d, n, 7, lane)

// TAP adds the taps in one lane times the pixels from offset on.
#define TAP(offset, lane) \
	FMOVQ offset(R9), F0 \
	FMOVQ offset+16(R9), F1 \
	FMOVQ offset+32(R9), F2 \
	FMOVQ offset+48(R9), F3 \
	FMA1(0, lane, 16, 20, 24, 28) \
	FMA1(1, lane, 17, 21, 25, 29) \
	FMA1(2, lane, 18, 22, 26, 30) \
	FMA1(3, lane, 19, 23, 27, 31)

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
	MOVD plane_lds(R0), R2
	LSL $2, R2
	MOVD plane_rows(R0), R3
	MOVD plane_kw(R0), R4
	MOVD plane_w(R0), R8 // the taps for the last output row; those for the others follow
	ADD R4<<2, R8, R7
	ADD R4<<2, R7, R6
	ADD R4<<2, R6, R5
	ZERO4(V16, V17, V18, V19)
	ZERO4(V20, V21, V22, V23)
	ZERO4(V24, V25, V26, V27)
	ZERO4(V28, V29, V30, V31)

row:
	MOVD R1, R9
	SUBS $4, R4, R10
	BLT rest

four:
	FMOVQ.P 16(R5), F4
	FMOVQ.P 16(R6), F5
	FMOVQ.P 16(R7), F6
	FMOVQ.P 16(R8), F7
	TAP(0, 0)
	TAP(4, 1)
	TAP(8, 2)
	TAP(12, 3)
	ADD $16, R9
	SUBS $4, R10
	BGE four

rest:
	ADDS $4, R10
	BEQ next

one:
	FMOVS.P 4(R5), F4
	FMOVS.P 4(R6), F5
	FMOVS.P 4(R7), F6
	FMOVS.P 4(R8), F7
	TAP(0, 0)
	ADD $4, R9
	SUBS $1, R10
	BNE one

next:
	ADD R2, R1
	SUBS $1, R3
	BNE row

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
