#include "textflag.h"
#include "neon_arm64.h"

// Reductions and operations on rows of channels for NEON.

#define ZERO8 \
	ZERO(V0); ZERO(V1); ZERO(V2); ZERO(V3); ZERO(V4); ZERO(V5); ZERO(V6); ZERO(V7)

// TOTAL adds up the lanes of V0 to V7 in F0.
#define TOTAL \
	FADD64(0, 0, 1) \
	FADD64(2, 2, 3) \
	FADD64(4, 4, 5) \
	FADD64(6, 6, 7) \
	FADD64(0, 0, 2) \
	FADD64(4, 4, 6) \
	FADD64(0, 0, 4) \
	FADDP64(0, 0)

// SUM adds four floats of register v to two sums.
#define SUM(v, s0, s1) \
	FCVTL(20, v) \
	FCVTL2(21, v) \
	FADD64(s0, s0, 20) \
	FADD64(s1, s1, 21)

// func sumNEON(a *float32, n int) float64
TEXT ·sumNEON(SB), NOSPLIT, $0-24
	MOVD a+0(FP), R0
	MOVD n+8(FP), R1
	ZERO8
	SUBS $16, R1
	BLT rest

loop:
	FLDPQ.P 32(R0), (F16, F17)
	FLDPQ.P 32(R0), (F18, F19)
	SUM(16, 0, 1)
	SUM(17, 2, 3)
	SUM(18, 4, 5)
	SUM(19, 6, 7)
	SUBS $16, R1
	BGE loop

rest:
	ADDS $16, R1
	BEQ done

one:
	FMOVS.P 4(R0), F16
	FCVTL(20, 16)
	FADD64(0, 0, 20)
	SUBS $1, R1
	BNE one

done:
	TOTAL
	FMOVD F0, ret+16(FP)
	RET

// DOT adds four products of registers v and w to two sums.
#define DOT(v, w, s0, s1) \
	FCVTL(24, v) \
	FCVTL2(25, v) \
	FCVTL(26, w) \
	FCVTL2(27, w) \
	FMLA64(s0, 24, 26) \
	FMLA64(s1, 25, 27)

// func dotNEON(a, b *float32, n int) float64
TEXT ·dotNEON(SB), NOSPLIT, $0-32
	MOVD a+0(FP), R0
	MOVD b+8(FP), R2
	MOVD n+16(FP), R1
	ZERO8
	SUBS $16, R1
	BLT rest

loop:
	FLDPQ.P 32(R0), (F16, F17)
	FLDPQ.P 32(R0), (F18, F19)
	FLDPQ.P 32(R2), (F20, F21)
	FLDPQ.P 32(R2), (F22, F23)
	DOT(16, 20, 0, 1)
	DOT(17, 21, 2, 3)
	DOT(18, 22, 4, 5)
	DOT(19, 23, 6, 7)
	SUBS $16, R1
	BGE loop

rest:
	ADDS $16, R1
	BEQ done

one:
	FMOVS.P 4(R0), F16
	FMOVS.P 4(R2), F20
	FCVTL(24, 16)
	FCVTL(26, 20)
	FMLA64(0, 24, 26)
	SUBS $1, R1
	BNE one

done:
	TOTAL
	FMOVD F0, ret+24(FP)
	RET

// PIXEL is dst = a*factor + summand for the registers given.
#define PIXEL(to, TO, a, factor, SUMMAND) \
	COPY(SUMMAND, TO) \
	FMLA(to, a, factor)

// func mulAddRowsNEON(dst, a, s, t *float32, pixels, channels, stepS, stepT int)
//
// The channels are taken 32, 4 and 1 at a time, each time through all pixels.
TEXT ·mulAddRowsNEON(SB), NOSPLIT, $0-64
	MOVD dst+0(FP), R0
	MOVD a+8(FP), R1
	MOVD s+16(FP), R2
	MOVD t+24(FP), R3
	MOVD pixels+32(FP), R4
	MOVD channels+40(FP), R5
	MOVD stepS+48(FP), R6
	MOVD stepT+56(FP), R7
	LSL $2, R5, R8 // bytes from pixel to pixel
	SUBS $32, R5
	BLT few

