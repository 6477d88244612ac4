#include "textflag.h"
#include "go_asm.h"

// The products of Winograd's method for AVX2: blocks of 6, 4 or 2 rows times a panel of 16
// columns, for one point after the other. A row of the panel is in Y0 and Y1, an element of a row
// of the left-hand side in Y2 and Y3, and the sums in Y4 to Y15.

#define ZERO(c) VXORPS c, c, c

#define FMA(x, t, c0, c1) \
	VBROADCASTSS x, t \
	VFMADD231PS Y0, t, c0 \
	VFMADD231PS Y1, t, c1

#define STORE(c0, c1) \
	VMOVUPS c0, (R11) \
	VMOVUPS c1, 32(R11) \
	ADDQ $64, R11

#define ZERO2 ZERO(Y4); ZERO(Y5); ZERO(Y6); ZERO(Y7)
#define ZERO4 ZERO2; ZERO(Y8); ZERO(Y9); ZERO(Y10); ZERO(Y11)
#define ZERO6 ZERO4; ZERO(Y12); ZERO(Y13); ZERO(Y14); ZERO(Y15)

#define FMA2 \
	FMA((AX), Y2, Y4, Y5) \
	FMA((AX)(BX*1), Y3, Y6, Y7)

#define FMA4 FMA2 \
	FMA((AX)(BX*2), Y2, Y8, Y9) \
	FMA((AX)(CX*1), Y3, Y10, Y11)

#define FMA6 FMA4 \
	FMA((AX)(BX*4), Y2, Y12, Y13) \
	FMA((AX)(DX*1), Y3, Y14, Y15)

#define STORE2 STORE(Y4, Y5); STORE(Y6, Y7)
#define STORE4 STORE2; STORE(Y8, Y9); STORE(Y10, Y11)
#define STORE6 STORE4; STORE(Y12, Y13); STORE(Y14, Y15)

#define BLOCK(loop, zero, fma, store) \
	zero \
	MOVQ R14, AX \
	MOVQ R15, R9 \
	MOVQ R12, R10 \
loop: \
	VMOVUPS (R9), Y0 \
	VMOVUPS 32(R9), Y1 \
	fma \
	ADDQ $4, AX \
	ADDQ $64, R9 \
	DECQ R10 \
	JNZ loop \
	store

// func winogradProductAVX2(arg *winogradProduct)
TEXT ·winogradProductAVX2(SB), NOSPLIT, $48-8
	MOVQ arg+0(FP), R12
	MOVQ winogradProduct_rows(R12), AX
	MOVQ AX, rows-8(SP)
	MOVQ winogradProduct_points(R12), AX
	MOVQ AX, points-16(SP)
	MOVQ winogradProduct_aPoint(R12), AX
	SHLQ $2, AX
	MOVQ AX, aPoint-24(SP)
	MOVQ winogradProduct_cPoint(R12), AX
	SHLQ $2, AX
	MOVQ AX, cPoint-32(SP)
	MOVQ winogradProduct_a(R12), R14
	MOVQ winogradProduct_b(R12), R15
	MOVQ winogradProduct_c(R12), R11
	MOVQ winogradProduct_aRow(R12), BX
	SHLQ $2, BX
	LEAQ (BX)(BX*2), CX
	LEAQ (BX)(BX*4), DX
	LEAQ (CX)(CX*1), SI
	MOVQ winogradProduct_k(R12), R12

point:
	MOVQ rows-8(SP), R13
	MOVQ R14, a-40(SP)
	MOVQ R11, c-48(SP)

rows:
	CMPQ R13, $6
	JLT rows4
	BLOCK(loop6, ZERO6, FMA6, STORE6)
	ADDQ SI, R14
	SUBQ $6, R13
	JMP rows

rows4:
	CMPQ R13, $4
	JLT rows2
	BLOCK(loop4, ZERO4, FMA4, STORE4)
	JMP done

rows2:
	TESTQ R13, R13
	JZ done
	BLOCK(loop2, ZERO2, FMA2, STORE2)

done:
	MOVQ R9, R15
	MOVQ a-40(SP), R14
	ADDQ aPoint-24(SP), R14
	MOVQ c-48(SP), R11
	ADDQ cPoint-32(SP), R11
	DECQ points-16(SP)
	JNZ point
	VZEROUPPER
	RET
