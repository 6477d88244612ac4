#include "textflag.h"
#include "neon_arm64.h"

// Loops over vectors for NEON. The last elements are handled one by one with the same
// instructions, each in the lowest lane of a register: so every element has the same bits
// wherever it is.

// BINARY applies OP(result and first, second) to the elements at R1 and R2.
#define BINARY(OP) \
	MOVD dst+0(FP), R0 \
	MOVD a+8(FP), R1 \
	MOVD b+16(FP), R2 \
	MOVD n+24(FP), R3 \
	MOVD stepA+32(FP), R4 \
	MOVD stepB+40(FP), R5 \
	SUBS $8, R3 \
	BLT rest \
loop: \
	FLDPQ (R1), (F0, F1) \
	FLDPQ (R2), (F2, F3) \
	OP(0, 2) \
	OP(1, 3) \
	FSTPQ.P (F0, F1), 32(R0) \
	ADD R4<<5, R1 \
	ADD R5<<5, R2 \
	SUBS $8, R3 \
	BGE loop \
rest: \
	ADDS $8, R3 \
	BEQ done \
one: \
	FMOVS (R1), F0 \
	FMOVS (R2), F2 \
	OP(0, 2) \
	FMOVS.P F0, 4(R0) \
	ADD R4<<2, R1 \
	ADD R5<<2, R2 \
	SUBS $1, R3 \
	BNE one \
done: \
	RET

// UNARY applies OP, which works on V0, to the elements at R1.
#define UNARY(OP) \
	MOVD dst+0(FP), R0 \
	MOVD a+8(FP), R1 \
	MOVD n+16(FP), R2 \
	SUBS $4, R2 \
	BLT rest \
loop: \
	FMOVQ.P 16(R1), F0 \
	OP \
	FMOVQ.P F0, 16(R0) \
	SUBS $4, R2 \
	BGE loop \
rest: \
	ADDS $4, R2 \
	BEQ done \
one: \
	FMOVS.P 4(R1), F0 \
	OP \
	FMOVS.P F0, 4(R0) \
	SUBS $1, R2 \
	BNE one \
done: \
	RET

#define ADD2(a, b) FADD(a, a, b)
#define SUB2(a, b) FSUB(a, a, b)
#define MUL2(a, b) FMUL(a, a, b)
#define DIV2(a, b) FDIV(a, a, b)
#define MAX2(a, b) FMAX(a, a, b)
#define MIN2(a, b) FMIN(a, a, b)

// func addNEON(dst, a, b *float32, n, stepA, stepB int)
TEXT ·addNEON(SB), NOSPLIT, $0-48
	BINARY(ADD2)

// func subNEON(dst, a, b *float32, n, stepA, stepB int)
TEXT ·subNEON(SB), NOSPLIT, $0-48
	BINARY(SUB2)

// func mulNEON(dst, a, b *float32, n, stepA, stepB int)
TEXT ·mulNEON(SB), NOSPLIT, $0-48
	BINARY(MUL2)

// func divNEON(dst, a, b *float32, n, stepA, stepB int)
TEXT ·divNEON(SB), NOSPLIT, $0-48
	BINARY(DIV2)

// func maxNEON(dst, a, b *float32, n, stepA, stepB int)
TEXT ·maxNEON(SB), NOSPLIT, $0-48
	BINARY(MAX2)

// func minNEON(dst, a, b *float32, n, stepA, stepB int)
TEXT ·minNEON(SB), NOSPLIT, $0-48
	BINARY(MIN2)

// func mulAddNEON(dst, a, b, c *float32, n, stepB, stepC int)
TEXT ·mulAddNEON(SB), NOSPLIT, $0-56
	MOVD dst+0(FP), R0
	MOVD a+8(FP), R1
	MOVD b+16(FP), R2
	MOVD c+24(FP), R3
	MOVD n+32(FP), R4
	MOVD stepB+40(FP), R5
	MOVD stepC+48(FP), R6
	SUBS $8, R4
	BLT rest

loop:
	FLDPQ.P 32(R1), (F0, F1)
	FLDPQ (R2), (F2, F3)
	FLDPQ (R3), (F4, F5)
	FMLA(4, 0, 2)
	FMLA(5, 1, 3)
	FSTPQ.P (F4, F5), 32(R0)
	ADD R5<<5, R2
	ADD R6<<5, R3
	SUBS $8, R4
	BGE loop

rest:
	ADDS $8, R4
	BEQ done

one:
	FMOVS.P 4(R1), F0
	FMOVS (R2), F2
	FMOVS (R3), F4
	FMLA(4, 0, 2)
	FMOVS.P F4, 4(R0)
	ADD R5<<2, R2
	ADD R6<<2, R3
	SUBS $1, R4
	BNE one

done:
	RET

#define NEG FNEG(0, 0)
#define ABS FABS(0, 0)
#define SQRT FSQRT(0, 0)

// func negNEON(dst, a *float32, n int)
TEXT ·negNEON(SB), NOSPLIT, $0-24
	UNARY(NEG)