wide:
	FLDPQ (R2), (F0, F1)
	FLDPQ 32(R2), (F2, F3)
	FLDPQ 64(R2), (F4, F5)
	FLDPQ 96(R2), (F6, F7)
	FLDPQ (R3), (F8, F9)
	FLDPQ 32(R3), (F10, F11)
	FLDPQ 64(R3), (F12, F13)
	FLDPQ 96(R3), (F14, F15)
	MOVD R0, R9
	MOVD R1, R10
	MOVD R4, R11

wideloop:
	FLDPQ (R10), (F16, F17)
	FLDPQ 32(R10), (F18, F19)
	FLDPQ 64(R10), (F20, F21)
	FLDPQ 96(R10), (F22, F23)
	PIXEL(24, V24, 16, 0, V8)
	PIXEL(25, V25, 17, 1, V9)
	PIXEL(26, V26, 18, 2, V10)
	PIXEL(27, V27, 19, 3, V11)
	PIXEL(28, V28, 20, 4, V12)
	PIXEL(29, V29, 21, 5, V13)
	PIXEL(30, V30, 22, 6, V14)
	PIXEL(31, V31, 23, 7, V15)
	FSTPQ (F24, F25), (R9)
	FSTPQ (F26, F27), 32(R9)
	FSTPQ (F28, F29), 64(R9)
	FSTPQ (F30, F31), 96(R9)
	ADD R8, R10
	ADD R8, R9
	SUBS $1, R11
	BNE wideloop
	ADD $128, R0
	ADD $128, R1
	ADD R6<<7, R2
	ADD R7<<7, R3
	SUBS $32, R5
	BGE wide

few:
	ADD $28, R5 // 32-4
	TBNZ $63, R5, rest

four:
	FMOVQ (R2), F0
	FMOVQ (R3), F8
	MOVD R0, R9
	MOVD R1, R10
	MOVD R4, R11

fourloop:
	FMOVQ (R10), F16
	PIXEL(24, V24, 16, 0, V8)
	FMOVQ F24, (R9)
	ADD R8, R10
	ADD R8, R9
	SUBS $1, R11
	BNE fourloop
	ADD $16, R0
	ADD $16, R1
	ADD R6<<4, R2
	ADD R7<<4, R3
	SUBS $4, R5
	BGE four

rest:
	ADDS $4, R5
	BEQ done

one:
	FMOVS (R2), F0
	FMOVS (R3), F8
	MOVD R0, R9
	MOVD R1, R10
	MOVD R4, R11

oneloop:
	FMOVS (R10), F16
	PIXEL(24, V24, 16, 0, V8)
	FMOVS F24, (R9)
	ADD R8, R10
	ADD R8, R9
	SUBS $1, R11
	BNE oneloop
	ADD $4, R0
	ADD $4, R1
	ADD R6<<2, R2
	ADD R7<<2, R3
	SUBS $1, R5
	BNE one

done:
	RET

// func colSumNEON(part, x *float32, rows, stride, n int)
TEXT ·colSumNEON(SB), NOSPLIT, $0-40
	MOVD part+0(FP), R0
	MOVD x+8(FP), R1
	MOVD rows+16(FP), R4
	MOVD stride+24(FP), R8
	MOVD n+32(FP), R5
	LSL $2, R8
	SUBS $32, R5
	BLT few

wide:
	ZERO8
	MOVD R1, R10
	MOVD R4, R11

wideloop:
	FLDPQ (R10), (F16, F17)
	FLDPQ 32(R10), (F18, F19)
	FLDPQ 64(R10), (F20, F21)
	FLDPQ 96(R10), (F22, F23)
	FADD(0, 0, 16)
	FADD(1, 1, 17)
	FADD(2, 2, 18)
	FADD(3, 3, 19)
	FADD(4, 4, 20)
	FADD(5, 5, 21)
	FADD(6, 6, 22)
	FADD(7, 7, 23)
	ADD R8, R10
	SUBS $1, R11
	BNE wideloop
	FSTPQ.P (F0, F1), 32(R0)
	FSTPQ.P (F2, F3), 32(R0)
	FSTPQ.P (F4, F5), 32(R0)
	FSTPQ.P (F6, F7), 32(R0)
	ADD $128, R1
	SUBS $32, R5
	BGE wide

few:
	ADD $28, R5 // 32-4
	TBNZ $63, R5, rest

four:
	ZERO(V0)
	MOVD R1, R10
	MOVD R4, R11

fourloop:
	FMOVQ (R10), F16
	FADD(0, 0, 16)
	ADD R8, R10
	SUBS $1, R11
	BNE fourloop
	FMOVQ.P F0, 16(R0)
	ADD $16, R1
	SUBS $4, R5
	BGE four

rest:
	ADDS $4, R5
	BEQ done

one:
	ZERO(V0)
	MOVD R1, R10
	MOVD R4, R11

oneloop:
	FMOVS (R10), F16
	FADD(0, 0, 16)
	ADD R8, R10
	SUBS $1, R11
	BNE oneloop
	FMOVS.P F0, 4(R0)
	ADD $4, R1
	SUBS $1, R5
	BNE one

done:
	RET

// func colDotNEON(part, x, y *float32, rows, stride, n int)
TEXT ·colDotNEON(SB), NOSPLIT, $0-48
	MOVD part+0(FP), R0
	MOVD x+8(FP), R1
	MOVD y+16(FP), R2
	MOVD rows+24(FP), R4
	MOVD stride+32(FP), R8
	MOVD n+40(FP), R5
	LSL $2, R8
	SUBS $32, R5
	BLT few

wide:
	ZERO8
	MOVD R1, R10
	MOVD R2, R9
	MOVD R4, R11

wideloop:
	FLDPQ (R10), (F16, F17)
	FLDPQ 32(R10), (F18, F19)
	FLDPQ 64(R10), (F20, F21)
	FLDPQ 96(R10), (F22, F23)
	FLDPQ (R9), (F24, F25)
	FLDPQ 32(R9), (F26, F27)
	FLDPQ 64(R9), (F28, F29)
	FLDPQ 96(R9), (F30, F31)
	FMLA(0, 16, 24)
	FMLA(1, 17, 25)
	FMLA(2, 18, 26)
	FMLA(3, 19, 27)
	FMLA(4, 20, 28)
	FMLA(5, 21, 29)
	FMLA(6, 22, 30)
	FMLA(7, 23, 31)
	ADD R8, R10
	ADD R8, R9
	SUBS $1, R11
	BNE wideloop
	FSTPQ.P (F0, F1), 32(R0)
	FSTPQ.P (F2, F3), 32(R0)
	FSTPQ.P (F4, F5), 32(R0)
	FSTPQ.P (F6, F7), 32(R0)
	ADD $128, R1
	ADD $128, R2
	SUBS $32, R5
	BGE wide

few:
	ADD $28, R5 // 32-4
	TBNZ $63, R5, rest

four:
	ZERO(V0)
	MOVD R1, R10
	MOVD R2, R9
	MOVD R4, R11

fourloop:
	FMOVQ (R10), F16
	FMOVQ (R9), F24
	FMLA(0, 16, 24)
	ADD R8, R10
	ADD R8, R9
	SUBS $1, R11
	BNE fourloop
	FMOVQ.P F0, 16(R0)
	ADD $16, R1
	ADD $16, R2
	SUBS $4, R5
	BGE four

rest:
	ADDS $4, R5
	BEQ done

one:
	ZERO(V0)
	MOVD R1, R10
	MOVD R2, R9
	MOVD R4, R11

oneloop:
	FMOVS (R10), F16
	FMOVS (R9), F24
	FMLA(0, 16, 24)
	ADD R8, R10
	ADD R8, R9
	SUBS $1, R11
	BNE oneloop
	FMOVS.P F0, 4(R0)
	ADD $4, R1
	ADD $4, R2
	SUBS $1, R5
	BNE one

done:
	RET