// func absNEON(dst, a *float32, n int)
TEXT ·absNEON(SB), NOSPLIT, $0-24
	UNARY(ABS)

// func sqrtNEON(dst, a *float32, n int)
TEXT ·sqrtNEON(SB), NOSPLIT, $0-24
	UNARY(SQRT)

// The constants of exp, see expConstants: V16 to V26. The sign bit is V27.
#define EXPCONSTANTS \
	MOVD $·expConstants(SB), R3 \
	VLD1R.P 4(R3), [V16.S4] \
	VLD1R.P 4(R3), [V17.S4] \
	VLD1R.P 4(R3), [V18.S4] \
	VLD1R.P 4(R3), [V19.S4] \
	VLD1R.P 4(R3), [V20.S4] \
	VLD1R.P 4(R3), [V21.S4] \
	VLD1R.P 4(R3), [V22.S4] \
	VLD1R.P 4(R3), [V23.S4] \
	VLD1R.P 4(R3), [V24.S4] \
	VLD1R.P 4(R3), [V25.S4] \
	VLD1R (R3), [V26.S4] \
	MOVD $0x80000000, R3 \
	VDUP R3, V27.S4

// EXPBODY replaces register x, X.B16, no further from 0 than the bounds or NaN, by its
// exponential. It uses V1, V2, V4 and V5. The power of two is multiplied on in two steps, since it
// may be out of range where the result is not.
#define EXPBODY(x) \
	FMUL(1, x, 18) \
	FRINTN(1, 1) \
	FMLS(x, 1, 19) \
	FMLS(x, 1, 20) \
	COPY(V22, V2) \
	FMLA(2, 21, x) \
	COPY(V23, V5) \
	FMLA(5, 2, x) \
	COPY(V24, V2) \
	FMLA(2, 5, x) \
	COPY(V25, V5) \
	FMLA(5, 2, x) \
	COPY(V26, V2) \
	FMLA(2, 5, x) \
	COPY(V26, V5) \
	FMLA(5, 2, x) \
	FCVTNS(1, 1) \
	SSHR1(4, 1) \
	VSUB V4.S4, V1.S4, V1.S4 \
	VSHL $23, V1.S4, V1.S4 \
	VSHL $23, V4.S4, V4.S4 \
	VADD V26.S4, V1.S4, V1.S4 \
	VADD V26.S4, V4.S4, V4.S4 \
	FMUL(5, 5, 1) \
	FMUL(x, 5, 4)

#define EXP \
	FMIN(0, 0, 16) \
	FMAX(0, 0, 17) \
	EXPBODY(0)

// EXPABS leaves exp(-|x|) in V3 and 1+exp(-|x|) in V6.
#define EXPABS \
	VORR V27.B16, V0.B16, V3.B16 \
	FMAX(3, 3, 17) \
	EXPBODY(3) \
	FADD(6, 3, 26)

// The logistic function is 1/(1+e) or e/(1+e), e = exp(-|x|): no overflow on either side. What
// was rounded off in 1+e, and then in the quotient, is added to the quotient, left in V1.
#define QUOTIENT \
	EXPABS \
	FSUB(2, 6, 26) \
	FSUB(2, 3, 2) \
	SSHR31(7, 0) \
	VBIF V7.B16, V26.B16, V3.B16 \
	FDIV(5, 26, 6) \
	FMUL(1, 3, 5) \
	FMLS(3, 1, 6) \
	FMLS(3, 1, 2) \
	FMLA(1, 3, 5)

#define LOGISTIC \
	QUOTIENT \
	COPY(V1, V0)

#define SILU \
	QUOTIENT \
	FMUL(0, 0, 1)

// The derivative L + L*(x*(1-L)); L and 1-L are the two quotients.
#define SILUGRAD \
	EXPABS \
	SSHR31(7, 0) \
	FDIV(1, 26, 6) \
	FMUL(2, 1, 3) \
	COPY(V1, V3) \
	VBIT V7.B16, V2.B16, V3.B16 \
	VBIT V7.B16, V1.B16, V2.B16 \
	FMUL(0, 0, 2) \
	FMLA(3, 3, 0) \
	COPY(V3, V0)

// func expNEON(dst, a *float32, n int)
TEXT ·expNEON(SB), NOSPLIT, $0-24
	EXPCONSTANTS
	UNARY(EXP)

// func logisticNEON(dst, a *float32, n int)
TEXT ·logisticNEON(SB), NOSPLIT, $0-24
	EXPCONSTANTS
	UNARY(LOGISTIC)

// func siluNEON(dst, a *float32, n int)
TEXT ·siluNEON(SB), NOSPLIT, $0-24
	EXPCONSTANTS
	UNARY(SILU)

// func siluGradNEON(dst, a *float32, n int)
TEXT ·siluGradNEON(SB), NOSPLIT, $0-24
	EXPCONSTANTS
	UNARY(SILUGRAD)
